# SPDX-License-Identifier: MIT
"""Three-second prompts from held-out style families, in which the target rests (to add it) or plays (to remove it)."""

import json
import wave

import numpy as np

from training import audio
from training.settings import FRAME_RATE, HOP, RATE, STEMS

SECONDS = 3
FUTURE = 7  # seconds after the prompt that are generated, and that the real continuation has


def _suits(active, rows, kind):
    """Whether the frames [stems, P] make a prompt for `kind` ("add": the targets rest, others play to the end)."""
    targets, others = active[rows], np.delete(active, rows, 0)
    if kind == "add":
        return targets.mean(1).max() < 0.01 and others[:, -FRAME_RATE:].mean(1).max() > 0.5
    return targets.mean(1).min() > 0.7 and targets[:, -FRAME_RATE:].mean(1).min() > 0.5


def choose(pieces, targets, kind, count, seed):
    """[(piece, first frame)]: places spread over pieces; a second place in one piece is at least 10 s away."""
    rows, length = [STEMS.index(t) for t in targets], SECONDS * FRAME_RATE
    rng = np.random.default_rng([seed, *rows, kind == "add"])
    found = []
    for _ in range(8):
        for index in rng.permutation(len(pieces)):
            piece = pieces[index]
            last = piece.activity.shape[1] - length - FUTURE * FRAME_RATE
            taken = [first for other, first in found if other is piece]
            starts = [s for s in range(0, max(0, last), FRAME_RATE // 2)
                      if _suits(piece.activity[:, s:s + length], rows, kind)
                      and all(abs(s - first) >= 10 * FRAME_RATE for first in taken)]
            if starts:
                found.append((piece, int(rng.choice(starts))))
            if len(found) == count:
                return found
    raise SystemExit("only %d of %d prompts for %s %s; render more held-out pieces"
                     % (len(found), count, kind, ", ".join(targets)))


def write_wav(path, samples):
    """16-bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def read_wav(path):
    """float32 [samples] of a 16-bit mono file."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def make(work, out, target, kind, count, seed):
    """Write out/PROMPTS/NNN.wav and the real futures out/real/NNN.wav; returns the prompt files. Done once."""
    folder, real = out / "prompts", out / "real"
    listing = out / "prompts.json"
    if not listing.exists():
        folder.mkdir(parents=True, exist_ok=True)
        real.mkdir(exist_ok=True)
        pieces = audio.pieces(work / "corpus", "valid") + audio.pieces(work / "corpus", "test")
        places = choose(pieces, [target], kind, count, seed)
        for i, (piece, first) in enumerate(places):
            start, length = first * HOP, SECONDS * RATE
            write_wav(folder / ("%03d.wav" % i), piece.mix(start, length))
            write_wav(real / ("%03d.wav" % i), piece.mix(start + length, FUTURE * RATE))
        listing.write_text(json.dumps([[p.family, p.name, first] for p, first in places]))
    return sorted(folder.glob("*.wav"))

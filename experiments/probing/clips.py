# SPDX-License-Identifier: MIT
"""Clips of the corpus's mixtures and of the game music with all that their metadata knows of them.

Writes OUT/audio/SET/PIECE-START.wav (SET is train, valid, held or game) and OUT/clips.csv, a table as `smitin probe` reads it:
path, split, artist (the piece), start, and the columns that become labels. Held-out families and game music are both "test".
Also OUT/stems, a tree of links for `smitin probe --stems`: train, and test with the pieces of valid, held and game.
"""

import argparse
import csv
import hashlib
import pathlib

import numpy as np

from corpus import theory
from experiments.steering.prompts import write_wav
from training import audio
from training.settings import FRAME_RATE, HOP, RATE, STEMS, TARGETS

SECONDS = 3
PRESENT, ABSENT = 0.5, 0.01     # shares of active frames; a clip with a target in between is left out
COLUMNS = ("path", "split", "artist", "set", "family", "genre", "instruments", "key", "bpm", "parts", "loudness", "brightness")
FLATS = dict(zip(theory.MINOR_KEYS, theory.KEYS))   # the tool spells all keys with flats
# The composer's styles, by the first family name that fits (corpus/theory.py), under names of genres.
GENRES = (("jazz", ("jazz", "minjazz")), ("blues", ("blues",)), ("latin", ("latin",)), ("folk", ("folk",)), ("pop", ("pop",)),
          ("electronic", ("minor",)))


def genre_of(family):
    """The genre of a style family; "" for game music, whose genre nobody has written down."""
    name = family.split("/")[-1].lower()
    pools = next(pools for pattern, pools, _, _ in theory.STYLES if pattern.search(name))
    return next(g for g, first in GENRES if pools[0] in first)


def brightness(samples):
    """log2 of the spectral centroid in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(np.log2(max(1.0, (spectrum * frequencies).sum() / max(spectrum.sum(), 1e-12))))


def starts(piece, count, seed):
    """First frames of up to `count` clips that do not overlap and in which every target is clearly there or not."""
    length = SECONDS * FRAME_RATE
    last = piece.activity.shape[1] - length
    rng = np.random.default_rng([seed, int(hashlib.sha256(piece.name.encode()).hexdigest()[:8], 16)])
    found = []
    for first in rng.permutation(max(0, last // (FRAME_RATE // 2))) * (FRAME_RATE // 2):
        shares = piece.activity[:len(TARGETS), first:first + length].mean(1)
        clear = np.all((shares >= PRESENT) | (shares < ABSENT))
        if clear and piece.activity[:, first:first + length].any() and all(abs(first - f) >= length for f in found):
            found.append(int(first))
        if len(found) == count:
            break
    return sorted(found)


def describe(piece, first, samples, name):
    """The row of one clip, without its path."""
    shares = piece.activity[:, first:first + SECONDS * FRAME_RATE].mean(1)
    meta = piece.meta
    key = "" if meta["key"] is None else "%s %s" % (FLATS.get(meta["key"], meta["key"]), meta["mode"])
    return {"split": {"train": "train", "valid": "valid"}.get(name, "test"), "artist": piece.name, "set": name,
            "family": piece.family, "genre": "" if name == "game" else genre_of(piece.family),
            "instruments": ";".join(t for t, s in zip(STEMS, shares) if s >= PRESENT and t in TARGETS), "key": key,
            "bpm": meta["bpm"], "parts": int((shares >= PRESENT).sum()),
            "loudness": round(10 * np.log10(float(np.mean(samples ** 2)) + 1e-12), 3),
            "brightness": round(brightness(samples), 4)}


def links(out, sets):
    """OUT/stems/train and OUT/stems/test/SET: the pieces' folders under the names the clips have."""
    for name, pieces in sets.items():
        folder = out / "stems" / ("train" if name == "train" else "test/" + name)
        folder.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            link = folder / piece.name
            if not link.exists():
                link.symlink_to(piece.folder.resolve())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=pathlib.Path, required=True, help="made by python -m corpus make")
    parser.add_argument("--game", type=pathlib.Path, required=True, help="made by python -m corpus game")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--train", type=int, default=250, help="pieces of the training families")
    parser.add_argument("--per-piece", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sets = {"train": audio.pieces(args.corpus, "train")[:args.train], "valid": audio.pieces(args.corpus, "valid"),
            "held": audio.pieces(args.corpus, "test"), "game": audio.pieces(args.game, "test")}
    links(args.out, sets)
    rows = []
    for name, pieces in sets.items():
        folder = args.out / "audio" / name
        folder.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            for first in starts(piece, args.per_piece, args.seed):
                samples = piece.mix(first * HOP, SECONDS * RATE)
                file = folder / ("%s-%05d.wav" % (piece.name, first))
                write_wav(file, samples)
                rows.append({"path": "%s/%s" % (name, file.name), **describe(piece, first, samples, name)})
        print("%s: %d pieces, %d clips" % (name, len(pieces), sum(r["set"] == name for r in rows)), flush=True)
    with open(args.out / "clips.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()

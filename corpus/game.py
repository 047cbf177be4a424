# SPDX-License-Identifier: MIT
"""The second, out-of-domain test set: game music, written by people, as pieces of the same layout.

Nothing is composed, exchanged or rearranged here: an excerpt of a tune is rendered per stem with
soundfonts that the training corpus does not use, then equalised, levelled and quantised as
there. Everything depends on the tune's name and bytes and on the fonts alone.
"""

import collections
import dataclasses
import functools
import json
import multiprocessing
import os

import numpy as np

from . import build, gamefiles, gm, midi, mix, piece, synth, theory

FONTS = ("TimGM6mb.sf2", "A320U.sf2", "OPL-3_FM_128M.sf2")
SECONDS = 60            # of an excerpt, at most; it begins with the first note
SHORTEST = 15           # seconds; shorter tunes are jingles and are left out
SPLIT = "test"

# Krumhansl and Kessler (1982): how well each pitch class fits a major and a minor key.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


class GameError(ValueError):
    """A tune that does not make a piece."""


@dataclasses.dataclass
class Excerpt:
    """Where a tune is cut: ticks and seconds of its first note and of its end."""
    first: int
    last: int
    start: float
    seconds: float


def excerpt(file):
    """The excerpt of a MIDI file; GameError for a tune without notes or too short a one."""
    notes = midi.notes(file)
    if not notes:
        raise GameError("has no notes")
    clock = midi.Clock(file)
    first = min(n.start for n in notes)
    start = clock.seconds(first)
    seconds = min(SECONDS, clock.seconds(clock.last_tick) - start)
    if seconds < SHORTEST:
        raise GameError("lasts %.1f s, less than %d" % (seconds, SHORTEST))
    return Excerpt(first, clock.tick(start + seconds), start, seconds)


def key_of(notes):
    """(tonic, "major" or "minor", correlation) that fits the notes best, drums aside.

    Pearson correlation of the seconds, here ticks, per pitch class with the 24 rotated profiles.
    """
    weight = np.zeros(12)
    for note in notes:
        weight[note.pitch % 12] += note.end - note.start
    if not weight.any():
        return None, None, 0.0
    fits = [(float(np.corrcoef(weight, np.roll(profile, tonic))[0, 1]), -i, tonic)
            for i, profile in enumerate((MAJOR, MINOR)) for tonic in range(12)]
    fit, minor, tonic = max(fits)
    return (theory.MINOR_KEYS if minor else theory.KEYS)[tonic], \
        "minor" if minor else "major", round(fit, 3)


def _metre(file):
    """(numerator, denominator) of the first time signature; 4/4 when there is none."""
    for track in file.tracks:
        for message in track:
            if message.type == "time_signature":
                return message.numerator, message.denominator
    return 4, 4


def _programs(notes, stems, edges):
    """{stem: [program entries]}, as in the corpus: "bars" is a digit per bar with notes."""
    parts = collections.defaultdict(list)
    for note in notes:
        parts[note.stem, note.channel, note.program].append(note)
    table = {s: [] for s in stems}
    for (stem, channel, program), played in sorted(parts.items(), key=lambda p: -len(p[1])):
        if stem in table:
            bars = ["01"[any(n.start < b and n.end > a for n in played)]
                    for a, b in zip(edges, edges[1:])]
            table[stem].append({"program": program, "name": gm.program_name(channel, program),
                                "notes": len(played), "bars": "".join(bars)})
    return table


def _rendered(file, part, name, fonts):
    """({stem: float array}, {stem: [font]}) of the excerpt."""
    kits = collections.Counter(n.program for n in midi.notes(file) if n.channel == gm.DRUM_CHANNEL)
    kit = max(kits, key=lambda k: (kits[k], -k)) if kits else 0
    chosen = {(gm.DRUM_CHANNEL, k): kit for k in kits}
    tracks, _ = midi.split(file, chosen, 4 * file.ticks_per_beat)
    begin = int(part.start * synth.RATE)
    end = begin + int((part.seconds + piece.RELEASE) * synth.RATE)
    stems, used = piece.render(list(tracks.items()), file.ticks_per_beat, end, fonts,
                               piece.random_for("game", name, "fonts"))
    limit = begin + int(SECONDS * synth.RATE)
    stems = {s: x[begin:limit] for s, x in stems.items()}
    return {s: x for s, x in stems.items() if mix.active(x).any()}, used


def make(tune, fonts):
    """A Piece from a Tune; GameError where none comes of it. fonts: paths of soundfonts."""
    try:
        file = tune.midi()
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise GameError("is not a MIDI file that can be read: %s" % error) from error
    part = excerpt(file)
    stems, used = _rendered(file, part, tune.name, fonts)
    stems, settings = piece.shape(stems, piece.random_for("game", tune.name, "timbre"))
    loudest = {s: mix.frame_rms(x).max() for s, x in stems.items()}
    stems, activity = piece.quantise(stems, loudest)
    if len(stems) < 2:
        raise GameError("has %d stems, and a mixture needs two" % len(stems))
    clock, (beats, unit) = midi.Clock(file), _metre(file)
    bar = beats * 4 * file.ticks_per_beat // unit
    edges = list(range(part.first // bar * bar, part.last + bar, bar))
    notes = [n for n in midi.notes(file) if n.start < part.last and n.end > part.first]
    tonic, mode, fit = key_of([n for n in notes if n.stem != "drums"])
    meta = {
        "version": piece.VERSION, "seed": tune.name, "split": SPLIT, "family": tune.group,
        "groove": tune.name, "description": "from %s" % tune.package, "licence": tune.licence,
        "source": {"package": tune.package, "sha256": tune.digest, "start": round(part.start, 6)},
        "bpm": round((part.last - part.first) / file.ticks_per_beat * 60 / part.seconds, 2),
        "key": tonic, "mode": mode, "key_fit": fit,
        "metre": "%d/%d" % (beats, unit), "beats": beats,
        "bars": [round(max(0.0, clock.seconds(t) - part.start), 6) for t in edges[:-1]],
        "programs": _programs(notes, stems, edges),
        "fonts": {s: [os.path.basename(f) for f in used[s]] for s in stems},
        "font_choice": [os.path.basename(f) for f in fonts], "lead": None,
        "timbre": {s: settings[s] for s in stems},
        "activity": {s: "".join("01"[int(v)] for v in activity[s]) for s in stems},
        "rate": synth.RATE, "seconds": len(next(iter(stems.values()))) / synth.RATE}
    return piece.Piece(stems, meta)


def font_paths(root, fonts=FONTS):
    """Full paths of soundfonts, those unpacked below `root` first."""
    paths = []
    for font in fonts:
        inside = os.path.join(root, "usr/share/sounds/sf2", font)
        paths.append(inside if os.path.exists(inside) else synth.font_path(font))
    return tuple(paths)


def make_one(tune, out, fonts):
    """Makes one piece unless it exists; returns (tune, seconds, "made"|"kept"|why not)."""
    folder = os.path.join(out, SPLIT, tune.name)
    if os.path.exists(os.path.join(folder, build.META)):
        with open(os.path.join(folder, build.META), encoding="utf-8") as file:
            return tune, json.load(file)["seconds"], "kept"
    try:
        made = make(tune, fonts)
    except GameError as error:
        return tune, 0.0, "left out: %s" % error
    build.write(made, folder)
    return tune, made.meta["seconds"], "made"


def make_all(root, out, jobs=1, report=print):
    """Makes all pieces that are missing; returns {group: (pieces, seconds)}."""
    tunes, fonts = gamefiles.find(root), font_paths(root)
    work = functools.partial(make_one, out=out, fonts=fonts)
    pool = multiprocessing.Pool(jobs) if jobs > 1 else None
    groups = collections.defaultdict(lambda: (0, 0.0))
    for tune, seconds, state in (pool.imap(work, tunes) if pool else map(work, tunes)):
        if seconds:
            pieces, total = groups[tune.group]
            groups[tune.group] = (pieces + 1, total + seconds)
        else:
            report("%s %s" % (tune.name, state))
    if pool:
        pool.close()
        pool.join()
    for group, (pieces, total) in groups.items():
        report("%s: %d pieces, %.1f minutes" % (group, pieces, total / 60))
    return dict(groups)

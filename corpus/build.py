# SPDX-License-Identifier: MIT
"""Writes pieces to disk: order, several processes, atomic folders, resuming."""

import functools
import json
import multiprocessing
import os
import shutil
import time

from . import gm, grooves, mix, mma, piece, synth, wav

META = "meta.json"
MIXTURE = "mixture.wav"


def order(counts):
    """[(split, number)] with the splits interleaved, so that every prefix is representative.

    counts: {split: number of pieces}
    """
    work = [((number + 0.5) / count, grooves.SPLITS.index(split), split, number)
            for split, count in counts.items() for number in range(count)]
    return [(split, number) for _, _, split, number in sorted(work)]


def folder_of(out, split, number):
    return os.path.join(out, split, "%06d" % number)


def write(made, folder, with_mixture=False):
    """Writes a Piece as `folder`, which appears complete or not at all."""
    if mix.peak(made.stems) > 1:
        raise ValueError("%s would clip" % folder)
    parent, name = os.path.split(folder)
    temporary = os.path.join(parent, ".making-" + name)
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    for stem in gm.STEMS:
        if stem in made.stems:
            wav.write(os.path.join(temporary, stem + ".wav"), made.stems[stem], synth.RATE)
    if with_mixture:
        total = mix.mixture(made.stems)
        wav.write(os.path.join(temporary, MIXTURE), total.astype("<i2"), synth.RATE)
    with open(os.path.join(temporary, META), "w", encoding="utf-8") as file:
        json.dump(made.meta, file, separators=(",", ":"))
        file.write("\n")
    os.rename(temporary, folder)


@functools.lru_cache(maxsize=1)
def _families(path):
    return grooves.families(grooves.load(path))


def make_one(job):
    """Makes one piece unless it exists; returns (split, number, seconds, "made"|"kept"|why)."""
    out, split, number, list_file, fonts, with_mixture = job
    folder = folder_of(out, split, number)
    if os.path.exists(os.path.join(folder, META)):
        with open(os.path.join(folder, META), encoding="utf-8") as file:
            return split, number, json.load(file)["seconds"], "kept"
    try:
        made = piece.make(split, number, _families(list_file), fonts)
    except mma.MmaError as error:
        return split, number, 0.0, "skipped: %s" % str(error).splitlines()[-1]
    write(made, folder, with_mixture)
    return split, number, made.meta["seconds"], "made"


def make(out, counts, jobs=1, list_file=grooves.LIST_FILE, fonts=synth.DEFAULT_FONTS,
         with_mixture=False, report=print):
    """Makes all pieces that are missing; returns {split: seconds of audio}."""
    for font in fonts:
        synth.font_path(font)
    work = [(out, split, number, list_file, tuple(fonts), with_mixture)
            for split, number in order(counts)]
    seconds, skipped, start = dict.fromkeys(counts, 0.0), 0, time.time()
    pool = multiprocessing.Pool(jobs) if jobs > 1 else None
    results = pool.imap(make_one, work) if pool else map(make_one, work)
    for done, (split, number, length, state) in enumerate(results, 1):
        seconds[split] += length
        if state.startswith("skipped"):
            skipped += 1
            report("%s/%06d %s" % (split, number, state))
        if done % 20 == 0 or done == len(work):
            hours = ", ".join("%s %.2f h" % (s, t / 3600) for s, t in seconds.items())
            report("%d of %d pieces, %s, %d skipped, %.0f s" % (
                done, len(work), hours, skipped, time.time() - start))
    if pool:
        pool.close()
        pool.join()
    return seconds

# SPDX-License-Identifier: MIT
"""Probes every groove of the MMA library: which metre, how long, which stems it plays."""

import collections
import glob
import json
import multiprocessing
import os
import re
import subprocess

import mido

from . import gm, grooves, mma

PROBE_CHORDS = ("C", "Am", "Dm7", "G7", "C", "F", "G7", "C")


def listed(path):
    """[(groove name, pattern length in bars)] of one library file, from `mma -Djs`.

    The program prints warnings before the JSON and leaves invalid escapes in it.
    """
    run = subprocess.run(["mma", "-Djs", path], capture_output=True, check=False)
    text = run.stdout.decode(errors="replace")
    text = re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", text[text.find("\n[") + 1:])
    try:
        return [(g["groove"], int(g["size"])) for g in json.loads(text, strict=False)]
    except ValueError:
        return []


def probe(job):
    """Compiles a groove over eight bars; returns a Groove, or None when it plays nothing."""
    name, size = job
    text = "RndSeed 1\nTempo 120\nGroove %s\nPrint =METRE $_Time $_TimeSig =\n" % name
    text += "".join("%d %s\n" % (i + 1, c) for i, c in enumerate(PROBE_CHORDS))
    try:
        midi, printed = mma.compile_text(text)
    except (mma.MmaError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"=METRE ([\d.]+) (\d+)/(\d+) =", printed)
    if not match:
        return None
    notes, program = collections.Counter(), [0] * 16
    for m in mido.merge_tracks(midi.tracks):
        if m.type == "program_change":
            program[m.channel] = m.program
        elif m.type == "note_on" and m.velocity:
            notes[gm.stem_of(m.channel, program[m.channel])] += 1
    if not notes:
        return None
    beats, top, bottom = (int(float(x)) for x in match.groups())
    if bottom == 4:                 # some waltzes forget to say that they are not in 4/4
        top = beats
    return grooves.Groove(name, "%d/%d" % (top, bottom), beats, size,
                          tuple(notes[s] for s in gm.STEMS))


def survey(libraries, jobs, root=grooves.LIBRARY):
    """List of Groove for all files of `libraries` (folder names under `root`)."""
    work = []
    for library in libraries:
        for path in sorted(glob.glob(os.path.join(root, library, "*.mma"))):
            family = "%s/%s" % (library, os.path.basename(path)[:-4])
            work += [("%s:%s" % (family, name), size) for name, size in listed(path)]
    with multiprocessing.Pool(jobs) as pool:
        found = pool.map(probe, work, 16)
    return sorted((g for g in found if g), key=lambda g: g.name)

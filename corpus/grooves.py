# SPDX-License-Identifier: MIT
"""The list of MMA grooves: load and save it, sort it into style families, split the families.

A style family is one file of MMA's library ("stdlib/swing"); its grooves are variants of one
style, so training, validation and test sets are divided by family and never by groove or piece.
"""

import collections
import dataclasses
import hashlib
import os
import re

from . import gm

LIBRARY = "/usr/share/mma/lib"
LIST_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grooves.tsv")
SPLITS = ("train", "valid", "test")
COLUMNS = ("groove", "metre", "beats", "size") + gm.STEMS


@dataclasses.dataclass(frozen=True)
class Groove:
    """One groove of the library.

    name   library/family:groove, which is what MMA's `Groove` command takes
    metre  time signature as text, "4/4"
    beats  quarter-note lengths (MMA beats) in one bar
    size   length of the pattern in bars
    notes  notes per stem over the eight bars of the survey
    """
    name: str
    metre: str
    beats: int
    size: int
    notes: tuple

    @property
    def family(self):
        return self.name.partition(":")[0]

    @property
    def label(self):
        return self.name.partition(":")[2]

    @property
    def kind(self):
        """"intro", "fill", "end", "metronome" or "body", from the groove's name."""
        label = self.label.lower()
        for kind in ("metronome", "intro", "fill", "end"):
            if kind in label:
                return kind
        return "body"

    @property
    def stems(self):
        return tuple(s for s, n in zip(gm.STEMS, self.notes) if n)


def load(path=LIST_FILE):
    """Reads a groove list; raises ValueError when its header is not the expected one."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError("%s: not a groove list (run `python3 -m corpus survey`)" % path)
    return [Groove(r[0], r[1], int(r[2]), int(r[3]), tuple(map(int, r[4:]))) for r in rows[1:]]


def save(grooves, path=LIST_FILE):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Grooves of MMA's library: metre, beats per bar, pattern length in bars, and\n"
                   "# notes per stem over eight bars. Made by `python3 -m corpus survey`.\n")
        file.write("\t".join(COLUMNS) + "\n")
        for g in grooves:
            row = (g.name, g.metre, g.beats, g.size) + g.notes
            file.write("\t".join(map(str, row)) + "\n")


def families(grooves):
    """Ordered dict family -> its usable grooves; families without a body of two stems left out."""
    table = collections.OrderedDict()
    for g in sorted(grooves, key=lambda g: g.name):
        if len(g.stems) >= 2 and g.kind != "metronome":
            table.setdefault(g.family, []).append(g)
    return collections.OrderedDict(
        (name, v) for name, v in table.items() if any(g.kind == "body" for g in v))


def split_of(family):
    """"train", "valid" or "test" (80:10:10) from a hash of the family's name."""
    bucket = int(hashlib.sha256(family.encode()).hexdigest()[:8], 16) % 10
    return "valid" if bucket == 8 else "test" if bucket == 9 else "train"


def description(groove, library=LIBRARY):
    """The one-line description that the library's author gave to a groove, or ""."""
    path = os.path.join(library, groove.family + ".mma")
    pattern = re.compile(r"^\s*DefGroove\s+%s\s+(.*)$" % re.escape(groove.label), re.I)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                match = pattern.match(line)
                if match:
                    return match.group(1).strip()
    except OSError:
        pass
    return ""

# SPDX-License-Identifier: MIT
"""Finds MIDI files of game music in unpacked Debian packages: plain files, zips, WADs."""

import dataclasses
import glob
import gzip
import hashlib
import io
import os
import re
import struct
import zipfile

import mido

# Group, Debian package, where its music lies below the root, licence the package states.
SOURCES = (
    ("freedoom", "freedoom", "usr/share/games/doom/freedoom?.wad", "BSD-3-clause"),
    ("openmsx", "openttd-openmsx", "usr/share/games/openttd/baseset/openmsx/*.mid", "GPL-2"),
    ("pianobooster", "pianobooster", "usr/share/games/pianobooster/music/*.zip",
     "CC-BY or CC0-1.0"),
    ("planetblupi", "planetblupi-music-midi", "usr/share/planetblupi/music/*.mid", "GPL-3+"),
    ("simutrans", "simutrans-data", "usr/share/games/simutrans/music/*.mid", "Artistic-1.0"),
)
WAD_HEADER = struct.Struct("<4sii")         # magic, lumps, where their directory begins
WAD_ENTRY = struct.Struct("<ii8s")          # where, how long, name
KEY_SIGNATURE = re.compile(rb"\xff\x59\x02..", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Tune:
    """One MIDI file. `name` is unique, lower case, and a good name of a folder."""
    name: str
    group: str
    package: str        # name and version
    licence: str
    data: bytes

    @property
    def digest(self):
        return hashlib.sha256(self.data).hexdigest()

    def midi(self):
        """The file as mido reads it, without key signatures: some are invalid, none is needed."""
        plain = KEY_SIGNATURE.sub(b"\xff\x59\x02\x00\x00", self.data)
        return mido.MidiFile(file=io.BytesIO(plain), clip=True)


def _version(root, package):
    """The version on the first line of the package's changelog, "simutrans (123.0.1-1) ..."."""
    path = os.path.join(root, "usr/share/doc", package, "changelog.Debian.gz")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return re.search(r"\(([^)]+)\)", file.readline()).group(1)
    except (OSError, EOFError, AttributeError):
        return "of unknown version"


def wad_lumps(data, path):
    """[(name, bytes)] of a WAD; ValueError where the directory points outside of the file."""
    if len(data) < WAD_HEADER.size or data[:4] not in (b"IWAD", b"PWAD"):
        raise ValueError("%s: not a WAD file" % path)
    _, count, start = WAD_HEADER.unpack_from(data)
    if count < 0 or start < 0 or start + count * WAD_ENTRY.size > len(data):
        raise ValueError("%s: the directory of lumps lies outside of the file" % path)
    lumps = []
    for i in range(count):
        where, size, name = WAD_ENTRY.unpack_from(data, start + i * WAD_ENTRY.size)
        if where < 0 or size < 0 or where + size > len(data):
            raise ValueError("%s: lump %d lies outside of the file" % (path, i))
        lumps.append((name.split(b"\0")[0].decode("latin-1"), data[where:where + size]))
    return lumps


def _members(path):
    """[(title, bytes)] of the MIDI files in one file of a package."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return [(os.path.splitext(n)[0].split("/", 1)[-1], archive.read(n))
                    for n in sorted(archive.namelist()) if n.lower().endswith(".mid")]
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".wad"):
        return [(n, lump) for n, lump in wad_lumps(data, path)
                if n.startswith("D_") and lump[:4] == b"MThd"]
    return [(os.path.splitext(os.path.basename(path))[0], data)]


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def find(root):
    """All tunes below `root`, in order; of two with the same bytes the first one.

    Raises ValueError when none of the packages is there, or for a file that is damaged.
    """
    tunes, seen = [], set()
    for group, package, pattern, licence in SOURCES:
        version = "%s %s" % (package, _version(root, package))
        for path in sorted(glob.glob(os.path.join(glob.escape(root), pattern))):
            for title, data in _members(path):
                tune = Tune("%s-%s" % (group, _slug(title)), group, version, licence, data)
                if tune.digest not in seen:
                    seen.add(tune.digest)
                    tunes.append(tune)
    if not tunes:
        raise ValueError("no game music below %s; unpack the packages %s there (corpus/README.md)"
                         % (root, ", ".join(s[1] for s in SOURCES)))
    names = [t.name for t in tunes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError("two different tunes are called %s" % name)
    return tunes

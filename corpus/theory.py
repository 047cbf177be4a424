# SPDX-License-Identifier: MIT
"""Musical knowledge used by the composer: keys, chords, progressions, styles and their tempi.

A chord token is DEGREE or DEGREE:QUALITY ("II:m7"); a bar is one token or several joined by a
comma; a progression is bars separated by spaces.
"""

import re

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MINOR_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")

DEGREES = {name: i for i, name in enumerate(
    ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII"))}

CHORD_TONES = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10),
    "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10),
    "7b9": (0, 4, 7, 10), "sus4": (0, 5, 7),
}

SCALES = {"blues": (0, 3, 5, 6, 7, 10), "minor": (0, 2, 3, 5, 7, 8, 10),
          "major": (0, 2, 4, 5, 7, 9, 11)}

PROGRESSIONS = {
    "pop": (
        "I V VI:m IV", "VI:m IV I V", "I VI:m IV V", "I IV V IV", "I III:m IV V", "I I IV V",
        "IV V III:m VI:m", "I VI:m II:m V", "I bVII IV I", "I V VI:m III:m IV I IV V",
        "IV I V VI:m", "I IV VI:m V", "I II:m IV V:sus4,V", "I IV I V I IV V I"),
    "jazz": (
        "II:m7 V:7 I:M7 VI:m7", "I:M7 VI:7 II:m7 V:7", "III:m7 VI:7 II:m7 V:7",
        "I:M7 I:7 IV:M7 IV:m6 I:M7,VI:m7 II:m7,V:7 I:6 V:7",
        "IV:M7 #IV:dim7 I:M7 VI:7 II:m7 V:7 I:6 I:6", "I:M7 bIII:dim7 II:m7 V:7",
        "III:7 III:7 VI:7 VI:7 II:7 II:7 V:7 V:7", "I:M7 II:m7 III:m7 VI:7 II:m7 V:7 I:6 V:7",
        "I:6 IV:7 I:6 VI:7 II:m7 V:7 I:6,VI:7 II:m7,V:7"),
    "blues": (
        "I:7 I:7 I:7 I:7 IV:7 IV:7 I:7 I:7 V:7 IV:7 I:7 V:7",
        "I:7 IV:7 I:7 I:7 IV:7 IV:7 I:7 VI:7 II:m7 V:7 I:7,VI:7 II:m7,V:7",
        "I:7 IV:7 I:7 I:7 IV:7 #IV:dim7 I:7 VI:7 V:7 IV:7 I:7 V:7"),
    "minor": (
        "I:m bVI bIII bVII", "I:m IV:m V:7 I:m", "I:m bVII bVI V:7",
        "I:m IV:m bVII bIII bVI II:m7b5 V:7 I:m", "I:m bIII IV:m bVI", "I:m bVI IV:m V:7",
        "I:m I:m IV:m bVII", "bVI bVII I:m I:m"),
    "minjazz": (
        "II:m7b5 V:7b9 I:m7 I:m7", "I:m7 IV:m7 bVII:7 bIII:M7 bVI:M7 II:m7b5 V:7b9 I:m6",
        "I:m7 VI:m7b5 II:m7b5 V:7b9", "I:m6 I:m6 IV:m7 IV:m7 II:m7b5 V:7b9 I:m6 V:7b9"),
    "latin": (
        "I:M7 I:M7 II:7 II:7 II:m7 bII:7 I:M7 bII:7", "I:M7 II:m7 V:7 I:M7",
        "I:m7 IV:7 I:m7 IV:7", "I IV V IV", "I:m bVII bVI V:7", "I VI:m II:m V:7"),
    "folk": (
        "I I IV I", "I V I V", "I IV I V", "I IV I V I IV V I", "IV I V I", "I I IV IV V V I I",
        "VI:m V IV I", "I IV V I"),
}

# Pattern over the family's name -> pools of progressions, slowest and fastest tempo (bpm).
STYLES = tuple((re.compile(name), tuple(pools.split()), low, high) for name, pools, low, high in (
    ("slowbroadway", "jazz pop", 60, 96),
    ("slowbolero", "latin minor", 66, 96),
    ("charleston|quickstep", "jazz folk", 190, 260),          # felt in two
    ("bwmarch|dixiemarch|^march|polka", "folk", 170, 250),    # felt in two
    ("samba|merengue|ragtime", "latin folk jazz", 150, 230),  # felt in two
    ("bebop|gypsyjazz", "jazz minjazz", 170, 240),
    ("slowjazz|nitejazz|evansish|mellowjazz|desc", "jazz minjazz", 58, 96),
    ("fastjazzwaltz|fastwaltz|viene|fastswing", "jazz folk", 170, 230),
    ("jazz-54|jazzwaltz", "jazz minjazz", 120, 180),
    ("slowblues|blues128|blues68", "blues minor", 60, 92),
    ("swing|bigband|jazz|foxtrot|dixie|strut|softshoe|broadway|showtune|jive",
     "jazz jazz minjazz blues", 112, 190),
    ("blues|boggie|boogie|zydeco", "blues", 100, 170),
    ("bossa|latinwaltz|beguine|rhumba|bolero|afro|cuban|desert", "latin jazz minjazz", 100, 146),
    ("salsa|mambo|son$|calypso|chacha", "latin minor", 110, 190),
    ("tango", "minor minjazz", 100, 136),
    ("ballad|lullaby|slow|hymn|serenade|arpeggio|mellow|spiritual", "pop minor jazz", 60, 96),
    ("march", "folk", 100, 130),
    ("waltz|68", "folk pop minor", 90, 160),
    ("folk|country|bluegrass|hill", "folk pop", 90, 170),
    ("trance|techno|house|rave|dance|ambient|electric|digital", "minor pop", 112, 142),
    ("hip|trip", "minor pop", 76, 104),
    ("funk|soul|rb|disco|motown|fusion", "minor pop blues", 88, 124),
    ("", "pop pop minor blues", 90, 150),
))

SWING = re.compile("swing|jazz|blues|big|bop|bog|strut|foxtrot")


def style_of(family):
    """(pools, slowest bpm, fastest bpm) for a family name."""
    name = family.rpartition("/")[2].lower()
    return next(s[1:] for s in STYLES if s[0].search(name))


def split_token(token):
    """"II:m7" -> (2, "m7"): semitones above the tonic, and the quality."""
    degree, _, quality = token.partition(":")
    return DEGREES[degree], quality


def chord_name(token, key):
    """Chord symbol for MMA of a token in `key` (0..11)."""
    degree, quality = split_token(token)
    return KEYS[(key + degree) % 12] + quality


def pitch_classes(token, key):
    """Set of pitch classes (0..11) of a chord token in `key`."""
    degree, quality = split_token(token)
    return {(key + degree + t) % 12 for t in CHORD_TONES[quality]}


def is_minor(bars):
    """True when a tonic chord of these bars is minor."""
    tokens = [t for bar in bars for t in bar.split(",")]
    return any(split_token(t)[0] == 0 and t.partition(":")[2].startswith("m") for t in tokens)


def key_name(key, minor):
    """"D minor": sharps for the minor keys that are usually written so."""
    return "%s %s" % (MINOR_KEYS[key] if minor else KEYS[key], "minor" if minor else "major")

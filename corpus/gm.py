# SPDX-License-Identifier: MIT
"""General MIDI facts shared by all modules: stems, program names, substitution families.

Programs are 0-based (0..127), as in the bytes of a MIDI file. Pure Python, imports nothing.
"""

STEMS = ("drums", "bass", "guitar", "piano", "other")

DRUM_CHANNEL = 9

# Names as a musician would say them, used in captions and metadata.
PROGRAM_NAMES = (
    "acoustic grand piano", "bright piano", "electric grand piano", "honky-tonk piano",
    "electric piano", "fm electric piano", "harpsichord", "clavinet",
    "celesta", "glockenspiel", "music box", "vibraphone",
    "marimba", "xylophone", "tubular bells", "dulcimer",
    "drawbar organ", "percussive organ", "rock organ", "church organ",
    "reed organ", "accordion", "harmonica", "bandoneon",
    "nylon guitar", "steel guitar", "jazz guitar", "clean electric guitar",
    "muted guitar", "overdriven guitar", "distorted guitar", "guitar harmonics",
    "upright bass", "fingered electric bass", "picked electric bass", "fretless bass",
    "slap bass", "bright slap bass", "synth bass", "fat synth bass",
    "violin", "viola", "cello", "contrabass",
    "tremolo strings", "pizzicato strings", "harp", "timpani",
    "strings", "slow strings", "synth strings", "soft synth strings",
    "choir", "voice oohs", "synth voice", "orchestra hit",
    "trumpet", "trombone", "tuba", "muted trumpet",
    "french horn", "brass section", "synth brass", "soft synth brass",
    "soprano sax", "alto sax", "tenor sax", "baritone sax",
    "oboe", "english horn", "bassoon", "clarinet",
    "piccolo", "flute", "recorder", "pan flute",
    "blown bottle", "shakuhachi", "whistle", "ocarina",
    "square lead", "saw lead", "calliope lead", "chiff lead",
    "charang lead", "voice lead", "fifths lead", "bass lead",
    "new age pad", "warm pad", "polysynth pad", "choir pad",
    "bowed pad", "metallic pad", "halo pad", "sweep pad",
    "rain synth", "soundtrack synth", "crystal synth", "atmosphere synth",
    "brightness synth", "goblin synth", "echo synth", "sci-fi synth",
    "sitar", "banjo", "shamisen", "koto",
    "kalimba", "bagpipe", "fiddle", "shanai",
    "tinkle bell", "agogo", "steel drums", "woodblock",
    "taiko drum", "melodic tom", "synth drum", "reverse cymbal",
    "fret noise", "breath noise", "seashore", "bird tweet",
    "telephone", "helicopter", "applause", "gunshot",
)

# Programs that may stand in for each other without changing the role of a part.
FAMILIES = (
    range(0, 6), range(16, 22), range(24, 31), (32, 33, 34, 35, 36, 38, 39),
    (40, 41, 42, 44, 45, 48, 49, 50, 51), range(52, 55), range(56, 63),
    (64, 65, 66, 67, 68, 69, 71), (72, 73, 74, 75, 78, 79), (80, 81, 82, 84, 87),
    range(88, 96), (8, 9, 11, 12),
)

# Drum kits are programs of the drum channel; 0 is the standard kit.
KIT_NAMES = {0: "standard kit", 8: "room kit", 16: "power kit", 25: "808 kit", 32: "jazz kit",
             40: "brush kit"}


def stem_of(channel, program):
    """Stem name of a note on `channel` (0..15) with `program` (0..127)."""
    if channel == DRUM_CHANNEL or 112 <= program <= 119:
        return "drums"
    if program < 8:
        return "piano"
    if 24 <= program < 32:
        return "guitar"
    if 32 <= program < 40:
        return "bass"
    return "other"


def substitutes(program):
    """Programs of the same instrument family as `program`, itself included."""
    for family in FAMILIES:
        if program in family:
            return tuple(family)
    return (program,)


def program_name(channel, program):
    """Readable name of a program, or of a drum kit on the drum channel."""
    if channel == DRUM_CHANNEL:
        return KIT_NAMES.get(program, "drum kit")
    return PROGRAM_NAMES[program]

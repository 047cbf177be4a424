# SPDX-License-Identifier: MIT
"""Which of AudioSet's classes speak for a trait, for nets trained on them."""
from common import fail

# Names and numbers are AudioSet's; YAMNet was trained on 521 of the 527 classes and counts anew.
#               527  521
CLASSES = {
    "Singing": (27, 24),
    "Choir": (28, 25),
    "Rapping": (36, 31),
    "Guitar": (140, 135),
    "Electric guitar": (141, 136),
    "Bass guitar": (142, 137),
    "Acoustic guitar": (143, 138),
    "Steel guitar, slide guitar": (144, 139),
    "Piano": (153, 148),
    "Electric piano": (154, 149),
    "Organ": (155, 150),
    "Synthesizer": (158, 153),
    "Drum kit": (162, 157),
    "Drum machine": (163, 158),
    "Drum": (164, 159),
    "Snare drum": (165, 160),
    "Rimshot": (166, 161),
    "Drum roll": (167, 162),
    "Bass drum": (168, 163),
    "Cymbal": (171, 166),
    "Hi-hat": (172, 167),
    "Trumpet": (187, 182),
    "String section": (190, 185),
    "Violin, fiddle": (191, 186),
    "Double bass": (194, 189),
    "Flute": (196, 191),
    "Saxophone": (197, 192),
}

TRAITS = {
    "drums": ["Drum kit", "Drum machine", "Drum", "Snare drum", "Rimshot", "Drum roll", "Bass drum", "Cymbal", "Hi-hat"],
    "bass": ["Bass guitar", "Double bass"],
    "guitar": ["Guitar", "Electric guitar", "Acoustic guitar", "Steel guitar, slide guitar"],
    "piano": ["Piano", "Electric piano"],
    "vocals": ["Singing", "Choir", "Rapping"],
}


class Classes:
    """A trait's score in a window is the highest probability among its classes: one of them is enough to hear it."""

    def __init__(self, traits, total):
        self.columns = {}
        for trait, names in traits.items():
            self.columns[trait] = [self.number(name, total) for name in names]

    @staticmethod
    def number(name, total):
        if name in CLASSES:
            return CLASSES[name][0 if total == 527 else 1]
        if name.isdigit() and int(name) < total:
            return int(name)
        fail("\"%s\" is neither a class of this table nor a number below %d; the names: %s" % (name, total, "; ".join(CLASSES)))

    def reduce(self, probabilities):
        """[B, classes] -> [B, traits]"""
        return [[float(row[columns].max()) for columns in self.columns.values()] for row in probabilities]

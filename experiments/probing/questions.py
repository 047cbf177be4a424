# SPDX-License-Identifier: MIT
"""What the heads are asked: labels of one clip for each question, from its row of clips.csv."""

import dataclasses
import hashlib
from collections.abc import Callable

from corpus import theory
from training.settings import TARGETS

from .clips import GENRES

KEYS = tuple("%s %s" % (k, m) for k in theory.KEYS for m in ("major", "minor"))   # the tool's 24 classes, in its order
NUMBERS = ("bpm", "parts", "loudness", "brightness")


@dataclasses.dataclass(frozen=True)
class Question:
    """`labels`: row -> labels as a manifest has them, or None; `unit` of scoring; `measure` that chooses heads; `grid`: whether
    settings are compared."""
    name: str
    task: str
    classes: tuple
    labels: Callable
    measure: str
    unit: str = "clip"
    split: Callable = lambda row: row["split"]
    grid: bool = False


def _instruments(row):
    there = row["instruments"].split(";")
    return [i for i, t in enumerate(TARGETS) if t in there]


def _key(row):
    return [KEYS.index(row["key"])] if row["key"] else None


def _minor(row):
    return None if not row["key"] else [0] if row["key"].endswith("minor") else []


def _genre(row):
    names = [g for g, _ in GENRES]
    return [names.index(row["genre"])] if row["genre"] else None


def _known_families(row):
    """New pieces of the families to train on: a tenth to choose heads, a fifth held out, whole pieces, by a hash of their names."""
    if row["set"] != "train":
        return None
    place = int(hashlib.sha256(row["artist"].encode()).hexdigest()[:8], 16) % 10
    return "test" if place < 2 else "valid" if place == 2 else "train"


QUESTIONS = (
    Question("instruments", "multilabel", TARGETS, _instruments, "auc", grid=True),
    Question("drums", "binary", ("drums",), lambda row: [0] if "drums" in row["instruments"] else [], "accuracy"),
    Question("minor", "binary", ("minor",), _minor, "accuracy"),
    Question("key", "multiclass", KEYS, _key, "key", unit="track", grid=True),
    Question("genre", "multiclass", tuple(g for g, _ in GENRES), _genre, "accuracy"),
    Question("genre-seen", "multiclass", tuple(g for g, _ in GENRES), _genre, "accuracy", split=_known_families),
    Question("numbers", "regression", NUMBERS, lambda row: [float(row[n]) for n in NUMBERS], "r2", grid=True),
)

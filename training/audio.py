# SPDX-License-Identifier: MIT
"""Reads the rendered corpus: memory-mapped stems, true mixtures and random mixes of stems."""

import json

import numpy as np

from .settings import HOP, RATE, STEMS, TARGETS

HEADER = 44


class Piece:
    """One rendered piece: integer stems whose plain sum is the mixture."""

    def __init__(self, folder):
        self.folder = folder
        self.meta = json.loads((folder / "meta.json").read_text())
        self.stems = {s: np.memmap(folder / (s + ".wav"), "<i2", "r", offset=HEADER)
                      for s in STEMS if (folder / (s + ".wav")).exists()}
        self.length = len(next(iter(self.stems.values())))
        self._activity = None

    @property
    def name(self):
        return self.folder.name

    @property
    def family(self):
        return self.meta["family"]

    @property
    def activity(self):
        """bool [5, frames at 50 Hz], rows in the order of STEMS."""
        if self._activity is None:
            frames = self.length // (RATE // 50)
            self._activity = np.zeros((len(STEMS), frames), bool)
            for i, stem in enumerate(STEMS):
                text = self.meta["activity"].get(stem, "")[:frames]
                self._activity[i, :len(text)] = np.frombuffer(text.encode(), np.uint8) == ord("1")
        return self._activity

    def mix(self, start, length, stems=None, gains=None):
        """float32 sum of some stems over an excerpt, zero beyond the end."""
        total = np.zeros(length, np.float32)
        for i, stem in enumerate(stems or self.stems):
            part = self.stems[stem][start:start + length].astype(np.float32)
            total[:len(part)] += part if gains is None else part * gains[i]
        return total / 32768.0


def pieces(corpus, split):
    """All finished pieces of a split, in the order of their names."""
    folder = corpus / split
    return [Piece(d) for d in sorted(folder.iterdir()) if (d / "meta.json").exists()] \
        if folder.exists() else []


class Crops:
    """Random excerpts for the codec: half true mixtures, half random mixes of stems.

    Single stems and odd subsets teach the codec sounds that mixtures mask, and a codec that has
    heard stems alone keeps them recognisable.
    """

    def __init__(self, found, length, seed):
        self.pieces = found
        self.length = length
        self.rng = np.random.default_rng(seed)
        weights = np.array([p.length for p in found], float)
        self.weights = np.cumsum(weights / weights.sum())

    def _place(self):
        piece = self.pieces[min(len(self.pieces) - 1,
                                int(np.searchsorted(self.weights, self.rng.random())))]
        return piece, int(self.rng.integers(0, max(1, piece.length - self.length)))

    def _active(self, piece, start, names):
        """bool [4, frames]: which of TARGETS sound in an excerpt of these stems."""
        rows = np.zeros((len(TARGETS), self.length // HOP), bool)
        for i, stem in enumerate(TARGETS):
            if stem in names:
                part = piece.activity[i, start // HOP:(start + self.length) // HOP][:rows.shape[1]]
                rows[i, :len(part)] = part
        return rows

    def _one(self):
        """(samples [length], who sounds [4, frames])."""
        rng = self.rng
        piece, start = self._place()
        kind = rng.random()
        names = list(piece.stems)
        if kind < 0.5:
            return piece.mix(start, self.length) * rng.uniform(0.4, 1.0), self._active(piece, start, names)
        if kind < 0.85:
            count = int(rng.integers(1, len(names) + 1))
            chosen = [names[i] for i in rng.permutation(len(names))[:count]]
            gains = 10 ** (rng.uniform(-9, 6, count) / 20)
            return piece.mix(start, self.length, chosen, gains), self._active(piece, start, chosen)
        total, active = np.zeros(self.length, np.float32), False
        for _ in range(int(rng.integers(2, 5))):
            piece, start = self._place()
            stem = list(piece.stems)[int(rng.integers(len(piece.stems)))]
            total += piece.mix(start, self.length, [stem], [10 ** (rng.uniform(-9, 3) / 20)])
            active = active | self._active(piece, start, [stem])
        return total, active

    def batch(self, count):
        """(float32 [count, length], bool [count, 4, frames]); silence is kept only now and then."""
        rows, marks = [], []
        while len(rows) < count:
            row, active = self._one()
            if np.abs(row).max() > 1e-3 or self.rng.random() < 0.1:
                rows.append(row / max(1.0, np.abs(row).max() / 0.99))
                marks.append(active)
        return np.stack(rows), np.stack(marks)

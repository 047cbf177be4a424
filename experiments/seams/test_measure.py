# SPDX-License-Identifier: MIT
"""Made-up pieces: a steady one has no seams, and each kind of change is seen by its own measure."""

import unittest

import numpy as np

from experiments.seams import measure

RATE, SECONDS, PLACES = 16000, 40, [12.0, 24.0]


def ticks(seconds, per_second, seed=0):
    """Short bursts of noise over a quiet floor, with the unevenness of playing."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * rng.standard_normal(int(seconds * RATE))
    for t in np.arange(0, seconds - 0.1, 1 / per_second) + 0.01 * rng.random(len(np.arange(0, seconds - 0.1, 1 / per_second))):
        at = int(t * RATE)
        samples[at:at + 800] += rng.uniform(0.2, 0.4) * rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
    return samples


def scores(samples):
    """{measure: how often the two places change more than others}."""
    piece = measure.Piece(samples.astype(np.float32), RATE)
    at = [piece.at(p) for p in PLACES]
    elsewhere = [piece.at(p) for p in measure.others(piece.seconds(), PLACES, 1)]
    return {m: measure.excess([a[m] for a in at], [e[m] for e in elsewhere]) for m in measure.MEASURES}


class Measure(unittest.TestCase):
    def joined(self, change):
        parts = [ticks(12, 6, 1), ticks(12, 6, 2), ticks(SECONDS - 24, 6, 3)]
        return np.concatenate([parts[0], change(parts[1]), parts[2]])

    def test_a_steady_piece_has_no_seams(self):
        for value in scores(ticks(SECONDS, 6)).values():
            self.assertLess(value, 0.95)

    def test_loudness(self):
        self.assertGreater(scores(self.joined(lambda x: 0.3 * x))["loudness"], 0.99)

    def test_onsets(self):
        self.assertGreater(scores(self.joined(lambda x: ticks(12, 2, 4)))["onsets"], 0.99)

    def test_colour(self):
        self.assertGreater(scores(self.joined(lambda x: np.convolve(x, np.ones(8) / 8, "same")))["colour"], 0.99)

    def test_break(self):
        """A click in a steady sound; among ticks it would be one of them."""
        time = np.arange(SECONDS * RATE) / RATE
        samples = 0.2 * np.sin(2 * np.pi * 220 * time) + 0.01 * np.random.default_rng(2).standard_normal(len(time))
        for place in PLACES:
            samples[int(place * RATE)] += 0.5
        self.assertGreater(scores(samples)["break"], 0.99)

    def test_places(self):
        self.assertEqual(measure.seams(120, 30, 18), [30, 48, 66, 84, 102])
        seams = measure.seams(120, 30, 18)
        for place in measure.others(120, seams, 5):
            self.assertTrue(all(abs(place - s) >= measure.SIDE for s in seams))
        self.assertEqual(measure.excess([1, 3], [2]), 0.5)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Probe segments; needs only NumPy."""

import pytest

np = pytest.importorskip("numpy")

from training.floors import segments  # noqa: E402
from training.settings import STEMS  # noqa: E402


class Track:
    """Drums in the first half, piano throughout; codes tell variant and frame."""

    def __init__(self, frames=1000):
        self.frames, self.variants = frames, ["mix", "-drums"]
        self.activity = np.zeros((len(STEMS), frames), bool)
        self.activity[0, :frames // 2] = True
        self.activity[3] = True
        self.codes = np.zeros((2, 4, frames), np.uint16)
        self.codes[0] = np.arange(frames)
        self.codes[1] = np.arange(frames) + 5000


def test_segments_have_the_right_labels():
    codes, labels = segments.segments([Track()], "drums", 40, 1)
    assert codes.shape == (80, 4, 150) and labels.sum() == 40
    with_it, without = codes[labels == 1], codes[labels == 0]
    assert (with_it[:, 0, 75] < 500).all()                      # mostly inside the drums
    natural, minus = without[:20], without[20:]
    assert (natural[:, 0, 0] >= 498).all() and (natural < 5000).all()
    assert (minus >= 5000).all()


def test_same_seed_same_segments():
    a = segments.segments([Track()], "drums", 10, 3)[0]
    assert (a == segments.segments([Track()], "drums", 10, 3)[0]).all()


def test_impossible_target_is_an_error():
    with pytest.raises(ValueError):
        segments.segments([Track()], "piano", 10, 1)

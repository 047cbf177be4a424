# SPDX-License-Identifier: MIT
"""Levels, limiter, quantisation: from float stems to 16-bit stems whose sum is the mixture."""

import functools

import numpy as np
from scipy import signal

FRAME = 640             # samples in one activity frame: 20 ms at 32 kHz
LEVELS = {"drums": -19, "bass": -20, "guitar": -22, "piano": -22, "other": -23}   # dBFS, active RMS
LEVEL_SPREAD = 2.0      # dB, standard deviation
ACTIVE_RANGE = 35.0     # dB below the loudest frame that still count as active
HIGH_PASS = 28.0        # Hz
SILENT = 1e-5           # a stem whose loudest frame is below this RMS does not exist
LIMIT_FROM, LIMIT_TO = 0.45, 0.8
PEAK = 0.95             # highest allowed peak of the mixture and of every stem
TAIL_FLOOR = -55.0      # dBFS; what follows the last sample above this is cut off
TAIL_KEEP = 0.25        # seconds


def frame_rms(x):
    """RMS of every whole 20 ms frame of `x`."""
    count = len(x) // FRAME
    return np.sqrt((x[:count * FRAME].reshape(count, FRAME) ** 2).mean(1) + 1e-20)


def active(x, loudest=None):
    """Boolean per frame: within ACTIVE_RANGE of the loudest frame. Silence is never active.

    loudest: RMS to compare with, when `x` is only a part of what was played.
    """
    rms = frame_rms(x)
    if loudest is None:
        loudest = rms.max() if len(rms) else 0.0
    if loudest < SILENT:
        return np.zeros(len(rms), bool)
    return rms > loudest * 10 ** (-ACTIVE_RANGE / 20)


@functools.lru_cache(maxsize=None)
def _high_pass(rate):
    return signal.butter(2, HIGH_PASS / (rate / 2), "high")


def high_pass(x, rate):
    return signal.lfilter(*_high_pass(rate), x)


def limit(x):
    """Linear up to LIMIT_FROM, then bends smoothly towards LIMIT_TO."""
    size, room = np.abs(x), LIMIT_TO - LIMIT_FROM
    bent = LIMIT_FROM + room * np.tanh((size - LIMIT_FROM) / room)
    return np.where(size > LIMIT_FROM, np.sign(x) * bent, x)


def level(x, stem, rng):
    """`x` scaled to the level of its stem (plus a random offset) and limited."""
    rms = frame_rms(x)
    now = 10 * np.log10((rms[active(x)] ** 2).mean())
    target = LEVELS[stem] + rng.gauss(0, LEVEL_SPREAD)
    return limit(x * 10 ** ((target - now) / 20))


def quantise(stems, rate):
    """({stem: int16 array}, common gain), cut after the last audible sample.

    The sum of the stems stays within 16 bits; the length is a whole number of frames.
    """
    total = sum(stems.values())
    loud = np.flatnonzero(np.abs(total) > 10 ** (TAIL_FLOOR / 20))
    end = min(len(total), loud[-1] + int(TAIL_KEEP * rate)) // FRAME * FRAME
    peak = max(np.abs(x[:end]).max() for x in [total, *stems.values()])
    gain = min(1.0, PEAK / peak)
    full = {s: np.round(x[:end] * gain * 32767).astype(np.int16) for s, x in stems.items()}
    return full, gain


def mixture(stems):
    """The integer sum of 16-bit stems as int32; by definition the mixture."""
    return sum(x.astype(np.int32) for x in stems.values())


def peak(stems):
    """Largest magnitude of 16-bit stems and of their mixture, 1.0 = full scale."""
    return max(int(np.abs(x.astype(np.int32)).max()) for x in
               [mixture(stems), *stems.values()]) / 32767

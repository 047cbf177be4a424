# SPDX-License-Identifier: MIT
"""Three-second token segments with and without an instrument, for probes."""

import numpy as np

from ..settings import STEMS

FRAMES = 150


def _place(track, row, rng, wanted, tries=8):
    """Start of a segment in which a stem is mostly active and also at its end, or quite silent."""
    active = track.activity[row]
    for _ in range(tries):
        start = int(rng.integers(0, track.frames - FRAMES + 1))
        part = active[start:start + FRAMES]
        if wanted and part.mean() >= 0.5 and part[-25:].any():
            return start
        if not wanted and part.mean() < 0.01 and track.activity[:, start:start + FRAMES].any():
            return start
    return None


def segments(tracks, target, count, seed):
    """(codes int64 [2 * count, 4, 150], labels): half with the target.

    Negatives are half natural (the target rests) and half mixtures without the target's stem, at
    places where it would have played, so that a probe cannot go by what usually accompanies it.
    """
    rng = np.random.default_rng([seed, STEMS.index(target)])
    row, gone = STEMS.index(target), "-" + target
    paired = [t for t in tracks if gone in t.variants]
    picks = []
    for kind, need in (("with", count), ("natural", count // 2), ("minus", count - count // 2)):
        pool = paired if kind == "minus" else tracks
        if not pool:
            raise ValueError("no mixtures without %s" % target)
        found, misses = [], 0
        while len(found) < need:
            track = pool[int(rng.integers(len(pool)))]
            start = _place(track, row, rng, kind != "natural")
            if start is None:
                misses += 1
                if misses > 200 * need:
                    raise ValueError("too few %s segments of %s" % (kind, target))
                continue
            variant = track.variants.index(gone) if kind == "minus" else 0
            found.append(track.codes[variant, :, start:start + FRAMES])
        picks += found
    labels = np.array([1] * count + [0] * count)
    return np.stack(picks).astype(np.int64), labels

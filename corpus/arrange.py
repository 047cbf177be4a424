# SPDX-License-Identifier: MIT
"""Lets instruments enter and leave: an on/off map per stem over blocks of bars, and its gains.

Changes happen at bar lines. A fade takes the FADE seconds before the bar line, so that a part
that enters has its first attack at full level and a part that leaves does not sound its next one.
"""

import dataclasses

import numpy as np

FADE = 0.03             # seconds

START_ON = {"drums": 0.55, "bass": 0.55, "guitar": 0.55, "piano": 0.55, "other": 0.5}
TURN_ON = {"drums": 0.45, "bass": 0.45, "guitar": 0.45, "piano": 0.45, "other": 0.4}   # per 4 bars
TURN_OFF = {"drums": 0.3, "bass": 0.35, "guitar": 0.3, "piano": 0.35, "other": 0.35}   # per 4 bars
TWO_ON = 0.8            # chance that a block keeps at least two stems, else at least one
SHORTEST_BLOCK = 3.5    # seconds
LONGEST_BLOCK = 11.0    # seconds


@dataclasses.dataclass
class Arrangement:
    """blocks: first bar of each block; on: {stem: list of bool, one per block}."""
    blocks: list
    on: dict

    def as_meta(self):
        return {"blocks": self.blocks, "fade": FADE,
                "on": {s: "".join("01"[v] for v in row) for s, row in self.on.items()}}


def blocks_of(rng, sections, bar_times):
    """First bars of the blocks: two or four bars each, counted anew from every section.

    bar_times: start of every bar in seconds, and the end of the last one.
    """
    bars = len(bar_times) - 1
    mean_bar = (bar_times[-1] - bar_times[0]) / bars
    size = rng.choice((2, 4))
    if size * mean_bar < SHORTEST_BLOCK:
        size = 4
    elif size * mean_bar > LONGEST_BLOCK:
        size = 2
    starts = sorted({bar for bar, _ in sections if bar < bars} | {0})
    blocks = []
    for first, last in zip(starts, starts[1:] + [bars]):
        blocks += range(first, last, size)
    return blocks


def _rates(stem, bars):
    """Chances (off to on, on to off) over `bars` bars of the two-state chain given per 4 bars."""
    on, off = TURN_ON[stem], TURN_OFF[stem]
    change = 1 - (1 - on - off) ** (bars / 4)
    return on / (on + off) * change, off / (on + off) * change


def arrange(rng, blocks, bars, audible):
    """Draws an Arrangement.

    blocks   first bar of each block; `bars` bars in all
    audible  {stem: list of bool}: does the stem play anything in that block when it is on
    """
    stems = list(audible)
    on = {s: [] for s in stems}
    state = {s: rng.random() < START_ON[s] for s in stems}
    for block, first in enumerate(blocks):
        if block:
            for stem in stems:
                enter, leave = _rates(stem, first - blocks[block - 1])
                change = leave if state[stem] else enter
                state[stem] ^= rng.random() < change
        wanted = 2 if rng.random() < TWO_ON else 1
        heard = [s for s in stems if audible[s][block]]
        silent = [s for s in heard if not state[s]]
        rng.shuffle(silent)
        for stem in silent[:max(0, wanted - (len(heard) - len(silent)))]:
            state[stem] = True
        for stem in stems:
            on[stem].append(state[stem])
    return Arrangement(list(blocks), on)


def gains(on, block_times, samples, rate):
    """Gain per sample (0..1) of one stem.

    on           list of bool per block
    block_times  start of each block in seconds
    """
    gain = np.full(samples, float(on[0]))
    length = int(round(FADE * rate))
    for block in range(1, len(on)):
        if on[block] == on[block - 1]:
            continue
        at = min(samples, int(round(block_times[block] * rate)))
        gain[at:] = float(on[block])
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
        fade = ramp if on[block] else 1 - ramp
        start = max(0, at - length)
        gain[start:at] = fade[length - (at - start):]
    return gain

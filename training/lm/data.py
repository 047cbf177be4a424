# SPDX-License-Identifier: MIT
"""Token excerpts with captions of what sounds in them."""

import json
import random

import numpy as np
import torch

from corpus import captions

from ..settings import FRAME_RATE, STEMS, TARGETS


class Track:
    """Tokens of one piece: codes [variants, 4, T], names of the variants, activity [5, T], meta."""

    def __init__(self, path):
        with np.load(path) as file:
            self.codes = file["codes"]
            self.variants = [str(v) for v in file["variants"]]
            self.activity = file["activity"]
            self.meta = json.loads(str(file["meta"]))
        self.meta.pop("activity", None)     # captions do not need it, and it is large
        self.name = path.stem
        self.frames = self.codes.shape[2]

    def sounding(self, variant, start, frames):
        """Stems heard in an excerpt: active in a twentieth of it, and not taken out."""
        share = self.activity[:, start:start + frames].mean(1)
        gone = self.variants[variant][1:]
        return [s for s, x in zip(STEMS, share) if x > 0.05 and s != gone]


def tracks(work, split):
    """All tokenised pieces of a split, by name."""
    return [Track(p) for p in sorted((work / "tokens" / split).glob("*.npz"))]


class Excerpts:
    """Random excerpts: codes [B, 4, frames], caption ids of any length, who sounds [B, 4, frames]."""

    def __init__(self, found, tokenizer, seed, minus_one):
        self.found, self.tokenizer, self.minus_one = found, tokenizer, minus_one
        self.rng = random.Random(seed)
        self.cache = {}     # frames -> pieces that are long enough, and their summed lengths

    def one(self, frames):
        rng = self.rng
        if frames not in self.cache:
            fits = [t for t in self.found if t.frames >= frames]
            self.cache[frames] = fits, np.cumsum([t.frames for t in fits]).tolist()
        fits, ends = self.cache[frames]
        track = rng.choices(fits, cum_weights=ends)[0]
        start = rng.randrange(track.frames - frames + 1)
        minus = len(track.variants) > 1 and rng.random() < self.minus_one
        variant = rng.randrange(1, len(track.variants)) if minus else 0
        span = (start / FRAME_RATE, (start + frames) / FRAME_RATE)
        text = captions.caption(track.meta, track.sounding(variant, start, frames), rng, span)
        active = track.activity[:len(TARGETS), start:start + frames].copy()
        if variant and track.variants[variant][1:] in TARGETS:
            active[TARGETS.index(track.variants[variant][1:])] = False
        return track.codes[variant, :, start:start + frames], self.tokenizer.encode(text), active

    def batch(self, count, frames):
        """(codes int64 [B, 4, T], ids [B, L], mask [B, L], active bool [B, 4, T])."""
        rows = [self.one(frames) for _ in range(count)]
        return collate(rows)


def collate(rows, multiple=8):
    """Stacks codes and pads texts to a multiple of 8, so that few shapes occur."""
    codes, texts, active = zip(*rows)
    longest = -(-max(len(ids) for ids in texts) // multiple) * multiple
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest)
    for i, text in enumerate(texts):
        ids[i, :len(text)] = torch.tensor(text)
        mask[i, :len(text)] = 1
    return (torch.from_numpy(np.stack(codes).astype(np.int64)), ids, mask,
            torch.from_numpy(np.stack(active)))

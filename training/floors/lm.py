# SPDX-License-Identifier: MIT
"""Cross-entropy of the decoder against counting models: `python -m training.floors.lm`.

Nats per token and codebook on held-out families. The n-gram predicts a code from its own last
code and from the codebook below in the same frame, each backed off to the unigram; its weights
are fitted on the validation families.
"""

import argparse
import itertools
import json

import numpy as np
import torch

from .. import export, runs
from ..lm import data, model as lm_model
from ..settings import CODEBOOKS, CodecSettings
from ..text import Tokenizer

CODES = CodecSettings().codes


class NGram:
    """Interpolated counts: p = a p(c | last) + b p(c | lower) + (1 - a - b) p(c)."""

    def __init__(self, tracks):
        self.single = np.ones((CODEBOOKS, CODES))
        self.last = np.zeros((CODEBOOKS, CODES, CODES), np.float32)
        self.lower = np.zeros((CODEBOOKS, CODES, CODES), np.float32)
        for track in tracks:
            codes = track.codes[0].astype(np.int64)
            for k in range(CODEBOOKS):
                self.single[k] += np.bincount(codes[k], minlength=CODES)
                np.add.at(self.last[k], (codes[k, :-1], codes[k, 1:]), 1)
                if k:
                    np.add.at(self.lower[k], (codes[k - 1], codes[k]), 1)
        self.single /= self.single.sum(1, keepdims=True)

    def _given(self, table, k, context, code, strength=20.0):
        """Count ratio smoothed towards the unigram."""
        total = table[k].sum(1)[context]
        return (table[k][context, code] + strength * self.single[k][code]) / (total + strength)

    def parts(self, tracks, k):
        """(unigram, after last, after lower) probabilities of every code of some pieces."""
        found = []
        for track in tracks:
            codes = track.codes[0].astype(np.int64)
            lower = codes[k - 1, 1:] if k else codes[k, 1:] * 0
            one = self.single[k][codes[k, 1:]]
            found.append((one, self._given(self.last, k, codes[k, :-1], codes[k, 1:]),
                          self._given(self.lower, k, lower, codes[k, 1:]) if k else one))
        return [np.concatenate(x) for x in zip(*found)]

    def losses(self, tracks, fit):
        """(unigram, n-gram) nats per codebook on `tracks`, weights fitted on `fit`."""
        out = []
        for k in range(CODEBOOKS):
            u, a, b = self.parts(fit, k)
            grid = [(x, y) for x, y in itertools.product(np.linspace(0, 0.95, 20), repeat=2) if x + y < 1]
            x, y = min(grid, key=lambda w: -np.log(w[0] * a + w[1] * b + (1 - w[0] - w[1]) * u).mean())
            u, a, b = self.parts(tracks, k)
            out.append((-np.log(u).mean(), -np.log(x * a + y * b + (1 - x - y) * u).mean()))
        return np.array(out).T


@torch.no_grad()
def decoder_losses(model, tokenizer, tracks, count=96, frames=509):
    """(unconditional, with captions) nats per codebook on fixed excerpts of the mixtures."""
    fixed = data.Excerpts(tracks, tokenizer, 8, 0.0)
    sums = torch.zeros(2, CODEBOOKS)
    for _ in range(count // 8):
        codes, ids, mask, _ = fixed.batch(8, frames)
        grid = lm_model.delayed(codes, CODES)
        states = lm_model.text_states(model, ids, mask, torch.ones(8))
        sums[0] += lm_model.losses(model, grid, None, None, CODES)
        sums[1] += lm_model.losses(model, grid, states, mask, CODES)
    return (sums / (count // 8)).numpy()


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    args = top.parse_args()
    runs.setup(args)
    model, _, notes = export.assemble(args.work)
    tokenizer = Tokenizer(args.work / "text" / "spiece.model")
    tracks = {split: data.tracks(args.work, split) for split in ("train", "valid", "test")}
    unigram, ngram = NGram(tracks["train"]).losses(tracks["test"], tracks["valid"])
    free, text = decoder_losses(model, tokenizer, tracks["test"])
    train_free, _ = decoder_losses(model, tokenizer, tracks["train"])
    report = {"weights": notes, "split": "test"}
    for name, row in (("unigram", unigram), ("ngram", ngram), ("decoder", free),
                      ("decoder_text", text), ("decoder_train", train_free)):
        report[name] = [round(float(x), 3) for x in row] + [round(float(np.mean(row)), 3)]
    path = args.work / "floors" / "lm.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Distance of unconditional output to held-out music: `python -m training.floors.frechet`.

Frechet distance between the recogniser's 96 features of two-second windows, of (a) audio drawn
without text from an empty prompt and (b) training music passed through the codec, each against
held-out mixtures. Floor: (a) at most three times (b).
"""

import argparse
import json

import numpy as np
import torch

from .. import audio, export, runs
from ..lm import sample
from ..settings import HOP, RATE
from . import recogniser


def frechet(a, b):
    """Frechet distance of two sets of rows, by symmetric eigenvalues in double precision."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ t @ root).clip(min=0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * cross)


def music(pieces, count, seconds, seed):
    """Excerpts of mixtures [count, samples] from random places."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        piece = pieces[int(rng.integers(len(pieces)))]
        start = int(rng.integers(0, max(1, piece.length - seconds * RATE)))
        rows.append(piece.mix(start, seconds * RATE))
    return torch.from_numpy(np.stack(rows))


def embed(judge, waves):
    """Features of all non-overlapping two-second windows of [N, samples]."""
    size = recogniser.SECONDS * RATE
    windows = waves[:, :waves.shape[1] // size * size].reshape(-1, size)
    return recogniser.hear(judge, windows, embed=True).numpy()


@torch.no_grad()
def decode(codec, codes, batch=8):
    return torch.cat([codec.decode(part[None], [None]).audio_values[:, 0]
                      for part in codes.split(batch)])


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("--count", type=int, default=96)
    top.add_argument("--seconds", type=int, default=10)
    top.add_argument("--top-k", type=int, default=250)
    args = top.parse_args()
    runs.setup(args)
    model, _, notes = export.assemble(args.work)
    judge, codec = recogniser.load(), model.audio_encoder
    corpus = args.work / "corpus"
    held = audio.pieces(corpus, "test") + audio.pieces(corpus, "valid")
    reference = embed(judge, music(held, 4 * args.count, args.seconds, 41))
    seen = music(audio.pieces(corpus, "train"), args.count, args.seconds, 42)
    rebuilt = embed(judge, recogniser.through_codec(codec, seen, 8))
    codes = sample.unconditional(model, args.count, args.seconds * RATE // HOP, 43, args.top_k)
    drawn = embed(judge, decode(codec, codes))
    report = {"weights": notes, "embedding": "recogniser, 96 features", "windows": len(drawn),
              "generated": round(frechet(drawn, reference), 3), "top_k": args.top_k,
              "reconstructed_training": round(frechet(rebuilt, reference), 3),
              "original_training": round(frechet(embed(judge, seen), reference), 3)}
    report["ratio"] = round(report["generated"] / report["reconstructed_training"], 2)
    report["passes"] = report["ratio"] <= 3.0
    path = args.work / "floors" / "frechet.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

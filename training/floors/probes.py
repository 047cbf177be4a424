# SPDX-License-Identifier: MIT
"""How well single heads know instruments: `python -m training.floors.probes`.

Logistic regression (C = 1) on each self-attention head's output at the last column of three
seconds, unconditional, before the output projection. Trained on training families. The head is
chosen on the validation families and measured on the test families; the best of all heads on both
held-out splits together is printed too, with its standard error, because a maximum is optimistic.
"""

import argparse
import json

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from .. import export, runs
from ..lm import data, model as lm_model
from ..settings import TARGETS, CodecSettings
from .segments import segments

FLOOR = {"drums": 0.90, "bass": 0.82, "guitar": 0.75, "piano": 0.74}


@torch.no_grad()
def head_outputs(model, codes, batch=32):
    """[N, layers, heads, size] at the last column of the P + 1 column grid."""
    out = []
    for part in torch.from_numpy(codes).split(batch):
        tap = []
        grid = lm_model.delayed(part, CodecSettings().codes, tail=False)
        lm_model.hidden_states(model, grid, tap=tap)
        out.append(torch.stack([z[:, -1] for z in tap], 1))
    return torch.cat(out).numpy()


def accuracies(train, held):
    """Accuracy of every head [layers, heads] on each held-out set."""
    (x, y), shape = train, train[0].shape[1:3]
    scores = np.zeros((len(held),) + shape)
    for layer in range(shape[0]):
        for head in range(shape[1]):
            probe = LogisticRegression(C=1.0, max_iter=1000).fit(x[:, layer, head], y)
            for i, (a, b) in enumerate(held):
                scores[i, layer, head] = probe.score(a[:, layer, head], b)
    return scores


def measure(model, tracks, target, count):
    """Report for one instrument; `tracks` maps split to list."""
    sets = {}
    for split, need, seed in (("train", count, 31), ("valid", count // 4, 32), ("test", count // 4, 33)):
        codes, labels = segments(tracks[split], target, need, seed)
        sets[split] = (head_outputs(model, codes), labels)
    valid, test = accuracies(sets["train"], (sets["valid"], sets["test"]))
    both = (valid + test) / 2
    chosen = np.unravel_index(valid.argmax(), valid.shape)
    best = np.unravel_index(both.argmax(), both.shape)
    samples = len(sets["valid"][1]) + len(sets["test"][1])
    value = float(both[best])
    return {"best": round(value, 4), "head": [int(i) for i in best],
            "error": round((value * (1 - value) / samples) ** 0.5, 4),
            "chosen_on_valid_measured_on_test": round(float(test[chosen]), 4),
            "mean_of_heads": round(float(both.mean()), 4), "floor": FLOOR[target],
            "passes": value >= FLOOR[target], "map": np.round(100 * both).astype(int).tolist()}


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("--count", type=int, default=1000, help="training segments per class")
    args = top.parse_args()
    runs.setup(args)
    model, _, notes = export.assemble(args.work)
    tracks = {split: data.tracks(args.work, split) for split in ("train", "valid", "test")}
    report = {"weights": notes, "segments": args.count}
    for target in TARGETS:
        report[target] = measure(model, tracks, target, args.count)
        print(target, json.dumps(report[target]), flush=True)
    path = args.work / "floors" / "probes.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()

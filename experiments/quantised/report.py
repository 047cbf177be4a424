# SPDX-License-Identifier: MIT
"""Tables of what `python -m experiments.quantised.run` has measured so far."""

import argparse
import csv
import json
import os
import pathlib
import sys

import numpy as np

from .run import CACHES, REFERENCE, SEEDS, SHAPES, WEIGHTS, of_seed


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def few(value, digits=2):
    """So many digits that count, without an exponent; below a millionth it says just that."""
    if value != 0 and abs(value) < 1e-6:
        return "< 10^-6"
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-") if value else "0"


# ---- Readings of knobs ----

def readings(path, knob, first=False):
    """presence [pieces, columns] of a trace; with `first` of each piece's first column alone, [pieces]."""
    pieces = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["knob"] == knob:
                pieces.setdefault(int(row["piece"]), []).append(float(row["presence"]))
    rows = np.array([pieces[piece] for piece in sorted(pieces)])
    return rows[:, 0] if first else rows


def knobs_of(path):
    with open(path, newline="") as file:
        return list(dict.fromkeys(row["knob"] for row in csv.DictReader(file)))


def trace_distance(a, b):
    """How far two mean traces lie apart: the root of the mean square over time of mean_pieces C(t)."""
    return float(np.sqrt(np.mean((a.mean(0) - b.mean(0)) ** 2)))


# ---- Tables ----

def cells(base):
    for cache in CACHES:
        for weights in WEIGHTS:
            yield base / ("%s-%s" % (weights, cache)), weights, cache


def signed(value):
    return "%+.5f" % (round(value, 5) + 0.0)  # no minus zero


def agreement_row(row, digits=4):
    return ["%.*f" % (digits, row["cross_entropy"]), signed(row["cost"]), "%s to %s" % (signed(row["cost_low"]), signed(row["cost_high"])),
            "%.2f %%" % (100 * row["same_likeliest"]), few(row["divergence_mean"]), few(row["divergence_p99"]),
            ", ".join(few(row["difference_" + name]) for name in ("mean", "p95", "max"))]


AGREEMENT = ["cross-entropy", "cost", "95 % of the cost", "same likeliest code", "divergence", "its P99", "logits off: mean, P95, max"]


def likelihood(base):
    found = [(w, c, json.loads((f / "likelihood.json").read_text())) for f, w, c in cells(base) if (f / "likelihood.json").exists()]
    if not found:
        return
    print("Cross-entropy of held-out music in nats a token (%d tokens of %d files), against f32 weights with an f32 cache:\n"
          % (found[0][2][0]["tokens"], found[0][2][0]["files"]))
    print(table(["weights", "cache", *AGREEMENT], [[w, c, *agreement_row(rows[0])] for w, c, rows in found]))
    books = range(1, len(found[0][2]))
    print("\nBy codebook, cost in nats and share of the same likeliest code:\n")
    print(table(["weights", "cache", *("codebook %d" % (b - 1) for b in books)],
                [[w, c, *("%s, %.1f %%" % (signed(rows[b]["cost"]), 100 * rows[b]["same_likeliest"]) for b in books)] for w, c, rows in found]))


def shapes(out):
    for shape, (against, wanted) in SHAPES.items():
        found = [(w, c, out / "shapes" / shape / ("%s-%s.json" % (w, c))) for w, c in wanted]
        rows = [[w, c, *agreement_row(json.loads(path.read_text())[0], 3)] for w, c, path in found if path.exists()]
        if rows:
            print("\nRandom weights in the shape of %s, against %s weights with an f32 cache:\n" % (shape, against))
            print(table(["weights", "cache", *AGREEMENT], rows))


def probes(base):
    def row(name, cache, folder):
        told = [json.loads(path.read_text()) for path in sorted(folder.glob("probe-*.json"))]
        mean = lambda pick: float(np.mean([pick(t) for t in told]))
        return [name, cache, ", ".join("%s %.1f" % (t["trait"], 100 * t["best_head_of_file"]["accuracy_here"]) for t in told),
                "%.2f" % (100 * mean(lambda t: t["mean_accuracy_here"])), "%.2f" % (100 * mean(lambda t: t["mean_change"]))] if told else None
    rows = [row(w, c, f) for f, w, c in cells(base)]
    rows += [row("f32, clips of seed %d" % seed, REFERENCE[1], base / of_seed(seed)) for seed in SEEDS[1:]]
    if any(rows):
        print("\nProbes of the knobs on held-out clips, in percent: each knob's best head, all heads, and how far a head's accuracy is from "
              "that in the knob's file on average:\n")
        print(table(["weights", "cache", "best head", "mean of heads", "a head changes by"], [r for r in rows if r]))


def heard(base):
    reference = base / "-".join(REFERENCE) / "heard.csv"
    if not reference.exists():
        return
    names, rows = knobs_of(reference), []
    before = {knob: readings(reference, knob, True) for knob in names}
    for folder, weights, cache in cells(base):
        if (folder / "heard.csv").exists() and folder.name != "-".join(REFERENCE):
            off = [np.abs(readings(folder / "heard.csv", knob, True) - before[knob]) for knob in names]
            rows.append([weights, cache, *("%s, %s" % (few(o.mean()), few(o.max())) for o in off)])
    print("\nC at the end of the same %d clips, difference to f32 (mean, largest); between clips C has standard deviations of %s:\n"
          % (len(before[names[0]]), ", ".join("%.2f" % before[knob].std() for knob in names)))
    print(table(["weights", "cache", *names], rows))


def pieces(base, kind):
    first = base / of_seed(SEEDS[0]) / (kind + ".csv")
    if not first.exists():
        return
    knob = knobs_of(first)[0]
    seeds = {seed: readings(base / of_seed(seed) / (kind + ".csv"), knob) for seed in SEEDS if (base / of_seed(seed) / (kind + ".csv")).exists()}
    rows = []
    entries = [("%s" % w, c, f) for f, w, c in cells(base)]
    entries += [("f32, seed %d" % seed, REFERENCE[1], base / of_seed(seed)) for seed in SEEDS[1:]]
    for name, cache, folder in entries:
        if not (folder / (kind + ".csv")).exists():
            continue
        C = readings(folder / (kind + ".csv"), knob)
        apart, far = {}, {}
        for seed in seeds:
            path = folder / ("distance-%s-%d.json" % (kind, seed))
            if folder.name != of_seed(seed):
                apart[seed] = trace_distance(C, seeds[seed])
            if path.exists():
                far[seed] = json.loads(path.read_text())["frechet"]
        cell = lambda found, digits: ["-" if seed not in found else "%.*f" % (digits, found[seed]) for seed in SEEDS]
        rows.append([name, cache, *cell(far, 2), "%.3f +- %.3f" % (C.mean(), C.mean(1).std(ddof=1) / len(C) ** 0.5), *cell(apart, 4)])
    print("\n%s: %d pieces a row; Frechet distance to the f32 pieces of each seed; C of %s, mean with its standard error over pieces; "
          "how far the mean trace C(t) is from f32's of each seed:\n"
          % ({"free": "Without a knob", "steered": "With %s at half strength" % knob}[kind], len(next(iter(seeds.values()))), knob))
    print(table(["weights", "cache", *("Frechet to seed %d" % s for s in SEEDS), "C", *("C(t) to seed %d" % s for s in SEEDS)], rows))


def main():
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("out", nargs="?", type=pathlib.Path, metavar="OUT", default=pathlib.Path(os.environ.get("SMITIN_TRAIN", "work")) / "quantised",
                     help="where the measurements are [quantised in $SMITIN_TRAIN or in ./work]")
    out = top.parse_args().out
    if not (out / "cells").is_dir():
        sys.exit("%s holds no measurements; make them with python -m experiments.quantised.run" % out)
    likelihood(out / "cells")
    shapes(out)
    probes(out / "cells")
    heard(out / "cells")
    for kind in ("free", "steered"):
        pieces(out / "cells", kind)


if __name__ == "__main__":
    main()

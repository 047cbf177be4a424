# SPDX-License-Identifier: MIT
"""Brings what the finished runs measured into docs/results: `python -m experiments.paper.collect --smitin build/cli/smitin`.

Of each run the summary that `smitin eval merge` wrote; of those in MEASURED the Frechet distances again, with intervals by a
jackknife over pieces, and to the unconditioned pieces of the run that they go with."""

import argparse
import csv
import json
import pathlib
import subprocess

import numpy as np
from safetensors.numpy import load_file

from training.floors.frechet import frechet
from training.settings import TARGETS

from .make import HERE, OUT, REAL, SIZED, SIZES

TO = pathlib.Path("docs/results")
KEPT = "success_", "removal_", "absence_", "dose_", "monitor_", "presence_", "simultaneous", "similarity", "frechet_", "lufs"
GROUPS = 10
# Whose distances get intervals; all share clips and seeds with "continuation", whose unconditioned pieces are theirs.
MEASURED = "continuation", "heads", "readings", "sizes"
HEARD = "lufs", *("presence_" + t for t in TARGETS)
MUSIC = {"held-out music": "reference", "real": "real", "matched": "matched"}


def embeddings(args, folder):
    """A list of [n, 96], one of each file of a folder; encoded once."""
    cache = folder / "embeddings" / "smitin-recogniser"
    if len(list(cache.glob("*.npy"))) < len(list(folder.glob("*.wav"))):
        subprocess.run([args.smitin, "eval", "embed", "--embed", "recogniser", "-t", "1", str(folder)], check=True,
                       capture_output=True)
    return [np.load(p) for p in sorted(cache.glob("*.npy"))]


def distance(pieces, reference):
    """(distance, low, high): the delete-a-group jackknife over pieces, the reference fixed."""
    whole = frechet(np.concatenate(pieces), reference)
    parts = [frechet(np.concatenate([p for i, p in enumerate(pieces) if i % GROUPS != g]), reference) for g in range(GROUPS)]
    error = np.sqrt((GROUPS - 1) / GROUPS * ((parts - np.mean(parts)) ** 2).sum())
    return whole, whole - 1.96 * error, whole + 1.96 * error


def is_whole(run, plan):
    return all((run / c["name"] / ("piece-%04d.csv" % i)).exists() for c in plan["conditions"] for i in range(plan["pieces"]))


def summary(args, run, plan):
    """The rows of a run."""
    if not (run / "summary.csv").exists():
        subprocess.run([args.smitin, "eval", "merge", str(run)], check=True, capture_output=True)
    with open(run / "summary.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["measure"].startswith(KEPT)]
    kind, _, target = run.name.rpartition("-")
    if kind not in MEASURED:
        return rows
    rows = [r for r in rows if not r["measure"].startswith("frechet_")]
    first = OUT / "runs" / ("continuation-" + target) / "free"
    sets = {"frechet_reference": np.concatenate(embeddings(args, pathlib.Path(plan["reference"])))}
    sets["frechet_first"] = np.concatenate(embeddings(args, first))
    for condition in plan["conditions"]:
        pieces = embeddings(args, run / condition["name"])
        for measure, to in sets.items():
            if measure == "frechet_first" and run / condition["name"] == first:
                continue
            mean, low, high = distance(pieces, to)
            rows.append({"condition": condition["name"], "measure": measure, "mean": "%.5g" % mean, "low": "%.5g" % low,
                         "high": "%.5g" % high, "n": len(pieces)})
    return rows


def knobs():
    """Accuracies of the knobs from few examples: in their own test split, and on 360 held-out clips."""
    rows = []
    for target in SIZED:
        for n in SIZES:
            path = OUT / "knobs" / ("%s-%d.json" % (target, n))
            if not path.exists():
                continue
            tested = json.loads(path.read_text())
            own = heads_of("%s-%d" % (target, n))
            rows.append({"target": target, "pairs": n, "clips": tested["clips"], "best_own": max(own),
                         "chosen": tested["best_head_of_file"]["accuracy_here"], "best": tested["best_accuracy_here"],
                         "mean": tested["mean_accuracy_here"]})
    return rows


def heads_of(name):
    """Accuracies of a knob's heads in its own test split."""
    with open(OUT / "knobs" / (name + ".knob.csv"), newline="") as file:
        return [float(r["accuracy_test"]) for r in csv.DictReader(file)]


def real_knobs():
    """How well heads tell real music from something else, on the clips of pieces that they did not learn from, and the cosine
    of the mean shift with those of the instruments, mean of heads."""
    shifts = {t: load_file(pathlib.Path("models/mini/knobs") / (t + ".knob.safetensors"))["mean_shift"] for t in TARGETS}
    rows = []
    for name in (*REAL, "codec"):
        path = OUT / "knobs" / (name + ".knob.safetensors")
        if path.exists():
            own, shift = heads_of(name), load_file(path)["mean_shift"]
            cosines = {"cosine_" + t: "%.3f" % (shift * other).sum(-1).mean() for t, other in shifts.items()}
            rows.append({"knob": name, "best": max(own), "mean": "%.5f" % np.mean(own), **cosines})
    return rows


def music(args):
    """What the judge hears in held-out music and in what the knobs of real music learned from, as the rows of a run."""
    rows = []
    for name, folder in MUSIC.items():
        done = subprocess.run([args.smitin, "eval", "describe", "-t", "1", str(OUT / folder)], check=True, capture_output=True, text=True)
        pieces = list(csv.DictReader(done.stdout.splitlines()))
        for measure in HEARD:
            mean = np.mean([float(p[measure]) for p in pieces])
            rows.append({"condition": name, "measure": measure, "mean": "%.4f" % mean, "low": "", "high": "", "n": len(pieces)})
    return rows


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    top = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    top.add_argument("--smitin", default="build/cli/smitin")
    args = top.parse_args()
    TO.mkdir(exist_ok=True)
    for file in sorted(HERE.glob("*.json")):
        run, plan, to = OUT / "runs" / file.stem, json.loads(file.read_text()), TO / (file.stem + ".csv")
        if "reference" not in plan or to.exists():
            continue
        if is_whole(run, plan):
            write(to, summary(args, run, plan))
            print(to, flush=True)
        else:
            print("%s is not finished" % run, flush=True)
    for name, rows in (("knobs", knobs()), ("real-knobs", real_knobs())):
        if rows:
            write(TO / (name + ".csv"), rows)
    if not (TO / "music.csv").exists() and all((OUT / folder).exists() for folder in MUSIC.values()):
        write(TO / "music.csv", music(args))


if __name__ == "__main__":
    main()

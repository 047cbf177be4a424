# SPDX-License-Identifier: MIT
"""Tables and plots of the steering experiment: `python -m experiments.steering.report > table.md`."""

import argparse
import json
import pathlib
import subprocess
import sys

from training import runs
from training.settings import TARGETS


def cell(values, scale=100):
    if values is None:
        return ""
    mean, low, high = (scale * v for v in values)
    return "%.0f (%.0f–%.0f)" % (mean, low, high)


def table(scores):
    lines = ["| condition | presence % | other instruments % | own success % | dose | FD music | FD unsteered | similarity |",
             "|---|---|---|---|---|---|---|---|"]
    for name, row in scores.items():
        lines.append("| %s | %s | %s | %s | %.2f | %.2f | %.2f | %.3f |" % (
            name, cell(row["presence"]), cell(row["others"]), cell(row["success"]), row["dose"], row["frechet_music"],
            row["frechet_unsteered"], row["similarity"][0]))
    return "\n".join(lines)


def curve(scores, start):
    """[(dose, presence, FD to unsteered)] of the conditions that begin with `start`, by dose, the unsteered first."""
    rows = [r for n, r in scores.items() if n == "unconditioned" or (n.startswith(start) and n[len(start):].strip("-")[:1].isdigit())]
    return sorted((r["dose"], r["presence"][0], r["frechet_unsteered"]) for r in rows)


def at_presence(points, presence):
    """Distance of a curve where it first reaches a presence, linear between points; None when it never does."""
    for (_, p0, f0), (_, p1, f1) in zip(points, points[1:]):
        if min(p0, p1) <= presence <= max(p0, p1) and p0 != p1:
            return f0 + (f1 - f0) * (presence - p0) / (p1 - p0)
    return None


def compare(scores):
    """SMITIN against original ITI at equal presence."""
    iti, lines = curve(scores, "ITI "), []
    for dose, presence, distance in curve(scores, "SMITIN ")[1:]:
        other = at_presence(iti, presence)
        if other is not None:
            lines.append("- at presence %.0f %%: SMITIN (dose %.2f) shifts by %.2f, ITI by %.2f" %
                         (100 * presence, dose, distance, other))
    return "\n".join(lines)


def plot(scores, kind, target, folder):
    """Presence and drift against dose; CSV and PNG."""
    stem = folder / ("%s-%s" % (kind, target))
    blocks = {"SMITIN": "SMITIN ", "SMITIN, probe": "SMITIN probe ", "original ITI": "ITI "}
    with open(stem.with_suffix(".csv"), "w") as file:
        for start in blocks.values():
            for point in curve(scores, start):
                file.write("%.4f,%.4f,%.4f\n" % point)
            file.write("\n\n")
    series = lambda column: ", ".join("'%s' index %d using 1:%d with linespoints pt 7 title '%s'" % (
        stem.with_suffix(".csv"), i, column, name) for i, name in enumerate(blocks))
    script = ("set terminal pngcairo size 1000,420\nset output '%s'\nset datafile separator ','\nset grid\n"
              "set multiplot layout 1,2 title '%s %s'\nset xlabel 'dose'\nset logscale x\nset ylabel 'presence'\n"
              "set yrange [0:1]\nset key bottom right\nplot %s\nset autoscale y\nset ylabel 'Frechet distance to unsteered'\n"
              "set key top left\nplot %s\n" % (stem.with_suffix(".png"), kind, target, series(2), series(3)))
    subprocess.run(["gnuplot"], input=script.encode(), check=True)


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("--out", type=pathlib.Path, default=None, help="default: WORK/steering")
    top.add_argument("--plots", type=pathlib.Path, default=pathlib.Path("docs/steering"))
    args = top.parse_args()
    out = args.out or args.work / "steering"
    args.plots.mkdir(parents=True, exist_ok=True)
    for kind in ("add", "remove"):
        for target in TARGETS:
            path = out / kind / target / "scores.json"
            if not path.exists():
                print("no scores for %s %s" % (kind, target), file=sys.stderr)
                continue
            scores = json.loads(path.read_text())
            print("### %s %s\n\n%s\n" % ("Adding" if kind == "add" else "Removing", target, table(scores)))
            if compared := compare(scores):
                print(compared + "\n")
            plot(scores, kind, target, args.plots)


if __name__ == "__main__":
    main()

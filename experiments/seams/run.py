# SPDX-License-Identifier: MIT
"""Which way of going on sounds better at the seams? `python -m experiments.seams.run --smitin build/cli/smitin --model
models/mini` makes long pieces both ways and measures every seam against other places of the same pieces; finished pieces are
kept, so a run that was cut off goes on. Writes seams.csv (every place) and seams.md (the table) into OUT."""

import argparse
import csv
import pathlib
import subprocess
import sys

import numpy as np

from . import measure

METHODS = ("window", "rolling")
PROMPTS = ("slow jazz with piano, bass and drums", "fast rock with drums and electric guitar", "calm ambient strings",
           "funk with bass, drums and organ", "bossa nova with acoustic guitar", "techno with drums and synthesizer",
           "slow ballad with piano", "")


def generate(args, method, index, seed):
    path = args.out / method / ("%02d-%d.wav" % (index, seed))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [args.smitin, "generate", "-m", args.model, "-d", str(args.seconds), "-s", str(seed), "--long", method,
                   "--window", str(args.window), "--stride", str(args.stride), "--quiet", "-o", str(path)]
        if PROMPTS[index]:
            command += ["-p", PROMPTS[index]]
        if subprocess.run(command).returncode != 0:  # it has said why
            sys.exit("the piece %s could not be made" % path)
    return path


def measure_piece(args, method, index, seed):
    """Rows of every place of a piece."""
    piece = measure.Piece(*measure.read(generate(args, method, index, seed)))
    places = measure.seams(piece.seconds(), args.window, args.stride)
    rows = [("seam", p, piece.at(p)) for p in places]
    rows += [("other", p, piece.at(p)) for p in measure.others(piece.seconds(), places, seed)]
    return [{"method": method, "prompt": PROMPTS[index], "seed": seed, "kind": kind, "seconds": place, **values}
            for kind, place, values in rows]


def drift(args, method, seeds):
    """Loudness (dB) and onsets (1/s) of the last window less those of the first, medians over pieces."""
    changes = []
    for index in range(len(PROMPTS)):
        for seed in seeds:
            piece = measure.Piece(*measure.read(generate(args, method, index, seed)))
            frames = int(args.stride * piece.rate / measure.HOP)
            first, last = slice(0, frames), slice(len(piece.rise) - frames, len(piece.rise))
            level = [10 * np.log10(np.mean(piece.samples[p.start * measure.HOP:p.stop * measure.HOP] ** 2) + 1e-9)
                     for p in (first, last)]
            density = [measure.onsets(piece.rise[p], piece.rate, piece.threshold) for p in (first, last)]
            changes.append((level[1] - level[0], density[1] - density[0]))
    return np.median(changes, 0)


def table(args, rows, seeds):
    lines = ["| method | measure | median at seams | median elsewhere | a seam changes more |", "|---|---|---|---|---|"]
    for method in METHODS:
        for name in measure.MEASURES:
            parts = [[r[name] for r in rows if r["method"] == method and r["kind"] == k] for k in ("seam", "other")]
            lines.append("| %s | %s | %.2f | %.2f | %.0f %% |" % (method, name, np.median(parts[0]), np.median(parts[1]),
                                                              100 * measure.excess(*parts)))
    lines += ["", "50 % is a place like any other. From the first window to the last:", ""]
    for method in METHODS:
        level, density = drift(args, method, seeds)
        lines.append("- %s: %+.1f dB, %+.2f onsets a second" % (method, level, density))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smitin", default="build/cli/smitin")
    parser.add_argument("--model", default="models/mini")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/seams"))
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--window", type=float, default=30)
    parser.add_argument("--stride", type=float, default=18)
    parser.add_argument("--seeds", type=int, default=4, help="pieces of each prompt")
    args = parser.parse_args()
    if args.stride <= 2 * measure.SIDE + 1:
        parser.error("--stride must leave places that are no seams: more than %g s" % (2 * measure.SIDE + 1))
    seeds = range(1, args.seeds + 1)
    rows = [row for method in METHODS for index in range(len(PROMPTS)) for seed in seeds
            for row in measure_piece(args, method, index, seed)]
    with open(args.out / "seams.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    text = table(args, rows, seeds)
    (args.out / "seams.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

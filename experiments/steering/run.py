# SPDX-License-Identifier: MIT
"""Does steering work? `python -m experiments.steering.run` generates every condition and scores it; finished conditions are
kept, so a run that was cut off goes on. `python -m experiments.steering.report` writes the tables."""

import argparse
import json
import pathlib
import shutil
import subprocess

from training import runs
from training.settings import TARGETS

from . import conditions, prompts, score


def knob_info(args, target):
    out = subprocess.run([args.smitin, "knob", "info", "--json", "-m", args.model, target], capture_output=True, check=True)
    return json.loads(out.stdout)


def generate(args, out, files, target, condition):
    """One piece for every prompt, in out/NAME; returns the folder."""
    folder = out / condition.name.replace(" ", "_").replace(",", "")
    done = folder / "done"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [args.smitin, "generate", "-m", args.model, "-d", str(prompts.SECONDS + prompts.FUTURE), "--seed", "1",
               "-t", str(args.threads), "--keep-prompt", "no", "--quiet", "--knob", "%s:%g" % (target, condition.alpha), "-o", str(folder) + "/"]
    for file in files:
        command += ["-i", str(file)]
    subprocess.run(command + list(condition.arguments), check=True)
    done.touch()
    return folder


def run_target(args, target, kind):
    """All conditions of one instrument; returns {condition: scores}."""
    out = args.out / kind / target
    files = prompts.make(args.work, out, target, kind, args.pieces, args.seed)
    top = knob_info(args, target)["max_alpha"]
    judge = score.Judge(args.work, args.seed)
    table = {"real": judge.score(out / "real", out / "prompts", target)}
    rows = conditions.addition(top) if kind == "add" else conditions.removal(top)

    def measure(row):
        table[row.name] = judge.score(generate(args, out, files, target, row), out / "prompts", target)
        summary = table[row.name]
        print("%s %-7s %-28s presence %.2f dose %.2f" % (kind, target, row.name, summary["presence"][0], summary["dose"]),
              flush=True)

    for row in rows:
        measure(row)
    if kind == "add":
        wanted = [r.name for r in rows if r.name.startswith("SMITIN") and "probe" not in r.name][2:3]
        doses = {name: (table[name]["dose"], table[name]["weight_sum"]) for name in wanted}
        for row in conditions.controls(doses):
            measure(row)
    judge.distances(table, "unconditioned")
    return table


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("--smitin", default="build/cli/smitin")
    top.add_argument("--model", default="models/mini")
    top.add_argument("--out", type=pathlib.Path, default=None, help="default: WORK/steering")
    top.add_argument("--pieces", type=int, default=100)
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--targets", nargs="+", default=list(TARGETS))
    top.add_argument("--kinds", nargs="+", default=["add", "remove"])
    args = top.parse_args()
    args.out = args.out or args.work / "steering"
    runs.setup(args)
    for kind in args.kinds:
        for target in args.targets:
            table = run_target(args, target, kind)
            path = args.out / kind / target / "scores.json"
            path.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""What do the heads know? Ask a model's attention heads for instruments, key, genre, tempo and loudness of clips it never saw.

    python3 -m corpus make CORPUS && python3 -m corpus game GAME --root UNPACKED
    python3 -m experiments.probing.clips --corpus CORPUS --game GAME --out WORK
    python3 -m experiments.probing.run --smitin build/cli/smitin --work WORK
    python3 -m experiments.probing.report --work WORK --out docs/probing

The model listens once per way of pooling, to clips of mixtures ("natural") and to mixtures of which each instrument stays with
probability one half ("mixes", the tool's own task for several stems); what is there already is kept. Probes are fitted to
clips of training families; valid families choose settings and heads; held-out families and game music are the tests.
"""

import argparse
import concurrent.futures
import csv
import dataclasses
import json
import pathlib
import shutil
import subprocess

from training.settings import TARGETS

from . import questions, stores

POOLS = {"last": "last", "mean50": "mean:50"}
COSTS = ("0.001", "0.01", "0.1", "1", "10")
TESTS = ("held", "game")
PAIRS = 600
KNOB_PAIRS = 500


@dataclasses.dataclass(frozen=True)
class Setting:
    """How probes are fitted: inverse regularisation, inputs brought to one spread, one probe a layer instead of a head."""
    cost: str = "1"
    standardise: bool = False
    layers: bool = False

    @property
    def name(self):
        return "C%s%s%s" % (self.cost, "-standardised" * self.standardise, "-layers" * self.layers)


PAPER = Setting()
LAYERS = Setting(layers=True)
SETTINGS = tuple(Setting(c, s) for s in (False, True) for c in COSTS) + (LAYERS,)


def extract(args):
    """WORK/natural-POOL and WORK/mixes-last."""
    natural = ["--labels", args.work / "clips.csv", "--audio", args.work / "audio", "--task", "multilabel", "--columns",
               "instruments"]
    mixes = ["--stems", args.work / "stems", "--dataset", "stems", "--target", ",".join(TARGETS), "--pairs", PAIRS,
             "--test-share", 0.5]
    for name, options in [("natural-" + pool, ["--pool", POOLS[pool], *natural]) for pool in POOLS] + [("mixes-last", mixes)]:
        done = args.work / name / "manifest.json"
        if not done.exists() or not json.loads(done.read_text())["complete"]:
            command = [args.smitin, "probe", "extract", "-m", args.model, "-t", 1, "--quiet", "-o", args.work / name, *options]
            subprocess.run([str(c) for c in command], check=True)


def test_knobs(args):
    """WORK/knobs/TARGET.json and .csv: the shipped knobs on the game music, whose clips are all of the test split. That a set
    has both splits is what keeps tracks where they are, hence the links to a few pieces of train."""
    root, out = args.work / "knob-stems", args.work / "knobs"
    (root / "train").mkdir(parents=True, exist_ok=True)
    for link, to in [(root / "train" / p.name, p) for p in sorted((args.work / "stems/train").iterdir())[:4]] + [
            (root / "test", args.work / "stems/test/game")]:
        if not link.exists():
            link.symlink_to(to.resolve())
    out.mkdir(exist_ok=True)
    for target in TARGETS:
        if (out / (target + ".json")).exists():
            continue
        command = [args.smitin, "knob", "test", target, "-m", args.model, "--stems", root, "--dataset", "stems", "--target", target,
                   "--pairs", KNOB_PAIRS, "--test-share", 0.8, "-t", 1, "-o", out / (target + ".csv"), "--json", "--quiet"]
        done = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE)
        (out / (target + ".json")).write_bytes(done.stdout)


def fit(args, folder, question, setting):
    """Report folder of one fit; made once, and whole or not at all."""
    out = folder / setting.name
    if (out / "report.json").exists():
        return out
    half = folder / (setting.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    command = [args.smitin, "probe", "fit", "-t", 1, "--quiet", "--C", setting.cost, "--rank-by", question.measure, "--score-by",
               question.unit, "-o", half, folder]
    command += ["--standardise"] * setting.standardise + ["--features", "layers"] * setting.layers
    subprocess.run([str(c) for c in command], check=True)
    half.rename(out)
    return out


def places(row_of, question, test):
    """clip -> (split, labels) for stores.ask, with one of the test sets only."""
    def choose(clip):
        row = row_of(clip)
        split, labels = question.split(row), question.labels(row)
        wanted = row["set"] in (test, "train", "valid")
        return None if labels is None or split is None or not wanted else (split, labels)
    return choose


def asked(args, kind, pool, name, test):
    """The folder of one question about one source."""
    return args.work / "asked" / ("%s-%s-%s-%s" % (kind, pool, name, test))


def cases():
    """(kind of clips, question) of everything that is asked."""
    return [("mixes", questions.QUESTIONS[0])] + [("natural", q) for q in questions.QUESTIONS]


def tests_of(question):
    """Nobody has written down the genres of the game music."""
    return ("held",) if question.name.startswith("genre") else TESTS


def mixed(test):
    """clip -> (split, labels) of a clip of mixes, whose path is train/PIECE or test/SET/PIECE."""
    def choose(clip):
        split = {"train": "train", "valid": "valid", test: "test"}.get(clip["path"].split("/")[-2])
        return None if split is None else (split, clip["labels"])
    return choose


def ask_all(args):
    """Make the folders; returns [(folder, question, setting)] of what is to be fitted, the paper's settings first."""
    rows = {r["path"]: r for r in csv.DictReader(open(args.work / "clips.csv", newline=""))}
    paper, others = [], []
    for pool in POOLS:
        natural = stores.load(args.work / ("natural-" + pool))
        mixes = stores.load(args.work / "mixes-last") if pool == "last" else None
        for kind, question in cases():
            for test in tests_of(question) if pool == "last" else ("held",):
                if kind == "mixes" and mixes is None:
                    continue
                out = asked(args, kind, pool, question.name, test)
                choose = mixed(test) if kind == "mixes" else places(lambda c: rows[c["path"]], question, test)
                title = "%s of %s clips (%s)" % (question.name, "mixed" if kind == "mixes" else kind, test)
                stores.ask(mixes if kind == "mixes" else natural, out, title, question.task, question.classes, choose)
                paper.append((out, question, PAPER))
                if test == "held" and pool == "last" and question.grid:
                    others += [(out, question, s) for s in SETTINGS if s != PAPER]
    return paper + others


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smitin", default="build/cli/smitin")
    parser.add_argument("--model", default="models/mini")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="OUT of experiments.probing.clips")
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time, of one thread each")
    args = parser.parse_args()
    extract(args)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for out in pool.map(lambda job: fit(args, *job), ask_all(args)):
            print(out, flush=True)
    test_knobs(args)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""What does a format of the weights cost a model, beside what another seed does?

`python -m experiments.quantised.run` measures every format of the weights with every cache of keys and values, against f32:
cross-entropy and logits of held-out music, probes, what knobs hear, and the sound of pieces. Any model, with any music and
stems: `--model DIR --music DIR --stems DIR --knobs NAME ...`. What is done is kept in OUT; a run that was cut off goes on.
`python -m experiments.quantised.report` prints the tables."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

from training import audio
from training.settings import TARGETS

from ..steering.prompts import write_wav

WEIGHTS, CACHES = ("f32", "f16", "bf16", "q8", "q4"), ("f16", "q8")
REFERENCE, SEEDS = ("f32", "f16"), (1, 1001, 2001)  # pieces of other seeds are made by the reference alone
# Random weights in the shapes of published models, as far as memory goes: both models are held at once.
SHAPES = {"musicgen-small": ("f32", [(w, c) for c in CACHES for w in WEIGHTS]),
          "musicgen-medium": ("f32", [("f16", "f16"), ("bf16", "f16"), ("q8", "f16"), ("q4", "f16"), ("q8", "q8")]),
          "musicgen-large": ("f16", [("q8", "f16"), ("q4", "f16"), ("q8", "q8")])}


MEASURES = ("likelihood", "heard", "probes", "free", "steered", "shapes")


def smitin(args, *arguments):
    command = [args.smitin, *map(str, arguments), "-t", str(args.threads)]
    result = subprocess.run(command, stdout=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit("%s ended with status %d; what is done is kept in %s" % (" ".join(command), result.returncode, args.out))
    return result.stdout


def once(path, make):
    """Make `path` unless it is there; a file that is there is whole."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        part = path.with_suffix(".part%d" % os.getpid())
        part.write_bytes(made)
        part.rename(path)
        print(path, flush=True)


def model(args, weights, cache):
    return ["-m", args.model, "-q", weights, "--cache", cache]


def held_out(args):
    """A folder of music that the model has not learnt from: --music, or the mixtures of the corpus."""
    if args.music:
        return args.music
    folder = args.out / "music"
    if not folder.exists():
        part = args.out / "music.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for piece in audio.pieces(args.work / "corpus", "test"):
            write_wav(part / (piece.name + ".wav"), piece.mix(0, piece.length))
        part.rename(folder)
    return folder


def prompts(args):
    """--places clips of --prompt-seconds, spread over the files of the held-out music."""
    folder = args.out / "prompts"
    if not folder.exists():
        part = args.out / "prompts.part"
        shutil.rmtree(part, ignore_errors=True)
        files = sorted(p for p in held_out(args).rglob("*.wav"))
        for turn in range(-(-args.places // len(files))):
            some, clips = files[:args.places - turn * len(files)], args.out / "prompts.turn"
            shutil.rmtree(clips, ignore_errors=True)
            command = [args.smitin, "eval", "export", *some, "-o", clips, "--skip", 2 + 8 * turn, "--seconds", args.prompt_seconds]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
            part.mkdir(exist_ok=True)
            for clip in clips.glob("*.wav"):
                clip.rename(part / ("%d-%s" % (turn, clip.name)))
            shutil.rmtree(clips)
        part.rename(folder)
    return sorted(folder.glob("*.wav"))


def likelihood(args, folder, weights, cache):
    once(folder / "likelihood.json", lambda: smitin(
        args, "eval", "likelihood", held_out(args), *model(args, weights, cache), "--against", "f32", "--length", args.seconds_heard, "--json"))


def probes(args, folder, weights, cache, seed=SEEDS[0]):
    for knob in args.knobs if args.stems else ():
        once(folder / ("probe-%s.json" % knob), lambda: smitin(
            args, "knob", "test", knob, *model(args, weights, cache), "--stems", args.stems, "--target", knob, "--pairs", args.pairs,
            "--seed", seed, "--json", "--quiet"))


def generate(args, folder, name, weights, cache, seed, knobs, *more):
    """Pieces in folder/NAME and what the knobs heard in folder/NAME.csv."""
    trace, part = folder / (name + ".csv"), folder / (name + ".part.csv")
    if trace.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / name, ignore_errors=True)
    words = [word for knob in knobs for word in ("--knob", knob)]
    smitin(args, "generate", *model(args, weights, cache), "-s", seed, *words, "--trace", part, "--quiet", *more, "-o", "%s/" % (folder / name))
    part.with_suffix(".png").unlink(missing_ok=True)
    part.rename(trace)
    print(trace, flush=True)


def free(args, folder, weights, cache, seed=SEEDS[0]):
    listen = [knob + ":0" for knob in args.knobs]
    generate(args, folder, "free", weights, cache, seed, listen, "-d", args.seconds, "-b", args.pieces)


def steered(args, folder, weights, cache, seed=SEEDS[0]):
    generate(args, folder, "steered", weights, cache, seed, [args.knobs[0] + ":50%"], "-d", args.seconds, "-b", args.pieces)


def heard(args, folder, weights, cache):
    """What knobs hear at the end of clips that are given: one frame is made after each."""
    clips = [word for path in prompts(args) for word in ("-i", path)]
    generate(args, folder, "heard", weights, cache, 1, [knob + ":0" for knob in args.knobs], *clips, "-d", args.prompt_seconds + 0.02)
    shutil.rmtree(folder / "heard", ignore_errors=True)


def of_seed(seed):
    """The folder of the reference's pieces of a seed: that of its format for the first one."""
    return "-".join(REFERENCE) + ("" if seed == SEEDS[0] else "-seed%d" % seed)


def distances(args, base, kind):
    """Frechet distance of every set of pieces to those of the reference, seed by seed."""
    for cell in sorted(base.iterdir()):
        for seed in SEEDS:
            other = base / of_seed(seed)
            if other != cell and (cell / (kind + ".csv")).exists() and (other / (kind + ".csv")).exists():
                once(cell / ("distance-%s-%d.json" % (kind, seed)), lambda: smitin(
                    args, "eval", "distance", cell / kind, other / kind, "--embed", "recogniser", "--json"))


def shapes(args):
    some = sorted(held_out(args).rglob("*.wav"))[:4]
    for shape in args.shapes:
        against, cells = SHAPES[shape]
        for weights, cache in cells:
            once(args.out / "shapes" / shape / ("%s-%s.json" % (weights, cache)), lambda: smitin(
                args, "eval", "likelihood", *some, "--shape", shape, "-q", weights, "--cache", cache, "--against", against,
                "--length", 3, "--json"))


def parse():
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--work", type=pathlib.Path, default=pathlib.Path(os.environ.get("SMITIN_TRAIN", "work")), metavar="DIR",
                     help="the corpus and the results (default: $SMITIN_TRAIN or ./work)")
    top.add_argument("--smitin", default="build/cli/smitin")
    top.add_argument("--model", default="models/mini")
    top.add_argument("--music", type=pathlib.Path, help="a folder of WAV files [the mixtures of WORK/corpus/test]")
    top.add_argument("--stems", type=pathlib.Path, help="for probes: what knobs were trained on [WORK/corpus without --music]")
    top.add_argument("--knobs", nargs="+", default=list(TARGETS), help="the first is the one that is turned")
    top.add_argument("--out", type=pathlib.Path, help="default: WORK/quantised")
    top.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES)
    top.add_argument("--weights", nargs="+", choices=WEIGHTS, default=WEIGHTS)
    top.add_argument("--caches", nargs="+", choices=CACHES, default=CACHES)
    top.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    top.add_argument("--seconds-heard", type=float, default=30, help="of each file of music, for the cross-entropy")
    top.add_argument("--pairs", type=int, default=1000, help="of clips with and without a knob's trait, a fifth of them held out")
    top.add_argument("--places", type=int, default=200, help="clips at whose end the monitors are compared")
    top.add_argument("--prompt-seconds", type=float, default=3)
    top.add_argument("--pieces", type=int, default=200)
    top.add_argument("--seconds", type=float, default=10, help="of a piece")
    top.add_argument("--threads", type=int, default=0, metavar="N")
    args = top.parse_args()
    args.out = args.out or args.work / "quantised"
    if not args.stems and not args.music:
        args.stems = args.work / "corpus"
    return args


def main():
    args = parse()
    base = args.out / "cells"
    cells = [(base / ("%s-%s" % (weights, cache)), weights, cache) for cache in args.caches for weights in args.weights]
    others = [(seed, base / of_seed(seed)) for seed in SEEDS[1:]]
    for measure in (likelihood, heard, probes, free, steered):
        if measure.__name__ not in args.measures:
            continue
        if measure in (probes, free, steered):
            for seed, folder in others:
                measure(args, folder, *REFERENCE, seed)
        for cell in cells:
            measure(args, *cell)
        if measure in (free, steered):
            distances(args, base, measure.__name__)
    if "shapes" in args.measures:
        shapes(args)


if __name__ == "__main__":
    main()

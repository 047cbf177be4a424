# SPDX-License-Identifier: MIT
"""What the paper's experiments play: `python -m experiments.paper.make` writes the clips into out/paper and the experiment
files beside this one. `smitin eval run experiments/paper/NAME.json -o out/paper/runs/NAME` then makes the pieces."""

import argparse
import json
import pathlib
import random

import numpy as np

from corpus import captions
from experiments.steering import prompts
from training import audio, runs
from training.settings import RATE, TARGETS

HERE = pathlib.Path(__file__).parent
OUT = pathlib.Path("out/paper")
THREE, PLACES = ("drums", "bass", "piano"), 40  # so few places of the held-out pieces let all three rest
ROW = 200  # pieces behind a row of the tables
PIECES = ROW // len(TARGETS)  # of each instrument
SECONDS = 10
SIZES = 10, 100, 500, 1000  # pairs that a knob learned from
SIZED = "drums", "piano"  # the easiest and nearly the hardest to steer
# Knobs of real music against the model's own: freely played, or of the same pieces, which the model goes on with.
REAL = "real", "matched"


def cut(folder, places, first, seconds):
    """Write an excerpt of each place; `first` seconds after it."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (piece, frame) in enumerate(places):
        start = int(frame / 50 * RATE + first * RATE)
        prompts.write_wav(folder / ("%03d.wav" % i), piece.mix(start, int(seconds * RATE)))


def anywhere(pieces, count, seconds, seed):
    """[(piece, first frame)] in which something plays."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        piece = pieces[int(rng.integers(len(pieces)))]
        frame = int(rng.integers(0, max(1, piece.activity.shape[1] - int(seconds * 50))))
        if piece.activity[:, frame:frame + int(seconds * 50)].any(0).mean() > 0.9:
            found.append((piece, frame))
    return found


def clips(held, out, seed):
    """Prompts by target and kind, and the reference of the distances."""
    for target in TARGETS:
        for kind in "add", "remove":
            cut(out / "prompts" / ("%s-%s" % (kind, target)), prompts.choose(held, [target], kind, PIECES, seed), 0, 3)
    cut(out / "prompts" / "add-three", prompts.choose(held, THREE, "add", PLACES, seed), 0, 3)
    cut(out / "reference", anywhere(held, 200, 7, seed), 0, 7)


def music(trained, out, seed):
    """What the knobs of real against synthetic call real; the matched one's in two parts, as the model goes on from the first."""
    places = anywhere(trained, 100, SECONDS, seed)
    cut(out / "real", places, 0, SECONDS)
    cut(out / "prompts" / "matched", places, 0, 3)
    cut(out / "matched", places, 3, SECONDS - 3)


def game(pieces, out, seed):
    """Prompts and reference of the second set, which no part of the model has heard."""
    for target in TARGETS:
        cut(out / "prompts" / ("game-" + target), prompts.choose(pieces, [target], "add", PIECES, seed), 0, 3)
    cut(out / "reference-game", anywhere(pieces, 200, 7, seed), 0, 7)


def texts(held, target, seed):
    """Captions of held-out pieces as comma lists, the target not named."""
    rng, found = random.Random("%s-%d" % (target, seed)), []
    while len(found) < PIECES:
        piece = rng.choice(held)
        fields = captions.fields(piece.meta, [s for s in piece.stems if s != target], rng, None, ())
        if fields["style"] and fields["words"]:
            parts = [fields["style"], *fields["words"]] + [fields[k] for k in ("tempo", "key") if fields[k]]
            found.append(", ".join(parts))
    return found


# ---- Conditions ----


def condition(name, target, strength, **more):
    return {"name": name, "knob": "%s:%s" % (target, strength), **more}


def methods(target, sign=""):
    """SMITIN at half and full strength; ITI at the same alpha, and at a quarter of it."""
    return [condition("smitin-50", target, sign + "50%"), condition("smitin-100", target, sign + "100%"),
            condition("iti-50", target, sign + "50%", method="iti"),
            condition("iti-12", target, sign + "12.5%", method="iti")]


def continuation(target):
    return [condition("free", target, 0), *methods(target),
            condition("decay-12", target, "12.5%", method="decay"),
            condition("text-add", target, 0, prompt="add " + target),
            condition("text-with", target, 0, prompt="music with " + target),
            condition("smitin-50-text", target, "50%", prompt="add " + target),
            condition("smitin-probe", target, 48, direction="probe")]


def removal(target):
    ours = [c for c in methods(target, "-") if c["name"] != "iti-50"]
    return [condition("free", target, 0), *ours,
            condition("text-remove", target, 0, prompt="remove " + target),
            condition("text-no", target, 0, prompt="no " + target)]


def written(target):
    rows = [condition("text", target, 0, prompt="{text}"),
            condition("text-add", target, 0, prompt="{text}, add " + target),
            condition("text-with", target, 0, prompt="{text}, " + target)]
    return rows + [dict(c, prompt="{text}") for c in methods(target) if c["name"] != "iti-50"]


def heads(target):
    """Against smitin-50 of `continuation`, as everything in `readings`."""
    return [condition("top-%d" % k, target, "50%", weights="top", **{"top-heads": k}) for k in (3, 5, 10, 15, 30)]


def readings(target):
    """The lost settings, and the paper's ablations."""
    return [condition("mean", target, "50%", statistic="mean"), condition("lag", target, "50%", lag=True),
            condition("every-1", target, "50%", every=1),
            condition("probe-5", target, 5, direction="probe"),
            condition("raw-5", target, 5, direction="raw")]


def three():
    knobs = ["%s:50%%" % t for t in THREE]
    return [{"name": "free", "knob": ["%s:0" % t for t in THREE]}, {"name": "plain", "knob": knobs},
            {"name": "orthogonal", "knob": knobs, "orthogonal": True}]


def sizes(target):
    """Knobs from few examples, each at one raw alpha and at the half of its own range."""
    rows = []
    for n in SIZES:
        knob = (OUT / "knobs" / ("%s-%d.knob.safetensors" % (target, n))).as_posix()
        rows += [condition("raw-%d" % n, knob, 5), condition("own-%d" % n, knob, "50%")]
    return rows


def real(name):
    knob = (OUT / "knobs" / (name + ".knob.safetensors")).as_posix()
    return [condition("free", knob, 0)] + [condition("alpha-%d" % a, knob, a) for a in (1, 2, 5, 10)]


def experiment(name, about, conditions, clip=None, words=None, pieces=PIECES, seed=1, real="reference"):
    plan = {"about": about}
    if clip:
        plan["clips"] = (OUT / clip).as_posix() + "/"
    if words:
        plan["texts"] = words
    plan.update(pieces=pieces, seed=seed, conditions=conditions, reference=(OUT / real).as_posix() + "/",
                settings={"model": "models/mini", "seconds": SECONDS, "threads": 1})
    if clip:
        plan["settings"]["keep-prompt"] = "no"
    (HERE / (name + ".json")).write_text(json.dumps(plan, indent=1) + "\n")


def files(held, seed):
    for t in TARGETS:
        prompt = "prompts/add-" + t
        experiment("continuation-" + t, "Continue clips without %s and add them." % t, continuation(t), prompt)
        experiment("heads-" + t, "Soft weights against the K best heads.", heads(t), prompt)
        experiment("readings-" + t, "Ablations, and readings of what the paper leaves open.", readings(t), prompt)
        experiment("removal-" + t, "Continue clips with %s and take them away." % t, removal(t), "prompts/remove-" + t)
        experiment("text-" + t, "From a caption that does not name %s." % t, written(t), words=texts(held, t, seed))
    for t in SIZED:
        experiment("statistic-" + t, "The unsteered pieces of removal again, heard by the mean.",
                   [condition("mean", t, 0, statistic="mean")], "prompts/remove-" + t)
        experiment("sizes-" + t, "Knobs from few examples; knobs.sh makes them.", sizes(t), "prompts/add-" + t,
                   pieces=ROW // len(SIZED))
    for t in TARGETS:
        rows = [c for c in continuation(t) if c["name"] in ("free", "smitin-50", "iti-50")]
        experiment("game-" + t, "Continue game music without %s and add them." % t, rows, "prompts/game-" + t,
                   real="reference-game")
    experiment("synthetic", "What the knob of real against synthetic calls synthetic.", [{"name": "free"}], pieces=100)
    experiment("synthetic-matched", "What the matched one calls synthetic.", [{"name": "free"}], "prompts/matched", pieces=100)
    for name in REAL:
        experiment(name, "Steer towards real music; knobs.sh makes the knob.", real(name), pieces=ROW)
    experiment("three", "Three instruments at once.", three(), "prompts/add-three", pieces=ROW)


def main():
    top = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    top.add_argument("--work", type=pathlib.Path, default=runs.work_folder(), metavar="DIR", help="the corpus lies below")
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--game", type=pathlib.Path, metavar="DIR", help="also the clips of game-*.json: a corpus of game music")
    args = top.parse_args()
    held = audio.pieces(args.work / "corpus", "valid") + audio.pieces(args.work / "corpus", "test")
    clips(held, OUT, args.seed)
    music(audio.pieces(args.work / "corpus", "train"), OUT, args.seed)
    files(held, args.seed)
    if args.game:
        game(audio.pieces(args.game, "test"), OUT, args.seed)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Does the default model play what it is told? `python -m experiments.captions.run` makes pieces for a few captions and prints
in which share of two-second windows the recogniser, which has never seen the language model, hears each instrument."""

import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import torch

from training.floors import recogniser
from training.settings import TARGETS

from ..steering import prompts, score

CAPTIONS = [None, "drums only", "solo piano", "solo guitar", "bass and drums", "piano and bass", "slow ballad with piano in C major",
            "fast rock with guitar, bass and drums in E minor"]


def presence(model, folder):
    """[pieces, 4]: share of windows with each instrument."""
    rows = []
    for path in sorted(folder.glob("*.wav")):
        parts = torch.from_numpy(score.windows(prompts.read_wav(path), score.WINDOW))
        with torch.no_grad():
            rows.append((recogniser.hear(model, parts) > 0.5).float().mean(0).numpy())
    return np.stack(rows)


def main():
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--smitin", default="build/cli/smitin")
    top.add_argument("--model", default="models/mini")
    top.add_argument("--pieces", type=int, default=24)
    top.add_argument("--seconds", type=float, default=10)
    top.add_argument("--threads", type=int, default=0)
    args = top.parse_args()
    judge = recogniser.load()
    print("| caption | %s |\n|%s" % (" | ".join(TARGETS), "---|" * (len(TARGETS) + 1)))
    for caption in CAPTIONS:
        with tempfile.TemporaryDirectory() as folder:
            text = ["-p", caption] if caption else []
            subprocess.run([args.smitin, "generate", "-m", args.model, *text, "-d", str(args.seconds), "-b", str(args.pieces), "-s", "1",
                            "-t", str(args.threads), "--quiet", "-o", folder], check=True)
            heard = presence(judge, pathlib.Path(folder)).mean(0)
        print("| %s | %s |" % (caption or "(none)", " | ".join("%.0f %%" % (100 * x) for x in heard)), flush=True)


if __name__ == "__main__":
    main()

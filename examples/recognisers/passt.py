#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of each instrument PaSST hears in clips of "smitin eval export".

    python3 passt.py clips/ -o passt.csv
    smitin eval correlate table.csv passt.csv --x success_drums --y passt_drums

Needs torch, torchaudio, timm and hear21passt (pip). That package fetches its weights, 340 MB, when they are first used."""
import contextlib
import functools
import io

import audioset
import common


class Passt:
    name, rate, seconds, repeat, what, defaults = "passt", 32000, 10.0, False, "CLASS", audioset.TRAITS
    advice = "pip install torch torchaudio timm hear21passt"

    def __init__(self, traits, weights, random):
        self.traits = traits
        self.classes = audioset.Classes(traits, 527)
        self.torch = common.need("torch", self.advice)
        base = common.need("hear21passt.base", self.advice)
        if random or weights:
            base.get_model_passt = functools.partial(base.get_model_passt, pretrained=False)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the net
            try:
                self.net = base.get_basic_model(mode="logits")
            except OSError as error:
                common.fail("the weights cannot be fetched (%s); fetch passt-s-f128-p16-s10-ap.476-swa.pt from the releases of "
                            "kkoutini/PaSST on GitHub and give it with --weights" % error)
        if weights:
            common.load_state(self.net.net, weights)
        self.net.eval()

    def score(self, windows):
        with self.torch.inference_mode(), contextlib.redirect_stdout(io.StringIO()):
            logits = self.net(self.torch.from_numpy(windows))
        return self.classes.reduce(self.torch.sigmoid(logits).numpy())


if __name__ == "__main__":
    common.main(Passt)

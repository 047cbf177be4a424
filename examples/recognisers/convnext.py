#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of each instrument a ConvNeXt-tiny trained on AudioSet hears in clips of "smitin eval export".

    python3 convnext.py clips/ -o convnext.csv
    smitin eval correlate table.csv convnext.csv --x success_drums --y convnext_drums

Needs torch, torchaudio, torchlibrosa, huggingface_hub and safetensors (pip), and audioset-convnext-inf, which is on GitHub only:
pip install git+https://github.com/topel/audioset-convnext-inf@pip-install
The weights, 113 MB, come from the Hugging Face hub when they are first used."""
import contextlib
import io

import audioset
import common

REPOSITORY, FILE = "topel/ConvNeXt-Tiny-AT", "model.safetensors"


class Convnext:
    name, rate, seconds, repeat, what, defaults = "convnext", 32000, 10.0, False, "CLASS", audioset.TRAITS
    advice = ("pip install torch torchaudio torchlibrosa huggingface_hub safetensors, and "
              "pip install git+https://github.com/topel/audioset-convnext-inf@pip-install")

    def __init__(self, traits, weights, random):
        self.traits = traits
        self.classes = audioset.Classes(traits, 527)
        self.torch = common.need("torch", self.advice)
        package = common.need("audioset_convnext_inf.pytorch.convnext", self.advice)
        if random:
            self.net = package.convnext_tiny(pretrained=False, drop_path_rate=0.0, after_stem_dim=[252, 56])
        else:
            with contextlib.redirect_stdout(io.StringIO()):  # it says where it found the file
                self.net = package.ConvNeXt.from_pretrained(weights or self.fetch(), map_location="cpu")
        self.net.eval()

    @staticmethod
    def fetch():
        hub = common.need("huggingface_hub", Convnext.advice)
        try:
            return hub.hf_hub_download(REPOSITORY, FILE)
        except Exception as error:  # of any of the hub's kinds
            common.fail("the weights cannot be fetched (%s); fetch %s of %s from the Hugging Face hub and give it with --weights"
                        % (str(error).splitlines()[0], FILE, REPOSITORY))

    def score(self, windows):
        with self.torch.inference_mode():
            probabilities = self.net(self.torch.from_numpy(windows))["clipwise_output"]
        return self.classes.reduce(probabilities.numpy())


if __name__ == "__main__":
    common.main(Convnext)

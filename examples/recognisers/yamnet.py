#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of each instrument YAMNet hears in clips of "smitin eval export".

    python3 yamnet.py clips/ -o yamnet.csv
    smitin eval correlate table.csv yamnet.csv --x success_drums --y yamnet_drums

Needs torch, torchaudio and torch-vggish-yamnet (pip). That package fetches its weights, 15 MB, when they are first used."""
import audioset
import common


class Yamnet:
    name, rate, seconds, repeat, what, defaults = "yamnet", 16000, 0.96, False, "CLASS", audioset.TRAITS
    advice = "pip install torch torchaudio torch-vggish-yamnet"

    def __init__(self, traits, weights, random):
        self.traits = traits
        self.classes = audioset.Classes(traits, 521)
        self.torch = common.need("torch", self.advice)
        net = common.need("torch_vggish_yamnet.yamnet", self.advice)
        self.convert = common.need("torch_vggish_yamnet.input_proc", self.advice).WaveformToInput()
        self.net = net.yamnet(pretrained=False) if random or weights else self.fetch(net)
        if weights:
            common.load_state(self.net, weights)
        self.net.eval()

    @staticmethod
    def fetch(net):
        try:
            return net.yamnet(pretrained=True)
        except OSError as error:
            common.fail("the weights cannot be fetched (%s); fetch yamnet.pth from the releases of w-hc/torch_audioset on GitHub and "
                        "give it with --weights" % error)

    def score(self, windows):
        with self.torch.inference_mode():
            patches = [self.convert(self.torch.from_numpy(window)[None], self.rate) for window in windows]
            probabilities = self.net(self.torch.cat(patches), to_prob=True)[1]
        return self.classes.reduce(probabilities.numpy())


if __name__ == "__main__":
    common.main(Yamnet)

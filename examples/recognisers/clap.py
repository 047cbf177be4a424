#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How near LAION-CLAP's music model finds clips of "smitin eval export" to a sentence about each instrument.

    python3 clap.py clips/ -o clap.csv
    python3 clap.py clips/ -o clap.csv --trait "strings=music with a string section+an orchestra"
    smitin eval correlate table.csv clap.csv --x success_drums --y clap_drums

The score is the cosine between clip and sentence (the highest of several) less that between clip and a sentence that names no
instrument, so that clips of which everything is a little truer do not come first. Needs torch and transformers (pip). The weights,
780 MB, come from the Hugging Face hub when they are first used; --weights DIR is a folder with them, and may hold another CLAP."""
import common

REPOSITORY = "laion/larger_clap_music"
NEUTRAL = "This is a piece of music."
LENGTH = 77  # tokens of a sentence, as in training


class Clap:
    name, rate, seconds, repeat, what = "clap", 48000, 10.0, True, "SENTENCE"
    advice = "pip install torch transformers"
    defaults = {name: ["This is a piece of music with %s." % words] for name, words in (
        ("drums", "drums"), ("bass", "a bass guitar"), ("guitar", "a guitar"), ("piano", "a piano"), ("vocals", "singing"))}

    def __init__(self, traits, weights, random):
        self.traits = traits
        self.torch = common.need("torch", self.advice)
        package = common.need("transformers", self.advice)
        if random:
            self.net = package.ClapModel(package.ClapConfig())
            self.extract = package.ClapFeatureExtractor(truncation="rand_trunc")
            tokenize = self.stand_in
        else:
            self.net, self.extract, tokenize = self.fetch(package, weights or REPOSITORY)
        self.net.eval()
        self.sentences = [NEUTRAL] + [sentence for of_trait in traits.values() for sentence in of_trait]
        with self.torch.inference_mode():
            self.tokens = tokenize(self.sentences)

    def stand_in(self, sentences):
        """Bytes for tokens: an untrained net knows no words."""
        ids = self.torch.ones((len(sentences), LENGTH), dtype=self.torch.long)
        for row, sentence in zip(ids, sentences):
            data = list(sentence.encode())[:LENGTH]
            row[:len(data)] = self.torch.tensor(data) + 3
        return {"input_ids": ids, "attention_mask": (ids != 1).long()}

    @staticmethod
    def fetch(package, where):
        try:
            net = package.ClapModel.from_pretrained(where)
            processor = package.ClapProcessor.from_pretrained(where)
        except (OSError, ValueError) as error:
            common.fail("the weights cannot be had (%s); fetch %s from the Hugging Face hub and give its folder with --weights"
                        % (str(error).splitlines()[0], REPOSITORY))
        return net, processor.feature_extractor, lambda sentences: processor.tokenizer(
            sentences, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")

    def score(self, windows):
        heard = self.extract(list(windows), sampling_rate=self.rate, return_tensors="pt")
        with self.torch.inference_mode():
            found = self.net(**heard, **self.tokens)
            unit = self.torch.nn.functional.normalize
            cosines = unit(found.audio_embeds, dim=-1) @ unit(found.text_embeds, dim=-1).T
        rows = []
        for neutral, *row in cosines.tolist():
            rest = iter(row)
            rows.append([max(next(rest) for _ in of_trait) - neutral for of_trait in self.traits.values()])
        return rows


if __name__ == "__main__":
    common.main(Clap)

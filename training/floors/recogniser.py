# SPDX-License-Identifier: MIT
"""Hears drums, bass, guitar and piano in two seconds of audio: `python -m training.floors.recogniser`.

A small convolutional network on log-mel spectra, trained on training families only: mixtures and
random subsets of stems, a part of them passed through the codec, so that codec sound is not
mistaken for an instrument. It never sees the language model, and is therefore the independent
judge of steering too. Its 96 pooled features are the embedding of our Frechet distances.
"""

import argparse
import pathlib

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F

from .. import audio, export, runs
from ..codec.losses import mel_matrix
from ..settings import HOP, RATE, STEMS, TARGETS

SECONDS = 2
FRAMES = SECONDS * RATE // HOP
WINDOW, BANDS = 2048, 64
FILE = pathlib.Path(__file__).with_name("recogniser.safetensors")


def features(waves):
    """float [B, samples] -> log-mel [B, 64, samples / 640], 0 at -80 dB and about 1 at full scale."""
    shape = torch.hann_window(WINDOW, device=waves.device)
    pad = (WINDOW - HOP) // 2
    waves = F.pad(waves, (pad, pad))
    spectrum = torch.stft(waves, WINDOW, HOP, window=shape, center=False, return_complex=True)
    mel = mel_matrix(WINDOW, BANDS, low=30.0).to(waves.device).t() @ (spectrum.abs() * (2 / shape.sum()))
    return mel.clamp(min=1e-4).log10() / 4 + 1


class Recogniser(torch.nn.Module):
    """Four convolution blocks, mean and maximum over time, one linear layer."""

    def __init__(self):
        super().__init__()
        sizes = (1, 24, 32, 48, 64)
        self.convs = torch.nn.ModuleList(
            [torch.nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(sizes, sizes[1:])])
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm2d(b) for b in sizes[1:]])
        self.mix = torch.nn.Linear(64 * (BANDS // 16) * 2, 96)
        self.out = torch.nn.Linear(96, len(TARGETS))

    def embed(self, mel):
        """[B, 96] features of log-mel [B, 64, frames]."""
        x = mel[:, None]
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.relu(norm(conv(x)))
            x = F.max_pool2d(x, 2 if i < 3 else (2, 1))
        x = torch.cat((x.mean(3), x.amax(3)), 1).flatten(1)
        x = F.dropout(x, 0.3, self.training)
        return F.relu(self.mix(x))

    def forward(self, mel):
        return self.out(self.embed(mel))


def load(path=FILE):
    model = Recogniser()
    model.load_state_dict({k: v.float() if v.is_floating_point() else v
                           for k, v in safetensors.torch.load_file(path).items()})
    return model.eval()


@torch.no_grad()
def hear(model, waves, batch=128, embed=False):
    """Probabilities [N, 4] (or features [N, 96]) of two-second windows."""
    call = model.embed if embed else lambda mel: model(mel).sigmoid()
    return torch.cat([call(features(waves[i:i + batch])) for i in range(0, len(waves), batch)])


def labels(activity):
    """1 present (a fifth of the frames), 0 absent (under a fiftieth), nan between; [4]."""
    share = activity[:len(TARGETS)].mean(1)
    return np.where(share >= 0.2, 1.0, np.where(share < 0.02, 0.0, np.nan))


def windows(pieces, count, seed, subsets=0.6):
    """(waves [N, samples], labels [N, 4]): mixtures, and random subsets of stems."""
    rng = np.random.default_rng(seed)
    waves, marks = np.zeros((count, SECONDS * RATE), np.float32), np.zeros((count, len(TARGETS)))
    for i in range(count):
        piece = pieces[rng.integers(len(pieces))]
        first = int(rng.integers(0, max(1, piece.activity.shape[1] - FRAMES)))
        names = [s for s in piece.stems if rng.random() < 0.6] if rng.random() < subsets \
            else list(piece.stems)
        active = piece.activity[:, first:first + FRAMES].copy()
        for row, stem in enumerate(STEMS):
            if stem not in names:
                active[row] = False
        if names:
            waves[i] = piece.mix(first * HOP, SECONDS * RATE, names, None)
            waves[i] *= 10 ** (rng.uniform(-9, 0) / 20)
        marks[i] = labels(active)
    return torch.from_numpy(waves), torch.from_numpy(marks).float()


@torch.no_grad()
def through_codec(codec, waves, batch=32):
    """Reconstruction by the codec, [N, samples]."""
    out = []
    for part in waves.split(batch):
        codes = codec.encode(part[:, None]).audio_codes
        out.append(codec.decode(codes, [None]).audio_values[:, 0, :part.shape[1]])
    return torch.cat(out)


def accuracy(probabilities, marks):
    """Balanced accuracy per instrument [4]."""
    scores = []
    for i in range(len(TARGETS)):
        yes, no = marks[:, i] == 1, marks[:, i] == 0
        said = probabilities[:, i] > 0.5
        scores.append((said[yes].float().mean() + (~said[no]).float().mean()) / 2)
    return torch.stack(scores)


def fit(mels, marks, epochs, seed=5, batch=64):
    """Trains with masked, class-balanced cross-entropy, random level and band cuts."""
    torch.manual_seed(seed)
    model = Recogniser().train()
    steps = epochs * (len(mels) // batch)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    known = marks.isfinite()
    share = torch.stack([(marks[:, i] == 1).float().sum() / known[:, i].sum() for i in range(4)])
    step = 0
    for _ in range(epochs):
        for index in torch.randperm(len(mels)).split(batch)[:len(mels) // batch]:
            mel = mels[index].float() + torch.randn(len(index), 1, 1) * 0.04
            low = int(torch.randint(0, BANDS - 6, ()))
            mel[:: 3, low:low + 6] = 0
            mark = marks[index]
            weight = torch.where(mark == 1, 0.5 / share, 0.5 / (1 - share)) * mark.isfinite()
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * runs.cosine(step, steps, 50)
            loss = F.binary_cross_entropy_with_logits(model(mel), mark.nan_to_num(), weight=weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
        print("step %d loss %.4f" % (step, loss.item()), flush=True)
    return model.eval()


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("--windows", type=int, default=16000)
    top.add_argument("--epochs", type=int, default=8)
    args = top.parse_args()
    runs.setup(args)
    model, _, _ = export.assemble(args.work)
    waves, marks = windows(audio.pieces(args.work / "corpus", "train"), args.windows, 11)
    third = args.windows // 3
    waves[:third] = through_codec(model.audio_encoder, waves[:third])
    mels = torch.cat([features(w).half() for w in waves.split(256)])
    del waves
    judge = fit(mels, marks, args.epochs)
    held = audio.pieces(args.work / "corpus", "valid")
    waves, marks = windows(held, 2000, 12)
    print("valid", [round(x, 3) for x in accuracy(hear(judge, waves), marks).tolist()])
    safetensors.torch.save_file({k: v.half() if v.is_floating_point() else v
                                 for k, v in judge.state_dict().items()}, FILE,
                                metadata={"classes": ",".join(TARGETS)})


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Discriminators on complex spectra at three scales, small enough for a CPU."""

import torch
import torch.nn.functional as F
from torch.nn.utils.parametrizations import weight_norm

WINDOWS = (1024, 512, 256)


class Scale(torch.nn.Module):
    """Real and imaginary parts of one spectrum, strided over frequency, to a map of scores."""

    def __init__(self, window, filters=16):
        super().__init__()
        self.window = window
        sizes = (2, filters, filters, 2 * filters, 2 * filters)
        self.convs = torch.nn.ModuleList(
            [weight_norm(torch.nn.Conv2d(a, b, (3, 7), (1, 2), (1, 3)))
             for a, b in zip(sizes, sizes[1:])])
        self.score = weight_norm(torch.nn.Conv2d(2 * filters, 1, 3, padding=1))

    def forward(self, wave):
        """(scores, list of inner maps) of [B, T]."""
        shape = torch.hann_window(self.window, device=wave.device)
        spectrum = torch.stft(wave, self.window, self.window // 4, window=shape, return_complex=True)
        x = torch.view_as_real(spectrum).permute(0, 3, 2, 1) * (4.0 / shape.sum().sqrt())
        maps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
            maps.append(x)
        return self.score(x), maps


class Discriminator(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = torch.nn.ModuleList([Scale(w) for w in WINDOWS])

    def forward(self, wave):
        return [scale(wave) for scale in self.scales]


def teach(real, fake):
    """Hinge loss of the discriminator."""
    return sum(F.relu(1 - r[0].float()).mean() + F.relu(1 + f[0].float()).mean()
               for r, f in zip(real, fake)) / len(real)


def please(real, fake):
    """(adversarial, feature-matching) losses of the codec."""
    wanted = -sum(f[0].float().mean() for f in fake) / len(fake)
    match = 0.0
    for r, f in zip(real, fake):
        for a, b in zip(r[1], f[1]):
            match = match + (a.float().detach() - b.float()).abs().mean() / \
                (a.float().detach().abs().mean() + 1e-3)
    return wanted, match / (len(fake) * 4)

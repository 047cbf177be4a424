# SPDX-License-Identifier: MIT
"""What a reconstruction is judged by: mel and linear spectra at several scales, and the waveform."""

import math

import torch

from ..settings import RATE

FLOOR = 1e-4            # of a mel magnitude: quieter than this is silence (-80 dB of a full-scale sine)
SCALES = ((2048, 128), (512, 64), (128, 16))     # window, mel bands


def mel_matrix(window, bands, rate=RATE, low=20.0, high=None):
    """Triangles on the HTK mel scale, [window/2+1, bands], each of unit height."""
    high = high or rate / 2
    mel = lambda f: 2595.0 * math.log10(1.0 + f / 700.0)
    edges = torch.linspace(mel(low), mel(high), bands + 2, dtype=torch.float64)
    edges = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    freqs = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)[:, None]
    up = (freqs - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - freqs) / (edges[2:] - edges[1:-1])
    return torch.minimum(up, down).clamp(min=0).float()


def magnitude(wave, window):
    """Magnitude spectra [B, bins, frames], scaled so that a full-scale sine is about one."""
    shape = torch.hann_window(window, device=wave.device)
    spectrum = torch.stft(wave, window, window // 4, window=shape, return_complex=True)
    return (torch.view_as_real(spectrum).square().sum(-1) + 1e-12).sqrt() * (2.0 / shape.sum())


def log_mel(wave, window=2048, bands=80, floor=FLOOR):
    """log10 mel magnitudes [B, bands, frames], hop of a quarter window."""
    mel = mel_matrix(window, bands).to(wave.device)
    return (mel.t() @ magnitude(wave, window)).clamp(min=floor).log10()


class SpectralLoss(torch.nn.Module):
    """Mean over scales of log-mel L1 and relative linear-magnitude L1."""

    def __init__(self):
        super().__init__()
        for window, bands in SCALES:
            self.register_buffer("mel%d" % window, mel_matrix(window, bands).t().contiguous())

    def forward(self, output, target):
        """Returns (log-mel loss, linear loss)."""
        mel_loss, linear_loss = 0.0, 0.0
        for window, _ in SCALES:
            out = magnitude(output, window)
            with torch.no_grad():
                ref = magnitude(target, window)
            mel = getattr(self, "mel%d" % window)
            mel_loss = mel_loss + ((mel @ out).clamp(min=FLOOR).log10() -
                                   (mel @ ref).clamp(min=FLOOR).log10()).abs().mean()
            scale = ref.mean((1, 2), keepdim=True) + 2e-4
            linear_loss = linear_loss + ((out - ref).abs() / scale).mean()
        return mel_loss / len(SCALES), linear_loss / len(SCALES)


def wave_loss(output, target):
    """L1 and L2 of the waveform relative to its level, so that quiet crops count too.

    L2 follows the strong low partials; without it the decoder is slow to find their phase.
    """
    linear = target.abs().mean(1, keepdim=True) + 0.02
    square = target.square().mean(1, keepdim=True) + 0.0005
    error = output - target
    return (error.abs() / linear).mean() + (error.square() / square).mean()


def si_sdr(output, target):
    """Scale-invariant signal-to-distortion ratio in dB, per row."""
    target = target - target.mean(1, keepdim=True)
    output = output - output.mean(1, keepdim=True)
    factor = (output * target).sum(1, keepdim=True) / (target.square().sum(1, keepdim=True) + 1e-9)
    part = factor * target
    return 10 * torch.log10((part.square().sum(1) + 1e-9) / ((output - part).square().sum(1) + 1e-9))


class Balancer:
    """Adds the gradients of several losses in the output, each brought to a set share.

    The raw gradient of a log spectrum is enormous wherever a crop is nearly silent. Each row's
    gradient is therefore scaled by the loss's running norm, and no row may exceed four times it.
    """

    def __init__(self, shares, rate=0.98):
        self.shares, self.rate, self.norms = shares, rate, {}

    def __call__(self, output, losses):
        """Gradient [B, T] for `output` from {name: loss}; every loss must depend on it."""
        total, names = 0.0, [n for n in losses if self.shares.get(n)]
        for name in names:
            grad, = torch.autograd.grad(losses[name], output, retain_graph=name != names[-1])
            norm = grad.norm(dim=1, keepdim=True) + 1e-12
            mean = norm.median().item()
            known = self.norms.get(name, mean)
            self.norms[name] = known * self.rate + mean * (1 - self.rate)
            limit = (4 * self.norms[name] / norm).clamp(max=1.0)
            total = total + grad * limit * (self.shares[name] / self.norms[name])
        return total / len(output)

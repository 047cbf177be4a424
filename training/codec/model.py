# SPDX-License-Identifier: MIT
"""The codec as a transformers model, and a residual quantizer that learns in its buffers."""

import torch
from transformers import EncodecConfig, EncodecModel

from .. import runs
from ..settings import RATE, CodecSettings


def config(settings=CodecSettings()):
    """Configuration with the shape of facebook/encodec_32khz except for its widths."""
    return EncodecConfig(
        sampling_rate=RATE, audio_channels=1, normalize=False, target_bandwidths=[settings.bandwidth],
        num_filters=settings.filters, hidden_size=settings.hidden, codebook_dim=settings.hidden,
        codebook_size=settings.codes, upsampling_ratios=[8, 5, 4, 4], use_causal_conv=False,
        use_conv_shortcut=False, num_lstm_layers=2, num_residual_layers=1, pad_mode="reflect",
        norm_type="weight_norm", chunk_length_s=None, overlap=None)


def build(settings=CodecSettings()):
    """A codec with fresh weights; random codebooks, so that it runs even before any training."""
    model = EncodecModel(config(settings))
    assert len(model.quantizer.layers) == 4
    assert model.quantizer.get_num_quantizers_for_bandwidth(settings.bandwidth) == 4
    for layer in model.quantizer.layers:
        layer.codebook.embed.normal_()
    initialise(model)
    return model


@torch.no_grad()
def initialise(model, gain=1.25, inner=0.4):
    """Variance-preserving weights and zero biases.

    With PyTorch's default each of the 24 convolutions shrinks the signal and adds a random
    constant, and the decoder needs hundreds of steps before its output depends on its input.
    """
    for name, m in model.named_modules():
        if not isinstance(m, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            continue
        taps = 2 if isinstance(m, torch.nn.ConvTranspose1d) else m.kernel_size[0]
        scale = gain * (inner if ".block.3." in name else 1.0)
        m.weight = torch.randn_like(m.weight) * scale * (m.in_channels * taps) ** -0.5
        m.bias.zero_()
    model.encoder.layers[0].conv.weight = model.encoder.layers[0].conv.weight * 5.0
    model.decoder.layers[-1].conv.weight = model.decoder.layers[-1].conv.weight * 0.05


def nearest(x, embed):
    """Index of the nearest code by squared distance, rows of `x` [N, D]."""
    return (embed.pow(2).sum(1) - 2 * x @ embed.t()).argmin(1)


@torch.no_grad()
def kmeans(x, count, rounds=12):
    """Centres of `x` [N, D] by Lloyd's rounds from a random start; empty centres are redrawn."""
    centres = x[torch.randperm(len(x))[:count]].clone()
    for _ in range(rounds):
        index = nearest(x, centres)
        size = torch.bincount(index, minlength=count).to(x)
        total = torch.zeros_like(centres).index_add_(0, index, x)
        centres = torch.where(size[:, None] > 0, total / size[:, None].clamp(min=1),
                              x[torch.randint(len(x), (count,))])
    return centres


class Quantizer:
    """Trains the codebooks of an EncodecModel by moving averages; four books, always all used.

    A code that almost nothing maps to is moved onto a random residual of the batch, so that no
    part of the 40 bits per frame lies idle.
    """

    def __init__(self, model, rate):
        self.books = [layer.codebook for layer in model.quantizer.layers]
        self.rate = rate

    @torch.no_grad()
    def initialise(self, latents):
        """k-means of each residual, first to last; `latents` is [N, D]."""
        residual = latents
        for book in self.books:
            book.embed.copy_(runs.share(kmeans(residual, book.codebook_size)))
            index = nearest(residual, book.embed)
            book.cluster_size.copy_(torch.bincount(index, minlength=book.codebook_size) /
                                    len(residual))
            runs.mean([book.cluster_size])
            book.embed_avg.copy_(book.embed * book.cluster_size[:, None])
            residual = residual - book.embed[index]

    @torch.no_grad()
    def _learn(self, book, x, index):
        """One step of the averages (of shares, not counts, so that batch size does not matter)."""
        count = book.codebook_size
        share = torch.bincount(index, minlength=count).to(x) / len(x)
        total = torch.zeros_like(book.embed).index_add_(0, index, x) / len(x)
        runs.mean([share, total])
        book.cluster_size.lerp_(share, 1 - self.rate)
        book.embed_avg.lerp_(total, 1 - self.rate)
        dead = (book.cluster_size < 0.05 / count).nonzero().flatten()
        if len(dead):
            fresh = runs.share(x[torch.randint(len(x), (len(dead),))])
            book.embed_avg[dead] = fresh * (0.5 / count)
            book.cluster_size[dead] = 0.5 / count
        book.embed.copy_(book.embed_avg / book.cluster_size[:, None])
        return len(dead)

    def __call__(self, latents, learn=True):
        """latents [B, T, D] -> (straight-through output, commitment loss, codes [4, B*T], revived)."""
        flat = latents.float().reshape(-1, latents.shape[-1])
        residual, total, loss, codes, revived = flat, torch.zeros_like(flat), 0.0, [], 0
        for book in self.books:
            index = nearest(residual.detach(), book.embed)
            chosen = book.embed[index]
            loss = loss + (residual - chosen).square().mean()
            if learn:
                revived += self._learn(book, residual.detach(), index)
            codes.append(index)
            total = total + chosen
            residual = residual - chosen
        out = flat + (total - flat).detach()
        return out.view(latents.shape), loss / len(self.books), torch.stack(codes), revived


class Hear(torch.nn.Module):
    """Tells from a third of a second of codes which of the four instruments sound; left behind after training.

    What reconstructs best at 2 kbit/s need not say who plays: a recogniser kept 96 % of its accuracy
    on drums and bass but 91 % on guitar. A language model can only know what the codes tell.
    """

    def __init__(self, hidden, width=64, count=4):
        super().__init__()
        self.norm = torch.nn.LayerNorm(hidden)
        self.first = torch.nn.Conv1d(hidden, width, 9, padding=4)
        self.second = torch.nn.Conv1d(width, width, 9, padding=4)
        self.out = torch.nn.Conv1d(width, count, 1)

    def loss(self, latents, active):
        """Mean cross-entropy of latents [B, T, hidden] against active, bool [B, 4, T]."""
        x = self.norm(latents).transpose(1, 2)
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return torch.nn.functional.binary_cross_entropy_with_logits(self.out(x), active.float())

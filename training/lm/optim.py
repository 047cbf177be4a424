# SPDX-License-Identifier: MIT
"""Muon for the matrices inside the blocks, AdamW for the rest.

Orthogonalised momentum learns these small transformers in markedly fewer steps than AdamW. Equal
shapes are stacked, so that one batched product serves all layers.
"""

import collections

import torch
import torch.distributed as dist

QUINTIC = (3.4445, -4.7750, 2.0315)     # Newton-Schulz coefficients of the published method


def orthogonal(x, rounds=5):
    """Nearest semi-orthogonal matrices of a stack [N, R, C], roughly, in bfloat16."""
    a, b, c = QUINTIC
    x = x.bfloat16()
    flip = x.shape[1] > x.shape[2]
    x = x.mT.contiguous() if flip else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if flip else x).float()


def shared(stack):
    """orthogonal(stack), each process doing its part of the matrices."""
    count = dist.get_world_size() if dist.is_initialized() else 1
    if count == 1 or len(stack) < count:
        return orthogonal(stack)
    part = -(-len(stack) // count)
    rows = torch.arange(part) + dist.get_rank() * part
    own = orthogonal(stack[rows.clamp(max=len(stack) - 1)])
    parts = [torch.empty_like(own) for _ in range(count)]
    dist.all_gather(parts, own)
    return torch.cat(parts)[:len(stack)]


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with steps of AdamW's usual size (0.2 in RMS)."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes = collections.defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for shape, params in shapes.items():
                stack = torch.stack([self._momentum(p, group["momentum"]) for p in params])
                scale = 0.2 * max(shape) ** 0.5 * group["lr"]
                for p, step in zip(params, shared(stack)):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-scale)

    def _momentum(self, p, rate):
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - rate)
        return p.grad.lerp(state["momentum"], rate)


def optimisers(model, lr, weight_decay):
    """[Muon, AdamW] over all trained parameters of the text encoder and the decoder."""
    blocks, rest = [], []
    for name, p in model.named_parameters():
        if name.startswith("audio_encoder.") or not p.requires_grad:
            continue
        inner = ".layers." in name or ".block." in name
        (blocks if inner and p.ndim == 2 and "relative" not in name else rest).append(p)
    return [Muon(blocks, lr, weight_decay=weight_decay),
            torch.optim.AdamW(rest, lr, betas=(0.9, 0.95), weight_decay=weight_decay)]

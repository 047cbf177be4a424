# SPDX-License-Identifier: MIT
"""Draws codes from the decoder; batched, with a key/value cache, by transformers' own forward."""

import torch
from transformers import DynamicCache, EncoderDecoderCache

from ..settings import CODEBOOKS, CodecSettings
from . import model as lm_model

SPECIAL = CodecSettings().codes


@torch.no_grad()
def unconditional(model, count, frames, seed, top_k=250, temperature=1.0, prompt=None):
    """codes int64 [count, 4, frames] drawn without text, after an optional prompt [count, 4, P]."""
    random = torch.Generator().manual_seed(seed)
    empty = torch.zeros(count, CODEBOOKS, frames, dtype=torch.long)
    grid = lm_model.delayed(empty, SPECIAL)
    known = grid == SPECIAL
    first = 1
    if prompt is not None:
        given = prompt.shape[2]
        empty[:, :, :given] = prompt
        grid = lm_model.delayed(empty, SPECIAL)
        mask = torch.zeros_like(empty)
        mask[:, :, :given] = 1
        known |= lm_model.delayed(mask, 0) == 1
        first = given + 1
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    feed = grid[:, :, :first]
    for column in range(first, grid.shape[2]):
        hidden = model.decoder.model.decoder(input_ids=feed.flatten(0, 1), past_key_values=cache,
                                             use_cache=True).last_hidden_state[:, -1:]
        scores = lm_model.logits(model, hidden)[:, 0].float() / temperature
        values, index = scores.topk(top_k)
        pick = torch.multinomial(values.softmax(-1).flatten(0, 1), 1, generator=random)
        drawn = index.flatten(0, 1).gather(1, pick).view(count, CODEBOOKS)
        grid[:, :, column] = torch.where(known[:, :, column], grid[:, :, column], drawn)
        feed = grid[:, :, column:column + 1]
    return torch.stack([grid[:, k, k + 1:k + 1 + frames] for k in range(CODEBOOKS)], 1)

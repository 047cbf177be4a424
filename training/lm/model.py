# SPDX-License-Identifier: MIT
"""The text encoder and decoder as transformers models, and a faster equal forward pass for training."""

import torch
import torch.nn.functional as F
from transformers import (MusicgenConfig, MusicgenDecoderConfig, MusicgenForConditionalGeneration,
                          T5Config)

from ..codec import model as codec_model
from ..settings import CODEBOOKS, CodecSettings, LmSettings


def config(settings=LmSettings(), codec=CodecSettings(), pieces=LmSettings.pieces):
    """MusicgenConfig of the whole checkpoint."""
    text = T5Config(
        vocab_size=pieces, d_model=settings.text_hidden, d_kv=settings.text_hidden // settings.text_heads,
        d_ff=4 * settings.text_hidden, num_layers=settings.text_layers, num_heads=settings.text_heads,
        dropout_rate=0.0, feed_forward_proj="relu", pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0)
    decoder = MusicgenDecoderConfig(
        vocab_size=codec.codes, hidden_size=settings.hidden, ffn_dim=4 * settings.hidden,
        num_hidden_layers=settings.layers, num_attention_heads=settings.heads, dropout=0.0,
        num_codebooks=CODEBOOKS, pad_token_id=codec.codes, bos_token_id=codec.codes,
        max_position_embeddings=2048, is_decoder=True, add_cross_attention=True)
    return MusicgenConfig(text_encoder=text.to_dict(), decoder=decoder.to_dict(),
                          audio_encoder=codec_model.config(codec).to_dict(), pad_token_id=codec.codes,
                          decoder_start_token_id=codec.codes, is_encoder_decoder=True)


def build(settings=LmSettings(), codec=CodecSettings(), pieces=LmSettings.pieces):
    """The whole model with fresh weights; small output layers, so that the loss starts at log 1024.

    The text condition starts with unit spread: with transformers' own 0.02 the decoder had not
    begun to listen to it after 700 steps.
    """
    model = MusicgenForConditionalGeneration(config(settings, codec, pieces))
    depth = (2 * settings.layers) ** -0.5
    with torch.no_grad():
        model.enc_to_dec_proj.weight.normal_(0, settings.text_hidden ** -0.5)
        for table in model.decoder.model.decoder.embed_tokens:
            table.weight.normal_(0, 0.1)
        for head in model.decoder.lm_heads:
            head.weight.normal_(0, 0.02)
        for layer in model.decoder.model.decoder.layers:
            for part in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                torch.nn.init.normal_(part.weight, 0, depth * part.in_features ** -0.5)
            for part in (layer.self_attn, layer.encoder_attn):
                for name in ("q_proj", "k_proj", "v_proj"):
                    torch.nn.init.normal_(getattr(part, name).weight, 0, settings.hidden ** -0.5)
            torch.nn.init.normal_(layer.fc1.weight, 0, settings.hidden ** -0.5)
    return model


def delayed(codes, special, tail=True):
    """Delay pattern: codes [B, K, T] -> [B, K, T + 4]; column 0 and the corners are `special`.

    Without `tail` the last three columns, in which lower codebooks have run out, are left off.
    """
    batch, books, frames = codes.shape
    grid = codes.new_full((batch, books, frames + books), special)
    for k in range(books):
        grid[:, k, k + 1:k + 1 + frames] = codes[:, k]
    return grid if tail else grid[:, :, :frames + 1]


def text_states(model, ids, mask, keep):
    """Text condition [B, L, hidden]: zero rows for padding and for examples that drop the text."""
    states = model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return model.enc_to_dec_proj(states) * (mask * keep[:, None])[:, :, None]


def _heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def _attend(q, k, v, bias):
    """softmax(q k' / sqrt(size) + bias) v for [N, T, size], as plain batched products.

    On a CPU this is twice as fast as PyTorch's flash kernel, whose backward pass does not use the
    bfloat16 matrix units.
    """
    scores = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
    return torch.bmm(torch.softmax(scores, -1), v)


def _causal(q, k, v, block=256):
    """Causal attention in blocks of rows, each against no more keys than it may see."""
    parts = []
    for first in range(0, q.shape[1], block):
        last = min(first + block, q.shape[1])
        bias = q.new_full((last - first, last), float("-inf")).triu(first + 1)
        parts.append(_attend(q[:, first:last], k[:, :last], v[:, :last],
                             bias.expand(len(q), -1, -1)))
    return torch.cat(parts, 1)


def _layer(layer, x, states, mask, heads, tap):
    attn, batch = layer.self_attn, len(x)
    y = layer.self_attn_layer_norm(x)
    weights = torch.cat((attn.q_proj.weight, attn.k_proj.weight, attn.v_proj.weight))
    q, k, v = (_heads(t, heads).flatten(0, 1) for t in F.linear(y, weights).chunk(3, -1))
    z = _causal(q, k, v).unflatten(0, (batch, heads)).transpose(1, 2)
    if tap is not None:
        tap.append(z)
    x = x + attn.out_proj(z.flatten(2))
    if states is not None:
        attn = layer.encoder_attn
        y = layer.encoder_attn_layer_norm(x)
        k, v = F.linear(states, torch.cat((attn.k_proj.weight, attn.v_proj.weight))).chunk(2, -1)
        q, k, v = (_heads(t, heads).flatten(0, 1) for t in (attn.q_proj(y), k, v))
        z = _attend(q, k, v, mask.to(q.dtype)).unflatten(0, (batch, heads)).transpose(1, 2)
        x = x + attn.out_proj(z.flatten(2))
    return x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))


def hidden_states(model, grid, states=None, mask=None, tap=None, first=0, inner=None):
    """Last hidden states [B, S, hidden] of a grid [B, K, S]; the same numbers as the class's forward.

    `states` None means unconditional: cross-attention adds exactly nothing and is left out. `mask`
    [B, L] hides padding. `tap`, a list, receives each layer's head outputs [B, S, heads, size]
    before the output projection, `inner`, another, the signal [B, S, hidden] behind each layer.
    `first` is the position of the first column.
    """
    decoder = model.decoder.model.decoder
    heads = model.config.decoder.num_attention_heads
    x = sum(table(grid[:, k]) for k, table in enumerate(decoder.embed_tokens))
    x = x + decoder.embed_positions.weights[first:first + grid.shape[2]]
    bias = None
    if states is not None:
        bias = torch.zeros(mask.shape, device=mask.device).masked_fill(mask == 0, -1e9)
        bias = bias.repeat_interleave(heads, 0)[:, None, :]
    for layer in decoder.layers:
        x = _layer(layer, x, states, bias, heads, tap)
        if inner is not None:
            inner.append(x)
    return decoder.layer_norm(x)


def logits(model, hidden):
    """[B, S, K, codes]."""
    weight = torch.cat([head.weight for head in model.decoder.lm_heads])
    return F.linear(hidden, weight).unflatten(-1, (len(model.decoder.lm_heads), -1))


def cross_entropy(model, hidden, grid, special=1024):
    """Mean cross-entropy per codebook [K] of hidden states [B, S - 1, hidden] of a grid's first columns."""
    out = logits(model, hidden)
    target = grid[:, :, 1:].transpose(1, 2)
    target = target.masked_fill(target == special, -100)
    total = F.cross_entropy(out.flatten(0, 2).float(), target.flatten(), ignore_index=-100,
                            reduction="none").view(target.shape)
    return total.sum((0, 1)) / (target >= 0).sum((0, 1))


def losses(model, grid, states=None, mask=None, special=1024):
    """Mean cross-entropy per codebook [K] over every real code that a column predicts."""
    return cross_entropy(model, hidden_states(model, grid[:, :, :-1], states, mask), grid, special)


class Sounds(torch.nn.Linear):
    """Tells behind a middle layer which instruments the coming frame has; left behind after training.

    Next codes alone teach a small decoder late, if ever, whether a faint tone is a guitar or a
    piano. Asked halfway up, the later layers can use the answer.
    """

    def __init__(self, hidden, count=4):
        super().__init__(hidden, count)
        self.norm = torch.nn.LayerNorm(hidden)
        torch.nn.init.zeros_(self.weight)

    def loss(self, hidden, active):
        """Mean cross-entropy of hidden [B, S, hidden] at the first T columns against active [B, 4, T]."""
        out = self(self.norm(hidden[:, :active.shape[2]])).float()
        return F.binary_cross_entropy_with_logits(out, active.transpose(1, 2).float())


class Words(torch.nn.Linear):
    """Names the words of the caption from the decoder's first hidden states; left behind after training.

    A caption is worth so few nats of music that, after a thousand steps, nothing had flowed through
    the cross-attention. At the first columns the text is all that can tell which words it holds.
    """

    COLUMNS = 16

    def __init__(self, hidden, pieces):
        super().__init__(hidden, pieces)
        torch.nn.init.zeros_(self.weight)
        torch.nn.init.constant_(self.bias, -3.0)    # about as rare as a word is

    def loss(self, hidden, ids, keep):
        """Nats per caption and column: hidden [B, S, hidden], ids [B, L], keep [B] 1 where text was given."""
        wanted = torch.zeros(len(ids), self.out_features, device=ids.device).scatter_(1, ids, 1.0)
        out = self(hidden[:, :self.COLUMNS]).float()
        nats = F.binary_cross_entropy_with_logits(out, wanted[:, None].expand_as(out), reduction="none").sum(2)
        return (nats.mean(1) * keep).sum() / keep.sum().clamp(min=1)

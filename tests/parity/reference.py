# SPDX-License-Identifier: MIT
"""What transformers computes from FOLDER, written to FOLDER/reference.safetensors: reference.py FOLDER [FRAMES].

T5 states of a few tokens; greedy generation of FRAMES frames (1500 = 30 s) with guidance 3, with the text alone, and with
nothing, and the logits of every step; latents, codes and audio of 10 s of a synthetic signal.
"""
import math
import sys
import time

import torch
from safetensors.torch import save_file
from transformers import DynamicCache, EncoderDecoderCache, MusicgenForConditionalGeneration

GUIDANCE = 3.0


def exact_positions(model):
    """transformers evaluates its position table in f32, where late positions are off by some 1e-4; we evaluate it in f64
    and round once. The difference is printed, then removed, so that the rest can be compared to the last digits."""
    embedding = model.decoder.model.decoder.embed_positions
    half = model.config.decoder.hidden_size // 2
    f = torch.exp(-torch.arange(half, dtype=torch.float64) * (math.log(10000.0) / (half - 1)))
    phase = torch.arange(embedding.weights.shape[0], dtype=torch.float64)[:, None] * f[None]
    exact = torch.cat([phase.cos(), phase.sin()], dim=1).float()
    print("f32 position table against the exact one: largest difference", (embedding.weights - exact).abs().max().item())
    with torch.no_grad():
        embedding.weights.copy_(exact)


def generate(model, hidden, mask, frames, prefix=False):
    """Greedy generation of `frames` frames from hidden [R, tokens, d], which stands in front of the columns with `prefix`
    (melody models). R = 2: text and nothing, guided; R = 1: what is given, unguided. Logits [S - 1, R, K, V], codes [K, T]."""
    decoder = model.config.decoder
    R, K, V, C = hidden.shape[0], decoder.num_codebooks, decoder.vocab_size, decoder.audio_channels
    columns = frames + K // C
    grid = torch.full((columns, K), V, dtype=torch.long)
    logits = torch.empty(columns - 1, R, K, V)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    started = time.time()
    for s in range(columns - 1):
        if not prefix:
            condition = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        else:  # in front of the first column, then in the cache
            condition = {"encoder_hidden_states": hidden if s == 0 else None}
        out = model.decoder(input_ids=grid[s].repeat(R)[:, None], past_key_values=cache, use_cache=True, **condition)
        cache = out.past_key_values
        if prefix:
            assert cache.get_seq_length() == hidden.shape[1] + s + 1, "this transformers drops the melody"
        logits[s] = out.logits[:, -1].reshape(R, K, V)
        row = logits[s, 0] if R == 1 else logits[s, 1] + GUIDANCE * (logits[s, 0] - logits[s, 1])
        choice = row.argmax(-1)
        for k in range(K):
            if 0 <= s - k // C < frames:
                grid[s + 1, k] = choice[k]
        if s % 100 == 99:
            print(f"step {s + 1} of {columns - 1}, {(s + 1) / (time.time() - started):.2f} steps/s", flush=True)
    codes = torch.stack([grid[1 + k // C : 1 + k // C + frames, k] for k in range(K)])
    return logits, codes


def ways(model, text, nothing, frames, prefix=False):
    """The three ways to generate: guided, with the text alone, with nothing. text [tokens, d], nothing [any, d]."""
    null = torch.zeros(len(text) - len(nothing), text.shape[1])
    both = torch.stack([text, torch.cat([nothing, null])])
    real = torch.ones(1, len(text), dtype=torch.long)
    guided = generate(model, both, torch.cat([real, 0 * real]), frames, prefix)
    unguided = generate(model, text[None], real, frames, prefix)
    free = generate(model, nothing[None], 0 * real[:, : len(nothing)], frames, prefix)
    tensors = {}
    for suffix, (logits, codes) in {"": guided, "_unguided": unguided, "_free": free}.items():
        tensors |= {"logits" + suffix: logits, "made" + suffix: codes.int()}
    return tensors


def signal(seconds):
    t = torch.arange(int(32000 * seconds), dtype=torch.float64) / 32000
    gate = ((t % 0.25) / 0.25 >= 0.5).double()
    return (0.5 * torch.cos(2 * math.pi * 440 * t) * gate + 0.3 * torch.sin(2 * math.pi * 97 * t * (1 + t / 7))).float()


@torch.no_grad()
def main():
    folder, frames = sys.argv[1], int((sys.argv[2:] or ["1500"])[0])
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    exact_positions(model)
    ids = torch.tensor([[11, 503, 42, 7, 250, 101, 33, 499, 64, 1]]) % model.config.text_encoder.vocab_size
    text = model.text_encoder(input_ids=ids).last_hidden_state
    codec = model.audio_encoder
    samples = signal(10)
    latents = codec.encoder(samples[None, None])[0].T
    codes = codec.encode(samples[None, None]).audio_codes[0, 0]
    audio = codec.decode(codes[None, None], [None]).audio_values[0, 0]
    condition = model.enc_to_dec_proj(text) if hasattr(model, "enc_to_dec_proj") else text
    tensors = {
        "ids": ids[0].int(), "text": text[0],
        "samples": samples, "latents": latents, "codes": codes.int(), "audio": audio,
    }
    tensors |= ways(model, condition[0], torch.zeros(1, condition.shape[2]), frames)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{folder}/reference.safetensors")


if __name__ == "__main__":
    main()

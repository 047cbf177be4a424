# SPDX-License-Identifier: MIT
"""What transformers computes from FOLDER, written to FOLDER/reference.safetensors: reference.py FOLDER [FRAMES].

T5 states of a few tokens; greedy generation of FRAMES frames (1500 = 30 s) with guidance 3, the logits of every step
of both rows; latents, codes and audio of 10 s of a synthetic signal.
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


def generate(model, condition, frames):
    K, V = model.config.decoder.num_codebooks, model.config.decoder.vocab_size
    columns = frames + K
    hidden = torch.cat([condition, torch.zeros_like(condition)])
    mask = torch.cat([torch.ones(condition.shape[:2]), torch.zeros(condition.shape[:2])]).long()
    grid = torch.full((columns, K), V, dtype=torch.long)
    logits = torch.empty(columns - 1, 2, K, V)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    started = time.time()
    for s in range(columns - 1):
        out = model.decoder(
            input_ids=grid[s].repeat(2)[:, None], encoder_hidden_states=hidden, encoder_attention_mask=mask,
            past_key_values=cache, use_cache=True,
        )
        cache = out.past_key_values
        logits[s] = out.logits.reshape(2, K, V)
        cond, uncond = logits[s]
        choice = (uncond + GUIDANCE * (cond - uncond)).argmax(-1)
        for k in range(K):
            if 0 <= s - k < frames:
                grid[s + 1, k] = choice[k]
        if s % 100 == 99:
            print(f"step {s + 1} of {columns - 1}, {(s + 1) / (time.time() - started):.2f} steps/s", flush=True)
    codes = torch.stack([grid[1 + k : 1 + k + frames, k] for k in range(K)])
    return logits, codes


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
    logits, made = generate(model, condition, frames)
    tensors = {
        "ids": ids[0].int(), "text": text[0], "logits": logits, "made": made.int(),
        "samples": samples, "latents": latents, "codes": codes.int(), "audio": audio,
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{folder}/reference.safetensors")


if __name__ == "__main__":
    main()

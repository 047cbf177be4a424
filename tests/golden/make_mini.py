# SPDX-License-Identifier: MIT
"""What transformers makes of models/mini, for tests/engine/mini.c: make_mini.py [models/mini [OUT]].

Greedy codes with a text (guidance 3) and without, as far as no two logits are near a tie; codes of one second of a
synthetic signal, and their cross-entropy with the text (no guidance) and without; one second of sound from the first
codes. Run again whenever the weights change.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, DynamicCache, EncoderDecoderCache, MusicgenForConditionalGeneration

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "parity"))
from reference import exact_positions, signal  # noqa: E402

TEXT = "fast rock with guitar, bass and drums"
FRAMES, GUIDANCE, GAP = 150, 3.0, 5e-3


def greedy(model, states):
    """(codes [K, n], the smallest gap between the two best logits): n frames up to the first near-tie, at most FRAMES."""
    books, special = model.config.decoder.num_codebooks, model.config.decoder.vocab_size
    rows = 1 if states is None else 2
    text = {}
    if states is not None:
        hidden = torch.cat([states, torch.zeros_like(states)])
        mask = torch.tensor([[1.0], [0.0]]).expand(2, states.shape[1]).long()
        text = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
    grid = torch.full((FRAMES + books, books), special)
    cache, smallest, last = EncoderDecoderCache(DynamicCache(), DynamicCache()), float("inf"), FRAMES
    for s in range(FRAMES + books - 1):
        out = model.decoder(input_ids=grid[s].repeat(rows)[:, None], past_key_values=cache, use_cache=True, **text)
        cache = out.past_key_values
        logits = out.logits.reshape(rows, books, special)
        best = logits[0] if states is None else logits[1] + GUIDANCE * (logits[0] - logits[1])
        top = best.topk(2).values
        for k in range(books):
            if not 0 <= s - k < last:
                continue
            grid[s + 1, k] = best[k].argmax()
            gap = float(top[k, 0] - top[k, 1])
            if gap < GAP:
                last = s - k
            else:
                smallest = min(smallest, gap)
        if s >= last + books:
            break
    return torch.stack([grid[1 + k:1 + k + last, k] for k in range(books)]), smallest


def entropy(model, states, codes):
    """[K] mean cross-entropy of codes [K, T] in nats, all columns of the delay grid in one pass."""
    books, frames = codes.shape
    grid = torch.full((frames + books, books), model.config.decoder.vocab_size)
    for k in range(books):
        grid[1 + k:1 + k + frames, k] = codes[k]
    text = {} if states is None else {"encoder_hidden_states": states, "encoder_attention_mask": torch.ones(states.shape[:2]).long()}
    logits = model.decoder(input_ids=grid[:-1].T, **text).logits  # [K, columns, V]
    return torch.stack([torch.nn.functional.cross_entropy(logits[k, k:k + frames].double(), codes[k]) for k in range(books)])


@torch.no_grad()
def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "models" / "mini")
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "mini.safetensors"
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    exact_positions(model)
    ids = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt").input_ids
    states = model.enc_to_dec_proj(model.text_encoder(input_ids=ids).last_hidden_state)
    tensors, names = {}, {"guided": states, "free": None}
    for name, condition in names.items():
        codes, gap = greedy(model, condition)
        print("%s: %d frames, smallest gap %.4f" % (name, codes.shape[1], gap))
        tensors[name] = codes.int()
    codec = model.audio_encoder
    tensors["samples"] = signal(1)
    tensors["codes"] = codec.encode(tensors["samples"][None, None]).audio_codes[0, 0].int()
    for name, condition in names.items():
        tensors["entropy_" + name] = entropy(model, condition, tensors["codes"].long()).float()
        print("cross-entropy %s: %s" % (name, tensors["entropy_" + name]))
    made = tensors["guided"][:, :50].long()
    tensors["sound"] = codec.decode(made[None, None], [None]).audio_values[0, 0]
    save_file({k: v.contiguous() for k, v in tensors.items()}, out, metadata={"text": TEXT})


if __name__ == "__main__":
    main()

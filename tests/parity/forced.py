# SPDX-License-Identifier: MIT
"""Would transformers have chosen the same codes? forced.py FOLDER CODES.npy GUIDANCE checks what parity_greedy made.

Every column of a piece is fed at once, so half a minute costs one pass instead of 1500. Greedy codes are the reference's own if at
every step its best code after the same past is ours: then the pasts are the same, too, from the first step on.
"""
import sys

import numpy
import torch
from transformers import MusicgenForConditionalGeneration

from reference import exact_positions

IDS = [11, 503, 42, 7, 250, 101, 33, 499, 64, 1]


def choices(model, codes, hidden, mask, guidance):
    """Best codes [K, T] after the past that `codes` [K, T] gives, and by how much each beat ours (0: it is ours)."""
    K, T = codes.shape
    special = model.config.decoder.vocab_size
    grid = torch.full((K, T + K), special, dtype=torch.long)
    for k in range(K):
        grid[k, 1 + k : 1 + k + T] = codes[k]
    rows = len(hidden)
    logits = model.decoder(
        input_ids=grid.repeat(rows, 1), encoder_hidden_states=hidden, encoder_attention_mask=mask, use_cache=False,
    ).logits.reshape(rows, K, T + K, special)
    wanted = logits[0] if rows == 1 else logits[1] + guidance * (logits[0] - logits[1])
    wanted = torch.stack([wanted[k, k : k + T] for k in range(K)])  # the logits of a column predict the next
    best = wanted.max(-1)
    return best.indices, best.values - wanted.gather(-1, codes[..., None])[..., 0]


@torch.no_grad()
def main():
    folder, pieces, guidance = sys.argv[1], torch.from_numpy(numpy.load(sys.argv[2])).long(), float(sys.argv[3])
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    exact_positions(model)
    text = model.text_encoder(input_ids=torch.tensor([IDS])).last_hidden_state
    text = model.enc_to_dec_proj(text) if hasattr(model, "enc_to_dec_proj") else text
    real = torch.ones(1, len(IDS), dtype=torch.long)
    both = torch.cat([text, 0 * text]), torch.cat([real, 0 * real])
    with_text = both if guidance != 1.0 else (text, real)
    wrong = 0
    for name, codes, condition in (("no text", pieces[0], (0 * text, 0 * real)), ("text", pieces[1], with_text)):
        best, loss = choices(model, codes, *condition, guidance)
        differ = best != codes
        print(f"{name}, guidance {guidance:g}: {int((~differ).sum())} of {differ.numel()} codes are the reference's choice; "
              f"{len(codes.unique())} different ones", flush=True)
        if differ.any():
            print(f"  largest logit that was passed over: {loss[differ].max().item():.3g} above ours")
        wrong += int(differ.sum())
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

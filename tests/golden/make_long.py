# SPDX-License-Identifier: MIT
"""Make tiny/long_golden.safetensors: a piece of several windows, made by transformers one window after the other, as audiocraft
does with pieces longer than 30 s: each window's prompt is the last one from its frame STRIDE on.

    python tests/golden/make_long.py            needs torch and transformers 5
"""
import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import MusicgenForConditionalGeneration

from make_tiny import FOLDER
from make_variants import exact_positions, generate

WINDOW, STRIDE, FRAMES, TEXT = 40, 25, 132, "slow jazz"  # four seams; the last window is a shorter one


def main():
    torch.set_num_threads(1)
    model = MusicgenForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32).eval()
    exact_positions(model)
    model.generation_config.guidance_scale = 3.0
    special = model.config.decoder.vocab_size
    generation = model.generation_config
    generation.decoder_start_token_id = generation.pad_token_id = generation.bos_token_id = special
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(FOLDER / "spiece.model")).encode(TEXT)
    ids = torch.tensor([pieces + [1]])
    arguments = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    whole, prompt, offset, gaps = torch.zeros(4, FRAMES, dtype=torch.long), torch.zeros(4, 0, dtype=torch.long), 0, []
    while offset + prompt.shape[1] < FRAMES:
        length = min(WINDOW, FRAMES - offset)
        known = prompt.shape[1]
        extra = {"decoder_input_ids": prompt} if known else {}
        codes, _, gap = generate(model, max_new_tokens=length - known + 3, **extra, **arguments)
        assert codes.shape == (4, length) and torch.equal(codes[:, :known], prompt), (codes.shape, length)
        whole[:, offset:offset + length] = codes
        gaps.append(gap)
        prompt, offset = codes[:, STRIDE:], offset + STRIDE
    print(f"{len(gaps)} windows, {len(whole.unique())} different codes, smallest gap of a choice {min(gaps):.2g}")
    assert min(gaps) > 2e-4, "a near-tie: f32 sums in another order differ by some 1e-5"
    save_file({"codes": whole.int().contiguous()}, str(FOLDER / "long_golden.safetensors"))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Every variant of MusicGen at its true width, with few layers: variants.py COMPARE FOLDER [LAYERS [FRAMES [SHAPE...]]].

Makes each with random weights in FOLDER, lets transformers and COMPARE (parity_compare) run it, and prints a table of
the largest differences. One model of up to 1.1 GB is in FOLDER at a time; the last one is removed, too.
"""
import math
import pathlib
import re
import shutil
import subprocess
import sys

import torch
from safetensors.torch import save_file
from transformers import DynamicCache, EncoderDecoderCache, MusicgenMelodyFeatureExtractor

import make_model
from reference import GUIDANCE, exact_positions

SHAPES = ["small", "medium", "large", "stereo-small", "stereo-medium", "stereo-large",
          "melody", "melody-large", "stereo-melody", "stereo-melody-large"]
COLUMNS = ["T5 states", "chroma", "chroma from 44.1 kHz", "logits, every step, both rows", "greedy codes, guidance 3",
           "sound of the codes"]


def melody_rows(model, classes):
    """Projected chroma, as long as the model wants it: of a melody, and of none."""
    length = model.config.chroma_length
    null = torch.zeros(length, dtype=torch.long)
    one_hot = torch.nn.functional.one_hot(torch.stack([classes.repeat(length)[:length], null]), 12).float()
    return model.audio_enc_to_dec_proj(one_hot)


def generate(model, condition, frames, classes=None):
    K, V = model.config.decoder.num_codebooks, model.config.decoder.vocab_size
    C = model.config.decoder.audio_channels
    columns = frames + K // C
    hidden = torch.cat([condition, torch.zeros_like(condition)])
    mask = torch.cat([torch.ones(condition.shape[:2]), torch.zeros(condition.shape[:2])]).long()
    prefix = None if classes is None else torch.cat([melody_rows(model, classes), hidden], dim=1)
    grid = torch.full((columns, K), V, dtype=torch.long)
    logits = torch.empty(columns - 1, 2, K, V)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    for s in range(columns - 1):
        ids = grid[s].repeat(2)[:, None]
        if prefix is None:
            condition = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        else:  # in front of the first column, then in the cache
            condition = {"encoder_hidden_states": prefix if s == 0 else None}
        out = model.decoder(input_ids=ids, past_key_values=cache, use_cache=True, **condition)
        cache = out.past_key_values
        if prefix is not None:
            assert cache.get_seq_length() == prefix.shape[1] + s + 1, "this transformers drops the melody"
        logits[s] = out.logits[:, -1].reshape(2, K, V)
        cond, uncond = logits[s]
        choice = (uncond + GUIDANCE * (cond - uncond)).argmax(-1)
        for k in range(K):
            if 0 <= s - k // C < frames:
                grid[s + 1, k] = choice[k]
    codes = torch.stack([grid[1 + k // C : 1 + k // C + frames, k] for k in range(K)])
    return logits, codes


def sound(model, codes):
    """[C, samples]: every channel from its codebooks."""
    C = model.config.decoder.audio_channels
    return torch.stack([model.audio_encoder.decode(codes[None, None, c::C], [None]).audio_values[0, 0] for c in range(C)])


def tune(seconds, rate=32000):
    """Notes of a scale with overtones, changing three times a second, and some noise."""
    generator = torch.Generator().manual_seed(5)
    count = int(rate * seconds)
    notes = torch.randint(0, 24, (int(3 * seconds) + 1,), generator=generator).double()
    pitch = 130.8 * 2 ** (notes / 12)
    phase = 2 * math.pi * torch.cumsum(pitch.repeat_interleave(rate // 3 + 1)[:count], 0) / rate
    wave = 0.3 * phase.sin() + 0.15 * (2 * phase).sin() + 0.1 * (3 * phase).sin()
    return (wave + 0.02 * torch.randn(count, generator=generator, dtype=torch.float64)).float()


@torch.no_grad()
def compute(model, folder, frames):
    exact_positions(model)
    ids = torch.tensor([[11, 503, 42, 7, 250, 101, 33, 499, 64, 1]])
    text = model.text_encoder(input_ids=ids).last_hidden_state
    tensors, classes = {"ids": ids[0].int(), "text": text[0]}, None
    if model.config.model_type == "musicgen_melody":
        tensors["tune"] = tune(31)
        extractor = MusicgenMelodyFeatureExtractor()
        features = extractor(tensors["tune"].numpy(), sampling_rate=32000, return_tensors="pt")
        classes = features.input_features[0].argmax(-1)
        tensors["chroma"] = classes.int()
        # At another rate transformers resamples with a filter of its own.
        tensors["tune_44100"] = tune(31, 44100)
        features = extractor(tensors["tune_44100"], sampling_rate=44100, return_tensors="pt")
        tensors["chroma_44100"] = features.input_features[0].argmax(-1).int()
    condition = model.enc_to_dec_proj(text) if hasattr(model, "enc_to_dec_proj") else text
    logits, made = generate(model, condition, frames, classes)
    tensors |= {"logits": logits, "made": made.int(), "heard": sound(model, made)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{folder}/reference.safetensors")


def summary(text):
    """One cell a column from the lines of parity_compare."""
    cells = []
    for name in COLUMNS:
        found = re.findall(rf"^{re.escape(name)} +((?:largest|\d+ of) .*)$", text, re.M)
        equal = [re.match(r"(\d+) of (\d+) equal", line) for line in found]
        if found and all(equal):
            cells.append(f"{sum(int(m[1]) for m in equal)} of {sum(int(m[2]) for m in equal)}")
        elif found:
            cells.append(re.match(r"largest difference (\S+)", found[0])[1])
        else:
            cells.append("")
    return cells


def main():
    compare, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    layers, frames = (int(value) for value in (sys.argv[3:5] + ["2", "100"][len(sys.argv[3:5]):]))
    failed, rows = False, []
    for shape in sys.argv[5:] or SHAPES:
        place = folder / shape
        model = make_model.make(place, shape, layers)
        compute(model, place, frames)
        del model
        result = subprocess.run([compare, place, "1"], capture_output=True, text=True)
        print(result.stdout + result.stderr, flush=True)
        failed |= result.returncode != 0
        rows.append(f"| {shape} | " + " | ".join(summary(result.stdout)) + " |")
        shutil.rmtree(place)
    print("| variant | " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * (len(COLUMNS) + 1))
    print("\n".join(rows))
    sys.exit(failed)


if __name__ == "__main__":
    main()

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
from transformers import MusicgenMelodyFeatureExtractor

import make_model
from reference import exact_positions, ways

SHAPES = ["small", "medium", "large", "stereo-small", "stereo-medium", "stereo-large",
          "melody", "melody-large", "stereo-melody", "stereo-melody-large"]
COLUMNS = ["T5 states", "chroma", "chroma from 44.1 kHz", "logits, guided", "codes, guided", "logits, unguided",
           "codes, unguided", "logits, no text", "codes, no text", "sound of the codes"]


def melody_rows(model, classes):
    """Projected chroma [chroma_length, d], as long as the model wants it."""
    length = model.config.chroma_length
    return model.audio_enc_to_dec_proj(torch.nn.functional.one_hot(classes.repeat(length)[:length], 12).float())


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
    text, nothing = condition[0], torch.zeros(1, condition.shape[2])
    if classes is not None:
        text = torch.cat([melody_rows(model, classes), text])
        nothing = torch.cat([melody_rows(model, torch.zeros(1, dtype=torch.long)), nothing])
    tensors |= ways(model, text, nothing, frames, classes is not None)
    tensors["heard"] = sound(model, tensors["made"].long())
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

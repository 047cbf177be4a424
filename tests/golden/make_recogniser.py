# SPDX-License-Identifier: MIT
"""Makes recogniser/: a recogniser of random weights and what PyTorch hears with it.

    python tests/golden/make_recogniser.py      (needs torch, safetensors, numpy and transformers)

model.safetensors has the tensors that training/floors/recogniser.py writes, in f16, and names its classes. golden.safetensors
holds, for two signals that tests/eval/recogniser.c makes again from whole numbers, mel [2, 64, 100], features [2, 96] and
probability [2, 4].
"""
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from training.floors import recogniser  # noqa: E402


def signal(kind):
    """[64000]: two triangle waves, louder and softer, and noise; or clicks of noise on silence."""
    i = np.arange(64000, dtype=np.int64)
    noise = ((i * 1103515245 + 12345) % 2147483648 // 65536 % 32768 - 16384) / 16384.0
    triangle = lambda step: np.abs((i * step) % 65536 - 32768) / 16384.0 - 1.0
    swell = ((i // 640) % 25) / 25.0
    if kind == 0:
        return (0.4 * swell * triangle(901) + 0.2 * triangle(227) + 0.05 * noise).astype(np.float32)
    return np.where(i % 16000 < 400, 0.8 * noise, 0.0).astype(np.float32)


def main():
    torch.manual_seed(7)
    model = recogniser.Recogniser()
    for norm in model.norms:
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.uniform_(-0.3, 0.3)
        norm.running_mean.uniform_(-0.2, 0.4)
        norm.running_var.uniform_(0.05, 1.0)
    model.out.weight.data.mul_(20)  # so that the four probabilities are apart
    folder = HERE / "recogniser"
    folder.mkdir(exist_ok=True)
    weights = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"classes": "drums,bass,guitar,piano"})
    model = recogniser.load(folder / "model.safetensors")
    waves = torch.from_numpy(np.stack([signal(0), signal(1)]))
    with torch.no_grad():
        mel = recogniser.features(waves)
        features, probability = model.embed(mel), model(mel).sigmoid()
    print(features.abs().mean(1), probability)
    assert features.abs().max() > 0.1 and probability.std() > 0.05
    save_file({"mel": mel.contiguous(), "features": features, "probability": probability}, folder / "golden.safetensors")


if __name__ == "__main__":
    main()

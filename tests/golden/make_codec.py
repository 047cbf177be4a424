# SPDX-License-Identifier: MIT
"""Golden tensors of the codec, computed by transformers from tests/golden/tiny. See make_tiny.py."""
import math

import torch
from safetensors.torch import save_file

from make_tiny import FOLDER, load

# Several tiles of frames, a last frame cut short, and signals shorter than the padding.
LENGTHS = [2613, 1013, 41, 7, 2, 1]


def signal(n):
    t = torch.arange(n, dtype=torch.float64) / 2000
    x = 0.5 * torch.cos(2 * math.pi * 110 * t + 0.3) + 0.3 * torch.sin(2 * math.pi * 417 * t * (1 + t))
    return x.float()


def code_margin(codec, latents):
    """The smallest gap between the nearest and the second nearest code, all residuals."""
    residual, gap = latents.double(), math.inf
    for layer in codec.quantizer.layers:
        distance = torch.cdist(residual, layer.codebook.embed.double()) ** 2
        best = distance.topk(2, largest=False)
        gap = min(gap, (best.values[:, 1] - best.values[:, 0]).min().item())
        residual = residual - layer.codebook.embed.double()[best.indices[:, 0]]
    return gap


@torch.no_grad()
def main():
    codec = load().audio_encoder
    golden = {}
    for n in LENGTHS:
        x = signal(n)
        latents = codec.encoder(x[None, None])[0].T.contiguous()  # [frames, hidden]
        codes = codec.encode(x[None, None]).audio_codes[0, 0]  # [K, frames]
        audio = codec.decode(codes[None, None], [None]).audio_values[0, 0]
        gap = code_margin(codec, latents)
        print(n, tuple(latents.shape), "code gap", gap, "codes used", len(codes.unique()), "peak", audio.abs().max().item())
        assert gap > 1e-4, (n, gap)
        golden |= {
            f"samples_{n}": x, f"latents_{n}": latents, f"codes_{n}": codes.int().contiguous(), f"audio_{n}": audio.contiguous(),
        }
    # The same weights with zeros around the signal instead of reflections.
    for module in codec.modules():
        if hasattr(module, "pad_mode"):
            module.pad_mode = "constant"
    x = signal(1013)
    golden["constant_latents_1013"] = codec.encoder(x[None, None])[0].T.contiguous()
    codes = golden["codes_1013"].long()
    golden["constant_audio_1013"] = codec.decode(codes[None, None], [None]).audio_values[0, 0].contiguous()
    save_file(golden, FOLDER / "codec_golden.safetensors")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Make tests/golden/tiny: a MusicGen checkpoint of some 100k random weights in the Hugging Face layout.

Needs torch and transformers. Run it once, before make_lm.py and make_codec.py; the result is committed. The weights
are rounded to f16 before anything is computed from them, so that the small f16 file and the golden tensors agree.
"""
import pathlib

import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

FOLDER = pathlib.Path(__file__).parent / "tiny"


def config():
    text = T5Config(vocab_size=48, d_model=24, d_kv=8, d_ff=40, num_layers=1, num_heads=3)
    # Ratio 5 has the asymmetric padding, 2 residual layers a dilated convolution.
    codec = EncodecConfig(
        sampling_rate=2000, audio_channels=1, num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=64,
        upsampling_ratios=[4, 5, 2], num_residual_layers=2, dilation_growth_rate=2, use_causal_conv=False,
        use_conv_shortcut=False, normalize=False, target_bandwidths=[1.2], chunk_length_s=None, overlap=None,
        norm_type="weight_norm", pad_mode="reflect",
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, ffn_dim=48, num_codebooks=4,
        max_position_embeddings=256, pad_token_id=64, bos_token_id=64,
    )
    return MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
    )


def randomise(model, seed):
    """Weights of a size that keeps signals near 1 and logits well spread: nothing saturates, nothing vanishes."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, scale):
        return torch.randn(shape, generator=generator) * scale

    for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
        if tensor.dim() == 0 or "embed_positions" in name or not tensor.is_floating_point():
            continue
        if name.endswith(("cluster_size", "embed_avg", "inited")):
            continue
        with torch.no_grad():
            if "norm" in name:
                value = normal(tensor.shape, 0.1) + (1.0 if name.endswith("weight") else 0.0)
            elif name.endswith("original0"):  # magnitude of a weight norm: g
                value = 1.0 + 0.2 * normal(tensor.shape, 1.0).clamp(-2, 2)
            elif "embed_tokens" in name:
                value = normal(tensor.shape, 1.0)
            elif "embed" in name or name.endswith("shared.weight"):
                value = normal(tensor.shape, 0.5)
            elif tensor.dim() == 1:
                value = normal(tensor.shape, 0.1)
            else:
                fan_in = tensor[0].numel()
                value = normal(tensor.shape, 1.5 * fan_in**-0.5)
            tensor.copy_(value.half().float())
    # Shrinking codebooks, as residual quantizers have.
    for q, layer in enumerate(model.audio_encoder.quantizer.layers):
        with torch.no_grad():
            layer.codebook.embed.copy_((layer.codebook.embed * 0.6**q).half().float())


def load():
    model = MusicgenForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32)
    return model.eval()


def main():
    torch.manual_seed(0)
    model = MusicgenForConditionalGeneration(config())
    randomise(model, 21)  # of the first 40 seeds the one with varied codes and no near-ties
    model.generation_config.guidance_scale = 3.0
    model.generation_config.max_length = 100
    model.generation_config.decoder_start_token_id = 64
    model.generation_config.pad_token_id = 64
    model.generation_config.bos_token_id = 64
    model.generation_config.do_sample = False
    model.half().save_pretrained(FOLDER)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Make a checkpoint with random weights in the exact shape of a MusicGen model: make_model.py FOLDER [SHAPE] [LAYERS].

SHAPE: small, medium, large, melody, melody-large, or one of these behind "stereo-": facebook/musicgen-SHAPE, number for
number (T5-base 12 x 768, EnCodec with 64 filters). With LAYERS the decoder has so many, T5 likewise.
mini: a decoder of 8 x 320 with small companions, for timing.
"""
import sys

import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)


# Width, layers, heads of the decoder.
SHAPES = {
    "mini": (320, 8, 5), "small": (1024, 24, 16), "medium": (1536, 48, 24), "large": (2048, 48, 32),
    "melody": (1536, 48, 24), "melody-large": (2048, 48, 32),
}


def config(shape, layers=None):
    small = shape != "mini"  # all but mini have the companions of small
    stereo, melody = shape.startswith("stereo-"), "melody" in shape
    width, depth, heads = SHAPES[shape.removeprefix("stereo-")]
    text = T5Config(
        vocab_size=32128 if small else 512, d_model=768 if small else 128, d_kv=64, d_ff=3072 if small else 512,
        num_layers=(layers or 12) if small else 3, num_heads=12 if small else 2,
    )
    codec = EncodecConfig(
        sampling_rate=32000, audio_channels=1, num_filters=64 if small else 16, hidden_size=128, codebook_dim=128,
        codebook_size=2048 if small else 1024, upsampling_ratios=[8, 5, 4, 4], use_causal_conv=False,
        use_conv_shortcut=False, normalize=False, target_bandwidths=[2.2 if small else 2.0], chunk_length_s=None,
        overlap=None, norm_type="weight_norm", pad_mode="reflect",
    )
    vocab = codec.codebook_size
    decoder = (MusicgenMelodyDecoderConfig if melody else MusicgenDecoderConfig)(
        vocab_size=vocab, hidden_size=width, num_hidden_layers=layers or depth, num_attention_heads=heads,
        ffn_dim=4 * width, num_codebooks=8 if stereo else 4, audio_channels=2 if stereo else 1,
        max_position_embeddings=2048, pad_token_id=vocab, bos_token_id=vocab,
    )
    return (MusicgenMelodyConfig if melody else MusicgenConfig)(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
    )


def randomise(model, seed):
    """Signals stay near 1 in every layer; logits spread like a trained model's (a few units)."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.named_parameters():
        scale = tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.1
        if "embed_tokens" in name or name.endswith("shared.weight"):
            scale = 0.5
        elif "relative_attention_bias" in name:
            scale = 1.0
        elif "lm_heads" in name:
            scale *= 2.0
        elif "lstm" in name and tensor.dim() == 1:
            scale = 0.02
        with torch.no_grad():
            tensor.normal_(0.0, scale, generator=generator)
            if "norm" in name and name.endswith("weight"):
                tensor.add_(1.0)
            elif name.endswith("original0"):
                tensor.mul_(0.2).add_(1.2)


def set_codebooks(codec, seed):
    """Codebooks as wide as what they meet: latents of noise, then residuals."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        residual = codec.encoder(torch.randn(1, 1, 32000, generator=generator) * 0.3)[0].T
        for layer in codec.quantizer.layers:
            book = layer.codebook
            book.embed.normal_(0.0, residual.std().item() * 0.6, generator=generator)
            residual = residual - book.decode(book.encode(residual))


def make(folder, shape, layers=None):
    kind = MusicgenMelodyForConditionalGeneration if "melody" in shape else MusicgenForConditionalGeneration
    model = kind(config(shape, layers)).eval()
    randomise(model, 7)
    set_codebooks(model.audio_encoder, 8)
    vocab = model.config.decoder.vocab_size
    generation = model.generation_config
    generation.guidance_scale, generation.max_length, generation.do_sample = 3.0, 1500, False
    generation.decoder_start_token_id = generation.pad_token_id = generation.bos_token_id = vocab
    model.save_pretrained(folder, max_shard_size="100GB")
    return model


if __name__ == "__main__":
    make(sys.argv[1], (sys.argv[2:] or ["small"])[0], int(sys.argv[3]) if len(sys.argv) > 3 else None)

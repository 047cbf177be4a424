# SPDX-License-Identifier: MIT
"""Make tests/golden/{stereo,melody}: tiny checkpoints of MusicGen's stereo and melody variants, with what transformers
computes from them. make_variants.py [stereo|melody]

Needs torch, transformers and sentencepiece, for melody torchaudio too. Run it once; the results are committed. The
weights are rounded to f16 before anything is computed from them.
"""
import json
import math
import pathlib
import shutil
import sys

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)

from make_tiny import FOLDER as TINY
from make_tiny import randomise

HERE = pathlib.Path(__file__).parent
RATE, HOP, FRAMES, PROMPT, GUIDANCE = 2000, 40, 20, 9, 3.0
TEXT = "slow drums"
NAMES = {"stereo": MusicgenForConditionalGeneration, "melody": MusicgenMelodyForConditionalGeneration}


def config(variant):
    stereo = variant == "stereo"
    text = T5Config(vocab_size=48, d_model=24, d_kv=8, d_ff=40, num_layers=1, num_heads=3)
    codec = EncodecConfig(
        sampling_rate=RATE, audio_channels=1, num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=32,
        upsampling_ratios=[4, 5, 2], num_residual_layers=1, use_causal_conv=False, use_conv_shortcut=False,
        normalize=False, target_bandwidths=[1.0], chunk_length_s=None, overlap=None, norm_type="weight_norm",
        pad_mode="reflect",
    )
    arguments = dict(
        vocab_size=32, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48,
        num_codebooks=8 if stereo else 4, audio_channels=2 if stereo else 1, max_position_embeddings=256,
        pad_token_id=32, bos_token_id=32,
    )
    if stereo:
        return MusicgenConfig(
            text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=MusicgenDecoderConfig(**arguments).to_dict()
        )
    return MusicgenMelodyConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(),
        decoder=MusicgenMelodyDecoderConfig(**arguments).to_dict(), num_chroma=12, chroma_length=12,
    )


def make(variant, seed):
    torch.manual_seed(0)
    model = NAMES[variant](config(variant))
    randomise(model, seed)
    generation = model.generation_config
    generation.guidance_scale, generation.max_length, generation.do_sample = GUIDANCE, 100, False
    generation.decoder_start_token_id = generation.pad_token_id = generation.bos_token_id = 32
    return model.eval()


def save(model, variant):
    folder = HERE / variant
    folder.mkdir(exist_ok=True)
    model.half().save_pretrained(folder)
    shutil.copy(TINY / "spiece.model", folder)


def exact_positions(model):
    """The reference evaluates its table in f32; ours is evaluated in f64 and rounded once."""
    table = model.decoder.model.decoder.embed_positions
    half = model.config.decoder.hidden_size // 2
    f = torch.exp(-torch.arange(half, dtype=torch.float64) * (math.log(10000.0) / (half - 1)))
    phase = torch.arange(table.weights.shape[0], dtype=torch.float64)[:, None] * f[None]
    with torch.no_grad():
        table.weights.copy_(torch.cat([phase.cos(), phase.sin()], dim=1).float())


def tokens():
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(TINY / "spiece.model")).encode(TEXT)
    return torch.tensor([pieces + [1]])


def generate(model, **arguments):
    """Greedy codes [K, T] and audio [C, T * hop] as transformers itself makes them, and the smallest gap between the
    two best logits of a choice: no near-ties, please."""
    caught, gaps = [], []
    decode, K = model.audio_encoder.decode, model.config.decoder.num_codebooks

    def catch(codes, **kwargs):
        caught.append(codes)
        return decode(codes, **kwargs)

    def watch(ids, scores):
        best = scores.topk(2, dim=-1).values
        gaps.append((best[:, 0] - best[:, 1]).reshape(-1, K))
        return scores

    model.audio_encoder.decode = catch
    audio = model.generate(do_sample=False, logits_processor=[watch], **arguments)[0]
    model.audio_encoder.decode = decode
    if len(caught) == 2:  # left and right
        codes = torch.stack(caught, dim=3).reshape(1, 1, -1, caught[0].shape[-1])
    else:
        codes = caught[0]
    return codes[0, 0], audio, torch.cat(gaps).min().item()


def tune(seconds, channels, phase=0.0):
    """Notes that change twice a second, another one in each channel: samples [channels, n]."""
    t = torch.arange(round(RATE * seconds), dtype=torch.float64) / RATE
    notes = [0, 4, 7, 2, 9, 5, 11, 3]
    out = []
    for c in range(channels):
        steps = torch.tensor([notes[(int(2 * x) + 3 * c) % 8] for x in t.tolist()], dtype=torch.float64)
        pitch = 130.8 * 2 ** (steps / 12)
        out.append(0.4 * torch.sin(2 * math.pi * torch.cumsum(pitch, 0) / RATE + phase) + 0.1 * torch.sin(900 * t + c))
    return torch.stack(out).float()


def code_gap(codec, samples):
    """The smallest gap between the nearest and the second nearest code over all frames and levels."""
    residual, gap = codec.encoder(samples[None, None])[0].T.double(), math.inf
    for layer in codec.quantizer.layers:
        book = layer.codebook.embed.double()
        best = (torch.cdist(residual, book) ** 2).topk(2, largest=False)
        gap = min(gap, (best.values[:, 1] - best.values[:, 0]).min().item())
        residual = residual - book[best.indices[:, 0]]
    return gap


def stereo_golden(model):
    ids = tokens()
    ones = torch.ones_like(ids)
    codes, audio, gap = generate(model, input_ids=ids, attention_mask=ones, max_new_tokens=FRAMES + 3)
    assert codes.shape == (8, FRAMES) and audio.shape == (2, FRAMES * HOP), (codes.shape, audio.shape)
    prompt = tune(PROMPT * HOP / RATE - 0.004, 2)  # its last frame is cut short
    books = [model.audio_encoder.encode(channel[None, None]).audio_codes[0, 0] for channel in prompt]
    prompt_codes = torch.stack(books, dim=1).reshape(8, -1)
    assert prompt_codes.shape == (8, PROMPT)
    continued, continued_audio, continued_gap = generate(
        model, input_ids=ids, attention_mask=ones, input_values=prompt[None], max_new_tokens=FRAMES - PROMPT + 3,
    )
    assert continued.shape == (8, FRAMES) and torch.equal(continued[:, :PROMPT], prompt_codes)
    gaps = [gap, continued_gap] + [code_gap(model.audio_encoder, channel) for channel in prompt]
    varied = min(len(codes.unique()), len(continued[:, PROMPT:].unique()))
    golden = {
        "codes": codes.int(), "audio": audio, "prompt": prompt.T, "prompt_codes": prompt_codes.int(),
        "continued": continued.int(), "continued_audio": continued_audio,
    }
    return golden, min(gaps), varied


def chroma(extractor, samples):
    """Class of each chroma frame, and the smallest gap between the two strongest."""
    features = extractor(samples.mean(0).numpy(), sampling_rate=RATE, return_tensors="pt").input_features
    wave = samples.mean(0)[: extractor.n_samples]
    pad = max(0, extractor.n_fft - wave.shape[-1])
    wave = torch.nn.functional.pad(wave, (pad // 2, pad - pad // 2))
    raw = extractor.chroma_filters @ extractor.spectrogram(wave)
    best = (raw / raw.max(0).values).topk(2, dim=0).values
    return features, (best[0] - best[1]).min().item()


def new_extractor():
    return MusicgenMelodyFeatureExtractor(
        feature_size=12, sampling_rate=RATE, hop_length=128, chunk_length=2, n_fft=512, num_chroma=12
    )


def melody_golden(model):
    extractor = new_extractor()
    ids = tokens()
    arguments = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": FRAMES + 3}
    golden, gaps, varied = {"filters": extractor.chroma_filters}, [], 99
    # Shorter than a window, repeated, and cut off.
    for name, seconds in {"short": 0.2, "repeated": 0.7, "long": 2.6}.items():
        samples = tune(seconds, 2, 0.3)
        features, gap = chroma(extractor, samples)
        codes, audio, code_choice = generate(model, input_features=features, **arguments)
        golden |= {
            f"tune_{name}": samples.mean(0), f"chroma_{name}": features[0].argmax(-1).int(), f"codes_{name}": codes.int(),
        }
        assert gap > 1e-3, (name, gap)  # of powers relative to the largest, whose f32 errors are some 1e-6
        gaps.append(code_choice)
        varied = min(varied, len(codes.unique()))
    golden["audio_long"] = audio[0]
    codes, _, gap = generate(model, **arguments)
    golden["codes_text"] = codes.int()
    gaps.append(gap)
    # Neither text nor tune: one row of zeros stands for the text, and guidance has nothing to do.
    features = torch.zeros(1, 1, 12)
    features[..., 0] = 1
    null = torch.cat([model.audio_enc_to_dec_proj(features).repeat(1, 12, 1), torch.zeros(1, 1, 32)], dim=1)
    grid = torch.full((FRAMES + 4, 4), 32)
    for k in range(4):
        grid[1 + k : 1 + k + FRAMES, k] = codes[k]
    for name, prefix in {"null": null, "none": None}.items():
        logits = model.decoder(input_ids=grid.T, encoder_hidden_states=prefix).logits
        if prefix is not None:
            golden["logits_null"] = logits[:, -(FRAMES + 4) :].transpose(0, 1)
        else:  # a decoder that lost its prefix must be far from that
            assert (logits.transpose(0, 1) - golden["logits_null"]).abs().max() > 0.5
    golden["grid"] = grid.int()
    return golden, min(gaps), min(varied, len(codes.unique()))


@torch.no_grad()
def main():
    for variant in sys.argv[1:] or list(NAMES):
        for seed in range(1, 200):
            model = make(variant, seed)
            exact_positions(model)
            golden, gap, varied = (stereo_golden if variant == "stereo" else melody_golden)(model)
            print(variant, "seed", seed, "smallest gap", gap, "codes used", varied, flush=True)
            if gap > 3e-4 and varied > 14:  # our logits differ from the reference by some 1e-6
                break
        else:
            raise SystemExit(f"{variant}: every seed has a near-tie")
        save(model, variant)
        if variant == "melody":
            new_extractor().save_pretrained(HERE / variant)
        save_file({name: tensor.contiguous() for name, tensor in golden.items()}, HERE / variant / "golden.safetensors")
        text = {"text": TEXT, "ids": tokens()[0].tolist()}
        print(json.dumps(text))


if __name__ == "__main__":
    main()

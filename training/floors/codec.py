# SPDX-License-Identifier: MIT
"""Codec floors on held-out families: `python -m training.floors.codec`.

Mean log-mel L1 (dB), SI-SDR, use of the codebooks, and the share of the recogniser's accuracy that
survives the codec (floor 95 %).
"""

import json

import numpy as np
import torch

from .. import audio, export, runs
from ..codec import losses
from ..settings import CODEBOOKS, RATE, TARGETS
from . import recogniser


@torch.no_grad()
def reconstruct(codec, wave):
    codes = codec.encode(wave[None, None]).audio_codes
    return codec.decode(codes, [None]).audio_values[0, 0, :len(wave)], codes[0, 0]


def spectra(codec, pieces, seconds=8, count=60, seed=21):
    """(mean log-mel L1 in dB, median SI-SDR in dB, perplexity of each codebook)."""
    rng = np.random.default_rng(seed)
    mels, ratios, codes = [], [], []
    for piece in [pieces[i] for i in rng.permutation(len(pieces))[:count]]:
        start = int(rng.integers(0, piece.length - seconds * RATE))
        wave = torch.from_numpy(piece.mix(start, seconds * RATE))
        output, code = reconstruct(codec, wave)
        mels.append(20 * (losses.log_mel(output[None]) - losses.log_mel(wave[None])).abs().mean())
        ratios.append(losses.si_sdr(output[None], wave[None])[0])
        codes.append(code)
    codes = torch.cat(codes, 1)
    perplexity = []
    for k in range(CODEBOOKS):
        share = torch.bincount(codes[k], minlength=1024).double() / codes.shape[1]
        perplexity.append(float(torch.exp(-(share * (share + 1e-12).log()).sum())))
    return float(torch.stack(mels).mean()), float(torch.stack(ratios).median()), perplexity


def kept(codec, judge, pieces, count=1500, seed=22):
    """(accuracy on original windows, on reconstructed ones), each [4]; true mixtures and subsets."""
    waves, marks = recogniser.windows(pieces, count, seed)
    before = recogniser.accuracy(recogniser.hear(judge, waves), marks)
    decoded = recogniser.through_codec(codec, waves)
    return before, recogniser.accuracy(recogniser.hear(judge, decoded), marks)


def main():
    args = runs.parser(__doc__).parse_args()
    runs.setup(args)
    model, _, notes = export.assemble(args.work)
    codec, judge = model.audio_encoder, recogniser.load()
    report = {"weights": notes}
    for split in ("valid", "test"):
        pieces = audio.pieces(args.work / "corpus", split)
        mel, ratio, perplexity = spectra(codec, pieces)
        before, after = kept(codec, judge, pieces)
        report[split] = {
            "log_mel_l1_db": round(mel, 3), "si_sdr_db": round(ratio, 2),
            "codebook_perplexity": [round(p) for p in perplexity],
            "recogniser": dict(zip(TARGETS, [round(float(x), 4) for x in before])),
            "recogniser_decoded": dict(zip(TARGETS, [round(float(x), 4) for x in after])),
            "kept": [round(float(x), 4) for x in after / before],
            "kept_mean": round(float(after.mean() / before.mean()), 4)}
    path = args.work / "floors" / "codec.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Original above reconstruction, as spectrogram and WAV: `python -m training.codec.show OUT`."""

import argparse
import pathlib
import struct
import zlib

import numpy as np
import torch

from .. import audio, export, runs
from ..settings import RATE
from .losses import log_mel


def png(path, grey):
    """Writes a grey picture, uint8 [rows, columns]."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + \
        struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" +
                     chunk(b"IHDR", struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def wav(path, wave):
    data = (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
    path.write_bytes(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16,
                                 1, 1, RATE, 2 * RATE, 2, 16, b"data", len(data)) + data)


def picture(wave):
    """uint8 [256, frames], low frequencies at the bottom, 80 dB of range."""
    mel = log_mel(torch.from_numpy(wave)[None], 2048, 256)[0].flip(0)
    return ((mel / 4 + 1).clamp(0, 1) * 255).byte().numpy()


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("out", type=pathlib.Path)
    top.add_argument("--count", type=int, default=3)
    args = top.parse_args()
    runs.setup(args)
    args.out.mkdir(parents=True, exist_ok=True)
    codec = export.assemble(args.work)[0].audio_encoder
    for i, piece in enumerate(audio.pieces(args.work / "corpus", "valid")[:args.count]):
        wave = piece.mix(piece.length // 3, 8 * RATE)
        with torch.no_grad():
            codes = codec.encode(torch.from_numpy(wave)[None, None]).audio_codes
            output = codec.decode(codes, [None]).audio_values[0, 0].numpy()
        png(args.out / ("%d.png" % i), np.concatenate([picture(wave), picture(output)]))
        wav(args.out / ("%d-original.wav" % i), wave)
        wav(args.out / ("%d-codec.wav" % i), output)


if __name__ == "__main__":
    main()

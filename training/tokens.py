# SPDX-License-Identifier: MIT
"""Codec tokens of all pieces, mixtures and minus-one mixtures: `python -m training.tokens`.

One npz per piece: `codes` uint16 [variants, 4, frames], `variants` ("mix", "-drums", ...),
`activity` bool [5, frames], `meta` as JSON. Pieces that are done are passed over, so the command
may be run while the corpus is still being rendered. Training pieces get the mixture and one
minus-one mixture, which stem by the name's hash; held-out pieces get all four.
"""

import json
import os
import zlib

import numpy as np
import torch

from . import audio, runs
from .codec import model as codec_model
from .codec.fast import Fast
from .settings import CODEBOOKS, HOP, TARGETS

WINDOW, BEFORE, AFTER = 1056, 24, 8     # frames: whole window, warm-up and look-ahead inside it


class Encoder:
    """Batches of fixed windows through the encoder and the codebooks of a frozen codec."""

    def __init__(self, model, batch=6, compiled=True):
        self.fast = Fast(model, compiled=compiled)
        self.books = [layer.codebook.embed for layer in model.quantizer.layers]
        self.batch = batch

    @torch.no_grad()
    def _codes(self, waves):
        residual = self.fast.encode(waves).flatten(0, 1)
        codes = []
        for book in self.books:
            index = codec_model.nearest(residual, book)
            residual = residual - book[index]
            codes.append(index)
        return torch.stack(codes).view(CODEBOOKS, len(waves), -1).transpose(0, 1)

    def encode(self, waves):
        """List of 1-D float arrays -> list of uint16 [4, ceil(n / 640)]."""
        step = WINDOW - BEFORE - AFTER
        jobs, out = [], []
        for i, wave in enumerate(waves):
            frames = -(-len(wave) // HOP)
            out.append(np.zeros((CODEBOOKS, frames), np.uint16))
            first = 0
            while first < frames:
                jobs.append((i, first, max(0, first - BEFORE)))
                first += step if first else step + BEFORE
        for k in range(0, len(jobs), self.batch):
            part = jobs[k:k + self.batch]
            rows = np.zeros((self.batch, WINDOW * HOP), np.float32)
            for row, (i, _, begin) in zip(rows, part):
                piece = waves[i][begin * HOP:(begin + WINDOW) * HOP]
                row[:len(piece)] = piece
            codes = self._codes(torch.from_numpy(rows)).numpy()
            for row, (i, first, begin) in zip(codes, part):
                count = min(out[i].shape[1] - first, WINDOW - AFTER - (first - begin))
                out[i][:, first:first + count] = row[:, first - begin:first - begin + count]
        return out


def variants(piece, split):
    """(name, stems) of the versions of a piece that are encoded."""
    present = [s for s in TARGETS if s in piece.stems and len(piece.stems) > 1]
    if split == "train" and present:
        present = [present[zlib.crc32(piece.name.encode()) % len(present)]]
    yield "mix", list(piece.stems)
    for stem in present:
        yield "-" + stem, [s for s in piece.stems if s != stem]


def tokenise(piece, split, encoder, path):
    names, waves = [], []
    for name, stems in variants(piece, split):
        names.append(name)
        waves.append(piece.mix(0, piece.length, stems))
    codes = encoder.encode(waves)
    frames = min(codes[0].shape[1], piece.activity.shape[1])
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(file, codes=np.stack(codes)[:, :, :frames], variants=names,
                 activity=piece.activity[:, :frames], meta=json.dumps(piece.meta))
    os.replace(part, path)


def frozen_codec(work):
    """The codec whose tokens are used: encoder and codebooks never change after this."""
    model = codec_model.build()
    model.load_state_dict(runs.load(work / "codec" / "frozen.pt")["model"])
    return model.eval()


def work(rank, args):
    runs.setup(args)
    encoder = Encoder(frozen_codec(args.work))
    for split in args.splits:
        folder = args.work / "tokens" / split
        folder.mkdir(parents=True, exist_ok=True)
        found = audio.pieces(args.work / "corpus", split)[:args.limit]
        for i, piece in enumerate(found):
            path = folder / (piece.name + ".npz")
            if i % args.processes == rank and not path.exists():
                tokenise(piece, split, encoder, path)
            if i % 50 == 0 and rank == 0:
                print("%s %d of %d" % (split, i, len(found)), flush=True)


def main():
    top = runs.add_processes(runs.parser(__doc__))
    top.add_argument("--splits", nargs="+", default=("valid", "test", "train"))
    top.add_argument("--limit", type=int, default=10 ** 9, help="at most so many pieces per split")
    runs.launch(work, top.parse_args())


if __name__ == "__main__":
    main()

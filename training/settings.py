# SPDX-License-Identifier: MIT
"""Sizes, seeds and constants of the model that is trained; one place, so that a run can be repeated."""

import dataclasses

RATE = 32000            # samples per second
HOP = 640               # samples per codec frame
FRAME_RATE = RATE // HOP
CODEBOOKS = 4
STEMS = ("drums", "bass", "guitar", "piano", "other")
TARGETS = STEMS[:4]     # the instruments that probes, knobs and the recogniser know


@dataclasses.dataclass(frozen=True)
class CodecSettings:
    """Architecture of facebook/encodec_32khz with a quarter of its filters."""
    filters: int = 16
    hidden: int = 64            # latent size; small, so that 4 x 1024 codes cover it
    codes: int = 1024
    bandwidth: float = 2.0      # kbit/s: 4 codebooks x 10 bits x 50 frames


@dataclasses.dataclass(frozen=True)
class CodecTraining:
    seed: int = 1
    steps: int = 7500
    batch: int = 10
    frames: int = 32            # crop length in codec frames
    lr: float = 1e-3
    warmup: int = 100
    decay: float = 0.3          # last part of the run in which the rate falls to nearly zero
    free_steps: int = 500       # plain auto-encoder before the codebooks are initialised
    ema: float = 0.99           # codebook averages
    weight_ema: float = 0.998


@dataclasses.dataclass(frozen=True)
class LmSettings:
    hidden: int = 320
    layers: int = 6
    heads: int = 5              # of 64, MusicGen's own head size
    text_hidden: int = 128
    text_layers: int = 3
    text_heads: int = 4
    pieces: int = 640           # SentencePiece vocabulary


@dataclasses.dataclass(frozen=True)
class LmTraining:
    seed: int = 2
    steps: int = 1600
    batch_columns: int = 8192   # columns in a batch, at most
    columns: int = 512
    short_columns: int = 128
    long_columns: int = 1504
    lr: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.05
    caption_dropout: float = 0.3
    words: float = 0.02         # weight of naming the caption's words
    sounds: float = 0.2         # weight of telling which instruments sound
    minus_one: float = 0.4      # share of excerpts that lack one stem
    ema: float = 0.99

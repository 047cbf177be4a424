# SPDX-License-Identifier: MIT
"""SentencePiece vocabulary of the captions, as T5 expects it: `python -m training.text`."""

import json
import random

import sentencepiece

from corpus import captions

from . import audio, runs
from .settings import LmSettings, STEMS


def sample_captions(pieces, seed, per_piece=24):
    """Random captions of random subsets of stems, with and without a span."""
    rng = random.Random(seed)
    for piece in pieces:
        for _ in range(per_piece):
            stems = [s for s in STEMS if s in piece.stems and rng.random() < 0.8]
            start = rng.uniform(0, piece.length / 32000)
            yield captions.caption(piece.meta, stems, rng, (start, start + 10))
        yield captions.full_caption(piece.meta, list(piece.stems))


def train(pieces, folder, size=LmSettings.pieces, seed=3):
    """Writes spiece.model: unigram, NFKC, pad 0, end 1, unknown 2, no beginning."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample_captions(pieces, seed)), model_prefix=str(folder / "spiece"),
        vocab_size=size, model_type="unigram", normalization_rule_name="nmt_nfkc",
        character_coverage=1.0, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>",
        num_threads=1, minloglevel=2, hard_vocab_limit=False,
        required_chars="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"&/#()+-")
    (folder / "spiece.vocab").unlink()
    return folder / "spiece.model"


def write_configs(folder, size):
    """Tokenizer files beside spiece.model, for AutoTokenizer and AutoProcessor."""
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    config = dict(special, tokenizer_class="T5Tokenizer", extra_ids=0, additional_special_tokens=[],
                  model_max_length=512, clean_up_tokenization_spaces=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    assert size == sentencepiece.SentencePieceProcessor(str(folder / "spiece.model")).vocab_size()


class Tokenizer:
    """Text to padded ids and mask, every row ended by 1 as T5 does."""

    def __init__(self, path):
        self.model = sentencepiece.SentencePieceProcessor(str(path))

    def encode(self, text):
        return self.model.encode(text) + [1]


def main():
    top = runs.parser(__doc__)
    args = top.parse_args()
    folder = args.work / "text"
    train(audio.pieces(args.work / "corpus", "train"), folder)
    size = sentencepiece.SentencePieceProcessor(str(folder / "spiece.model")).vocab_size()
    write_configs(folder, size)
    print("%d pieces" % size)


if __name__ == "__main__":
    main()

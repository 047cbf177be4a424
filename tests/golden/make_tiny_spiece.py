# SPDX-License-Identifier: MIT
"""Make tests/golden/tiny/spiece.model: a vocabulary of 39 pieces for the tiny checkpoint, so that text prompts are tested
end to end. Needs sentencepiece. No character map is stored, which keeps the file below two kilobytes."""
import io
import pathlib

import sentencepiece

TEXT = """slow jazz with piano and bass
fast rock with drums and guitar
a slow waltz in d minor
drums bass guitar piano
calm music with strings
""" * 20


def main():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()), model_writer=model, vocab_size=39, model_type="unigram",
        normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=True,
        minloglevel=2)
    pathlib.Path(__file__).with_name("tiny").joinpath("spiece.model").write_bytes(model.getvalue())


if __name__ == "__main__":
    main()

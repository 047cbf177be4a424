# SPDX-License-Identifier: MIT
"""Captions name what sounds, all of it in the full form, and nothing that does not."""

import ast
import itertools
import os
import random
import re

import pytest

from corpus import captions, gm, grooves

META = {
    "family": "stdlib/slowjazz", "bpm": 70, "metre": "4/4", "beats": 4, "key": "D",
    "mode": "minor", "bars": [0.0, 3.4, 6.8, 10.2],
    "programs": {
        "drums": [{"program": 40, "name": "brush kit", "bars": "1111"}],
        "bass": [{"program": 32, "name": "upright bass", "bars": "1111"}],
        "guitar": [{"program": 26, "name": "jazz guitar", "bars": "0011"}],
        "piano": [{"program": 0, "name": "acoustic grand piano", "bars": "1111"}],
        "other": [{"program": 56, "name": "trumpet", "bars": "1100"},
                  {"program": 48, "name": "strings", "bars": "0011"}]}}
WORDS = {"drums": "drums|kit", "bass": "bass", "guitar": "guitar", "piano": "piano",
         "other": "trumpet|strings"}


def test_full_caption():
    assert captions.full_caption(META, {"drums", "bass", "piano"}) == (
        "slow jazz with acoustic grand piano, upright bass and drums in D minor, 70 bpm")
    assert captions.full_caption(META, ["other"], span=(7, 9)) == (
        "slow jazz with strings in D minor, 70 bpm")
    assert captions.full_caption(META, ["drums"], unnamed=["drums"]) == (
        "slow jazz in D minor, 70 bpm")


def test_only_sounding_instruments_are_named():
    rng = random.Random(0)
    for size in range(1, 6):
        for stems in itertools.combinations(gm.STEMS, size):
            for _ in range(60):
                text = captions.caption(META, stems, rng)
                for stem in set(gm.STEMS) - set(stems):
                    assert not re.search(WORDS[stem], text), (stems, text)


def test_an_instrument_can_be_left_unnamed():
    rng = random.Random(1)
    for target in gm.STEMS:
        for _ in range(100):
            text = captions.caption(META, gm.STEMS, rng, unnamed={target})
            assert not re.search(WORDS[target], text), text


def test_programs_that_rest_in_the_excerpt_are_not_named():
    rng = random.Random(2)
    for _ in range(200):
        assert "trumpet" not in captions.caption(META, ["other", "bass"], rng, span=(7, 10))


def test_captions_vary_and_are_repeatable():
    texts = [captions.caption(META, gm.STEMS, random.Random(i)) for i in range(300)]
    assert texts == [captions.caption(META, gm.STEMS, random.Random(i)) for i in range(300)]
    assert len(set(texts)) > 200
    for word in ("D minor", "70 bpm", "slow jazz", "jazz guitar", "drums", "bass"):
        share = sum(word in t for t in texts) / len(texts)
        assert 0.05 < share < 0.98, (word, share)
    assert all(t and t == t.strip() and "  " not in t and ", ," not in t for t in texts)


@pytest.mark.parametrize("bpm,metre,beats,family,word", [
    (60, "4/4", 4, "stdlib/popballad", "slow"), (110, "4/4", 4, "stdlib/basicrock", "mid-tempo"),
    (150, "4/4", 4, "stdlib/swing", "fast"), (200, "4/4", 4, "stdlib/polka", "mid-tempo"),
    (150, "6/8", 6, "stdlib/68swing", "slow")])
def test_tempo_words(bpm, metre, beats, family, word):
    assert captions.tempo_word(dict(META, bpm=bpm, metre=metre, beats=beats, family=family)) == word


def test_every_family_has_a_readable_style(families):
    for family in families:
        phrase = captions.style_phrase({"family": family})
        assert re.fullmatch(r"[a-z0-9&/ -]+", phrase), (family, phrase)
        assert not re.search("drum|bass|guitar|piano|string|brass|organ", phrase), phrase


def test_captions_import_nothing_heavy():
    path = os.path.join(os.path.dirname(grooves.__file__), "captions.py")
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    modules = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert modules == {"re", "gm"}

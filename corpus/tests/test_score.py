# SPDX-License-Identifier: MIT
"""Split, schedule, chords, arrangement and MIDI splitting: everything before audio."""

import collections
import random

import mido
import pytest

from corpus import arrange, compose, gm, grooves, melody, midi, synth, theory


def test_splits_are_disjoint_and_about_80_10_10(families):
    by_split = collections.defaultdict(set)
    for family in families:
        by_split[grooves.split_of(family)].add(family)
    assert set(by_split) == set(grooves.SPLITS)
    assert sum(map(len, by_split.values())) == len(families)
    assert 0.7 < len(by_split["train"]) / len(families) < 0.9
    assert len(by_split["valid"]) >= 8 and len(by_split["test"]) >= 8


def test_pieces_use_only_families_of_their_split(families):
    for split in grooves.SPLITS:
        drawn = [compose.family_for(n, split, families) for n in range(300)]
        assert {grooves.split_of(f) for f in drawn} == {split}
        assert set(drawn) == {f for f in families if grooves.split_of(f) == split}


def test_an_empty_split_is_an_error(families):
    only = {f: v for f, v in families.items() if grooves.split_of(f) == "train"}
    with pytest.raises(ValueError, match="valid"):
        compose.family_for(0, "valid", only)


def test_groove_list_round_trip_and_refusal(tmp_path):
    path = str(tmp_path / "list.tsv")
    listed = grooves.load()
    grooves.save(listed[:20], path)
    assert grooves.load(path) == listed[:20]
    (tmp_path / "bad.tsv").write_text("nonsense\n")
    with pytest.raises(ValueError, match="not a groove list"):
        grooves.load(str(tmp_path / "bad.tsv"))


def test_only_the_standard_library_is_listed():
    assert {g.family.split("/")[0] for g in grooves.load()} == {"stdlib"}


def test_progressions_use_known_degrees_and_qualities():
    for pool in theory.PROGRESSIONS.values():
        for line in pool:
            for token in line.replace(",", " ").split():
                degree, quality = theory.split_token(token)
                assert 0 <= degree < 12 and quality in theory.CHORD_TONES
    for _, pools, low, high in theory.STYLES:
        assert set(pools) <= set(theory.PROGRESSIONS) and 40 < low < high < 300


def test_songs_are_the_same_for_the_same_seed(families):
    for family in list(families)[::9]:
        a, b = (compose.compose(random.Random(3), family, families[family]) for _ in range(2))
        assert a == b and a.text.startswith("RndSeed")
        assert len(a.bars) == len(a.grooves) and a.sections[0][0] == 0
        _, notes = melody.write(random.Random(4), a, 192)
        total = len(a.bars) * a.beats * 192
        assert all(0 <= s < e and s < total and 40 <= p <= 90 for s, e, p, _ in notes)


def _toy_file():
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=500000, time=0))
    track.append(mido.Message("program_change", channel=0, program=0))
    for i in range(8):
        note = dict(channel=0 if i % 2 else 9, note=60)
        track.append(mido.Message("note_on", velocity=90, time=0, **note))
        track.append(mido.Message("note_off", velocity=0, time=480, **note))
    track.append(mido.MetaMessage("set_tempo", tempo=1000000, time=0))
    track.append(mido.MetaMessage("end_of_track", time=480))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    return file


def test_midi_is_split_by_program_with_bars():
    tracks, parts = midi.split(_toy_file(), {(0, 0): 25, (9, 0): 16}, 4 * 480)
    assert set(tracks) == {"drums", "guitar"}
    table = {p.stem: p for p in parts}
    assert table["guitar"].program == 25 and table["guitar"].notes == 4
    assert table["drums"].bars == {0, 1}
    programs = [m.program for m in tracks["guitar"] if m.type == "program_change"]
    assert programs == [25]


def test_the_clock_follows_the_tempo():
    clock = midi.Clock(_toy_file())
    assert clock.seconds(8 * 480) == pytest.approx(4.0)
    assert clock.seconds(9 * 480) == pytest.approx(5.0)
    assert clock.last_tick == 9 * 480


def test_arrangements_keep_stems_on_and_vary():
    rng, share, two, blocks_seen, changes = random.Random(1), collections.Counter(), 0, 0, 0
    for _ in range(300):
        blocks = list(range(0, 32, 4))
        audible = {s: [True] * len(blocks) for s in gm.STEMS}
        plan = arrange.arrange(rng, blocks, 32, audible)
        for column in zip(*plan.on.values()):
            assert any(column)
            two += sum(column) >= 2
            blocks_seen += 1
        for stem, row in plan.on.items():
            share[stem] += sum(row) / len(row) / 300
            changes += any(a != b for a, b in zip(row, row[1:])) / 1500
    assert two / blocks_seen > 0.8 and changes > 0.8
    assert all(0.4 < share[s] < 0.75 for s in gm.STEMS)


def test_a_stem_with_nothing_to_play_does_not_count_as_on():
    rng = random.Random(2)
    for _ in range(100):
        plan = arrange.arrange(rng, [0, 4], 8, {"drums": [True, False], "bass": [False, True]})
        assert plan.on["drums"][0] and plan.on["bass"][1]


def test_rates_over_two_bars_give_the_same_balance():
    for stem in gm.STEMS:
        two, four = arrange._rates(stem, 2), arrange._rates(stem, 4)
        assert four == pytest.approx((arrange.TURN_ON[stem], arrange.TURN_OFF[stem]))
        twice = two[0] * (1 - two[1]) + (1 - two[0]) * two[0]
        assert twice == pytest.approx(four[0])


def test_a_missing_font_is_named():
    with pytest.raises(synth.SynthError, match="nothing.sf2"):
        synth.font_path("nothing.sf2")

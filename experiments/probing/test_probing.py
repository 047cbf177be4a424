# SPDX-License-Identifier: MIT
"""Folders of activations asked anew, labels of questions, the baseline's score."""

import json

import numpy as np
import pytest

from corpus import theory

from . import clips, questions, report, stores


def store(folder, rows=(3, 2)):
    """A folder as smitin writes it: two shards, one clip that could not be heard."""
    folder.mkdir()
    z = np.arange(sum(rows) * 4, dtype=np.float32).reshape(-1, 2, 2)
    listed, start = [], 0
    for shard, count in enumerate(rows):
        np.save(folder / ("activations-%05d.npy" % shard), z[start:start + count])
        listed += [{"path": "held/p%d.wav" % (start + i), "track": "t", "start": 0, "split": "test" if i else "train", "labels": [],
                    "shard": shard, "row": i, "sha256": "0" * 64} for i in range(count)]
        start += count
    listed.insert(1, {"path": "gone.wav", "track": "t", "start": 0, "split": "train", "labels": [], "skipped": "broken"})
    shards = [{"file": "activations-%05d.npy" % i, "rows": n} for i, n in enumerate(rows)]
    (folder / "manifest.json").write_text(json.dumps({"complete": True, "task": "multilabel", "classes": ["a", "b"],
                                                      "clips_per_shard": 3, "shards": shards, "clips": listed}))
    return z


def test_a_question_keeps_the_rows_it_chooses(tmp_path):
    z = store(tmp_path / "a")
    source = stores.load(tmp_path / "a")
    counts = stores.ask(source, tmp_path / "b", "n", "regression", ["n"],
                        lambda c: None if c["path"] == "held/p1.wav" else (c["split"], [float(c["path"][6])]))
    assert counts == {"train": 2, "valid": 0, "test": 2}
    manifest, kept, listed = stores.load(tmp_path / "b")
    assert np.array_equal(kept, z[[0, 2, 3, 4]])
    assert [c["labels"] for c in listed] == [[0.0], [2.0], [3.0], [4.0]] and [c["row"] for c in listed] == [0, 1, 2, 3]
    assert manifest["task"] == "regression" and manifest["shards"] == [{"file": "activations-00000.npy", "rows": 4}]
    with pytest.raises(SystemExit, match="0 clips to train"):
        stores.ask(source, tmp_path / "c", "n", "binary", ["n"], lambda c: ("test", []))
    assert not (tmp_path / "c").exists()
    with pytest.raises(ValueError, match="opera"):
        stores.ask(source, tmp_path / "c", "n", "opera", ["n"], lambda c: ("test", []))


def test_an_unfinished_folder_is_refused(tmp_path):
    store(tmp_path / "a")
    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    (tmp_path / "a/manifest.json").write_text(json.dumps(dict(manifest, complete=False)))
    with pytest.raises(SystemExit, match="not complete"):
        stores.load(tmp_path / "a")


def test_labels_of_a_row():
    row = {"split": "test", "set": "game", "artist": "x", "instruments": "bass;piano", "key": "Gb minor", "genre": "", "bpm": "120",
           "parts": "2", "loudness": "-20", "brightness": "9.5"}
    by_name = {q.name: q for q in questions.QUESTIONS}
    assert by_name["instruments"].labels(row) == [1, 3] and by_name["drums"].labels(row) == []
    assert questions.KEYS[by_name["key"].labels(row)[0]] == "Gb minor" and by_name["minor"].labels(row) == [0]
    assert by_name["genre"].labels(row) is None and by_name["genre-seen"].split(row) is None
    assert by_name["numbers"].labels(row) == [120.0, 2.0, -20.0, 9.5]
    assert by_name["key"].labels(dict(row, key="")) is None and by_name["minor"].labels(dict(row, key="")) is None
    assert set(clips.FLATS) == set(theory.MINOR_KEYS) and set(clips.FLATS.values()) == set(theory.KEYS)


def test_whole_pieces_are_held_out_of_known_families():
    splits = [questions.QUESTIONS[5].split({"set": "train", "artist": "%06d" % i}) for i in range(1000)]
    assert 150 < splits.count("test") < 250 and 60 < splits.count("valid") < 140


def test_every_family_has_a_genre():
    assert clips.genre_of("stdlib/slowblues") == "blues" and clips.genre_of("stdlib/bossanova") == "latin"
    assert {clips.genre_of("stdlib/" + n) for n in ("zzz", "swing", "polka", "trance", "tango")} == {"pop", "jazz", "folk", "electronic"}


def test_brightness_is_the_octave_of_the_centroid():
    time = np.arange(32000) / 32000
    assert clips.brightness(np.sin(2 * np.pi * 1024 * time)) == pytest.approx(10, abs=0.01)


def test_key_score_is_that_of_mirex():
    key = questions.KEYS.index
    assert report.key_score(key("C major"), key("C major")) == 1.0
    assert report.key_score(key("G major"), key("C major")) == 0.5 and report.key_score(key("F major"), key("C major")) == 0.0
    assert report.key_score(key("A minor"), key("C major")) == 0.3 and report.key_score(key("C major"), key("A minor")) == 0.3
    assert report.key_score(key("C minor"), key("C major")) == 0.2 and report.key_score(key("D minor"), key("C major")) == 0.0


def test_hits_and_false_alarms_follow_from_accuracy_and_f1(tmp_path):
    """Of 4 clips with the label 3 are found, of 6 without it 2 are called by mistake: 7 of 10 right, F1 = 6 / 9."""
    listed = [{"labels": [1] if i < 4 else [0], "split": "test"} for i in range(10)] + [{"labels": [1], "split": "train"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"clips": listed}))
    assert report.errors(tmp_path, 1, 0.7, 6 / 9) == pytest.approx((3 / 4, 2 / 6))

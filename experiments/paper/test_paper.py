# SPDX-License-Identifier: MIT
"""Tables of the paper's experiments from summaries whose answer is known, and the committed experiment files."""

import csv
import json

import numpy as np
import pytest

from training.settings import TARGETS

from . import collect, make, report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    return tmp_path


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["condition", "measure", "mean", "low", "high", "n"], *rows])


def test_instruments_are_pooled(folder):
    write(folder / "heads-drums.csv", [["top-3", "success_drums", 0.2, 0.14, 0.26, 50]])
    write(folder / "heads-bass.csv", [["top-3", "success_bass", 0.4, 0.32, 0.48, 50]])
    mean, low, high, n = report.pooled("heads", "top-3", "success_{}")
    assert (mean, n) == (pytest.approx(0.3), 100)
    assert (low, high) == (pytest.approx(0.25), pytest.approx(0.35))  # sqrt(.06^2 + .08^2) / 2
    assert report.pooled("heads", "top-5", "success_{}") is None


def test_rows_without_a_run_are_left_out(folder):
    write(folder / "game-drums.csv", [["free", "presence_drums", 0.5, 0.4, 0.6, 50], ["free", "similarity", 0.8, 0.7, 0.9, 50],
                                      ["free", "frechet_reference", 12.0, "", "", 50]])
    lines = report.game()
    assert len(lines) == 3 and lines[2].startswith("| unconditioned |  |  | 50.0 ± 10.0 |") and "| 12 |" in lines[2]


def test_distance_has_an_interval():
    rng = np.random.default_rng(1)
    pieces, reference = [rng.normal(size=(6, 4)) for _ in range(40)], rng.normal(3, 1, size=(400, 4))
    whole, low, high = collect.distance(pieces, reference)
    assert low < whole < high and abs(whole - 36) < 6 and high - low < 6
    same, low, high = collect.distance([pieces[0]] * 40, reference)  # no piece differs, so nothing is uncertain
    assert high - low == pytest.approx(0, abs=1e-6)


def test_files_are_what_the_script_writes():
    for target in TARGETS:
        for kind, conditions in (("continuation", make.continuation), ("removal", make.removal), ("text", make.written),
                                 ("heads", make.heads), ("readings", make.readings)):
            plan = json.loads((make.HERE / ("%s-%s.json" % (kind, target))).read_text())
            assert plan["conditions"] == conditions(target), (kind, target)
    assert json.loads((make.HERE / "three.json").read_text())["conditions"] == make.three()


def test_real_music_beside_what_steers_towards_it(folder):
    presences = {"presence_" + t: 0.5 for t in TARGETS}
    write(folder / "music.csv", [["real", m, v, "", "", 100] for m, v in {**presences, "lufs": -19.7}.items()])
    (folder / "real-knobs.csv").write_text("knob,best,mean,%s\ncodec,0.7,0.6,0.5,0.5,0.5,0.5\n" % ",".join("cosine_" + t for t in TARGETS))
    rows = [["free", m, v, v, v, 200] for m, v in {**presences, "success_real": 0.2, "success_half_real": 0.4, "dose_real": 0, "lufs": -24,
                                                  "frechet_reference": 128}.items()]
    write(folder / "real.csv", rows)
    lines = report.real()
    assert lines[2:] == ["| real |  |  |  |  |  | -19.7 | 50 | 50 | 50 | 50 | 100 |",
                         "| real: unconditioned | 20.0 ± 0.0 | 40.0 ± 0.0 | 0.0 ± 0.0 | 128 ± 0 |  | -24.0 | 50 | 50 | 50 | 50 | 200 |"]
    assert len({line.count("|") for line in lines}) == 1
    assert report.told()[2] == "| real music or the same through the codec | 70.0 | 60.0 | 0.50 | 0.50 | 0.50 | 0.50 |"

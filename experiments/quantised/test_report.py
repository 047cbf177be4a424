# SPDX-License-Identifier: MIT
"""The tables of a report, from measurements whose answer is known."""

import json

import numpy as np
import pytest

from . import report, run


def write_trace(path, pieces):
    """pieces: {knob: [pieces, columns]}, rows as generate --trace writes them: piece by piece, knob by knob."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["piece,knob,column,seconds,scheduled,presence,gain,dose,threshold"]
    count = len(next(iter(pieces.values())))
    for piece in range(count):
        for knob, rows in pieces.items():
            lines += ["%d,%s,%d,%.3f,1,%.5f,0,0,0.9" % (piece, knob, 150 + t, 3 + t / 50, c) for t, c in enumerate(rows[piece])]
    path.write_text("\n".join(lines) + "\n")


def test_readings(tmp_path):
    drums, bass = np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]]), np.array([[0.9, 0.8, 0.7], [0.4, 0.3, 0.2]])
    write_trace(tmp_path / "t.csv", {"drums": drums, "bass": bass})
    assert report.knobs_of(tmp_path / "t.csv") == ["drums", "bass"]
    np.testing.assert_allclose(report.readings(tmp_path / "t.csv", "bass"), bass)
    np.testing.assert_allclose(report.readings(tmp_path / "t.csv", "drums", True), [0.1, 0.5])


def test_traces_are_compared_by_their_means():
    """Pieces may differ as they like; what counts is the mean over them at each time."""
    a, b = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    assert report.trace_distance(a, b) == 0
    assert report.trace_distance(a, b + [[0.3, -0.1]]) == pytest.approx((0.5 * (0.09 + 0.01)) ** 0.5)


@pytest.mark.parametrize("value, text", [(0, "0"), (0.0123456, "0.012"), (2e-5, "0.00002"), (3e-9, "< 10^-6"), (12.34, "12"), (-0.5, "-0.5")])
def test_numbers(value, text):
    assert report.few(value) == text


def test_pieces(tmp_path, capsys):
    rows = {"": np.full((4, 3), 0.2), "-seed1001": np.full((4, 3), 0.3), "-seed2001": np.full((4, 3), 0.6)}
    for seed, trace in rows.items():
        write_trace(tmp_path / ("f32-f16" + seed) / "free.csv", {"drums": trace})
    write_trace(tmp_path / "q4-f16" / "free.csv", {"drums": np.full((4, 3), 0.4)})
    for seed in run.SEEDS:
        (tmp_path / "q4-f16" / ("distance-free-%d.json" % seed)).write_text(json.dumps({"frechet": seed / 100}))
    report.pieces(tmp_path, "free")
    lines = capsys.readouterr().out.splitlines()
    assert "| q4 | f16 | 0.01 | 10.01 | 20.01 | 0.400 +- 0.000 | 0.2000 | 0.1000 | 0.2000 |" in lines
    assert "| f32 | f16 | - | - | - | 0.200 +- 0.000 | - | 0.1000 | 0.4000 |" in lines
    assert "| f32, seed 2001 | f16 | - | - | - | 0.600 +- 0.000 | 0.4000 | 0.3000 | - |" in lines
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_what_is_there_is_kept(tmp_path):
    path = tmp_path / "a" / "b.json"
    run.once(path, lambda: b"1")
    run.once(path, lambda: pytest.fail("made again"))
    assert path.read_bytes() == b"1" and len(list(path.parent.iterdir())) == 1
    with pytest.raises(RuntimeError):
        run.once(tmp_path / "c.json", lambda: (_ for _ in ()).throw(RuntimeError("no")))
    assert not (tmp_path / "c.json").exists()

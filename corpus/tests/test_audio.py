# SPDX-License-Identifier: MIT
"""Invariants of the written audio: exact sums, headers, mutes, determinism, resuming."""

import filecmp
import os
import struct
import subprocess
import sys

import numpy as np

from corpus import build, gm, mix, synth, wav

from .conftest import COUNTS, FONTS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_stems_sum_to_the_mixture_without_clipping(pieces):
    for folder, _, stems in pieces:
        total = mix.mixture(stems)
        assert np.array_equal(total, wav.read(os.path.join(folder, build.MIXTURE)))
        assert np.abs(total).max() <= 0.951 * 32767
        assert all(np.abs(x.astype(int)).max() <= 0.951 * 32767 for x in stems.values())


def test_files_share_length_and_have_plain_headers(pieces):
    for folder, meta, stems in pieces:
        wanted = {s + ".wav" for s in stems} | {build.META, build.MIXTURE}
        assert set(os.listdir(folder)) == wanted and set(stems) <= set(gm.STEMS)
        samples = int(round(meta["seconds"] * synth.RATE))
        assert samples % mix.FRAME == 0
        for stem in stems:
            path = os.path.join(folder, stem + ".wav")
            with open(path, "rb") as file:
                head = file.read(44)
            assert os.path.getsize(path) == 44 + 2 * samples
            assert head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and head[36:40] == b"data"
            assert struct.unpack_from("<HHIIHH", head, 20) == (1, 1, 32000, 64000, 2, 16)
            assert struct.unpack_from("<I", head, 40)[0] == 2 * samples


def test_a_switched_off_stem_is_silent_and_fades_end_at_bar_lines(pieces):
    changes = 0
    for _, meta, stems in pieces:
        plan, times = meta["arrangement"], meta["bars"]
        edges = [int(round(times[b] * synth.RATE)) for b in plan["blocks"]]
        fade = int(round(plan["fade"] * synth.RATE))
        for stem, x in stems.items():
            on = plan["on"][stem]
            ends = edges[1:] + [len(x)]
            for block, (first, last) in enumerate(zip(edges, ends)):
                if on[block] == "1":
                    continue
                enters = block + 1 < len(on) and on[block + 1] == "1"
                assert not np.any(x[first:last - fade if enters else last])
                changes += enters
    assert changes > 0


def test_fades_have_no_steps(pieces):
    """The gain of a fade is smooth: it moves by less than one percent per sample."""
    from corpus import arrange
    gain = arrange.gains([True, False, True], [0, 1, 2], 3 * 32000, 32000)
    assert np.abs(np.diff(gain)).max() < 0.01
    assert gain[32000 - 961] == 1 and gain[32000] == 0 and gain[63999 - 960] == 0
    assert gain[64000] == 1 and gain.min() == 0 and gain.max() == 1


def test_activity_agrees_with_the_audio_and_the_arrangement(pieces):
    for _, meta, stems in pieces:
        for stem, x in stems.items():
            digits = np.array(list(meta["activity"][stem])) == "1"
            assert len(digits) == len(x) // mix.FRAME
            rms = mix.frame_rms(x.astype(float))
            assert rms[digits].min() > rms[~digits].max() if not digits.all() else True
            plan = meta["arrangement"]
            for block, first in enumerate(plan["blocks"]):
                last = plan["blocks"][block + 1] if block + 1 < len(plan["blocks"]) else None
                end = meta["bars"][last] - 0.05 if last else meta["seconds"]
                frames = digits[int(meta["bars"][first] * 50) + 1:int(end * 50)]
                assert plan["on"][stem][block] == "1" or not frames.any()


def test_something_sounds_in_every_block(pieces):
    for _, meta, stems in pieces:
        rows = [meta["arrangement"]["on"][s] for s in stems]
        assert all("1" in column for column in zip(*rows))


def _same(a, b):
    names = sorted(os.listdir(a))
    assert names == sorted(os.listdir(b))
    return filecmp.cmpfiles(a, b, names, shallow=False)[0] == names


def test_same_seed_same_bytes_in_another_process_and_order(rendered, tmp_path):
    code = ("from corpus import build, grooves\n"
            "for split, number in (('valid', 0), ('train', 2), ('train', 0)):\n"
            "    build.make_one((%r, split, number, grooves.LIST_FILE, %r, True))\n"
            % (str(tmp_path), FONTS))
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True,
                   env=dict(os.environ, PYTHONHASHSEED="7"))
    for split, number in (("train", 0), ("train", 2), ("valid", 0)):
        assert _same(build.folder_of(rendered, split, number),
                     build.folder_of(str(tmp_path), split, number))


def test_a_killed_run_is_resumed(rendered, tmp_path):
    out = str(tmp_path)
    job = (out, "train", 1, build.grooves.LIST_FILE, FONTS, True)
    half = os.path.join(out, "train", ".making-000001")
    os.makedirs(half)
    with open(os.path.join(half, "drums.wav"), "wb") as file:
        file.write(b"half")
    assert build.make_one(job)[3] == "made"
    assert os.listdir(os.path.join(out, "train")) == ["000001"]
    folder = build.folder_of(out, "train", 1)
    assert _same(folder, build.folder_of(rendered, "train", 1))
    before = os.stat(os.path.join(folder, build.META)).st_mtime_ns
    split, number, seconds, state = build.make_one(job)
    assert (split, number, state) == ("train", 1, "kept") and seconds > 10
    assert os.stat(os.path.join(folder, build.META)).st_mtime_ns == before


def test_every_prefix_of_the_order_is_representative():
    work = build.order({"train": 160, "valid": 10, "test": 10})
    assert len(work) == len(set(work)) == 180
    for n in (36, 90, 180):
        train = sum(split == "train" for split, _ in work[:n])
        assert abs(train - n * 160 / 180) < 2
    for split in COUNTS:
        numbers = [k for s, k in work if s == split]
        assert numbers == sorted(numbers)


def test_stats_reads_what_make_wrote(rendered):
    from corpus import stats
    text = stats.report(rendered, "train")
    assert "4 pieces" in text and "drums" in text
    assert stats.report(rendered, "nothing") == ""

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is asked of the command line and how it is told: help, flags, the figures of bench. Usage: usage.py SMITIN TINY_MODEL [TEST ...]"""
import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from terminal import MODEL, SMITIN, Case, smitin  # noqa: E402


class Usage(Case):
    def test_help(self):
        for arguments in (["--help"], ["generate", "--help"], ["knob", "--help"], ["knob", "train", "-h"],
                          ["knob", "info", "-h"], ["bench", "-h"]):
            result = smitin(*arguments)
            self.assertEqual(result.returncode, 0, arguments)
            self.assertIn(b"smitin", result.stdout)
            self.assertEqual(result.stderr, b"")

    def test_version(self):
        self.assertRegex(smitin("--version").stdout.decode(), r"^smitin \d+\.\d+\.\d+\n$")

    def test_silly_flags(self):
        for arguments, word in (
            (["--bananas"], "--bananas"), (["-d"], "--seconds"), (["-d", "soon"], "soon"), (["-d", "nan"], "nan"),
            (["--top-k", "1.5"], "1.5"), (["--temp", "-1"], "--temp"), (["--method", "magic"], "smitin, sparse"),
            (["--quiet=yes"], "--quiet"), (["extra"], "extra"), (["-b", "0"], "--batch"), (["-o", "x.xyz"], ".flac"),
            (["--knob", "drums:loud"], "percentage"), (["--knob", "drums:200%"], "percentage"), (["--knob", ":5"], "names no"),
            (["--cpu-level", "mmx"], "mmx"), (["-d", "100000"], "--seconds"), (["--window", "99"], "range"),
            (["--stride", "8"], "within the window"), (["--bpm", "120"], "--bars"),
            (["--bars", "0", "--bpm", "120"], "--bars"), (["--bars", "2", "--bpm", "120"], "both give a length"),
            (["-q", "q5"], "file, f32, f16, bf16, q8, q4"),
            (["-q"], "--quantize"), (["-q", ""], "--quantize"), (["--cache", "bf16"], "f16, f32, q8"),
            (["--keep-prompt", "no"], "--input"), (["--input-seconds", "3"], "--input"), (["--beats-per-bar", "3"], "--bars"),
            (["--level", "running"], "--lufs"), (["--format", "flac", "-o", "x.wav"], "--format is for folders"),
            (["--format", "flac", "-o", "-"], "always WAV"), (["--bits", "24", "-o", "x.ogg"], "no bits to choose"),
            (["--bits", "24", "--format", "mp3", "--rate", "8000", "-o", "d/"], "no bits to choose"),
        ):
            with self.subTest(arguments):
                self.assert_refused(self.generate(*arguments), 2, word)
                self.assert_left()
        self.assertEqual(smitin().returncode, 2)
        self.assert_refused(smitin("dance"), 2, "dance")


class Bench(Case):
    def test_figures(self):
        """Every figure is there; what the model is too short for is null; the table has the same rows."""
        result = smitin("bench", "-m", MODEL, "--steps", 3, "--full", "--json", "--quiet", "-t", 2, folder=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        figures = json.loads(result.stdout)
        self.assertEqual((figures["threads"], figures["rows"]), (2, 2))
        self.assertGreater(figures["read_bytes_per_second"], 1e7)
        peak = figures["peak_operations_per_second"]  # null on a CPU whose registers are not known
        self.assertTrue(peak is None or peak > 1e8, peak)
        self.assertEqual([(f["weights"], f["cache"]) for f in figures["formats"]],
                         [("f32", "f16"), ("f16", "f16"), ("q8", "q8"), ("q4", "q8")])
        for one in figures["formats"]:
            self.assertEqual([p["frame"] for p in one["positions"]], [10, 250, 1000, 1500])
            first = one["positions"][0]
            self.assertGreater(first["bytes_per_step"], 0)
            self.assertAlmostEqual(first["bytes_per_second"] / first["bytes_per_step"] / first["steps_per_second"], 1)
            self.assertIsNone(one["positions"][3]["steps_per_second"])  # it has 253 frames
            for key in ("load_seconds", "memory_bytes", "mean_steps_per_second", "first_sound_seconds",
                        "decode_times_real_time", "encode_times_real_time", "step_p50_seconds", "probe_clips_per_second",
                        "prompt_frames_per_second", "prompt_operations_per_second"):
                self.assertGreater(one[key], 0, key)
            self.assertLessEqual(first["share_lower_quartile"], first["share_of_reading"])
            self.assertLessEqual(first["share_of_reading"], first["share_upper_quartile"])
            self.assertGreater(first["read_bytes_per_second"], 1e7)
            self.assertNotIn("profile", first)
            self.assertGreater(one["keeping_heads_share_of_pass"], -1)
            whole = one["text_to_wav"]  # the model has 253 frames
            self.assertAlmostEqual(whole["seconds"], 253 / figures["frame_rate"], 6)
            parts = sum(whole[part + "_seconds"] for part in ("text", "steps", "codec", "file"))
            self.assertLessEqual(parts, whole["whole_seconds"] + 1e-9)
            self.assertLess(whole["sampling_seconds"], whole["steps_seconds"])
            self.assertAlmostEqual(whole["times_real_time"], whole["seconds"] / whole["whole_seconds"], 3)
            self.assertGreater(whole["bound_times_real_time"], 0)
            self.assertGreater(one["four_knobs_share_of_step"], -1)
            self.assertLessEqual(one["step_p50_seconds"], one["step_p95_seconds"])
            self.assertLessEqual(one["step_p95_seconds"], one["step_p99_seconds"])
        by_format = [f["positions"][0]["bytes_per_step"] for f in figures["formats"]]
        self.assertEqual(by_format, sorted(by_format, reverse=True))
        result = smitin("bench", "-m", MODEL, "--steps", 3, "-q", "q8", "--cfg", 1, folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"1 row,", result.stdout)
        self.assertEqual([line.split()[0] for line in result.stdout.splitlines() if line.startswith(b"q")], [b"q8"] * 2)
        self.assert_left()

    def test_profile(self):
        """Parts add up to a step and their bytes to what a step has to read; the table has a line for each."""
        arguments = ("bench", "-m", MODEL, "--steps", 12, "--profile", "-q", "f16", "-t", 2)
        result = smitin(*arguments, "--json", "--quiet", folder=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        one, = json.loads(result.stdout)["formats"]
        self.assertNotIn("text_to_wav", one)
        at = one["positions"][0]
        parts = {p["part"]: p for p in at["profile"]}
        for name in ("q, k, v", "attention", "out", "cross q", "cross out", "fc1", "fc2", "logits"):
            self.assertGreater(parts[name]["bytes"], 0, name)
            self.assertGreater(parts[name]["seconds"], 0, name)
        self.assertGreater(parts["sampling"]["seconds"], 0)
        self.assertEqual(parts["knobs"]["seconds"], 0)
        seconds = sum(p["seconds"] for p in at["profile"]) * at["steps_per_second"]
        self.assertTrue(0.3 < seconds < 3, seconds)  # steps of the middle half against the median
        total = sum(p["bytes"] for p in at["profile"]) - parts["cross attention"]["bytes"]
        self.assertAlmostEqual(total / at["bytes_per_step"], 1, delta=0.05)  # at 10, and some steps around it
        self.assertNotIn("profile", one["positions"][3])
        result = smitin(*arguments, folder=self.folder)
        lines = result.stdout.decode().splitlines()
        for name in ("q, k, v", "into the cache", "cross attention", "sampling", "a step"):
            self.assertEqual(len([line for line in lines if line.startswith(name + " ")]), 1, name)
        self.assertFalse([line for line in lines if line.startswith("knobs ")])
        self.assert_left()

    def test_scratch_files(self):
        """They lie where TMPDIR says and do not stay; where there is no room it is said."""
        place = self.folder / "scratch"
        place.mkdir()
        arguments = [SMITIN, "bench", "-m", MODEL, "--steps", "3", "-q", "q8", "--full", "--quiet"]
        result = subprocess.run(arguments, capture_output=True, env={**os.environ, "TMPDIR": str(place)})
        self.assertEqual((result.returncode, list(place.iterdir())), (0, []), result.stderr)
        place.rmdir()
        result = subprocess.run(arguments, capture_output=True, env={**os.environ, "TMPDIR": str(place)})
        self.assert_refused(result, 1, "TMPDIR")

    def test_silly_flags(self):
        for arguments, word in ((["--shape", "tiny"], "musicgen-small"), (["-q", "q3"], "q4"), (["--steps", 0], "--steps"),
                                (["--shape", "musicgen-small", "-m", MODEL], "--shape")):
            with self.subTest(arguments):
                self.assert_refused(smitin("bench", *arguments, folder=self.folder), 2, word)
        self.assert_refused(smitin("bench", "-m", "nowhere", folder=self.folder), 3, "nowhere")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

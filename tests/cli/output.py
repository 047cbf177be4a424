#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files that come out: their formats and loudness, pieces of any length, loops in bars. Usage: output.py SMITIN TINY_MODEL [TEST ...]"""
import json
import math
import sys
import unittest
import wave

sys.dont_write_bytecode = True
from terminal import MODEL, RATE, Case, smitin, tone, write_wav  # noqa: E402


class Output(Case):
    def test_every_format(self):
        """Each is read back by smitin itself, as a clip."""
        for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.MP3"):
            with self.subTest(name):
                result = self.generate("-s", 1, "--rate", 16000, "-o", name)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("1.00 s", result.stderr.decode())
                self.assertEqual(json.loads((self.folder / "a.json").read_text())["rate"], 16000)
                self.assertEqual(self.generate("-i", name, "-d", "2", "--quiet", "-o", "more.wav").returncode, 0)
        self.assertEqual((self.folder / "a.flac").read_bytes()[:4], b"fLaC")
        self.assertEqual((self.folder / "a.ogg").read_bytes()[:4], b"OggS")
        self.assertEqual((self.folder / "a.mp3").read_bytes()[:3], b"ID3")

    def test_a_folder_of_any_format(self):
        self.assertEqual(self.generate("-b", 2, "-o", "many/", "--format", "flac", "--quiet").returncode, 0)
        self.assertEqual(sorted(p.name for p in (self.folder / "many").iterdir()),
                         ["piece-%03d.%s" % (i, s) for i in range(2) for s in ("flac", "json")])

    def test_bits_and_rate(self):
        for bits, width in (("16", 2), ("24", 3)):
            self.assertEqual(self.generate("-s", 1, "--bits", bits, "--rate", 44100, "--quiet", "-o", "a.wav").returncode, 0)
            with wave.open(str(self.folder / "a.wav")) as file:
                self.assertEqual((file.getsampwidth(), file.getframerate(), file.getnframes()), (width, 44100, 44100))
        for name in ("32", "32f"):
            self.assertEqual(self.generate("-s", 1, "--bits", name, "--quiet", "-o", name + ".wav").returncode, 0)
        self.assertEqual((self.folder / "32.wav").read_bytes(), (self.folder / "32f.wav").read_bytes())
        self.assert_refused(self.generate("--bits", "32", "-o", "x.flac", "--quiet"), 2, "16 or 24")
        self.assert_refused(self.generate("-o", "x.mp3", "--quiet"), 2, "another rate")  # MP3 has no 2000 Hz
        self.assertFalse((self.folder / "x.json").exists())

    def test_loudness(self):
        """The rate is one at which loudness is defined. Half of a tenth is what rounding shows."""
        for target in (-30, -13):
            result = self.generate("-s", 1, "-d", 3, "--rate", 48000, "--lufs", target, "-o", "a.wav")
            self.assertEqual(result.returncode, 0, result.stderr)
            settings = json.loads((self.folder / "a.json").read_text())
            self.assertAlmostEqual(settings["lufs"], target, delta=0.05)
            self.assertEqual((settings["lufs_target"], settings["level"]), (target, "exact"))
        self.assertLess(settings["limited_db"], 0)
        result = self.generate("-s", 1, "-d", 3, "--rate", 48000, "--lufs", -5, "-o", "a.wav")
        self.assertIn("out of its reach", result.stderr.decode())
        self.assertAlmostEqual(json.loads((self.folder / "a.json").read_text())["limited_db"], -12, delta=0.01)
        result = self.generate("-s", 1, "-d", 0.2, "--lufs", -14, "-o", "short.wav")
        self.assertIn("out of its reach", result.stderr.decode())
        self.assert_refused(self.generate("--lufs", -14, "--level", "exact", "-o", "-"), 2, "--level running")
        self.assertEqual(self.generate("--lufs", -14, "-o", "-", "--quiet").returncode, 0)


class Long(Case):
    """The tiny model has positions for 5.06 s."""

    def long(self, *arguments):
        return smitin("generate", "-m", MODEL, "-d", 12, "-s", 4, *arguments, folder=self.folder)

    def test_any_length(self):
        audio = {}
        for method in ("window", "rolling"):
            result = self.long("--long", method, "-o", method + ".wav")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("12.00 s", result.stderr.decode())
            self.assertEqual(self.long("--long", method, "--quiet", "-o", "-").stdout, (self.folder / (method + ".wav")).read_bytes())
            again = smitin("generate", "--from", method + ".wav", "--quiet", "-o", "-", folder=self.folder)
            self.assertEqual(again.stdout, (self.folder / (method + ".wav")).read_bytes())
            audio[method] = wave.open(str(self.folder / (method + ".wav"))).readframes(12 * RATE)
        self.assertEqual(self.long("--window", 2, "--stride", 0.5, "--quiet", "-o", "short.wav").returncode, 0)
        again = smitin("generate", "--from", "short.wav", "--quiet", "-o", "-", folder=self.folder)
        self.assertEqual(again.stdout, (self.folder / "short.wav").read_bytes())
        self.assertNotEqual(audio["window"], audio["rolling"])
        same = 2 * 4 * RATE  # of the first window, some room for the limiter
        self.assertEqual(audio["window"][:same], audio["rolling"][:same])

    def test_a_clip_longer_than_a_window(self):
        write_wav(self.folder / "clip.wav", tone(7))
        result = self.long("-i", "clip.wav", "-o", "out.wav")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(wave.open(str(self.folder / "out.wav")).getnframes(), 12 * RATE)


class Bars(Case):
    def test_half_a_length(self):
        for half, other in ((["--bars", 2], "--bpm"), (["--bpm", 120], "--bars")):
            self.assert_refused(smitin("generate", "-m", MODEL, *half, folder=self.folder), 2, other)

    def test_to_the_sample(self):
        for bars, bpm, beats, rate in ((2, 120, 4, RATE), (1, 97, 4, 44100), (0.5, 133, 3, 48000), (1, 61.7, 3, RATE)):
            with self.subTest(bpm):
                result = smitin("generate", "-m", MODEL, "--bars", bars, "--bpm", bpm, "--beats-per-bar", beats, "--rate", rate,
                                "-s", 1, "--quiet", "-o", "loop.wav", folder=self.folder)
                self.assertEqual(result.returncode, 0, result.stderr)
                seconds = bars * beats * 60 / bpm
                with wave.open(str(self.folder / "loop.wav")) as file:
                    self.assertEqual(file.getnframes(), math.floor(seconds * rate + 0.5))
                settings = json.loads((self.folder / "loop.json").read_text())
                self.assertEqual(settings["samples"], math.floor(seconds * rate + 0.5))
                self.assertEqual(settings["seconds"], math.ceil(seconds * 50 - 1e-6) / 50)
                again = smitin("generate", "--from", "loop.wav", "--quiet", "-o", "-", folder=self.folder)
                self.assertEqual(again.stdout, (self.folder / "loop.wav").read_bytes())
        again = smitin("generate", "--from", "loop.wav", "-d", 1, "--quiet", "-o", "b.wav", folder=self.folder)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertNotIn("bars", json.loads((self.folder / "b.json").read_text()))

    def test_a_clip_that_is_not_kept_comes_on_top(self):
        write_wav(self.folder / "clip.wav", tone(0.5))
        for keep, seconds in (("yes", 2), ("no", 2.5)):
            result = smitin("generate", "-m", MODEL, "--bars", 1, "--bpm", 120, "-i", "clip.wav", "--keep-prompt", keep, "--quiet", "-o",
                            "loop.wav", folder=self.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(wave.open(str(self.folder / "loop.wav")).getnframes(), 2 * RATE)
            self.assertEqual(json.loads((self.folder / "loop.json").read_text())["seconds"], seconds)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The variants of MusicGen on the command line. Usage: variants.py SMITIN STEREO_MODEL"""
import json
import sys
import unittest
import wave

import cli
from cli import RATE, smitin, tone, write_wav


def read_wav(path):
    with wave.open(str(path)) as file:
        return file.getnchannels(), file.getnframes(), file.readframes(file.getnframes())


def channel(data, index):
    """16-bit samples of one of two channels."""
    return b"".join(data[i + 2 * index:i + 2 * index + 2] for i in range(0, len(data), 4))


class Stereo(cli.Case):
    def test_files_and_pipe_have_two_channels(self):
        for name in ("a.wav", "a.flac"):
            result = self.generate("-s", 3, "-p", "slow drums", "-o", name)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("1.00 s", result.stderr.decode())
        channels, frames, data = read_wav(self.folder / "a.wav")
        self.assertEqual((channels, frames), (2, RATE))
        self.assertNotEqual(channel(data, 0), channel(data, 1))
        flac = (self.folder / "a.flac").read_bytes()
        # STREAMINFO: 20 bits of rate, then 3 of channels less one.
        self.assertEqual((flac[8 + 12] >> 1) & 7, 1)
        piped = self.generate("-s", 3, "-p", "slow drums", "-o", "-", "--quiet")
        self.assertEqual(piped.stdout, (self.folder / "a.wav").read_bytes())

    def test_clips_of_one_and_two_channels(self):
        write_wav(self.folder / "one.wav", tone(0.4))
        write_wav(self.folder / "two.wav", tone(0.4), channels=2)
        for name in ("one", "two"):
            result = self.generate("-s", 3, "--quiet", "-i", name + ".wav", "-o", name + "-more.wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        # A mono clip is in both channels.
        one, two = (read_wav(self.folder / (name + "-more.wav")) for name in ("one", "two"))
        self.assertEqual(one, two)
        self.assertEqual(one[:2], (2, RATE))
        result = self.generate("-s", 3, "--quiet", "-i", "two.wav", "--keep-prompt", "no", "-o", "rest.wav")
        self.assertEqual(result.returncode, 0, result.stderr)
        channels, frames, rest = read_wav(self.folder / "rest.wav")
        self.assertEqual((channels, frames), (2, RATE - RATE * 2 // 5))
        piped = self.generate("-s", 3, "--quiet", "-i", "two.wav", "--keep-prompt", "no", "-o", "-")
        self.assertEqual(piped.stdout, (self.folder / "rest.wav").read_bytes())

    def test_a_knob_is_trained_and_turned(self):
        for kind, frequency, loudness in (("with", 60.0, 0.9), ("without", 700.0, 0.2)):
            (self.folder / kind).mkdir()
            for i in range(6):
                sound = tone(3, RATE, frequency * (1 + 0.05 * i), loudness)
                write_wav(self.folder / kind / ("%d.wav" % i), sound, channels=1 + i % 2)
        result = smitin("knob", "train", "-m", cli.MODEL, "--with", "with", "--without", "without", "--name", "low",
                        "--clip-seconds", "0.4", "--pairs", "24", "--calibrate-pieces", "2", "--calibrate-seconds",
                        "0.5", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        info = json.loads(smitin("knob", "info", "-m", cli.MODEL, "--json", "low", folder=self.folder).stdout)
        self.assertGreater(info["best_accuracy"], 0.8)
        sounds = {}
        for name, knob in (("off", None), ("zero", "low:0"), ("on", "low:20")):
            extra = ["--knob", knob] if knob else []
            result = self.generate("-s", 3, "--quiet", "-o", name + ".wav", *extra)
            self.assertEqual(result.returncode, 0, result.stderr)
            sounds[name] = read_wav(self.folder / (name + ".wav"))
        self.assertEqual(sounds["off"], sounds["zero"])
        self.assertNotEqual(sounds["off"], sounds["on"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

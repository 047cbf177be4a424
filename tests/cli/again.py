#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A piece made again from its settings. Usage: again.py SMITIN TINY_MODEL [TEST ...]"""
import json
import sys
import unittest

sys.dont_write_bytecode = True
from terminal import Case, smitin, tone, write_wav  # noqa: E402


class Again(Case):
    """--from makes a piece again, from every format's tags and from the JSON, and takes changes."""

    def again(self, source, *arguments):
        """Without the -d of other tests: the length is the file's."""
        return smitin("generate", "--from", source, *arguments, folder=self.folder)

    def assert_same(self, a, b):
        self.assertEqual((self.folder / a).read_bytes(), (self.folder / b).read_bytes())

    def test_every_container(self):
        for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
            result = self.generate("-s", 77, "-d", 1.3, "-p", "slow jazz \u2603 \u65e5\u672c", "--temp", 0.9, "--cfg", 2.7, "--rate",
                                   16000, "--quiet", "-o", name)
            self.assertEqual(result.returncode, 0, result.stderr)
            for source in (name, "a.json"):
                with self.subTest(source):
                    result = self.again(source, "--quiet", "-o", "b.wav")
                    self.assertEqual((result.returncode, result.stderr), (0, b""))
                    self.assertEqual(self.again(source, "--quiet", "-o", "-").stdout, (self.folder / "b.wav").read_bytes())
                    if name == "a.wav":
                        self.assert_same("a.wav", "b.wav")
                        (self.folder / "first.wav").write_bytes((self.folder / "b.wav").read_bytes())
                    self.assert_same("first.wav", "b.wav")

    def test_settings_of_the_sampler_and_the_output(self):
        for case in (["--top-k", 7], ["--top-p", 0.7], ["--temp", 0], ["--bits", 24, "--lufs", -30, "--rate", 48000],
                     ["--cpu-level", "ref"], ["--lufs", -20, "--level", "running", "--rate", 48000, "--bits", "32f"]):
            with self.subTest(case):
                self.assertEqual(self.generate("-s", 3, *case, "--quiet", "-o", "a.wav").returncode, 0)
                self.assertEqual(self.again("a.wav", "--quiet", "-o", "b.wav").returncode, 0)
                self.assert_same("a.wav", "b.wav")

    def test_one_of_many(self):
        self.assertEqual(self.generate("-s", 8, "-b", 3, "--quiet", "-o", "x.wav").returncode, 0)
        self.assertEqual(self.again("x-002.wav", "--quiet", "-o", "y.wav").returncode, 0)
        self.assert_same("x-002.wav", "y.wav")
        self.assertEqual(self.again("x-000.wav", "-b", 3, "--quiet", "-o", "z.wav").returncode, 0)
        for i in range(3):
            self.assert_same("x-%03d.wav" % i, "z-%03d.wav" % i)

    def test_clips(self):
        """The part of the clip that was used, also when another clip made it shorter."""
        write_wav(self.folder / "long.wav", tone(3.1, 44100), 44100)
        write_wav(self.folder / "short.wav", tone(0.3))
        self.assertEqual(self.generate("-i", "long.wav", "--input-seconds", 0.5, "-s", 2, "--quiet", "-o", "a.wav").returncode, 0)
        self.assertEqual(self.again("a.wav", "--quiet", "-o", "b.wav").returncode, 0)
        self.assert_same("a.wav", "b.wav")
        (self.folder / "many").mkdir()
        result = self.generate("-i", "long.wav", "-i", "short.wav", "--input-seconds", 0.5, "-s", 2, "--quiet", "--keep-prompt",
                               "no", "-o", "many")
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ("long.wav", "short.wav"):
            self.assertEqual(self.again("many/" + name, "--quiet", "-o", "b.wav").returncode, 0)
            self.assert_same("many/" + name, "b.wav")
        write_wav(self.folder / "long.wav", tone(3.1, 44100, 120), 44100)
        result = self.again("a.wav", "-o", "b.wav", "--quiet")
        self.assertEqual(result.returncode, 0)
        self.assertIn("another clip", result.stderr.decode())

    def test_changes(self):
        self.assertEqual(self.generate("-s", 1, "-p", "slow jazz", "--quiet", "-o", "a.wav").returncode, 0)
        result = self.again("a.wav", "-s", 2, "-d", 0.5, "-p", "fast rock", "--quiet", "-o", "b.wav")
        self.assertEqual(result.returncode, 0, result.stderr)
        settings = json.loads((self.folder / "b.json").read_text())
        self.assertEqual((settings["seed"], settings["seconds"], settings["prompt"]), (2, 0.5, "fast rock"))
        self.assertEqual(self.generate("-s", 2, "-d", 0.5, "-p", "fast rock", "--quiet", "-o", "c.wav").returncode, 0)
        self.assert_same("b.wav", "c.wav")

    def test_another_model_is_said(self):
        self.assertEqual(self.generate("-s", 1, "--quiet", "-o", "a.wav").returncode, 0)
        settings = json.loads((self.folder / "a.json").read_text())
        settings["fingerprint"] = "0" * 64
        (self.folder / "other.json").write_text(json.dumps(settings))
        result = self.again("other.json", "--quiet", "-o", "b.wav")
        self.assertEqual(result.returncode, 0)
        self.assert_refused(result, 0, "another model", "000000000000")

    def test_refusals(self):
        write_wav(self.folder / "plain.wav", tone(0.3))
        self.assert_refused(self.again("plain.wav"), 1, "no settings")
        self.assert_refused(self.again("nowhere.wav"), 1, "nowhere.wav")
        for text in ("", "[]", "{}", "nonsense", '{"smitin": 1}', '{"smitin": "0", "seed": [1]}',
                     '{"smitin": "0", "knobs": [{"alpha": 1}]}'):
            (self.folder / "bad.json").write_text(text)
            self.assert_refused(self.again("bad.json"), 1, "bad.json")
        (self.folder / "bad.json").write_text('{"smitin": "0", "seed": -5}')
        self.assert_refused(self.again("bad.json"), 2, "--seed")
        self.assertEqual(self.generate("-s", 1, "--quiet", "-o", "a.wav").returncode, 0)
        for source in ("a.wav", "a.json"):
            self.assert_refused(self.again(source, "-o", "a.wav"), 2, "overwritten")
        self.assertEqual(self.generate("-s", 1, "-p", "la " * 800, "--quiet", "-o", "long.wav").returncode, 2)  # too many tokens
        self.assertEqual(self.generate("-s", 1, "-p", " " * 2000, "--quiet", "-o", "long.wav").returncode, 0)
        self.assert_refused(self.again("long.wav", "-o", "b.wav"), 1, "too long for the tags", ".json")
        self.assertEqual(self.again("long.json", "--quiet", "-o", "b.wav").returncode, 0)
        self.assert_same("long.wav", "b.wav")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

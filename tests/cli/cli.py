#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line as a person meets it: results, exit codes and messages. Usage: cli.py SMITIN TINY_MODEL [TEST ...]"""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import wave

SMITIN, MODEL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
RATE = 2000  # of the tiny model


def smitin(*arguments, folder=None, environment=None):
    return subprocess.run([SMITIN, *map(str, arguments)], capture_output=True, cwd=folder,
                          env={**os.environ, **(environment or {})})


def write_wav(path, samples, rate=RATE, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(32767 * x)) for x in samples for _ in range(channels)))


def tone(seconds, rate=RATE, frequency=110.0, loudness=0.5):
    return [loudness * math.sin(2 * math.pi * frequency * i / rate) for i in range(int(seconds * rate))]


class Case(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def generate(self, *arguments, **keywords):
        return smitin("generate", "-m", MODEL, "-d", "1", *arguments, folder=self.folder, **keywords)

    def assert_refused(self, result, code, *words):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(text.count("\n"), 1, "one message: " + text)
        self.assertTrue(text.startswith("smitin: "), text)

    def assert_left(self, *names):
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), sorted(names))


class Usage(Case):
    def test_help(self):
        for arguments in (["--help"], ["generate", "--help"], ["knob", "--help"], ["knob", "train", "-h"],
                          ["knob", "info", "-h"]):
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
            (["--cpu-level", "mmx"], "mmx"), (["-d", "100"], "range"),
        ):
            with self.subTest(arguments):
                self.assert_refused(self.generate(*arguments), 2, word)
                self.assert_left()
        self.assertEqual(smitin().returncode, 2)
        self.assert_refused(smitin("dance"), 2, "dance")


class Generate(Case):
    def test_same_seed_same_file(self):
        for name, seed in (("a", 5), ("b", 5), ("c", 6)):
            result = self.generate("-s", seed, "-o", name + ".wav", "-t", "1" if name == "a" else "3")
            self.assertEqual(result.returncode, 0, result.stderr)
        with wave.open(str(self.folder / "a.wav")) as file:
            self.assertEqual((file.getnchannels(), file.getframerate(), file.getnframes()), (1, RATE, RATE))
        audio = [wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in "abc"]
        self.assertEqual(audio[0], audio[1])
        self.assertNotEqual(audio[0], audio[2])
        settings = json.loads((self.folder / "a.json").read_text())
        self.assertEqual(settings["seed"], 5)
        self.assertEqual(len(settings["fingerprint"]), 64)
        self.assert_left("a.wav", "b.wav", "c.wav", "a.json", "b.json", "c.json")

    def test_seed_is_told(self):
        result = self.generate("-o", "a.wav")
        seed = json.loads((self.folder / "a.json").read_text())["seed"]
        self.assertIn("seed %d" % seed, result.stderr.decode())

    def test_variations_are_single_runs(self):
        self.assertEqual(self.generate("-b", 3, "-s", 8, "-q", "-o", "x.wav").returncode, 0)
        self.assertEqual(self.generate("-s", 10, "-q", "-o", "y.wav").returncode, 0)
        self.assert_left("y.json", "y.wav", *("x-00%d.%s" % (i, s) for i in range(3) for s in ("wav", "json")))
        third = wave.open(str(self.folder / "x-002.wav")).readframes(RATE)
        self.assertEqual(third, wave.open(str(self.folder / "y.wav")).readframes(RATE))

    def test_pipe(self):
        result = self.generate("-o", "-", "-s", 1)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout[:4], b"RIFF")
        self.assertGreaterEqual(len(result.stdout), 2 * RATE)
        self.assertRegex(result.stderr.decode(), r"first sound after \d+\.\d\d s\n$")
        self.assert_left()

    def test_a_pipe_gets_the_bytes_of_the_file(self):
        """Tags, header and samples, also where the limiter is at work, as it is on this model's noise."""
        write_wav(self.folder / "clip.wav", tone(0.333))
        for case in (["-s", 3], ["-s", 4, "--bits", 24, "-p", "slow jazz"], ["-s", 5, "--bits", 32, "-i", "clip.wav"],
                     ["-s", 6, "--rate", 4410], ["-s", 6, "--lufs", "-20", "--level", "running", "--rate", 48000],
                     ["-s", 6, "-i", "clip.wav", "--keep-prompt", "no"]):
            with self.subTest(case):
                self.assertEqual(self.generate(*case, "-q", "-o", "file.wav").returncode, 0)
                piped = self.generate(*case, "-q", "-o", "-")
                self.assertEqual(piped.returncode, 0, piped.stderr)
                self.assertEqual(piped.stdout, (self.folder / "file.wav").read_bytes())
        self.assertLess(json.loads((self.folder / "file.json").read_text())["limited_db"], 0)

    def test_a_pipe_plays_at_once(self):
        """The pipe would hold the whole piece: were it sent at the end, the first read would always get all of it."""
        command = [SMITIN, "generate", "-m", MODEL, "-d", "5", "-s", "1", "-t", "1", "--cpu-level", "ref", "-o", "-"]
        for _ in range(10):  # on a busy machine the first read may come late
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                first = os.read(process.stdout.fileno(), 1 << 16)
                rest = process.stdout.read()
            self.assertEqual(process.returncode, 0)
            self.assertEqual(first[:4], b"RIFF")
            total = len(first) + len(rest)
            self.assertLess(total, 1 << 16)
            self.assertEqual(struct.unpack("<I", first[4:8])[0], total - 8)
            if len(first) < total // 2:
                return
        self.fail("nothing came before the end")

    def test_text(self):
        for name, text in (("a", "slow jazz"), ("b", "slow jazz"), ("c", "fast rock with drums"), ("d", "")):
            result = self.generate("-s", 2, "-p", text, "-q", "-o", name + ".wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        audio = [wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in "abcd"]
        self.assertEqual(audio[0], audio[1])
        self.assertEqual(len(set(audio)), 3)
        self.assertEqual(json.loads((self.folder / "c.json").read_text())["prompt"], "fast rock with drums")

    def test_json(self):
        result = self.generate("-o", "a.wav", "--json", "-q")
        self.assertEqual(json.loads(result.stdout)[0]["file"], "a.wav")

    def test_continue_clips_of_any_kind(self):
        write_wav(self.folder / "mono.wav", tone(0.4))
        write_wav(self.folder / "wide.wav", tone(0.4, 192000), 192000, 6)
        for clip in ("mono.wav", "wide.wav"):
            result = self.generate("-i", clip, "-o", "out.wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        result = self.generate("-i", "mono.wav", "-i", "wide.wav", "-o", "many/", "-q", "--keep-prompt", "no")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(wave.open(str(self.folder / "many" / "wide.wav")).getnframes(), RATE * 6 // 10)

    def test_one_sample(self):
        write_wav(self.folder / "one.wav", [0.5])
        result = self.generate("-i", "one.wav", "-o", "out.wav")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_bad_clips(self):
        (self.folder / "empty.wav").write_bytes(b"")
        (self.folder / "noise.wav").write_bytes(os.urandom(4096))
        write_wav(self.folder / "none.wav", [])
        write_wav(self.folder / "long.wav", tone(5))
        for clip, code in (("missing.wav", 1), ("empty.wav", 1), ("noise.wav", 1), ("none.wav", 1), ("long.wav", 2)):
            with self.subTest(clip):
                result = self.generate("-i", clip, "-o", "out.wav")
                self.assert_refused(result, code)
                self.assertFalse((self.folder / "out.wav").exists())

    def test_bad_outputs(self):
        self.assert_refused(self.generate("-o", "no/such/folder/x.wav"), 1, "no/such/folder")
        (self.folder / "file").write_text("")
        self.assert_refused(self.generate("-o", "file/x.wav"), 1, "file/")
        self.assert_refused(self.generate("-o", "-", "-b", "2"), 2, "folder")
        self.assert_left("file")

    def test_full_disk(self):
        os.symlink("/dev/full", self.folder / "full.wav")
        result = self.generate("-o", "full.wav", "-q")
        self.assert_refused(result, 1, "full.wav", "space")

    def test_missing_parts(self):
        self.assert_refused(smitin("generate", "-m", "nowhere", folder=self.folder), 3, "nowhere")
        speechless = self.folder / "speechless"
        speechless.mkdir()
        for part in pathlib.Path(MODEL).iterdir():
            if part.name != "spiece.model":
                (speechless / part.name).write_bytes(part.read_bytes())
        self.assert_refused(smitin("generate", "-m", speechless, "-d", "1", "-p", "jazz", folder=self.folder), 3,
                            "spiece.model")
        self.assert_refused(self.generate("--knob", "drums:5", "-o", "x.wav"), 3, "drums")
        self.assert_refused(self.generate("--trace", "t.csv", "-o", "x.wav", "-q"), 2, "--knob")

    def test_broken_models(self):
        for name in ("config.json", "model.safetensors", "spiece.model"):
            with self.subTest(name):
                broken = self.folder / ("model-" + name)
                broken.mkdir()
                for part in pathlib.Path(MODEL).iterdir():
                    data = part.read_bytes()
                    (broken / part.name).write_bytes(data[: len(data) // 2] if part.name == name else data)
                result = smitin("generate", "-m", broken, "-d", "1", "-o", self.folder / "x.wav")
                self.assertIn(result.returncode, (1, 3))
                self.assert_refused(result, result.returncode, name)
                if name == "spiece.model":
                    continue  # a model without one plays, but takes no text
                (broken / name).unlink()
                result = smitin("generate", "-m", broken, "-d", "1", "-o", self.folder / "x.wav")
                self.assert_refused(result, result.returncode, name)


class Output(Case):
    def test_every_format(self):
        """Each is read back by smitin itself, as a clip."""
        for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.MP3"):
            with self.subTest(name):
                result = self.generate("-s", 1, "--rate", 16000, "-o", name)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("1.00 s", result.stderr.decode())
                self.assertEqual(json.loads((self.folder / "a.json").read_text())["rate"], 16000)
                self.assertEqual(self.generate("-i", name, "-d", "2", "-q", "-o", "more.wav").returncode, 0)
        self.assertEqual((self.folder / "a.flac").read_bytes()[:4], b"fLaC")
        self.assertEqual((self.folder / "a.ogg").read_bytes()[:4], b"OggS")
        self.assertEqual((self.folder / "a.mp3").read_bytes()[:3], b"ID3")

    def test_a_folder_of_any_format(self):
        self.assertEqual(self.generate("-b", 2, "-o", "many/", "--format", "flac", "-q").returncode, 0)
        self.assertEqual(sorted(p.name for p in (self.folder / "many").iterdir()),
                         ["piece-%03d.%s" % (i, s) for i in range(2) for s in ("flac", "json")])

    def test_bits_and_rate(self):
        for bits, width in (("16", 2), ("24", 3)):
            self.assertEqual(self.generate("-s", 1, "--bits", bits, "--rate", 44100, "-q", "-o", "a.wav").returncode, 0)
            with wave.open(str(self.folder / "a.wav")) as file:
                self.assertEqual((file.getsampwidth(), file.getframerate(), file.getnframes()), (width, 44100, 44100))
        for name in ("32", "32f"):
            self.assertEqual(self.generate("-s", 1, "--bits", name, "-q", "-o", name + ".wav").returncode, 0)
        self.assertEqual((self.folder / "32.wav").read_bytes(), (self.folder / "32f.wav").read_bytes())
        self.assert_refused(self.generate("--bits", "32", "-o", "x.flac", "-q"), 2, "16 or 24")
        self.assert_refused(self.generate("-o", "x.mp3", "-q"), 2, "another rate")  # MP3 has no 2000 Hz
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
        self.assertEqual(self.generate("--lufs", -14, "-o", "-", "-q").returncode, 0)


class Knobs(Case):
    """A loud low tone against a quiet high one: a trait that a probe of any model finds."""

    def setUp(self):
        super().setUp()
        for kind, frequency, loudness in (("with", 60.0, 0.9), ("without", 700.0, 0.2)):
            (self.folder / kind).mkdir()
            for i in range(6):
                write_wav(self.folder / kind / ("%d.wav" % i), tone(3, RATE, frequency * (1 + 0.05 * i), loudness))

    def train(self, *arguments):
        return smitin("knob", "train", "-m", MODEL, "--with", "with", "--without", "without", "--name", "low",
                      "--clip-seconds", "0.4", "--pairs", "24", "--calibrate-pieces", "2", "--calibrate-seconds", "0.5",
                      *arguments, folder=self.folder)

    def test_train_turn_and_trace(self):
        result = self.train()
        self.assertEqual(result.returncode, 0, result.stderr)
        for suffix in ("safetensors", "csv", "png"):
            self.assertTrue((self.folder / ("low.knob." + suffix)).exists(), suffix)
        info = json.loads(smitin("knob", "info", "-m", MODEL, "--json", "low", folder=self.folder).stdout)
        self.assertGreater(info["best_accuracy"], 0.8)
        self.assertGreater(info["max_alpha"], 0)

        for name, knob in (("off", None), ("zero", "low:0"), ("on", "low:100%"), ("less", "low:-100%")):
            extra = ["--knob", knob, "--trace", name + ".csv"] if knob else []
            result = self.generate("-s", 3, "-q", "-o", name + ".wav", *extra)
            self.assertEqual(result.returncode, 0, result.stderr)
        audio = {n: wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in ("off", "zero", "on")}
        self.assertEqual(audio["off"], audio["zero"])
        piped = self.generate("-s", 3, "-q", "-o", "-", "--knob", "low:100%")
        self.assertEqual(piped.stdout, (self.folder / "on.wav").read_bytes())
        lines = (self.folder / "on.csv").read_text().splitlines()
        self.assertEqual(lines[0], "piece,knob,column,seconds,scheduled,presence,gain,dose,threshold")
        self.assertEqual(len(lines), 1 + 50 + 3)
        self.assertGreater((self.folder / "on.png").stat().st_size, 1000)

    def test_knob_of_another_model(self):
        self.assertEqual(self.train().returncode, 0)
        path = self.folder / "low.knob.safetensors"
        data = path.read_bytes()
        path.write_bytes(data[:-3])
        self.assert_refused(self.generate("--knob", "low:5", "-o", "x.wav"), 3, "low.knob.safetensors")
        self.assertFalse((self.folder / "x.wav").exists())

    def test_two_identical_trainings(self):
        self.assertEqual(self.train("-o", "a.knob.safetensors", "-t", "1").returncode, 0)
        self.assertEqual(self.train("-o", "b.knob.safetensors", "-t", "2").returncode, 0)
        self.assertEqual((self.folder / "a.knob.safetensors").read_bytes(), (self.folder / "b.knob.safetensors").read_bytes())

    def test_bad_data(self):
        self.assert_refused(smitin("knob", "train", "-m", MODEL, "--with", "with", folder=self.folder), 2, "--without")
        result = smitin("knob", "train", "-m", MODEL, "--with", "nowhere", "--without", "without", "--name", "x",
                        folder=self.folder)
        self.assert_refused(result, 1, "nowhere")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

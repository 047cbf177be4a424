#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line as a person meets it: results, exit codes and messages. Usage: cli.py SMITIN TINY_MODEL [TEST ...]"""
import csv
import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import wave

SMITIN, MODEL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MINI = pathlib.Path(__file__).resolve().parents[2] / "models" / "mini"
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
        self.assertEqual((figures["threads"], figures["rows"], figures["cache"]), (2, 2, "f16"))
        self.assertGreater(figures["read_bytes_per_second"], 1e7)
        peak = figures["peak_operations_per_second"]  # null on a CPU whose registers are not known
        self.assertTrue(peak is None or peak > 1e8, peak)
        self.assertEqual([f["weights"] for f in figures["formats"]], ["f32", "f16", "q8", "q4"])
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

    def interrupt(self, arguments, number, is_time):
        """Begin to generate with the mini model, send a signal when it is time; exit code and message."""
        process = subprocess.Popen([SMITIN, "generate", "-m", MINI, "-t", "1", *map(str, arguments)], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.time() + 60
        while not is_time(process) and process.poll() is None and time.time() < until:
            time.sleep(0.001)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors.decode().splitlines()

    def test_interrupt(self):
        """While music is made, decoded or played: one message, the signal's exit code, and nothing half-written."""
        (self.folder / "old.wav").write_bytes(b"of another time")
        said = ["smitin: interrupted; nothing half-written is left"]

        def writes(process):
            return any(p.suffix == ".tmp" for p in self.folder.iterdir())

        def makes(process):  # it is loaded, as it catches the signal, and has minutes of music to make
            status = pathlib.Path("/proc/%d/status" % process.pid).read_text()
            return int(status.split("SigCgt:")[1].split()[0], 16) >> (signal.SIGTERM - 1) & 1

        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.assertEqual(self.interrupt(["-d", 600, "-o", "old.wav"], number, makes), (128 + number, said))
                self.assert_left("old.wav")
        self.assertEqual(self.interrupt(["-d", 30, "-o", "old.wav"], signal.SIGINT, writes), (130, said))
        self.assert_left("old.wav")
        self.assertEqual((self.folder / "old.wav").read_bytes(), b"of another time")
        self.assertEqual(self.interrupt(["-d", 600, "-o", "-"], signal.SIGINT, lambda p: p.stdout.read(100)), (130, said))

    def test_whole_pieces_stay(self):
        first = self.folder / "piece-000.json"
        code, said = self.interrupt(["-d", 20, "-b", 4, "-o", "."], signal.SIGINT, lambda p: first.exists())
        self.assertEqual((code, said[-1]), (130, "smitin: interrupted; nothing half-written is left"))
        left = sorted(p.name for p in self.folder.iterdir())
        self.assertEqual(left, ["piece-%03d.%s" % (i, s) for i in range(len(left) // 2) for s in ("json", "wav")])
        self.assertLess(len(left), 8)
        with wave.open(str(self.folder / "piece-000.wav")) as file:
            self.assertEqual(file.getnframes(), 20 * file.getframerate())

    def test_folders_are_made(self):
        result = self.generate("--quiet", "-o", "a/b/c/")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.folder / "a" / "b" / "c" / "piece.wav").exists())
        (self.folder / "file").write_bytes(b"")
        self.assert_refused(self.generate("-o", "file/b/c/"), 1, "file/b/c/")

    def test_formats(self):
        """Every format plays; the settings name it; one thread and three make the same."""
        made = {}
        for weights, cache in (("file", "f16"), ("f32", "f32"), ("bf16", "f16"), ("q8", "q8"), ("q4", "f16")):
            for threads in ("1", "3"):
                name = "-".join((weights, cache, threads))
                result = self.generate("-s", 5, "-t", threads, "-q", weights, "--cache", cache, "-o", name + ".wav")
                self.assertEqual(result.returncode, 0, result.stderr)
                made[name] = wave.open(str(self.folder / (name + ".wav"))).readframes(RATE)
            self.assertEqual(made[name], made["-".join((weights, cache, "1"))])
            settings = json.loads((self.folder / (name + ".json")).read_text())
            self.assertEqual((settings.get("weights", "file"), settings.get("cache", "f16")), (weights, cache))
            again = smitin("generate", "--from", name + ".json", "-o", "again.wav", folder=self.folder)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(wave.open(str(self.folder / "again.wav")).readframes(RATE), made[name])
        self.assertNotEqual(made["q4-f16-1"], made["f32-f32-1"])

    def test_what_cannot_be_written_is_said_at_once(self):
        """Not after the day of music that is asked for here."""
        for arguments, words in ((["--bits", "32", "-o", "x.flac"], "choose 16 or 24"), (["-o", "x.mp3"], "not 1 at 2000 Hz"),
                                 (["--rate", "48000", "-o", "x.wav"], "larger than 4 GiB"),
                                 (["--rate", "12345", "--format", "mp3", "-o", "d/"], "not 1 at 12345 Hz")):
            result = subprocess.run([SMITIN, "generate", "-m", MODEL, "-d", "86400", *arguments], capture_output=True,
                                    cwd=self.folder, timeout=30)
            self.assert_refused(result, 2, words)
            self.assert_left()

    def test_bits_are_left_behind(self):
        """A 24-bit piece made again in a format without bits, or a loop in seconds, is no contradiction."""
        self.assertEqual(self.generate("-s", 5, "--bits", 24, "-o", "a.wav").returncode, 0)
        result = smitin("generate", "--from", "a.wav", "-o", "b.ogg", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        loop = ("generate", "-m", MODEL, "--bars", 1, "--bpm", 180, "--beats-per-bar", 3, "-o", "c.wav")
        self.assertEqual(smitin(*loop, folder=self.folder).returncode, 0)
        result = smitin("generate", "--from", "c.wav", "-d", 0.5, "-o", "d.wav", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_seed_is_told(self):
        result = self.generate("-o", "a.wav")
        seed = json.loads((self.folder / "a.json").read_text())["seed"]
        self.assertIn("seed %d" % seed, result.stderr.decode())

    def test_variations_are_single_runs(self):
        self.assertEqual(self.generate("-b", 3, "-s", 8, "--quiet", "-o", "x.wav").returncode, 0)
        self.assertEqual(self.generate("-s", 10, "--quiet", "-o", "y.wav").returncode, 0)
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
                self.assertEqual(self.generate(*case, "--quiet", "-o", "file.wav").returncode, 0)
                piped = self.generate(*case, "--quiet", "-o", "-")
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
            result = self.generate("-s", 2, "-p", text, "--quiet", "-o", name + ".wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        audio = [wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in "abcd"]
        self.assertEqual(audio[0], audio[1])
        self.assertEqual(len(set(audio)), 3)
        self.assertEqual(json.loads((self.folder / "c.json").read_text())["prompt"], "fast rock with drums")

    def test_json(self):
        result = self.generate("-o", "a.wav", "--json", "--quiet")
        self.assertEqual(json.loads(result.stdout)[0]["file"], "a.wav")

    def test_continue_clips_of_any_kind(self):
        write_wav(self.folder / "mono.wav", tone(0.4))
        write_wav(self.folder / "wide.wav", tone(0.4, 192000), 192000, 6)
        for clip in ("mono.wav", "wide.wav"):
            result = self.generate("-i", clip, "-o", "out.wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        result = self.generate("-i", "mono.wav", "-i", "wide.wav", "-o", "many/", "--quiet", "--keep-prompt", "no")
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
        result = self.generate("-o", "full.wav", "--quiet")
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
        self.assert_refused(self.generate("--trace", "t.csv", "-o", "x.wav", "--quiet"), 2, "--knob")

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

    def test_probes_in_other_formats(self):
        """The accuracies in the file are found again; what q4 changes is told, head by head."""
        result = self.train("--calibrate-pieces", "0")
        self.assertEqual(result.returncode, 0, result.stderr)
        test = ["knob", "test", "low", "-m", MODEL, "--with", "with", "--without", "without", "--clip-seconds", "0.4",
                "--pairs", "24", "--quiet"]
        same = smitin(*test, "--json", "-o", "same.csv", folder=self.folder)
        self.assertEqual((same.returncode, same.stderr), (0, b""))
        told = json.loads(same.stdout)
        info = json.loads(smitin("knob", "info", "-m", MODEL, "--json", "low", folder=self.folder).stdout)
        self.assertTrue(told["same_model"])
        self.assertEqual(told["clips"], told["clips_file"])
        self.assertEqual(told["best_head_of_file"]["accuracy_file"], info["best_accuracy"])
        self.assertEqual(told["best_head_of_file"]["accuracy_here"], info["best_accuracy"])
        self.assertAlmostEqual(told["mean_accuracy_here"], info["mean_accuracy"], 6)
        self.assertEqual((told["mean_change"], told["largest_change"]), (0, 0))
        rows = (self.folder / "same.csv").read_text().split()
        self.assertEqual((rows[0], len(rows)), ("layer,head,accuracy_file,accuracy_here", 1 + 3 * 4))
        self.assertEqual(rows[1:], [",".join(r.split(",")[:2] + [r.split(",")[2]] * 2) for r in rows[1:]])
        rough = smitin(*test, "-q", "q4", "-o", "q4.csv", folder=self.folder)
        self.assertEqual((rough.returncode, rough.stderr), (0, b""))
        self.assertIn(b"weights q4", rough.stdout)
        self.assertNotEqual((self.folder / "q4.csv").read_text(), (self.folder / "same.csv").read_text())

    def test_probes_are_refused(self):
        self.train("--calibrate-pieces", "0")
        data = ["--with", "with", "--without", "without"]
        for arguments, code, word in ((["low"], 2, "--stems"), ([*data], 2, "name one knob"), (["no", *data], 3, '"no"'),
                                      (["low", *data, "--pairs", "0"], 2, "--pairs")):
            with self.subTest(arguments):
                self.assert_refused(smitin("knob", "test", "-m", MODEL, *arguments, folder=self.folder), code, word)
        other = pathlib.Path(MODEL).parent / "melody"
        self.assert_refused(smitin("knob", "test", "-m", other, "low", *data, folder=self.folder), 3, "another model")

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
            result = self.generate("-s", 3, "--quiet", "-o", name + ".wav", *extra)
            self.assertEqual(result.returncode, 0, result.stderr)
        audio = {n: wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in ("off", "zero", "on")}
        self.assertEqual(audio["off"], audio["zero"])
        piped = self.generate("-s", 3, "--quiet", "-o", "-", "--knob", "low:100%")
        self.assertEqual(piped.stdout, (self.folder / "on.wav").read_bytes())
        for source in ("on.wav", "on.json"):
            again = smitin("generate", "--from", source, "--quiet", "-o", "again.wav", folder=self.folder)
            self.assertEqual((again.returncode, again.stderr), (0, b""))
            self.assertEqual((self.folder / "again.wav").read_bytes(), (self.folder / "on.wav").read_bytes())
        lines = (self.folder / "on.csv").read_text().splitlines()
        self.assertEqual(lines[0], "piece,knob,column,seconds,scheduled,presence,gain,dose,threshold")
        self.assertEqual(len(lines), 1 + 50 + 3)
        self.assertGreater((self.folder / "on.png").stat().st_size, 1000)

    def test_settings_of_knobs_come_again(self):
        self.assertEqual(self.train().returncode, 0)
        for case in (["--method", "iti", "--top-heads", 3], ["--method", "decay", "--decay", "exponential", "--decay-rate", 0.9],
                     ["--direction", "random", "--direction-seed", 5, "--every", 2, "--power", 1.5, "--lag"],
                     ["--threshold", 0.9, "--branch", "cond", "--statistic", "mean", "--monitor-heads", 2, "-p", "jazz"],
                     ["--method", "pid"], ["--method", "pid", "--pid", "0.7,0.1,0.3", "--every", 2],
                     ["--schedule", "up", "--schedule-to", 0.7, "--every", 1], ["--schedule", "down", "--method", "iti"],
                     ["--schedule", "window", "--schedule-from", 0.3, "--schedule-to", 0.5]):
            with self.subTest(case):
                self.assertEqual(self.generate("-s", 3, "--knob", "low:7.3", *case, "--quiet", "-o", "a.wav").returncode, 0)
                again = smitin("generate", "--from", "a.wav", "--quiet", "-o", "b.wav", folder=self.folder)
                self.assertEqual((again.returncode, again.stderr), (0, b""))
                self.assertEqual((self.folder / "a.wav").read_bytes(), (self.folder / "b.wav").read_bytes())
        data = (self.folder / "low.knob.safetensors").read_bytes()
        self.assertEqual(self.train("--seed", 2).returncode, 0)
        self.assertNotEqual(data, (self.folder / "low.knob.safetensors").read_bytes())
        again = smitin("generate", "--from", "a.wav", "--quiet", "-o", "b.wav", folder=self.folder)
        self.assert_refused(again, 0, "another knob")

    def test_schedules(self):
        self.assertEqual(self.train().returncode, 0)

        def gains(*arguments):
            result = self.generate("-s", 3, "--knob", "low:7", "--method", "iti", "--trace", "t.csv", "-o", "x.wav", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            rows = list(csv.DictReader((self.folder / "t.csv").read_text().splitlines()))
            return [float(row["gain"]) for row in rows], [int(row["scheduled"]) for row in rows]

        gain, due = gains("--schedule", "window", "--schedule-from", 0.3, "--schedule-to", 0.5)
        self.assertEqual(gain, [0.0] * 15 + [1.0] * 10 + [0.0] * 28)
        self.assertEqual(gain, due)
        gain, _ = gains("--schedule", "down", "--schedule-from", 0.2, "--schedule-to", 0.4)
        self.assertEqual(gain, [1.0] * 10 + [round(1 - i / 10, 5) for i in range(10)] + [0.0] * 33)
        knob = json.loads((self.folder / "x.json").read_text())["knobs"][0]
        self.assertEqual((knob["schedule"], knob["schedule_from"], knob["schedule_to"]), ("down", 0.2, 0.4))
        again = smitin("generate", "--from", "x.json", "--schedule", "constant", "--quiet", "-o", "y.wav", folder=self.folder)
        self.assertEqual((again.returncode, again.stderr), (0, b""))
        (self.folder / "y.wav").unlink()
        self.assertEqual(gains("--schedule", "constant"), ([1.0] * 53, [1] * 53))
        self.assert_refused(self.generate("--knob", "low:7", "--schedule-to", 0.5, "-o", "y.wav"), 2, "need a shape")
        for case, said in ((["up", "--schedule-from", 1], "only 1 s are made"), (["window"], "a beginning or an end"),
                           (["down", "--schedule-from", 0.5, "--schedule-to", 0.2], "cannot end at 0.2 s"),
                           (["hat"], "constant, up, down, window"), (["up", "--schedule-from", -1], "0..86400")):
            self.assert_refused(self.generate("--knob", "low:7", "--schedule", *case, "-o", "y.wav"), 2, said)
            self.assertFalse((self.folder / "y.wav").exists())

    def test_branches_are_told_apart(self):
        self.assertEqual(self.train().returncode, 0)
        jazz = ["-p", "jazz"]
        for branch, more, factor in (("both", jazz, 1), ("cond", jazz, 3), ("uncond", jazz, -2), ("cond", [*jazz, "--cfg", 1], 1),
                                     ("uncond", [*jazz, "--cfg", 0.25], 0.75), ("uncond", [], 1), ("cond", ["-p", ""], 1)):
            with self.subTest(branch=branch, more=more):
                result = self.generate("--knob", "low:7", "--method", "iti", "--branch", branch, *more, "--quiet", "-o", "x.wav")
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                knob = json.loads((self.folder / "x.json").read_text())["knobs"][0]
                self.assertEqual(knob["branch_factor"], factor)
                self.assertAlmostEqual(knob["guided_dose"], abs(factor) * knob["dose"], places=9)
                self.assertGreater(knob["dose"], 0)

    def test_controller(self):
        self.assertEqual(self.train().returncode, 0)
        result = self.generate("-s", 3, "--knob", "low:7", "--method", "pid", "--pid", "1,0.25,0", "--threshold", 0.5,
                               "--every", 2, "--trace", "t.csv", "-o", "x.wav", "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual(json.loads((self.folder / "x.json").read_text())["knobs"][0]["pid"], "1,0.25,0")
        rows = list(csv.DictReader((self.folder / "t.csv").read_text().splitlines()))
        heard = [float(row["presence"]) for row in rows]
        total = 0.0
        for column in range(2, len(rows), 2):  # the law again, from what the trace says was heard one column before
            missing = 0.5 - heard[column - 1]
            push = missing + total + 0.25 * missing
            if not (push > 1 and missing > 0 or push < 0 and missing < 0):
                total += 0.25 * missing
            self.assertAlmostEqual(float(rows[column]["gain"]), min(1, max(0, push)), delta=1e-4)
        for gains, said in (("1,2", "P,I,D"), ("1,2,3,4", "P,I,D"), ("1,2,nan", "P,I,D"), ("1,-2,3", "from 0 on"),
                            ("0,0,0", "never pushes")):
            self.assert_refused(self.generate("--knob", "low:7", "--method", "pid", "--pid", gains, "-o", "y.wav"), 2, said)

    def test_orthogonal(self):
        self.assertEqual(self.train().returncode, 0)
        self.assertEqual(self.train("--direction", "probe", "-o", "probe.knob.safetensors").returncode, 0)
        two = ["-s", 3, "--quiet", "--knob", "low:5", "--knob", "./probe.knob.safetensors:5", "--method", "iti"]
        for name, more in (("plain", []), ("apart", ["--orthogonal"])):
            result = self.generate(*two, *more, "-o", name + ".wav")
            self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertNotEqual((self.folder / "plain.wav").read_bytes(), (self.folder / "apart.wav").read_bytes())
        again = smitin("generate", "--from", "apart.wav", "--quiet", "-o", "again.wav", folder=self.folder)
        self.assertEqual((again.returncode, again.stderr), (0, b""))
        self.assertEqual((self.folder / "again.wav").read_bytes(), (self.folder / "apart.wav").read_bytes())
        self.assertTrue(all(knob["orthogonal"] for knob in json.loads((self.folder / "apart.json").read_text())["knobs"]))
        for name, knobs in (("off", []), ("zero", ["--knob", "low:0", "--knob", "./probe.knob.safetensors:0", "--orthogonal"])):
            self.assertEqual(self.generate("-s", 3, "--quiet", *knobs, "-o", name + ".wav").returncode, 0)
        audio = {n: wave.open(str(self.folder / (n + ".wav"))).readframes(RATE) for n in ("off", "zero")}
        self.assertEqual(audio["off"], audio["zero"])
        self.assert_refused(self.generate("--knob", "low:5", "--knob", "low:1", "--orthogonal", "-o", "x.wav"), 2,
                            "no direction of its own")
        self.assertFalse((self.folder / "x.wav").exists())

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

    def kill_training_at(self, name):
        """Begin to train a knob, and kill it as soon as its store holds `name`."""
        process = subprocess.Popen([SMITIN, *self.long_training], cwd=self.folder, stderr=subprocess.PIPE)
        until = time.time() + 60
        while not (self.folder / "low.knob.partial" / name).exists() and process.poll() is None and time.time() < until:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        errors = process.communicate()[1]
        self.assertEqual(process.returncode, -signal.SIGKILL, errors)

    long_training = ["knob", "train", "-m", MODEL, "--with", "with", "--without", "without", "--name", "low", "-t", "1",
                     "--clip-seconds", "0.2", "--pairs", "60", "--calibrate-pieces", "4", "--calibrate-seconds", "4"]

    def test_killed_training_goes_on(self):
        """What was heard is not heard again, wherever it was killed, and the knob has the bytes of an undisturbed run."""
        whole = smitin(*self.long_training, "-o", "whole.knob.safetensors", folder=self.folder)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.assertNotIn(b"were heard before", whole.stderr)
        self.kill_training_at("activations-00001.npy")
        store = self.folder / "low.knob.partial"
        made = {s["file"]: (store / s["file"]).stat().st_mtime_ns for s in json.loads((store / "manifest.json").read_text())["shards"]}
        self.assertIn("activations-00000.npy", made)
        self.assertFalse((self.folder / "low.knob.safetensors").exists())
        self.kill_training_at("draft.knob.safetensors")
        for name, when in made.items():
            self.assertEqual((store / name).stat().st_mtime_ns, when, "a finished shard was made again")
        self.assertFalse((self.folder / "low.knob.safetensors").exists())  # it was not calibrated
        (store / "draft.knob.safetensors.4711-0.tmp").write_bytes(b"of a run that was killed while it wrote")
        last = smitin(*self.long_training, folder=self.folder)
        self.assertEqual(last.returncode, 0, last.stderr)
        self.assertRegex(last.stderr.decode(), r"low.knob.partial: (\d+) of \1 clips were heard before")
        for suffix in ("safetensors", "csv"):
            self.assertEqual((self.folder / ("low.knob." + suffix)).read_bytes(),
                             (self.folder / ("whole.knob." + suffix)).read_bytes(), suffix)
        self.assert_left("with", "without", *(n + ".knob." + s for n in ("low", "whole") for s in ("csv", "png", "safetensors")))

    def test_what_others_heard_is_refused(self):
        self.kill_training_at("activations-00001.npy")
        for arguments, said in ((["--clip-seconds", "0.3"], "clips of 0.2 s, not 0.3 s"), (["-q", "q8"], "weights as"),
                                (["--seed", "7"], "other clips"), (["--pairs", "50"], "clips in shards of 32")):
            with self.subTest(arguments):
                self.assert_refused(smitin(*self.long_training, *arguments, "--quiet", folder=self.folder), 1, said, "remove that one")
        for file in (self.folder / "with").iterdir():  # other music under the same names
            write_wav(file, tone(3, RATE, 90, 0.8))
        result = smitin(*self.long_training, folder=self.folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"is not what it was", result.stderr.splitlines()[-1])
        self.assertTrue((self.folder / "low.knob.partial" / "activations-00000.npy").exists())

    def test_nothing_heard_nothing_left(self):
        for kind in ("with", "without"):
            for file in (self.folder / kind).iterdir():
                write_wav(file, tone(13, RATE, 60.0 + 10 * int(file.stem), 0.5))
        self.assert_refused(self.train("--clip-seconds", "6", "--pairs", "4", "--quiet"), 2, "hears at most", "--clip-seconds")
        self.assert_left("with", "without")

    def test_bad_data(self):
        self.assert_refused(smitin("knob", "train", "-m", MODEL, "--with", "with", folder=self.folder), 2, "--without")
        result = smitin("knob", "train", "-m", MODEL, "--with", "nowhere", "--without", "without", "--name", "x",
                        folder=self.folder)
        self.assert_refused(result, 1, "nowhere")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

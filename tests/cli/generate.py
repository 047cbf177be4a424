#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pieces as a person makes them: seeds, formats of the weights, pipes, clips, and what is wrong with files. Usage: generate.py SMITIN TINY_MODEL [TEST ...]"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import unittest
import wave

sys.dont_write_bytecode = True
from terminal import MINI, MODEL, RATE, SMITIN, Case, smitin, tone, write_wav  # noqa: E402


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
        return self.signal_when(is_time, number, "generate", "-m", MINI, "-t", "1", *arguments)

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
        for weights, cache in (("file", "auto"), ("f32", "f32"), ("bf16", "f16"), ("q8", "auto"), ("q8", "q8"), ("q4", "f16")):
            for threads in ("1", "3"):
                name = "-".join((weights, cache, threads))
                result = self.generate("-s", 5, "-t", threads, "-q", weights, "--cache", cache, "-o", name + ".wav")
                self.assertEqual(result.returncode, 0, result.stderr)
                made[name] = wave.open(str(self.folder / (name + ".wav"))).readframes(RATE)
            self.assertEqual(made[name], made["-".join((weights, cache, "1"))])
            settings = json.loads((self.folder / (name + ".json")).read_text())
            chosen = {"file": "f16", "q8": "q8"}[weights] if cache == "auto" else cache
            self.assertEqual((settings.get("weights", "file"), settings["cache"]), (weights, chosen))
            again = smitin("generate", "--from", name + ".json", "-o", "again.wav", folder=self.folder)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(wave.open(str(self.folder / "again.wav")).readframes(RATE), made[name])
        self.assertNotEqual(made["q4-f16-1"], made["f32-f32-1"])
        self.assertEqual(made["q8-auto-1"], made["q8-q8-1"])

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


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

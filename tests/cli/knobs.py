#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Knobs: trained, tested, turned and traced. Usage: knobs.py SMITIN TINY_MODEL [TEST ...]"""
import csv
import json
import pathlib
import signal
import sys
import unittest
import wave

sys.dont_write_bytecode = True
from terminal import MODEL, RATE, Case, smitin, tone, write_wav  # noqa: E402


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
        code, said = self.signal_when(lambda process: (self.folder / "low.knob.partial" / name).exists(), signal.SIGKILL, *self.long_training)
        self.assertEqual(code, -signal.SIGKILL, said)

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

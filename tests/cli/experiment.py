#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Experiments as a researcher runs them: killed, in shares, side by side, and joined.
Usage: experiment.py SMITIN TINY_MODEL RECOGNISER [TEST ...]"""
import collections
import csv
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import wave

import terminal

SMITIN, MODEL, RECOGNISER = (os.path.abspath(a) for a in sys.argv[1:4])
RATE = 2000  # of the tiny model
NOT_OURS = ("SMITIN_", "SLURM_", "PMI_", "OMPI_")


def write_wav(path, frequency, seconds=2.0, loud=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", int(32767 * loud * math.sin(2 * math.pi * frequency * i / RATE)))
                                  for i in range(int(seconds * RATE))))


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


KNOBS = {}


def setUpModule():
    """Two knobs, low and high: a loud low tone against a quiet high one, and the other way round."""
    with tempfile.TemporaryDirectory() as folder:
        for i in range(6):
            write_wav(pathlib.Path(folder) / "low" / ("%d.wav" % i), 60 + 3 * i, loud=0.9, seconds=3)
            write_wav(pathlib.Path(folder) / "high" / ("%d.wav" % i), 700 + 35 * i, loud=0.2, seconds=3)
        for name, other in (("low", "high"), ("high", "low")):
            result = subprocess.run([SMITIN, "knob", "train", "-m", MODEL, "--with", name, "--without", other, "--name", name,
                                     "--clip-seconds", "0.4", "--pairs", "24", "--calibrate-pieces", "2", "--calibrate-seconds", "0.5"],
                                    capture_output=True, cwd=folder)
            assert result.returncode == 0, result.stderr.decode()
            KNOBS[name] = (pathlib.Path(folder) / (name + ".knob.safetensors")).read_bytes()


class Case(terminal.Folder):
    def setUp(self):
        super().setUp()
        for i in range(3):
            write_wav(self.folder / "prompts" / ("%d.wav" % i), 100 + 40 * i)
        for name, data in KNOBS.items():
            (self.folder / (name + ".knob.safetensors")).write_bytes(data)

    def plan(self, **changes):
        plan = {"clips": "prompts", "texts": ["slow", "fast"], "seed": 5,
                "settings": {"model": MODEL, "seconds": 4, "input-seconds": 0.5},
                "conditions": [{"name": "free", "knob": "low:0"}, {"name": "smitin", "knob": "low:80%", "every": 2},
                               {"name": "asked", "prompt": "{text}, add bass", "cfg": 2.5, "keep-prompt": "no"},
                               {"name": "both", "prompt": "", "knob": ["low:40%", "high:-2.5"]}],
                "describe": {"recogniser": RECOGNISER}, **changes}
        (self.folder / "plan.json").write_text(json.dumps({k: v for k, v in plan.items() if v is not None}))
        return plan

    def start(self, *arguments, environment=None):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_OURS)}
        return subprocess.Popen([SMITIN, "eval", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=self.folder, env={**inherited, **(environment or {})})

    def run_eval(self, *arguments, code=0, environment=None):
        process = self.start(*arguments, environment=environment)
        text = process.communicate()[1].decode()
        self.assertEqual(process.returncode, code, text)
        return text

    def refuse(self, code, words, *arguments, environment=None):
        text = self.run_eval(*arguments, code=code, environment=environment)
        self.assertIn(words, text)
        self.assertTrue(text.startswith("smitin: "), text)
        return text

    def made(self, name, suffix):
        return sorted(str(p.relative_to(self.folder / name)) for p in (self.folder / name).rglob("piece-*" + suffix))


class Kills(Case):
    def kill_when(self, name, files):
        """Run, and kill once that many files are there."""
        process = self.start("run", "plan.json", "-o", name, "-t", "1", "--quiet")
        deadline = time.monotonic() + 120
        while len(list((self.folder / name).rglob("piece-*.*"))) < files:
            self.assertIsNone(process.poll(), "it ended before it was killed")
            self.assertLess(time.monotonic(), deadline)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -9)

    def test_five_kills(self):
        self.plan(traces=True)
        self.run_eval("run", "plan.json", "-o", "whole", "-t", "2")
        kept = {}
        for files in (1, 9, 25, 45, 65):  # of 90
            self.kill_when("killed", files)
            # What was there at an earlier kill is there still, the same file, and not one written again.
            now = {p: p.stat().st_ino for p in (self.folder / "killed").rglob("piece-*") if p.suffix != ".tmp"}
            for path, inode in kept.items():
                whole = path.with_name(path.name.split(".")[0] + ".json") in kept
                done = whole if path.name.endswith((".wav", ".trace.csv")) else True
                if done:
                    self.assertEqual(now.get(path), inode, path)
            kept = now
        # What a kill in the midst of writing leaves; whether one of the five fell there is chance.
        for name in ("experiment.json.77-0.tmp", "both/piece-0005.wav.77-0.tmp", "both/piece-0005.csv.77-3.tmp"):
            (self.folder / "killed" / name).write_text("half")
        (self.folder / "killed" / "experiment.json").unlink()
        self.run_eval("run", "plan.json", "-o", "killed", "-t", "1")
        self.assertEqual(tree(self.folder / "killed"), tree(self.folder / "whole"))
        self.assertEqual(len(self.made("whole", ".json")), 24)
        self.assertFalse(list(self.folder.rglob("*.tmp")))
        for name in ("killed", "whole"):
            self.run_eval("merge", name)
        self.assertEqual(tree(self.folder / "killed"), tree(self.folder / "whole"))

    def test_parts(self):
        self.plan(pieces=1)
        self.run_eval("run", "plan.json", "-o", "out")
        before = tree(self.folder / "out")
        stem = self.folder / "out" / "smitin" / "piece-0000"
        inodes = {s: stem.with_suffix(s).stat().st_ino for s in (".wav", ".json", ".csv")}
        stem.with_suffix(".csv").unlink()
        self.run_eval("run", "plan.json", "-o", "out")
        self.assertEqual(tree(self.folder / "out"), before)
        self.assertEqual(stem.with_suffix(".wav").stat().st_ino, inodes[".wav"])  # only its row was missing
        stem.with_suffix(".csv").unlink()
        stem.with_suffix(".json").unlink()
        stem.with_suffix(".wav").write_bytes(b"from a program that was killed before the JSON")
        self.run_eval("run", "plan.json", "-o", "out")
        self.assertEqual(tree(self.folder / "out"), before)
        for suffix in (".csv", ".wav"):
            stem.with_suffix(suffix).unlink()
        self.run_eval("run", "plan.json", "-o", "out")
        self.assertEqual(tree(self.folder / "out"), before)
        self.assertIn("4 of 4 pieces", self.run_eval("run", "plan.json", "-o", "out"))
        self.assertEqual(self.run_eval("run", "plan.json", "-o", "out", "--quiet"), "")


class Traces(Case):
    def test_traces(self):
        """As generate writes them, of pieces with knobs; whoever removes one gets it again; no table knows of them."""
        self.plan(pieces=2, describe={"plain": True})
        self.run_eval("run", "plan.json", "-o", "without")
        self.plan(pieces=2, describe={"plain": True}, traces=True)
        self.refuse(2, "another experiment than plan.json", "run", "plan.json", "-o", "without")
        self.run_eval("run", "plan.json", "-o", "out")
        self.assertEqual(self.made("out", ".trace.csv"), [c + "/piece-000%d.trace.csv" % i for c in ("both", "free", "smitin") for i in (0, 1)])
        result = subprocess.run([SMITIN, "generate", "-m", MODEL, "-d", "4", "-i", "prompts/1.wav", "--input-seconds", "0.5", "-s", "6", "-p", "slow",
                                 "--knob", "low:80%", "--every", "2", "--trace", "t.csv", "--quiet", "-o", "t.wav"], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        trace = self.folder / "out/smitin/piece-0001.trace.csv"
        self.assertEqual(trace.read_bytes(), (self.folder / "t.csv").read_bytes())
        self.assertFalse(list((self.folder / "out").rglob("*.png")))
        before = tree(self.folder / "out")
        trace.unlink()
        trace.with_name("piece-0001.csv").unlink()
        self.run_eval("run", "plan.json", "-o", "out")
        self.assertEqual(tree(self.folder / "out"), before)
        for path in (self.folder / "out").rglob("*.trace.csv"):
            path.unlink()
        for name in ("out", "without"):
            self.run_eval("merge", name)
            (self.folder / name / "experiment.json").unlink()
        self.assertEqual(tree(self.folder / "out"), tree(self.folder / "without"))


class Shares(Case):
    def test_shares(self):
        self.plan()
        self.run_eval("run", "plan.json", "-o", "one", "-t", "2")
        one = tree(self.folder / "one")
        for i in (3, 1, 2):
            self.run_eval("run", "plan.json", "-o", "three", "--shard", "%d/3" % i, "-t", "1")
            self.assertEqual(len(self.made("three", ".csv")), 8 * ((3, 1, 2).index(i) + 1))
        self.assertEqual(tree(self.folder / "three"), one)
        for i in range(3):  # an array 4-8:2
            self.run_eval("run", "plan.json", "-o", "array", "-t", "1", environment={
                "SLURM_ARRAY_TASK_ID": str(4 + 2 * i), "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_STEP": "2",
                "SLURM_ARRAY_TASK_COUNT": "3"})
            self.assertEqual(len(self.made("array", ".csv")), 8 * (i + 1))
        self.assertEqual(tree(self.folder / "array"), one)

    def test_ranks(self):
        """Each piece is made once, by whoever is free; a rank alone makes what the others do not."""
        self.plan()
        self.run_eval("run", "plan.json", "-o", "one", "-t", "2")
        for kind, rank, size in (("ompi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("pmi", "PMI_RANK", "PMI_SIZE"),
                                 ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            ranks = [self.start("run", "plan.json", "-o", kind, "-t", "1", environment={rank: str(i), size: "4"})
                     for i in range(3)]  # the fourth never comes
            lines = collections.Counter()
            for rank in ranks:
                text = rank.communicate()[1].decode()
                self.assertEqual(rank.returncode, 0, text)
                lines.update(line for line in text.splitlines() if line.endswith(".wav"))
            self.assertEqual(set(lines.values()), {1})
            self.assertEqual(len(lines), 24)
            self.assertEqual(tree(self.folder / kind), tree(self.folder / "one"))

    def test_refusals(self):
        self.plan()
        for shard in ("0/3", "4/3", "1", "1/0", "a/b", "1/3x", "-1/3", "1/999999999999999999999", ""):
            self.refuse(2, "--shard must be I/N", "run", "plan.json", "-o", "out", "--shard", shard)
        self.refuse(2, "1 to 100000", "run", "plan.json", "-o", "out", "--shard", "1/100001")
        self.refuse(2, "$PMI_SIZE is not set", "run", "plan.json", "-o", "out", environment={"PMI_RANK": "1"})
        self.refuse(2, "$SLURM_PROCID is not set", "run", "plan.json", "-o", "out", environment={"SLURM_STEP_NUM_TASKS": "2"})
        self.refuse(2, "\"x\"", "run", "plan.json", "-o", "out", environment={"PMI_RANK": "x", "PMI_SIZE": "2"})
        self.refuse(2, "share 5 of 2", "run", "plan.json", "-o", "out",
                    environment={"OMPI_COMM_WORLD_RANK": "4", "OMPI_COMM_WORLD_SIZE": "2"})
        self.refuse(2, "Slurm", "run", "plan.json", "-o", "out",
                    environment={"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "2"})
        self.assertFalse((self.folder / "out").exists())


class Results(Case):
    def test_pieces_are_those_of_generate(self):
        """The fifth piece: second clip, second text, fifth seed."""
        self.plan()
        self.run_eval("run", "plan.json", "-o", "out")
        for name, words in (("smitin", ["-p", "fast", "--knob", "low:80%", "--every", "2"]),
                            ("asked", ["-p", "fast, add bass", "--cfg", "2.5", "--keep-prompt", "no"]),
                            ("both", ["--knob", "low:40%", "--knob", "high:-2.5"])):
            result = subprocess.run([SMITIN, "generate", "-m", MODEL, "-d", "4", "-i", "prompts/1.wav", "--input-seconds", "0.5", "-s", "9",
                                     *words, "--quiet", "-o", name + ".wav"], cwd=self.folder, capture_output=True)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            piece = self.folder / "out" / name / "piece-0004"
            self.assertEqual(piece.with_suffix(".wav").read_bytes(), (self.folder / (name + ".wav")).read_bytes())
            ours, theirs = (json.loads(p.read_text()) for p in (piece.with_suffix(".json"), self.folder / (name + ".json")))
            self.assertEqual((ours.pop("file"), theirs.pop("file")), (name + "/piece-0004.wav", name + ".wav"))
            self.assertEqual(ours, theirs)
        row, = rows_of(self.folder / "out" / "smitin" / "piece-0004.csv")
        self.assertEqual((row["file"], row["condition"], row["piece"], row["seed"], row["skipped"], row["text"], row["prompt"]),
                         ("smitin/piece-0004.wav", "smitin", "4", "9", "0.5", "fast", "prompts/1.wav"))
        self.assertEqual(row["seconds"], "3.5")
        bare, = rows_of(self.folder / "out" / "asked" / "piece-0004.csv")  # without its clip there is nothing to leave out
        self.assertEqual((bare["skipped"], bare["seconds"], bare["text"]), ("0", "3.5", "fast, add bass"))
        success = json.loads((self.folder / "out/smitin/piece-0004.json").read_text())["knobs"][0]["success"]
        self.assertAlmostEqual(float(row["success_low"]), success, delta=1e-6)  # seven digits

    def test_merge(self):
        for i in range(2):
            write_wav(self.folder / "real" / ("%d.wav" % i), 200 + 50 * i, seconds=6)
        self.plan(reference="real")
        self.run_eval("run", "plan.json", "-o", "out")
        text = self.run_eval("merge", "out")
        self.assertIn("24 pieces", text)
        self.assertIn("(and 4 more sets as few), too few for a covariance", text)
        self.assertEqual(text.count("too few"), 1, text)
        rows = rows_of(self.folder / "out" / "table.csv")
        self.assertEqual([(r["condition"], r["piece"]) for r in rows],
                         [(c, str(i)) for c in ("free", "smitin", "asked", "both") for i in range(6)])
        found = {(r["condition"], r["measure"]): r for r in rows_of(self.folder / "out" / "summary.csv")}
        for condition, measure in (("free", "success_low"), ("smitin", "dose_low"), ("both", "monitor_low"), ("both", "simultaneous"),
                                   ("asked", "presence_drums"), ("smitin", "peak_db")):
            values = [float(r[measure]) for r in rows if r["condition"] == condition and r[measure]]
            row = found[condition, measure]
            self.assertEqual(int(row["n"]), len(values))
            self.assertAlmostEqual(float(row["mean"]), sum(values) / len(values), delta=2e-6 * max(1, abs(sum(values))))  # seven digits
            self.assertLessEqual(float(row["low"]), float(row["mean"]))
            self.assertLessEqual(float(row["mean"]), float(row["high"]))
        for row in (r for r in rows if r["condition"] == "both"):
            both = float(row["success_low"]) > 0.5 and float(row["success_high"]) > 0.5
            self.assertEqual(row["simultaneous"], str(int(both)))
        self.assertNotIn(("asked", "success_low"), found)
        self.assertNotIn(("free", "simultaneous"), found)
        self.assertNotIn(("free", "frechet_first"), found)
        # The distance is that of the command, on the same audio without its prompts.
        for judged, reference, measure, skip in (("smitin", "out/free", "frechet_first", 0.5),):
            result = subprocess.run([SMITIN, "eval", "distance", "out/" + judged, reference, "--embed", "recogniser", "--recogniser",
                                     RECOGNISER, "--skip", str(skip), "--json"], cwd=self.folder, capture_output=True)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertAlmostEqual(float(found[judged, measure]["mean"]), json.loads(result.stdout)["frechet"], delta=1e-4)
        self.assertGreater(float(found["free", "frechet_reference"]["mean"]), 0)
        self.assertEqual(found["both", "frechet_reference"]["n"], "6")
        before = tree(self.folder / "out")
        (self.folder / "out" / "table.csv.7-0.tmp").write_text("half")
        self.run_eval("merge", "out/")
        self.assertEqual(tree(self.folder / "out"), before)
        narrow = self.run_eval("merge", "out", "--resamples", "200", "-s", "2")
        self.assertNotEqual(tree(self.folder / "out")["summary.csv"], before["summary.csv"], narrow)
        (self.folder / "out" / "both" / "piece-0003.csv").unlink()
        self.refuse(1, "1 of 24 pieces are not there, such as out/both/piece-0003.wav", "merge", "out")
        (self.folder / "out" / "both" / "piece-0003.csv").write_text("file\n")
        self.refuse(1, "not the row of one piece", "merge", "out")

    def test_another_knob(self):
        self.plan(pieces=2, describe={"plain": True})
        self.run_eval("run", "plan.json", "-o", "out", "--shard", "1/2")
        (self.folder / "low.knob.safetensors").write_bytes(KNOBS["high"])
        self.run_eval("run", "plan.json", "-o", "out")
        text = self.refuse(1, "low.knob.safetensors was another", "merge", "out")
        self.assertFalse((self.folder / "out" / "table.csv").exists(), text)

    def test_plain(self):
        self.plan(clips=None, texts=None, pieces=2, settings={"model": MODEL, "seconds": 1}, describe={"plain": True},
                  conditions=[{"name": "free"}])
        self.run_eval("run", "plan.json", "-o", "out")
        self.run_eval("merge", "out")
        rows = rows_of(self.folder / "out" / "table.csv")
        self.assertEqual([r["seed"] for r in rows], ["5", "6"])
        self.assertEqual([r["skipped"] for r in rows], ["0", "0"])
        self.assertNotIn("presence_drums", rows[0])
        self.assertNotIn("frechet", (self.folder / "out" / "summary.csv").read_text())


class Examples(unittest.TestCase):
    def test_all_conditions_are_sound(self):
        """Options and knobs are looked at before the folder, which here cannot be made."""
        root = pathlib.Path(__file__).resolve().parents[2]
        files = sorted((root / "experiments").glob("*.json"))
        self.assertTrue(files)
        for path in files:
            result = subprocess.run([SMITIN, "eval", "run", path, "-o", "/dev/null/out"], cwd=root, capture_output=True)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"the folder /dev/null/out cannot be made", result.stderr)


class Refusals(Case):
    def test_files(self):
        one = [{"name": "free"}]
        for words, changes in (
                ("is no key of an experiment", {"knobs": ["drums"]}),
                ("\"conditions\" must be a list", {"conditions": []}),
                ("condition 1: \"name\" must be a name for a folder", {"conditions": [{"knob": "low:0"}]}),
                ("condition 1: \"name\" must be", {"conditions": [{"name": "../out"}]}),
                ("condition 1: \"name\" must be", {"conditions": ["free"]}),
                ("name of another condition", {"conditions": one + one}),
                ("\"pieces\" must be a whole number from 1 to 100000", {"pieces": 0}),
                ("\"pieces\" must be", {"pieces": 1.5}),
                ("\"seed\" must be", {"seed": -1}),
                ("\"texts\" must be a list of texts", {"texts": "slow"}),
                ("\"traces\" must be true or false", {"traces": "yes"}),
                ("\"clips\" must be", {"clips": 3}),
                ("\"clips\" must be", {"clips": []}),
                ("settings: \"seed\" is given by the experiment itself", {"settings": {"seed": 3}}),
                ("condition \"free\": \"output\" is given by", {"conditions": [{"name": "free", "output": "x"}]}),
                ("condition \"free\": \"help\" is given by", {"conditions": [{"name": "free", "help": True}]}),
                ("\"threads\" is the same for all conditions", {"conditions": [{"name": "free", "threads": 1}]}),
                ("\"every\" must be a text, a number", {"conditions": [{"name": "free", "every": {}}]}),
                ("\"Top K\" is no name of an option", {"conditions": [{"name": "free", "Top K": 1}]}),
                ("no \"texts\" to put there", {"texts": None, "conditions": [{"name": "free", "prompt": "{text}"}]}),
                ("\"describe\" must be an object", {"describe": True}),
                ("describe: \"output\" is given", {"describe": {"output": "x"}})):
            with self.subTest(words):
                self.plan(**changes)
                self.assertIn("plan.json", self.refuse(1, words, "run", "plan.json", "-o", "out"))
        for text, words in (("", "empty"), ("[]", "must be one JSON object"), ("{\"seed\": 1,\n \"seed\": 2}", "line 2: duplicate"),
                            ("{\n\n  \"seed\" 1}", "line 3:"), ("\xff", "line 1:")):
            (self.folder / "plan.json").write_text(text, encoding="latin-1")
            self.refuse(1, words, "run", "plan.json", "-o", "out")
        self.refuse(1, "missing.json", "run", "missing.json", "-o", "out")
        self.assertFalse((self.folder / "out").exists())

    def test_options(self):
        """What generate, describe and the files say, and where it is."""
        settings = {"model": MODEL, "seconds": 1}
        last = [{"name": "free"}]
        for code, words, changes in (
                (2, "no option \"--strengh\"", {"conditions": last + [{"name": "odd", "strengh": 1}]}),
                (2, "--method must be one of", {"conditions": last + [{"name": "odd", "method": "magic"}]}),
                (2, "percentage", {"conditions": last + [{"name": "odd", "knob": "low:loud"}]}),
                (3, "there is no knob \"none\"", {"conditions": last + [{"name": "odd", "knob": "none:5"}]}),
                (3, "there is no model", {"settings": {"model": "none"}, "conditions": [{"name": "odd"}]})):
            with self.subTest(words):
                self.plan(**{"settings": settings, **changes})
                self.assertIn("of condition \"odd\" of plan.json", self.refuse(code, words, "run", "plan.json", "-o", "out"))
        self.plan(describe={"profile": "x"})
        self.assertIn("in \"describe\" of plan.json", self.refuse(2, "--profile", "run", "plan.json", "-o", "out"))
        self.plan(describe={"plain": True}, reference="real")
        self.refuse(2, "needs an encoder", "run", "plan.json", "-o", "out")
        (self.folder / "empty").mkdir()
        self.plan(clips="empty")
        self.refuse(2, "no audio files below 'empty'", "run", "plan.json", "-o", "out")
        self.plan(clips="nowhere")
        self.refuse(1, "nowhere", "run", "plan.json", "-o", "out")
        self.assertFalse((self.folder / "out").exists())

    def test_commands(self):
        self.plan()
        self.refuse(2, "one experiment file", "run", "plan.json")
        self.refuse(2, "one experiment file", "run", "-o", "out")
        self.refuse(2, "one folder", "merge")
        self.refuse(1, "nowhere/experiment.json", "merge", "nowhere")
        (self.folder / "file").write_text("")
        self.refuse(1, "file", "run", "plan.json", "-o", "file")
        self.plan(pieces=1)
        self.run_eval("run", "plan.json", "-o", "out")
        before = tree(self.folder / "out")
        self.plan(pieces=2)
        self.refuse(2, "another experiment than plan.json", "run", "plan.json", "-o", "out")
        self.plan(pieces=1)
        write_wav(self.folder / "prompts" / "00.wav", 90)  # another first clip
        self.refuse(2, "another experiment than plan.json", "run", "plan.json", "-o", "out")
        self.assertEqual(tree(self.folder / "out"), before)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])

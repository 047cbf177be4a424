#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smitin probe as a researcher meets it: data sets, stored activations, reports, interruptions, refusals. Usage:
probe.py SMITIN TINY_MODEL STEREO_MODEL [TEST ...]"""
import csv
import hashlib
import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
import time
import unittest
import wave

import terminal
from terminal import smitin

SMITIN, MODEL, STEREO = map(os.path.abspath, sys.argv[1:4])
RATE = 2000  # of the tiny model
LAYERS, HEADS, SIZE = 3, 4, 8


def write_tone(path, seconds, frequency, loudness, rate=RATE, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (loudness * math.sin(2 * math.pi * frequency * i / rate) for i in range(int(seconds * rate)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(32767 * x)) * channels for x in samples))


def read_npy(path):
    """Shape and float32 values of a file, by the format's own description."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {})
    assert header["descr"] == "<f4" and not header["fortran_order"] and (10 + length) % 64 == 0
    values = struct.unpack("<%df" % ((len(data) - 10 - length) // 4), data[10 + length:])
    return header["shape"], values


class Case(terminal.Folder):
    def probe(self, step, *arguments):
        return smitin("probe", step, *arguments, folder=self.folder)

    def ok(self, result):
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result

    def assert_refused(self, result, code, *words):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        for word in words:
            self.assertIn(word, text.splitlines()[-1])

    def manifest(self, name="act"):
        return json.loads((self.folder / name / "manifest.json").read_text())

    def report(self, name="act"):
        return json.loads((self.folder / name / "report" / "report.json").read_text())

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))


class Table(Case):
    """Three kinds of tones that any model tells apart, 12 files of each."""

    def setUp(self):
        super().setUp()
        random.seed(3)
        lines = ["path,split,label,labels,artist,tempo,pace"]
        for i in range(36):
            k = i % 3
            write_tone(self.folder / "audio" / f"{i:02d}.wav", 1.0 + 0.2 * (i % 2), (60, 250, 700)[k] * (1 + 0.02 * (i // 3)),
                       (0.9, 0.5, 0.2)[k])
            lines.append(f"{i:02d}.wav,{('train', 'train', 'valid', 'test')[i // 3 % 4]},{'abc'[k]},{('low;loud', 'mid|loud', 'high')[k]},"
                         f"artist {i // 6},{10 * k + random.random():.4f},{k}")
        (self.folder / "t.csv").write_text("\n".join(lines) + "\n")

    def extract(self, *arguments, step="extract", task="multilabel", columns="labels", out="act", seconds=0.4):
        return self.probe(step, "-m", MODEL, "--labels", "t.csv", "--audio", "audio", "--task", task, "--columns", columns,
                          "--seconds", seconds, "-o", out, *arguments)

    def test_activations_are_what_the_manifest_says(self):
        self.ok(self.extract("--shard", 10))
        m = self.manifest()
        self.assertEqual((m["layers"], m["heads"], m["head_size"], m["pooling"], m["complete"]), (LAYERS, HEADS, SIZE, "last", True))
        self.assertEqual(sorted(m["classes"]), ["high", "loud", "low", "mid"])
        self.assertEqual(m["classes"][0], "loud")  # the most frequent one
        values, rows = [], 0
        for shard in m["shards"]:
            shape, more = read_npy(self.folder / "act" / shard["file"])
            self.assertEqual(shape, (shard["rows"], LAYERS, HEADS * SIZE))
            values += more
            rows += shard["rows"]
        # Of 1 s and of 1.2 s: two and three clips of 0.4 s.
        self.assertEqual(rows, 18 * 2 + 18 * 3)
        self.assertEqual(rows, len(m["clips"]))
        for i, clip in enumerate(m["clips"]):
            self.assertEqual((clip["shard"], clip["row"]), (i // 10, i % 10))
        by_path = {c["path"]: c for c in m["clips"]}
        self.assertEqual([m["classes"][k] for k in by_path["01.wav"]["labels"]], ["loud", "mid"])
        # The hash is that of the samples heard, as float32.
        with wave.open(str(self.folder / "audio" / "00.wav")) as file:
            heard = struct.unpack("<800h", file.readframes(800))
        self.assertEqual(m["clips"][0]["sha256"], hashlib.sha256(struct.pack("<800f", *(x / 32768 for x in heard))).hexdigest())
        # Other batches, shards and threads: the same bits.
        self.ok(self.extract("--shard", 7, "-t", 1, out="other"))
        again = [v for s in self.manifest("other")["shards"] for v in read_npy(self.folder / "other" / s["file"])[1]]
        self.assertEqual(values, again)
        # And another pooling has others.
        self.ok(self.extract("--pool", "mean:3", out="pooled"))
        self.assertEqual(self.manifest("pooled")["pooling"], "mean:3")
        self.assertNotEqual(values, [v for s in self.manifest("pooled")["shards"]
                                     for v in read_npy(self.folder / "pooled" / s["file"])[1]])

    def test_every_task(self):
        for task, columns, measures in (("multilabel", "labels", ["accuracy", "f1", "auc", "ap"]), ("multiclass", "label", ["accuracy", "f1"]),
                                        ("regression", "tempo,pace", ["r2", "pearson"])):
            with self.subTest(task):
                result = self.ok(self.extract(step="run", task=task, columns=columns, out=task))
                report = self.report(task)
                self.assertEqual(list(report["summary"]), measures)
                self.assertEqual(report["task"], task)
                self.assertIn(b"report: ", result.stdout)
                for m in measures:
                    s = report["summary"][m]
                    grid = report["values"]["test"][m]
                    self.assertEqual([len(row) for row in grid], [HEADS] * LAYERS)
                    flat = [v for row in grid for v in row]
                    self.assertAlmostEqual(s["best_head_value"], max(flat), 6)
                    self.assertAlmostEqual(s["mean_of_heads"], sum(flat) / len(flat), 6)
                    self.assertAlmostEqual(grid[s["best_head"]["layer"]][s["best_head"]["head"]], max(flat), 6)
                    valid = report["values"]["valid"][m]
                    place = s["head_of_valid"]
                    self.assertEqual(valid[place["layer"]][place["head"]], max(v for row in valid for v in row))
                    self.assertAlmostEqual(s["head_of_valid_value"], grid[place["layer"]][place["head"]], 6)
                    if task == "multilabel":
                        self.assertGreaterEqual(s["best_head_per_label"], s["best_head_value"] - 1e-9)
                first = report["summary"][measures[0]]["best_head_value"]
                self.assertGreater(first, {"multilabel": 0.75, "multiclass": 0.6, "regression": 0.3}[task])
                names = {"heads.csv", "labels.csv", "heatmap.csv", "heatmap.png", "histogram.csv", "histogram.png", "layers.csv",
                         "layers.png", "report.json"} | ({"heads_by_label.csv"} if task != "multiclass" else set())
                self.assertEqual({p.name for p in (self.folder / task / "report").iterdir()}, names)
                heads = self.rows(f"{task}/report/heads.csv")
                self.assertEqual(len(heads), LAYERS * HEADS)
                for row in heads:
                    self.assertAlmostEqual(float(row["test_" + measures[0]]),
                                           report["values"]["test"][measures[0]][int(row["layer"])][int(row["head"])], 6)
                self.assertEqual(sum(int(r["heads"]) for r in self.rows(f"{task}/report/histogram.csv")), LAYERS * HEADS)
                self.assertEqual(len(self.rows(f"{task}/report/layers.csv")), LAYERS)
                for name in names:
                    if name.endswith(".png"):
                        self.assertEqual((self.folder / task / "report" / name).read_bytes()[1:4], b"PNG")

    def test_options_of_the_fit(self):
        self.ok(self.extract(task="binary", columns="labels", *["--trait", "loud"]))
        base = json.loads(self.ok(self.probe("fit", "act", "--json")).stdout)
        self.assertEqual((base["C"], base["standardised"], base["scored"], base["ranked_by"]), (1, False, "clips", "accuracy"))
        self.assertEqual(base["rows_scored"], base["clips"])
        one = json.loads(self.ok(self.probe("fit", "act", "--json", "-t", 1, "-o", "b")).stdout)
        self.assertEqual(one, base)
        for arguments, check in (
            (["--C", "0.001"], lambda r: r["C"] == 0.001), (["--standardise"], lambda r: r["standardised"]),
            (["--score-by", "track"], lambda r: r["rows_scored"]["test"] == 9 and r["clips"]["test"] > 9),
            (["--features", "layers"], lambda r: [len(x) for x in r["values"]["test"]["auc"]] == [1] * LAYERS),
        ):
            with self.subTest(arguments):
                other = json.loads(self.ok(self.probe("fit", "act", "--json", "-o", "o", *arguments)).stdout)
                self.assertTrue(check(other))
                self.assertNotEqual(other["values"], base["values"])
        self.assertEqual(json.loads(self.probe("fit", "act", "--json", "--rank-by", "ap").stdout)["ranked_by"], "ap")
        self.assertEqual(self.ok(self.probe("fit", "act", "--quiet")).stdout, b"")
        self.assert_refused(self.probe("fit", "act", "--rank-by", "key"), 2, "no measure 'key'", "accuracy, f1, auc, ap")

    def test_killed_and_resumed(self):
        """Killed at any point, the run ends with the bytes of one that was not, and redoes no finished shard."""
        arguments = ["probe", "extract", "-m", MODEL, "--labels", "t.csv", "--audio", "audio", "--task", "multilabel", "--columns",
                     "labels", "--seconds", "0.1", "--shard", "5", "--quiet", "-t", "1"]
        self.ok(smitin(*arguments, "-o", "whole", folder=self.folder))
        kills = 0
        made = {}
        for attempt in range(40):
            process = subprocess.Popen([SMITIN, *arguments, "-o", "act"], cwd=self.folder, stderr=subprocess.PIPE)
            before = len(list((self.folder / "act").glob("*.npy"))) if (self.folder / "act").exists() else 0
            until = time.time() + 20
            while kills < 5 and process.poll() is None and time.time() < until:
                if (self.folder / "act").exists() and len(list((self.folder / "act").glob("*.npy"))) > before + attempt:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.001)
            _, errors = process.communicate()
            for path, place in made.items():
                self.assertEqual((self.folder / "act" / path).stat().st_mtime_ns, place, "a finished shard was made again")
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, -signal.SIGKILL, errors)
            manifest = self.manifest()
            self.assertFalse(manifest["complete"])
            made = {s["file"]: (self.folder / "act" / s["file"]).stat().st_mtime_ns for s in manifest["shards"]}
            self.assert_refused(self.probe("fit", "act"), 1, "not complete", "extract again")
        self.assertGreater(kills, 0)
        names = sorted(p.name for p in (self.folder / "whole").iterdir())
        left = sorted(p.name for p in (self.folder / "act").iterdir())
        self.assertEqual(names, left)
        for name in names:
            self.assertEqual((self.folder / "whole" / name).read_bytes(), (self.folder / "act" / name).read_bytes(), name)

    def test_other_models_and_data_are_refused(self):
        self.ok(self.extract("--shard", 16, out="act"))
        before = {p.name: p.read_bytes() for p in (self.folder / "act").iterdir()}
        for arguments, word in ((["--pool", "mean:2"], "pooling of 1 steps, not 2"), (["--shard", 8], "shards of 16"),
                                (["-q", "q8"], "weights as file"), (["--per-file", 1], "90 clips"), (["--top", 2], "task of 4")):
            with self.subTest(arguments):
                self.assert_refused(self.extract("--shard", 16, *arguments), 1, word, "choose another folder")
        self.assert_refused(self.extract("--shard", 16, seconds=0.5), 1, "clips of 0.4 s, not 0.5 s")
        self.assert_refused(self.probe("extract", "-m", STEREO, "--labels", "t.csv", "--audio", "audio", "--task", "multilabel",
                                       "--columns", "labels", "--seconds", 0.4, "-o", "act", "--shard", 16), 1, "another model", "'tiny'")
        table = (self.folder / "t.csv").read_text()
        (self.folder / "t.csv").write_text(table.replace("04.wav,train", "04.wav,test"))
        self.assert_refused(self.extract("--shard", 16), 1, "other clips, from '04.wav'")
        (self.folder / "t.csv").write_text(table)
        self.ok(self.extract("--shard", 16))
        self.assertEqual(before, {p.name: p.read_bytes() for p in (self.folder / "act").iterdir()})
        write_tone(self.folder / "audio" / "00.wav", 1.0, 444, 0.3)  # the same length, another sound
        self.assert_refused(self.extract("--shard", 16), 1, "'00.wav'", "not what it was")
        (self.folder / "act" / "activations-00001.npy").write_bytes(before["activations-00001.npy"][:-4])
        self.assert_refused(self.probe("fit", "act"), 1, "activations-00001.npy")
        (self.folder / "act" / "manifest.json").write_text("{}")
        self.assert_refused(self.probe("fit", "act"), 1, "manifest.json", "extract them again")
        self.assert_refused(self.probe("fit", "nowhere"), 1, "nowhere")

    def test_bad_files_are_said_and_skipped(self):
        audio = self.folder / "audio"
        (audio / "00.wav").write_bytes(b"no audio")
        (audio / "01.wav").unlink()
        write_tone(audio / "02.wav", 0.3, 700, 0.2)
        write_tone(audio / "05.wav", 1.0, 700, 0.2, rate=44100, channels=2)  # another rate, stereo: fine
        whole = (audio / "09.wav").read_bytes()
        (audio / "09.wav").write_bytes(whole[:44] + b"\0" * 100)  # its header promises more
        result = self.ok(self.extract(step="run"))
        for word in ("00.wav", "01.wav", "02.wav"):
            self.assertIn(word, result.stderr.decode())
            self.assertTrue(any(word in note for note in self.manifest()["notes"]), word)
        paths = {c["path"] for c in self.manifest()["clips"] if "sha256" in c}
        self.assertEqual(len(paths), 36 - 4)
        self.assertIn("05.wav", paths)

    def test_files_that_break_on_the_way(self):
        """A FLAC whose end is missing: its header is fine, its last clips are not."""
        flac = self.folder / "audio" / "03.flac"
        self.ok(smitin("generate", "-m", MODEL, "-d", 4, "-s", 1, "-o", flac, "--quiet", folder=self.folder))
        flac.write_bytes(flac.read_bytes()[:flac.stat().st_size // 2])
        table = (self.folder / "t.csv").read_text()
        (self.folder / "t.csv").write_text(table.replace("03.wav", "03.flac"))
        result = self.ok(self.extract("--shard", 4))
        self.assertIn(b"03.flac", result.stderr)
        skipped = [c for c in self.manifest()["clips"] if "skipped" in c]
        self.assertTrue(0 < len(skipped) <= 10)  # of 4 s; what the library finds behind a hole is its own
        self.assertEqual({c["path"] for c in skipped}, {"03.flac"})
        self.ok(self.probe("fit", "act"))
        self.ok(self.extract("--shard", 4))  # goes on, having nothing to do

    def test_the_same_audio_on_both_sides_is_said(self):
        (self.folder / "audio" / "09.wav").write_bytes((self.folder / "audio" / "00.wav").read_bytes())
        self.assertIn(b"in the train split, too", self.ok(self.extract(step="run")).stderr)


class Sets(Case):
    def test_folders_and_gtzan(self):
        for genre, frequency in (("blues", 60), ("jazz", 700)):
            for i in range(8):
                write_tone(self.folder / "gtzan" / "genres" / genre / f"{genre}.{i:05d}.wav", 0.5, frequency + i, 0.6, rate=22050)
        for split, numbers in (("train", range(4)), ("valid", (4, 5)), ("test", (6, 7))):
            (self.folder / "gtzan" / f"{split}_filtered.txt").write_text(
                "".join(f"{g}/{g}.{i:05d}.wav\n" for g in ("blues", "jazz") for i in numbers))
        self.ok(self.probe("run", "-m", MODEL, "--data", "gtzan", "--dataset", "gtzan", "--seconds", 0.5, "-o", "act", "--quiet"))
        self.assertEqual(self.report()["clips"], {"train": 8, "valid": 4, "test": 4})
        self.assertTrue(self.report()["data"].startswith("GTZAN: 16 files"))
        result = self.ok(self.probe("run", "-m", MODEL, "--data", "gtzan/genres", "--dataset", "folders", "--seconds", 0.5, "-o", "f",
                                    "--test-share", 0.25))
        self.assertEqual(self.report("f")["clips"], {"train": 12, "valid": 0, "test": 4})
        self.assertNotIn(b"of valid", result.stdout)

    def test_keys(self):
        base = self.folder / "gs"
        for i in range(12):
            key = ("C major", "A minor", "G major")[i % 3]
            tone = (60, 250, 700)[i % 3] + i
            if i < 6:
                write_tone(base / "giantsteps-key-dataset" / "audio" / f"{i}.LOFI.wav", 0.9, tone, 0.5)
                path = base / "giantsteps-key-dataset" / "annotations" / "key" / f"{i}.LOFI.key"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(key)
            else:
                write_tone(base / "giantsteps-mtg-key-dataset" / "audio" / f"{i}.LOFI.wav", 0.9, tone, 0.5)
        path = base / "giantsteps-mtg-key-dataset" / "annotations" / "annotations.txt"
        path.parent.mkdir(parents=True)
        path.write_text("ID\tMANUAL KEY\tC\n" + "".join(f"{i}\t{('C major', 'A minor', 'G major')[i % 3]}\t2\n" for i in range(6, 12)))
        self.ok(self.probe("run", "-m", MODEL, "--data", "gs", "--dataset", "giantsteps", "--seconds", 0.4, "-o", "act",
                           "--rank-by", "key", "--score-by", "track"))
        report = self.report()
        self.assertEqual((report["rows_scored"]["test"], report["clips"]["test"]), (6, 12))
        key, accuracy = (report["summary"][m]["best_head_value"] for m in ("key", "accuracy"))
        self.assertGreaterEqual(key, accuracy)
        self.assertEqual(len(report["labels"]), 24)

    def test_pairs(self):
        """Stems and folders, as knobs have them: a binary task."""
        for i in range(6):
            write_tone(self.folder / "stems" / f"t{i}" / "drums.wav", 3, 60, 0.8)
            write_tone(self.folder / "stems" / f"t{i}" / "bass.wav", 3, 400 + i, 0.3)
            write_tone(self.folder / "with" / f"{i}.wav", 3, 60, 0.8)
            write_tone(self.folder / "without" / f"{i}.wav", 3, 500 + 10 * i, 0.3)
        for name, arguments in (("s", ["--stems", "stems", "--target", "drums"]), ("w", ["--with", "with", "--without", "without", "--trait", "hum"])):
            self.ok(self.probe("run", "-m", MODEL, *arguments, "--pairs", 20, "--seconds", 0.5, "-o", name, "--quiet"))
            report = self.report(name)
            self.assertEqual(report["task"], "binary")
            self.assertEqual(report["labels"][0]["label"], "drums" if name == "s" else "hum")
            self.assertEqual(sum(report["clips"].values()), 40)
            self.assertGreater(report["summary"]["accuracy"]["best_head_value"], 0.8)
        self.ok(self.probe("run", "-m", MODEL, "--stems", "stems", "--target", "drums,bass", "--pairs", 15, "--seconds", 0.5, "-o", "m", "--quiet"))
        self.assertEqual(self.report("m")["task"], "multilabel")
        self.assertEqual([x["label"] for x in self.report("m")["labels"]], ["drums", "bass"])
        self.assertGreater(self.report("m")["summary"]["accuracy"]["best_head_value"], 0.7)
        self.assert_refused(self.probe("run", "-m", MODEL, "--stems", "stems", "--target", "drums,flute", "-o", "x"), 2, "flute")


class Usage(Case):
    def test_help(self):
        for arguments in (["-h"], ["extract", "-h"], ["fit", "--help"], ["run", "-h"]):
            result = smitin("probe", *arguments)
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertIn(b"smitin probe", result.stdout)
        self.assertEqual(smitin("probe").returncode, 2)
        self.assertEqual(smitin("probe", "guess").returncode, 2)

    def test_silly_flags(self):
        table = ["--labels", "t.csv", "--audio", "a"]
        for arguments, word in (
            ([], "give one of"), (table, "--task NAME"), (table + ["--task", "magic"], "multilabel"), (["--data", "d"], "say what --data is"),
            (["--data", "d", "--dataset", "slakh"], "say what --data is"), (["--data", "d", "--dataset", "opera"], "gtzan"),
            (table + ["--task", "binary"], "--trait"), (["--with", "a"], "--without"), (["--stems", "s"], "--target"),
            (["--stems", "s", "--with", "w"], "give one of"), (["--data", "d", "--dataset", "gtzan", "--pool", "max"], "--pool"),
            (["--data", "d", "--dataset", "gtzan", "--pool", "mean:0"], "--pool"), (["--data", "d", "--dataset", "gtzan", "--task", "binary"], "--task"),
            (["--stems", "s", "--target", "x", "--top", 3], "--top"), (table + ["--task", "multilabel", "--seconds", 31], "--seconds"),
        ):
            with self.subTest(arguments):
                self.assert_refused(self.probe("extract", "-m", MODEL, "-o", "act", *arguments), 2, word)
        self.assert_refused(self.probe("extract", "--data", "d", "--dataset", "gtzan"), 2, "-o")
        self.assert_refused(self.probe("fit"), 2, "one folder")
        self.assert_refused(self.probe("extract", "-m", MODEL, "--data", "d", "--dataset", "gtzan", "-o", "act"), 2, "'d' is not GTZAN")
        self.assertFalse((self.folder / "act").exists())
        (self.folder / "one").mkdir()
        write_tone(self.folder / "one" / "x" / "a.wav", 1, 60, 0.5)
        write_tone(self.folder / "one" / "y" / "b.wav", 1, 60, 0.5)
        self.assert_refused(self.probe("extract", "-m", MODEL, "--data", "one", "--dataset", "folders", "--seconds", 1, "--pool", "mean:51",
                                       "-o", "act"), 2, "last 51")
        self.assert_refused(self.probe("extract", "-m", MODEL, "--data", "one", "--dataset", "folders", "--seconds", 6, "-o", "act"), 2, "at most")
        self.assertFalse((self.folder / "act").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The eval commands as a researcher meets them. Usage: eval.py SMITIN TINY_MODEL RECOGNISER [TEST ...]"""
import csv
import io
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import unittest
import wave

import terminal

SMITIN, MODEL, RECOGNISER = (os.path.abspath(a) for a in sys.argv[1:4])
RATE = 32000


def write_wav(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(32767 * x)) for x in samples))


def piece(seed, seconds=4.0, bpm=120, loud=0.3, tone=220.0):
    """Clicks over a tone and noise."""
    chance, beat = random.Random(seed), int(60 / bpm * RATE)
    return [loud * (0.3 * math.sin(2 * math.pi * tone * i / RATE) + 0.02 * chance.uniform(-1, 1) +
                    (0.6 * chance.uniform(-1, 1) if i % beat < 300 else 0)) for i in range(int(seconds * RATE))]


def npy(rows):
    """f32 [N, d] as numpy writes it."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + b"".join(struct.pack("<f", x) for r in rows for x in r)


class Case(terminal.Folder):
    def run_eval(self, *arguments):
        return subprocess.run([SMITIN, "eval", *map(str, arguments)], capture_output=True, cwd=self.folder,
                              env={k: v for k, v in os.environ.items() if k != "SMITIN_MODELS"})

    def output(self, *arguments):
        result = self.run_eval(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def rows(self, *arguments):
        return list(csv.DictReader(io.StringIO(self.output(*arguments))))

    def refuse(self, code, words, *arguments):
        result = self.run_eval(*arguments)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        self.assertIn(words, text)
        self.assertTrue(text.startswith("smitin: "), text)
        return text


class Distance(Case):
    def cache(self, name, model, count, shift, seed):
        """fadtk's layout: files of ten rows of four numbers."""
        chance, folder = random.Random(seed), self.folder / name / "embeddings" / model
        folder.mkdir(parents=True)
        for i in range(count):
            (folder / ("%02d.npy" % i)).write_bytes(npy([[chance.gauss(shift, 1) for _ in range(4)] for _ in range(10)]))

    def test_caches(self):
        self.cache("made", "clap", 20, 1.0, 1)
        self.cache("real", "clap", 30, 0.0, 2)
        found = json.loads(self.output("distance", "made", "real", "--json"))
        self.assertEqual((found["dimensions"], found["judged"]["embeddings"], found["reference"]["files"]), (4, 200, 30))
        self.assertAlmostEqual(found["frechet"], 4.0, delta=0.8)  # four means one apart; standard errors of .14 each
        self.assertAlmostEqual(found["fad_infinity"]["value"], found["frechet"], delta=0.5)
        self.assertGreater(found["kad"]["value"], 5.0)
        text = self.output("distance", "made", "real")
        for words in ("200 embeddings of 20 files", "300 embeddings", "frechet", "FAD-infinity", "seed 1", "KAD", "bandwidth"):
            self.assertIn(words, text)
        # Another order of files, another split into files: the same bits.
        moved = self.folder / "moved" / "embeddings" / "clap"
        moved.mkdir(parents=True)
        for i, path in enumerate(sorted((self.folder / "made" / "embeddings" / "clap").iterdir())):
            shutil.copy(path, moved / ("%d.npy" % (90 - i)))
        again = json.loads(self.output("distance", "moved", "real", "--json"))
        for key in ("frechet", "fad_infinity", "kad"):
            self.assertEqual(again[key], found[key])
        self.assertNotEqual(json.loads(self.output("distance", "made", "real", "--json", "-s", 2))["fad_infinity"], found["fad_infinity"])
        self.cache("real", "vggish", 2, 0.0, 3)
        self.refuse(2, "clap, vggish", "distance", "made", "real")
        self.assertEqual(json.loads(self.output("distance", "made", "real", "--cache", "clap", "--json"))["frechet"], found["frechet"])

    def test_fadtk(self):
        """Its own paths and its own distance, as tests/golden/make_fadtk.py had them of it."""
        golden = pathlib.Path(__file__).resolve().parents[1] / "golden" / "fadtk"
        expected = json.loads((golden / "expected.json").read_text())
        found = json.loads(self.output("distance", golden / "made", golden / "real", "--cache", "clap-laion-music", "--json"))
        for side in ("judged", "reference"):
            self.assertEqual((found[side]["files"], found[side]["embeddings"]), (expected["files"], expected["embeddings"]))
        # Roots of the smallest eigenvalues magnify the rounding of doubles; fadtk rounds its means to floats.
        self.assertAlmostEqual(found["frechet"], expected["frechet_double"], delta=1e-10)
        self.assertAlmostEqual(found["frechet"], expected["frechet"], delta=1e-7)

    def test_few(self):
        (self.folder / "a.npy").write_bytes(npy([[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
        result = self.run_eval("distance", "a.npy", "a.npy")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count(b"too few for a covariance of full rank"), 1)
        self.assertIn(b"(and 1 more set as few)", result.stderr)
        self.assertIn(b"FAD-infinity   none: ", result.stdout)
        self.assertRegex(result.stdout.decode(), r"frechet +(0|\d\.?\d*e-\d+)\n")

    def test_refusals(self):
        (self.folder / "a.npy").write_bytes(npy([[1, 2], [3, 5]]))
        (self.folder / "b.npy").write_bytes(npy([[1, 2, 3], [3, 5, 3]]))
        (self.folder / "bad.npy").write_bytes(b"\x93NUMPY")
        (self.folder / "empty").mkdir()
        self.refuse(2, "two sets", "distance", "a.npy")
        self.refuse(2, "2 and 3 dimensions", "distance", "a.npy", "b.npy")
        self.refuse(1, "bad.npy", "distance", "a.npy", "bad.npy")
        self.refuse(1, "--embed", "distance", "a.npy", "empty")
        self.refuse(2, "--skip", "distance", "a.npy", "a.npy", "--skip", 3)
        self.refuse(1, "missing", "distance", "a.npy", "missing.npy")
        self.refuse(3, "--recogniser FILE", "distance", "a.npy", "a.npy", "--embed", "recogniser")

    def test_audio(self):
        for i in range(3):
            write_wav(self.folder / "made" / ("%d.wav" % i), piece(i))
            write_wav(self.folder / "real" / ("%d.wav" % i), piece(10 + i, tone=300))
        (self.folder / "made" / "broken.wav").write_bytes(b"RIFF")
        hear = ("--recogniser", RECOGNISER)
        result = self.run_eval("distance", "made", "real", "--embed", "recogniser", *hear, "--skip", 1, "--json")
        found = json.loads(result.stdout)
        self.assertEqual((found["judged"]["files"], found["judged"]["embeddings"], found["embedding"]), (3, 6, "smitin-recogniser"))
        self.assertIn(b"skipped: ", result.stderr)
        self.assertIn(b"broken.wav", result.stderr)
        codec = json.loads(self.output("distance", "made", "real", "--embed", "codec", "-m", MODEL, "--json"))
        self.assertEqual((codec["dimensions"], codec["judged"]["embeddings"]), (16, 3 * 4 * 50))
        # Written for others, then read as any cache.
        written = self.output("embed", "made", "real", *hear).splitlines()
        self.assertEqual(len(written), 6)
        self.assertIn("made/embeddings/smitin-recogniser/0.npy", written)
        stored = json.loads(self.output("distance", "made", "real", "--json"))
        fresh = json.loads(self.output("distance", "made", "real", "--embed", "recogniser", *hear, "--json"))
        self.assertEqual((stored["frechet"], stored["kad"]), (fresh["frechet"], fresh["kad"]))


class Describe(Case):
    def test_rows(self):
        write_wav(self.folder / "on" / "a.wav", piece(1, seconds=6, bpm=100))
        write_wav(self.folder / "on" / "b.wav", [0.0] * RATE)
        write_wav(self.folder / "prompts" / "a.wav", piece(1, seconds=3, bpm=100, loud=0.15))
        write_wav(self.folder / "prompts" / "b.wav", piece(2, seconds=3))
        (self.folder / "on" / "a.json").write_text(json.dumps({"seed": 7, "knobs": [
            {"knob": "drums", "alpha": 5, "dose": 1.5, "success": 0.25, "success_half": 0.5,
             "removal": 0.125, "absence": 0.75}]}))
        rows = self.rows("describe", "on", "--prompts", "prompts", "--recogniser", RECOGNISER)
        first, silent = rows
        self.assertEqual((first["file"], first["condition"], first["seconds"]), ("on/a.wav", "on", "6"))
        self.assertAlmostEqual(float(first["bpm"]), 100, delta=0.5)
        self.assertEqual((first["tempo_agrees"], first["prompt"]), ("same", "prompts/a.wav"))
        self.assertAlmostEqual(float(first["loudness_change"]), 6.02, delta=0.3)
        self.assertGreater(float(first["similarity"]), 0.9)
        self.assertTrue(0 <= float(first["presence_drums"]) <= 1 and 0 < float(first["probability_piano"]) < 1)
        self.assertEqual((first["success_drums"], first["dose_drums"], first["success_half_drums"], first["seed"]), ("0.25", "1.5", "0.5", "7"))
        self.assertEqual((first["removal_drums"], first["absence_drums"]), ("0.125", "0.75"))
        for column in ("lufs", "bpm", "key", "presence_drums", "similarity", "success_drums"):
            self.assertEqual(silent[column], "", column)
        alone = json.loads(self.output("describe", "--plain", "on/a.wav", "--json"))
        self.assertEqual(alone[0]["bpm"], float(first["bpm"]))
        self.assertNotIn("presence_drums", alone[0])
        self.output("describe", "--plain", "on", "-o", "table.csv")
        self.assertEqual(len((self.folder / "table.csv").read_text().splitlines()), 3)

    def test_refusals(self):
        write_wav(self.folder / "a.wav", piece(1))
        self.refuse(3, "--recogniser FILE", "describe", "a.wav")
        self.refuse(2, "name audio", "describe", "--plain")
        self.refuse(1, "missing.wav", "describe", "--plain", "missing.wav")
        self.refuse(2, "--prompts", "describe", "--plain", "a.wav", "--prompt", "a.wav", "--prompts", ".")
        (self.folder / "text.wav").write_text("no audio")
        self.refuse(1, "text.wav", "describe", "--plain", "text.wav")
        self.refuse(3, "no recogniser", "describe", "a.wav", "--recogniser", os.path.join(MODEL, "model.safetensors"))


class Tables(Case):
    def write(self, name, text):
        (self.folder / name).write_text(text)

    def test_correlate(self):
        chance, lines, scores = random.Random(1), ["file,condition,success"], ["score,file"]
        for condition in ("add", "remove"):
            for i in range(30):
                x = chance.random()
                lines.append("out/%s/%d.wav,%s,%g" % (condition, i, condition, x))
                scores.append("%g,clips/%s/%d.flac" % (x + (0.2 if condition == "add" else 5) * chance.random(), condition, i))
        lines.append("out/add/alone.wav,add,0.5")
        lines.append("out/add/empty.wav,add,")
        scores.append("1,clips/add/empty.flac")
        self.write("success.csv", "\n".join(lines))
        self.write("scores.csv", "\n".join(scores))
        options = ("--x", "success", "--y", "score")
        result = self.run_eval("correlate", "success.csv", "scores.csv", *options, "--by", "condition")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"1 files with success are in no other table", result.stderr)
        self.assertIn(b"1 files have no number", result.stderr)
        rows = {r["condition"]: r for r in csv.DictReader(io.StringIO(result.stdout.decode()))}
        self.assertEqual(list(rows), ["add", "remove", "(mean)", "(all)"])
        self.assertGreater(float(rows["add"]["spearman"]), 0.9)
        self.assertLess(float(rows["remove"]["spearman"]), 0.5)
        mean = (float(rows["add"]["spearman"]) + float(rows["remove"]["spearman"])) / 2
        self.assertAlmostEqual(float(rows["(mean)"]["spearman"]), mean, places=6)
        for row in rows.values():
            self.assertLessEqual(float(row["low"]), float(row["spearman"]))
            self.assertLessEqual(float(row["spearman"]), float(row["high"]))
        self.assertEqual((rows["add"]["n"], rows["(all)"]["n"]), ("30", "60"))
        # The order of rows changes nothing, the seed does.
        self.write("turned.csv", "\n".join([scores[0]] + scores[:0:-1]))
        same = self.output("correlate", "success.csv", "turned.csv", *options, "--by", "condition")
        self.assertEqual(same, result.stdout.decode())
        self.assertNotEqual(self.output("correlate", "success.csv", "turned.csv", *options, "--by", "condition", "-s", 2), same)

    def test_correlate_refusals(self):
        self.write("a.csv", "file,x\na,1\nb,2\nc,3\n")
        self.write("b.csv", "file,y,x\na.wav,3,1\nb.wav,2,1\n")
        self.refuse(2, "--x and --y", "correlate", "a.csv")
        self.refuse(2, "no table has a column", "correlate", "a.csv", "--x", "x", "--y", "z")
        self.refuse(2, "both have a column \"x\"", "correlate", "a.csv", "b.csv", "--x", "x", "--y", "y")
        self.write("c.csv", "file,y\na.wav,3\nb.wav,2\n")
        self.refuse(1, "only 2 files", "correlate", "a.csv", "c.csv", "--x", "x", "--y", "y")
        self.write("d.csv", "name,y\na.wav,3\n")
        self.refuse(2, "--file", "correlate", "a.csv", "d.csv", "--x", "x", "--y", "y")
        self.write("e.csv", "file,y\na.wav,3\na.flac,2\n")
        self.refuse(2, "there twice", "correlate", "a.csv", "e.csv", "--x", "x", "--y", "y")
        self.refuse(1, "missing.csv", "correlate", "missing.csv", "--x", "x", "--y", "y")
        self.write("f.csv", 'file,y\n"a,3\n')
        self.refuse(1, "f.csv", "correlate", "f.csv", "--x", "x", "--y", "y")

    def test_mos(self):
        # The first README of the mean-opinion-score package, after CrowdMOS.
        self.write("one.csv", "s1,s2,s3,s4\n4,5,,4\n4,4,4,5\n,3,5,4\n,,,\n")
        self.write("two.csv", "s1,s2,s3,s4\n1,2,,\n1,1,1,\n,2,5,1\n,1,,1\n")
        rows = self.rows("mos", "--matrix", "one.csv", "two.csv")
        found = [("%.2f" % float(r["mos"]), "%.4f" % float(r["interval"])) for r in rows]
        self.assertEqual(found, [("4.20", "0.6997"), ("1.60", "1.7912")])
        self.write("bad.csv", "s1,s2\n1,x\n")
        self.refuse(1, "line 2: 'x' is no rating", "mos", "--matrix", "bad.csv")

    def test_answers(self):
        head = "listener,file,condition,quality,hears_drums\n"
        self.write("ada.csv", head + "ada,1.wav,a,5,1\nada,2.wav,a,3,0\nada,1.wav,b,2,\n")
        self.write("bob.csv", head + "bob,1.wav,a,4,1\nbob,2.wav,a,2,1\nbob,1.wav,b,1,0\nbob,1.wav,b,3,0\n")
        result = self.run_eval("mos", "ada.csv", "bob.csv")
        self.assertIn(b"1 answers were given again", result.stderr)
        rows = {r["condition"]: r for r in csv.DictReader(io.StringIO(result.stdout.decode()))}
        self.assertEqual((rows["a"]["mos"], rows["b"]["mos"], rows["(all)"]["ratings"]), ("3.5", "2.5", "6"))
        self.assertEqual((rows["a"]["hears_drums"], rows["b"]["hears_drums"], rows["(all)"]["files"]), ("0.75", "0", "3"))
        self.assertEqual(rows["b"]["interval"], "")  # one file
        files = self.rows("mos", "ada.csv", "bob.csv", "--files")
        self.assertEqual([(r["file"], r["condition"], r["quality"], r["ratings"]) for r in files],
                         [("1.wav", "a", "4.5", "2"), ("2.wav", "a", "2.5", "2"), ("1.wav", "b", "2.5", "2")])
        self.write("none.csv", "a,b\n1,2\n")
        self.refuse(1, "no column \"listener\"", "mos", "none.csv")
        self.write("text.csv", head + "ada,1.wav,a,good,1\n")
        self.refuse(1, "'good' is no number", "mos", "text.csv")
        self.refuse(2, "go together", "mos", "ada.csv", "--success", "x.csv")


class Clips(Case):
    def setUp(self):
        super().setUp()
        write_wav(self.folder / "in" / "on" / "a b.wav", piece(1, seconds=6))
        write_wav(self.folder / "in" / "off" / "a b.wav", piece(2, seconds=6, loud=0.05))

    def test_export(self):
        self.output("export", "in", "-o", "clips", "--skip", 3, "--seconds", 2, "--lufs", -20, "--rate", 16000)
        rows = list(csv.DictReader((self.folder / "clips" / "manifest.csv").read_text().splitlines()))
        self.assertEqual([(r["clip"], r["file"], r["condition"]) for r in rows],
                         [("off-a_b.wav", "in/off/a b.wav", "off"), ("on-a_b.wav", "in/on/a b.wav", "on")])
        for row in rows:
            self.assertAlmostEqual(float(row["lufs"]), -20, delta=0.1)
            self.assertEqual((row["start"], row["seconds"], row["rate"]), ("3", "2", "16000"))
            self.assertAlmostEqual(float(row["lufs"]) - float(row["lufs_before"]), float(row["gain_db"]), delta=0.1)
            with wave.open(str(self.folder / "clips" / row["clip"])) as file:
                self.assertEqual((file.getframerate(), file.getnframes()), (16000, 32000))
        # Without a loudness nothing is changed.
        self.output("export", "in/on", "-o", "plain")
        with wave.open(str(self.folder / "plain" / "on-a_b.wav")) as out, wave.open(str(self.folder / "in" / "on" / "a b.wav")) as file:
            self.assertEqual(out.readframes(10**6), file.readframes(10**6))

    def test_export_refusals(self):
        self.refuse(2, "-o DIR", "export", "in")
        self.refuse(1, "nothing to hear", "export", "in", "-o", "clips", "--skip", 60)
        self.assertFalse((self.folder / "clips").exists())

    def test_webmushra(self):
        self.output("listen", "in", "--webmushra", "lab", "--ask", "drums", "--seconds", 2, "--skip", 1, "--title", "Ours: \"two\"")
        text = (self.folder / "lab" / "smitin.yaml").read_text()
        self.assertEqual(sorted(p.name for p in (self.folder / "lab" / "clips").iterdir()), ["off-a_b.wav", "on-a_b.wav"])
        try:
            import yaml
        except ImportError:
            self.assertEqual(text.count("likert_single_stimulus"), 2)
            return
        found = yaml.safe_load(text)
        self.assertEqual(found["testname"], "Ours: \"two\"")
        welcome, clips, finish = found["pages"]
        self.assertEqual((welcome["type"], clips[0], finish["type"]), ("generic", "random", "finish"))
        self.assertEqual(clips[1]["stimuli"], {"in/off/a b.wav": "configs/resources/smitin/off-a_b.wav"})
        scales = clips[2]["response"]
        self.assertEqual(([r["value"] for r in scales[0]], [r["label"] for r in scales[1]]), (list("12345"), ["No", "Yes"]))

    def test_prompt_heard(self):
        self.output("listen", "in", "-o", "t.html", "--hear-prompt", "--skip", 1, "--seconds", 2, "--format", "wav", "--manifest", "m.csv")
        page = (self.folder / "t.html").read_text()
        self.assertIn('"ignore":1.0', page)
        self.assertIn('"seconds":3.0', page)
        rows = list(csv.DictReader((self.folder / "m.csv").read_text().splitlines()))
        self.assertAlmostEqual(float(rows[0]["lufs"]), -12, delta=0.5)
        self.assertLess(float(rows[0]["limited_db"]), 0)  # clicks at -12 LUFS do not fit without it
        self.assertGreater(float(rows[0]["peak_db"]), 0)

    def test_listen_refusals(self):
        self.refuse(2, "-o FILE.html", "listen", "in")
        self.refuse(2, "--ask", "listen", "in", "-o", "t.html", "--ask", "a,b")
        self.refuse(1, "nothing to hear", "listen", "in", "-o", "t.html", "--skip", 100)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["in"])


class Likelihood(Case):
    """The tiny model has 2,000 Hz, 50 frames a second, 4 codebooks of 64 codes, and hears 253 frames at once."""

    def setUp(self):
        super().setUp()
        for i in range(3):
            write_wav(self.folder / "music" / ("%d.wav" % i), piece(i, 1.21 + i), RATE)

    def table(self, *arguments):
        return self.rows("likelihood", "music", "-m", MODEL, "-t", 1, *arguments)

    def test_cross_entropy(self):
        rows = self.table()
        self.assertEqual([row["codebook"] for row in rows], ["all", "0", "1", "2", "3"])
        self.assertEqual([int(row["tokens"]) for row in rows], [4 * (60 + 110 + 160)] + [60 + 110 + 160] * 4)
        values = [float(row["cross_entropy"]) for row in rows]
        self.assertAlmostEqual(values[0], sum(values[1:]) / 4, places=5)
        self.assertGreater(values[0], 1)  # a model of random weights: near log 64 or worse
        for row in rows:
            self.assertEqual(row["files"], "3")
            self.assertLessEqual(float(row["cross_entropy_low"]), float(row["cross_entropy_high"]))
        self.assertNotIn("cost", rows[0])
        self.assertNotEqual(self.table("-p", "slow jazz")[0]["cross_entropy"], rows[0]["cross_entropy"])
        self.assertEqual(self.table("-p", ""), rows)
        self.assertEqual(self.table("-t", 3), rows)

    def test_windows(self):
        """Windows are clips of their own, and equal ones; a file that is cut by hand gives the same."""
        whole = self.table()
        cut = self.table("--seconds", 1)
        self.assertEqual(int(cut[1]["tokens"]), 2 * 30 + 3 * 36 + 4 * 40)
        self.assertNotEqual(cut[0]["cross_entropy"], whole[0]["cross_entropy"])
        (self.folder / "music" / "0.wav").unlink()
        (self.folder / "music" / "1.wav").unlink()
        windows = [self.table("--skip", 0.8 * i, "--length", 0.8)[0] for i in range(4)]
        self.assertEqual([int(w["tokens"]) for w in windows], [160] * 4)
        mean = sum(float(w["cross_entropy"]) for w in windows) / 4
        self.assertAlmostEqual(mean, float(self.table("--seconds", 0.8)[0]["cross_entropy"]), places=5)

    def test_files(self):
        rows = self.table("--by-file")
        self.assertEqual([row["file"] for row in rows[::5]], ["music/0.wav", "music/1.wav", "music/2.wav", "all"])
        weighted = sum(int(row["tokens"]) * float(row["cross_entropy"]) for row in rows[0:15:5])
        self.assertAlmostEqual(weighted / int(rows[15]["tokens"]), float(rows[15]["cross_entropy"]), places=5)
        told = json.loads(self.output("likelihood", "music", "-m", MODEL, "--by-file", "--json"))
        self.assertEqual([row["file"] for row in told], [row["file"] for row in rows])
        self.assertAlmostEqual(told[0]["cross_entropy"], float(rows[0]["cross_entropy"]), places=5)
        self.assertEqual(self.output("likelihood", "music", "-m", MODEL, "-o", "t.csv"), "")
        self.assertEqual(len((self.folder / "t.csv").read_text().splitlines()), 6)

    def test_agreement(self):
        same = self.table("-q", "f32", "--cache", "f32", "--against", "f32")
        for row in same:
            self.assertEqual(row["reference"], row["cross_entropy"])
            self.assertEqual([float(row[c]) for c in ("cost", "cost_low", "cost_high", "same_likeliest", "divergence_mean",
                                                      "divergence_p99", "difference_mean", "difference_p95", "difference_max")],
                             [0, 0, 0, 1, 0, 0, 0, 0, 0])
        off = {}
        for weights in ("q8", "q4"):
            row = off[weights] = {k: float(v) for k, v in self.table("-q", weights, "--against", "f32")[0].items() if k != "codebook"}
            self.assertAlmostEqual(row["cost"], row["cross_entropy"] - row["reference"], places=5)
            self.assertEqual(row["reference"], float(same[0]["cross_entropy"]))
            self.assertTrue(0 < row["divergence_mean"] < row["divergence_p99"], row)
            self.assertTrue(0 < row["difference_mean"] < row["difference_p95"] <= row["difference_max"], row)
        for measure in ("divergence_mean", "difference_mean", "difference_p95"):
            self.assertLess(off["q8"][measure], off["q4"][measure])
        self.assertGreater(off["q8"]["same_likeliest"], off["q4"]["same_likeliest"])
        cache = self.table("-q", "f32", "--cache", "q8", "--against", "f32", "--against-cache", "q8")
        self.assertEqual(float(cache[0]["difference_max"]), 0)
        self.assertGreater(float(self.table("-q", "f32", "--cache", "q8", "--against", "f32")[0]["difference_max"]), 0)

    def test_refusals(self):
        music = ("likelihood", "music", "-m", MODEL)
        for code, words, arguments in (
                (2, "name audio files", ("likelihood", "-m", MODEL)), (2, "--against", (*music, "--against-cache", "q8")),
                (2, "q8, q4", (*music, "--against", "q5")), (2, "at most 5.06 s", (*music, "--seconds", 6)),
                (2, "instead of a model", (*music, "--shape", "musicgen-small")),
                (2, "no vocabulary", ("likelihood", "music", "--shape", "musicgen-small", "-p", "jazz")),
                (1, "nowhere", ("likelihood", "nowhere", "-m", MODEL)), (3, "nowhere", ("likelihood", "music", "-m", "nowhere"))):
            text = self.refuse(code, words, *arguments)
            self.assertEqual(text.count("\n"), 1, text)
        (self.folder / "music" / "3.wav").write_bytes(b"RIFF")
        write_wav(self.folder / "music" / "4.wav", [0.1] * 10, RATE)
        result = self.run_eval("likelihood", "music", "-m", MODEL, "-o", "t.csv")
        self.assertEqual((result.returncode, result.stderr.count(b"smitin: skipped: ")), (0, 2), result.stderr)
        self.assertIn(b"shorter than one frame", result.stderr)
        self.refuse(1, "nothing to hear", "likelihood", "music/3.wav", "-m", MODEL, "-o", "u.csv")
        self.assertFalse((self.folder / "u.csv").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])

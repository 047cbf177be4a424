#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of "smitin eval listen" in a real browser, played through with the keyboard, its answers through "smitin eval mos".
Skipped where there is no Chromium. Usage: listen.py SMITIN [FOLDER-FOR-PICTURES]"""
import base64
import csv
import io
import json
import math
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import wave

import browser

SMITIN = os.path.abspath(sys.argv[1])
PICTURES = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
RATE = 16000


def write_wav(path, seconds, frequency):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * frequency * i / RATE)))
                                  for i in range(int(seconds * RATE))))


class Listen(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        for condition in ("plain", "steered"):
            for i in range(2):
                write_wav(self.folder / condition / ("%d.wav" % i), 1.4, 300 + 100 * i)
        result = subprocess.run([SMITIN, "eval", "listen", "plain", "steered", "-o", "test.html", "--skip", "0.5", "--seconds", "0.6",
                                 "--ask", "drums", "--title", "A </script> test"], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def tearDown(self):
        self.temporary.cleanup()

    def data(self):
        page = (self.folder / "test.html").read_text()
        return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S).group(1))

    def mos(self, *arguments):
        result = subprocess.run([SMITIN, "eval", "mos", *map(str, arguments)], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return list(csv.DictReader(io.StringIO(result.stdout.decode())))

    def play_through(self, page, qualities, name):
        """Answer every clip by keys alone: the piece's own quality, drums in what is steered."""
        page.wait(lambda: page.evaluate("document.body.dataset.view") == "welcome", "the first view")
        page.evaluate("document.getElementById('listener').focus()")
        page.type(name)
        page.press("Enter")
        for at in range(len(qualities)):
            place = "document.getElementById('place').textContent"
            page.wait(lambda: page.evaluate(place) == "Clip %d of %d" % (at + 1, len(qualities)), "clip %d" % (at + 1))
            if at == 0:
                page.press("5")  # nothing may be answered before it was heard
                self.assertIsNone(page.evaluate("answer().quality"))
                page.press(" ")
            page.wait(lambda: page.evaluate("answer().heard"), "the end of the clip")
            file = page.evaluate("clip().file")
            page.press("1")  # changed one's mind
            page.press(str(qualities[file]))
            page.press("Enter")  # a question is open: stays here
            self.assertEqual(page.evaluate("state.at"), at)
            page.press("y" if file.startswith("steered") else "n")
            if at == 1:
                self.reload(page, file)
            if PICTURES and at == 2:
                page.picture(PICTURES / "clip.png")
            page.press("Enter" if at % 2 else "ArrowRight")
        page.wait(lambda: page.evaluate("document.body.dataset.view") == "end", "the end")

    def reload(self, page, file):
        """Progress survives: the same clip, its answers, the same order."""
        before = page.evaluate("JSON.stringify([state.seed, state.order, state.answers])")
        page.evaluate("window.gone = true")
        page.reload()
        self.assertIsNone(page.evaluate("window.gone"))
        page.wait(lambda: page.evaluate("document.body.dataset.view === 'clip'"), "the page again")
        self.assertEqual(page.evaluate("JSON.stringify([state.seed, state.order, state.answers])"), before)
        self.assertEqual(page.evaluate("clip().file"), file)

    def download(self, page, name):
        path = self.folder / ("answers-%s.csv" % name)
        page.press("d")
        page.wait(path.exists, "the download")
        page.wait(lambda: path.stat().st_size > 0, "the download")
        return path

    def test_clips(self):
        test = self.data()
        self.assertEqual((test["title"], test["ask"], test["ignore"]), ("A </script> test", ["drums"], 0))
        self.assertEqual([c["file"] for c in test["clips"]], ["plain/0.wav", "plain/1.wav", "steered/0.wav", "steered/1.wav"])
        self.assertEqual([c["condition"] for c in test["clips"]], ["plain"] * 2 + ["steered"] * 2)
        for clip in test["clips"]:
            self.assertAlmostEqual(clip["seconds"], 0.6)
            self.assertEqual(base64.b64decode(clip["audio"])[:4], b"fLaC")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["plain", "steered", "test.html"])

    def test_play_through(self):
        if browser.find() is None:
            self.skipTest("there is no Chromium here")
        qualities = {"plain/0.wav": 2, "plain/1.wav": 3, "steered/0.wav": 4, "steered/1.wav": 5}
        files = []
        with browser.serve(self.folder) as server, browser.Browser(self.folder) as page:
            page.open((self.folder / "test.html").as_uri())  # as a file it works, too
            self.assertEqual(page.evaluate("document.body.dataset.view"), "welcome")
            address = server + "test.html"
            for name in ("ada", "bob"):
                page.open(address if name == "ada" else address + "?seed=7")
                if PICTURES:
                    page.picture(PICTURES / "welcome.png")
                self.play_through(page, qualities, name)
                files.append(self.download(page, name))
                if PICTURES:
                    page.picture(PICTURES / "end.png")
                page.evaluate("localStorage.clear()")  # the next listener has a browser of their own
            # A seed that is given decides the order, and the same one gives it again.
            self.assertEqual(page.evaluate("[state.seed, ...state.order].join()"), page.evaluate("[7, ...shuffled(4, 7)].join()"))
            self.assertNotEqual(page.evaluate("shuffled(40, 7).join()"), page.evaluate("shuffled(40, 8).join()"))
            self.assertEqual(page.problems, [])
        answers = [list(csv.DictReader(f.read_text().splitlines())) for f in files]
        for rows, name in zip(answers, ("ada", "bob")):
            self.assertEqual({r["file"]: int(r["quality"]) for r in rows}, qualities)
            self.assertEqual({r["listener"] for r in rows}, {name})
            self.assertEqual([int(r["order"]) for r in rows], [1, 2, 3, 4])
            self.assertEqual({r["hears_drums"] for r in rows if r["condition"] == "steered"}, {"1"})
            self.assertEqual({r["hears_drums"] for r in rows if r["condition"] == "plain"}, {"0"})
            self.assertEqual(len({r["test"] for r in rows} | {self.data()["id"]}), 1)
        self.assertNotEqual(answers[0][0]["seed"], answers[1][0]["seed"])
        scores = {row["condition"]: row for row in self.mos(*files)}
        self.assertEqual((scores["plain"]["mos"], scores["steered"]["mos"], scores["(all)"]["ratings"]), ("2.5", "4.5", "8"))
        self.assertEqual(scores["steered"]["hears_drums"], "1")
        # Two listeners who agree: all variance is the files', .25, and t with one degree of freedom is 12.706.
        self.assertAlmostEqual(float(scores["plain"]["interval"]), 12.7062 * math.sqrt(0.25 / 2), places=3)
        (self.folder / "success.csv").write_text("file,success_drums\nelsewhere/plain/0.flac,0.1\nelsewhere/plain/1.flac,.2\n"
                                                 "elsewhere/steered/0.flac,0.7\nelsewhere/steered/1.flac,0.9\n")
        rows = self.mos(*files, "--success", "success.csv", "--x", "success_drums")
        self.assertEqual((rows[0]["n"], rows[0]["spearman"]), ("4", "1"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])

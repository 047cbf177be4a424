#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reports of experiments and probes: what stands in them, what is left out, and the page in a real browser (that part is
skipped where there is none). Usage: report.py SMITIN TINY_MODEL RECOGNISER [TEST ...]; $PICTURES: a folder for screenshots"""
import collections
import csv
import html.parser
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import browser
import experiment
from experiment import rows_of, tree

PICTURES = os.environ.get("PICTURES")
TITLES = {"success_low": "Success, low", "success_half_low": "Success at 0.5, low", "success_high": "Success, high", "dose_low": "Dose, low",
          "success_half_high": "Success at 0.5, high", "dose_high": "Dose, high", "monitor_low": "Mean reading, low", "lufs": "Loudness, LUFS",
          "monitor_high": "Mean reading, high",
          "removal_low": "Removal, low", "removal_high": "Removal, high", "absence_low": "Absence, low", "absence_high": "Absence, high",
          "simultaneous": "Simultaneous success", "presence_drums": "Presence, drums",
          "probability_drums": "Probability, drums", "frechet_first": "Frechet distance to the first condition", "key_score": "Key score",
          "similarity": "Similarity to the prompt", "tempo_same": "Same tempo", "tempo_related": "Same tempo or octave",
          "loudness_change": "Change of loudness, LU", "peak_db": "Peak, dBFS"}
HOSTILE = "</script><script>alert(1)</script><b>'\"&amp;`*_|"


KEPT = tempfile.TemporaryDirectory()


def setUpModule():
    experiment.setUpModule()


def tearDownModule():
    KEPT.cleanup()


class Tables(html.parser.HTMLParser):
    """Tables as [{column: (text, exact)}] by caption, in the order of the page; elements by name."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.ids, self.elements, self.stack = [], [], collections.Counter(), []
        self.feed(text)
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements[tag] += 1
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in ("meta", "img", "path", "rect", "circle", "input"):
            self.stack.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append(["", attributes.get("data-value")])

    def handle_endtag(self, tag):
        if tag in ("path", "rect", "circle"):
            return
        assert self.stack.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if "caption" in self.stack:
            self.tables[-1]["caption"] += data
        elif self.stack and self.stack[-1] in ("td", "th"):
            self.tables[-1]["rows"][-1][-1][0] += data


class Case(experiment.Case):
    def make(self):
        """A merged experiment in "out": made once, copied for every test."""
        kept = pathlib.Path(KEPT.name) / "out"
        if not kept.exists():
            self.plan(about=HOSTILE, texts=[HOSTILE, "fast"], pieces=3, traces=True)
            self.run_eval("run", "plan.json", "-o", kept)
            self.run_eval("merge", kept)
        shutil.copytree(kept, self.folder / "out")

    def report(self, *arguments, code=0, to="report"):
        return self.run_eval("report", *arguments, "-o", to, code=code)

    def page(self, name="report"):
        return (self.folder / name / "report.html").read_text()

    def set_cell(self, path, column, value):
        row, = rows_of(path)
        row[column] = value
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerow(row)

    def write_heads(self, path, measure="accuracy_test"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("layer,head,%s\n" % measure + "".join("%d,%d,%.2f\n" % (l, h, 0.4 + 0.05 * (4 * l + h)) for l in range(3) for h in range(4)))


class Reports(Case):
    def test_tables_are_the_summary(self):
        self.make()
        for piece, agrees in enumerate(("same", "octave", "other")):
            self.set_cell(self.folder / "out/smitin" / ("piece-000%d.csv" % piece), "tempo_agrees", agrees)
        self.set_cell(self.folder / "out/both/piece-0001.csv", "tempo_agrees", "octave")  # the others have no tempo
        self.run_eval("merge", "out")
        self.report("out", "--title", HOSTILE)
        page, summary = self.page(), rows_of(self.folder / "out" / "summary.csv")
        found = {}
        parsed = Tables(page)
        for table in parsed.tables:
            head = [text for text, _ in table["rows"][0]]
            for row in table["rows"][1:] if head[-1] == "n" else []:
                for title, (text, exact) in zip(head[1:-1], row[1:-1]):
                    if exact:
                        self.assertNotIn((row[0][0], title), found)
                        found[row[0][0], title] = (text, exact, row[-1][0])
        self.assertEqual(len(found), len(summary))
        for row in summary:
            if row["measure"] not in TITLES:
                self.assertRegex(row["measure"], "^(presence|probability)_")
                continue
            text, exact, n = found[row["condition"], TITLES[row["measure"]]]
            self.assertEqual(exact, row["mean"])
            self.assertEqual(re.search(r"n = (\d+)", text).group(1) if "n = " in text else n, row["n"])
            numbers = [float(x) for x in re.findall(r"-?\d+\.\d+", text)]
            for shown, name in zip(numbers, ("mean", "low", "high")):
                self.assertAlmostEqual(shown, float(row[name]), delta=0.0501 if abs(shown) >= 100 else 0.00501 if abs(shown) >= 10 else 0.000501)
            self.assertEqual(len(numbers), 3 if row["low"] else 1)
        tempo = {(r["condition"], r["measure"]): (r["mean"], r["n"]) for r in summary if r["measure"].startswith("tempo_")}
        self.assertEqual(tempo, {("smitin", "tempo_same"): ("0.3333333", "3"), ("smitin", "tempo_related"): ("0.6666667", "3"),
                                 ("both", "tempo_same"): ("0", "1"), ("both", "tempo_related"): ("1", "1")})
        self.assertEqual(len(parsed.ids), len(set(parsed.ids)))
        self.assertEqual(parsed.elements["script"], 1)  # the page's own: no text became one
        self.assertEqual(parsed.elements["b"], 0)
        self.assertEqual(parsed.elements["audio"], 3 * 4)

    def test_files(self):
        self.make()
        self.report("out", to="one")
        self.report("out/", to="two")
        one = tree(self.folder / "one")
        self.assertEqual({n: len(d) for n, d in one.items() if d != tree(self.folder / "two")[n]}, {})
        text = one["report.md"].decode()
        links = re.findall(r"\]\(([^)]+)\)", text)
        self.assertEqual(sorted(set(links) | {"report.md", "report.html"}), sorted(one))
        self.assertNotRegex(self.page("one"), r'(src|href)="(?!data:|#)')
        self.assertNotIn("@import", self.page("one"))
        for name in (n for n in one if n.endswith(".png")):
            self.assertEqual(one[name][:8], b"\x89PNG\r\n\x1a\n")
        # The mean reading of a step is the mean over the traces.
        step = 5
        values = [float(rows_of(self.folder / "out/smitin" / ("piece-000%d.trace.csv" % i))[step]["presence"]) for i in range(3)]
        name, = (n for n in one if n.endswith("trace-smitin-low.csv"))
        mean = [r for r in rows_of(self.folder / "one" / name) if r["series"] == "reading C(t), mean"][step]
        self.assertAlmostEqual(float(mean["y"]), sum(values) / 3, delta=1e-6)
        self.assertEqual(float(mean["x"]), float(rows_of(self.folder / "out/smitin/piece-0000.trace.csv")[step]["seconds"]))
        self.assertIn("prompt</text>", self.page("one"))

    def test_which_samples(self):
        self.make()
        for arguments, cards in (((), ["free", "smitin", "asked", "both"] * 2), (("--compare", "asked:both", "--compare", "free:smitin",
                                 "--compare", "asked:free"), ["asked", "both", "free", "free", "smitin"] * 2)):
            self.report("out", "--samples", "2", *arguments)
            self.assertEqual(re.findall(r"<h4>(\w+), seed", self.page()), cards)
            self.assertEqual(re.findall(r"<h4>\w+, seed (\d+)", self.page()), sorted(["5", "6"] * (len(cards) // 2)))
        self.report("out", "--samples", "0")
        self.assertNotIn("<audio", self.page())

    def test_heads(self):
        self.write_heads(self.folder / "knob.csv")
        self.write_heads(self.folder / "probe" / "heads.csv", "test_f1")
        (self.folder / "probe" / "report.json").write_text(json.dumps({"model": "m<i>", "data": "GTZAN: 3", "task": "multiclass", "ranked_by": "f1"}))
        self.report("knob.csv", "probe/")
        page = self.page()
        cells = re.findall(r"<title>layer (\d+), head (\d+): ([\d.]+)</title>", page)
        self.assertEqual([(int(l), int(h), float(v)) for l, h, v in cells],
                         2 * [(l, h, round(0.4 + 0.05 * (4 * l + h), 4)) for l in range(3) for h in range(4)])
        self.assertIn("The best is head 3 of layer 2 with 0.950; the mean of all is 0.675.", page)
        self.assertIn("f1 on test data", page)
        self.assertIn("Model m&lt;i&gt;, task multiclass", page)
        counts = rows_of(next((self.folder / "report").glob("*p1-histogram.csv")))
        self.assertEqual(sum(float(r["y"]) for r in counts), 12)
        layers = rows_of(next((self.folder / "report").glob("*p2-layers.csv")))
        self.assertEqual([(r["series"], float(r["y"])) for r in layers if r["x"] == "1"], [("best head", 0.75), ("mean of heads", 0.675)])


class LeftOut(Case):
    def test_named(self):
        """A report is made of what is there, and says what is not."""
        self.make()
        (self.folder / "out/free/piece-0000.wav").write_bytes(b"RIFF, it said")
        (self.folder / "out/both/piece-0002.wav").unlink()
        (self.folder / "out/smitin/piece-0001.json").unlink()
        (self.folder / "out/both/piece-0000.trace.csv").unlink()
        (self.folder / "out/smitin/piece-0000.trace.csv").write_text("piece,knob\n0,low\n")
        (self.folder / "out/smitin/piece-0002.trace.csv").write_bytes(b'"open')
        text = self.report("out")
        for path in ("free/piece-0000.wav", "both/piece-0002.wav", "smitin/piece-0001.json", "both/piece-0000.trace.csv",
                     "smitin/piece-0000.trace.csv", "smitin/piece-0002.trace.csv"):
            self.assertIn("out/" + path, text)
            self.assertIn("out/" + path, self.page())
            self.assertIn("out/" + path.replace("_", "\\_"), (self.folder / "report/report.md").read_text())
        self.assertIn("1 piece of condition smitin", self.page())
        self.assertNotIn("free, seed 5<", self.page())

    def test_refusals(self):
        self.make()
        self.refuse(2, "name the folders", "report", "out")
        self.refuse(2, "name the folders", "report", "-o", "report")
        self.refuse(1, "nowhere", "report", "nowhere", "-o", "report")
        (self.folder / "empty").mkdir()
        self.refuse(2, "'empty' holds neither", "report", "empty", "-o", "report")
        for pair in ("free", "free:none", "free:free", ":", "smitin:free:both"):
            self.refuse(2, "--compare " + pair, "report", "out", "-o", "report", "--compare", pair)
        for content, words in (("layer,head,x\n0,0,1\n", "has no columns"), ("layer,head,accuracy_test\n", "has no columns"),
                               ("layer,head,accuracy_test\n0,-1,1\n", "no number"), ("layer,head,accuracy_test\n1e9,0,1\n", "no number"),
                               ("layer,head,accuracy_test\n60000,0,1\n0,60000,1\n", "65536"),
                               ("layer,head,accuracy_test\n0,0\n", "unequal"), ("layer,head,accuracy_test\n0,0,1\n0,0,0.5\n", "twice"), ('"', "heads.csv")):
            (self.folder / "heads.csv").write_text(content)
            self.refuse(1, words, "report", "heads.csv", "-o", "report")
        table = (self.folder / "out" / "table.csv").read_text()
        (self.folder / "out" / "table.csv").write_text("".join(table.splitlines(True)[:-1]))
        self.refuse(1, "is not that of its experiment", "report", "out", "-o", "report")
        (self.folder / "out" / "table.csv").unlink()
        self.assertIn("smitin eval merge out", self.refuse(1, "table.csv", "report", "out", "-o", "report"))
        self.assertFalse((self.folder / "report").exists())


@unittest.skipIf(browser.find() is None, "there is no Chromium here")
class InABrowser(Case):
    def look(self, page, name):
        if PICTURES:
            page.picture(pathlib.Path(PICTURES) / (name + ".png"))

    def test_page(self):
        self.make()
        self.write_heads(self.folder / "knob.csv")
        self.report("out", "knob.csv")
        address = (self.folder / "report" / "report.html").as_uri()
        with browser.Browser(self.folder) as page:
            page.open(address)
            self.look(page, "light")
            count = page.evaluate("Promise.all([...document.images].map(i => i.decode())).then(() => [...document.images].filter(i => i.naturalWidth > 0).length)")
            self.assertEqual(count, 12)
            page.wait(lambda: page.evaluate("[...document.querySelectorAll('audio')].every(a => a.duration > 0.5)"), "the sounds")
            self.assertEqual(page.evaluate("[...document.querySelectorAll('svg')].filter(s => !s.querySelector('title').textContent || "
                                           "!s.querySelector('desc').textContent || s.getBoundingClientRect().width < 100).length"), 0)
            self.sort(page)
            self.one_at_a_time(page)
            for width, scheme in ((400, "light"), (1200, "dark")):
                page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
                self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width)
                self.look(page, "%s-%d" % (scheme, width))
            page.call("Emulation.setDeviceMetricsOverride", width=718, height=1000, deviceScaleFactor=1, mobile=False)  # A4 within its margins
            page.call("Emulation.setEmulatedMedia", media="print")
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 718)
            page.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": "dark"}])
            self.assertEqual(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(21, 23, 27)")
            self.assertEqual(page.problems, [])
            self.assertEqual([r for r in page.requests if not r.startswith("data:") and r not in (address, "about:blank")], [])

    def sort(self, page):
        """By the keyboard: up, down, and as it was."""
        column = "[...[...document.querySelectorAll('caption')].find(c => c.textContent.startsWith('Dose')).parentNode.tBodies[0].rows].map(r => r.cells[1].dataset.value)"
        before = page.evaluate(column)
        page.evaluate("[...document.querySelectorAll('caption')].find(c => c.textContent.startsWith('Dose')).parentNode.tHead.rows[0].cells[1].firstChild.focus()")
        for order in (1, -1):
            page.press("Enter")
            values = [float(v) for v in page.evaluate(column) if v]
            self.assertEqual(values, sorted(values, reverse=order < 0))
        page.press("Enter")
        self.assertEqual(page.evaluate(column), before)

    def one_at_a_time(self, page):
        for i in (0, 1):
            page.call("Runtime.evaluate", expression="document.querySelectorAll('audio')[%d].play()" % i, userGesture=True)
        page.wait(lambda: page.evaluate("document.querySelectorAll('audio')[0].paused"), "the first sound to stop")

    def test_without_scripts(self):
        self.make()
        self.report("out", "--samples", "1")
        with browser.Browser(self.folder) as page:
            page.call("Emulation.setScriptExecutionDisabled", value=True)
            page.open((self.folder / "report" / "report.html").as_uri())
            self.assertEqual(page.evaluate("document.querySelectorAll('thead button').length"), 0)
            self.assertGreater(page.evaluate("document.querySelectorAll('td.number').length"), 20)
            page.wait(lambda: page.evaluate("[...document.querySelectorAll('audio[controls]')].filter(a => a.duration > 0.5).length") == 4, "the sounds")
            page.evaluate("document.querySelector('details').open = true")
            self.assertGreater(page.evaluate("document.querySelector('pre').getBoundingClientRect().height"), 100)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])

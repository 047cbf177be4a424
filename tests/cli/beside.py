#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/side_by_side.py makes of measurements; those of transformers are given, so that neither it nor torch is
needed. Usage: beside.py SMITIN TINY_MODEL [TEST ...]"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "side_by_side.py"
SMITIN, MODEL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPT.parent))
import side_by_side

PLACES = side_by_side.PLACES


def figures(*values):
    return dict(zip(PLACES, values))


class Figures(unittest.TestCase):
    def test_rounds(self):
        rounds = [figures(3, 8, 1, None), figures(1, 9, 2, 7), figures(2, 1, 3, 7)]
        self.assertEqual(side_by_side.sum_up(rounds), figures((2, 1, 3), (8, 1, 9), (2, 1, 3), None))

    def test_ratios(self):
        ours = {"f32": [figures(10, 8, 6, None)], "q8": [figures(40, 32, 24, None)]}
        theirs = {"f32": [figures(5, 4, 2, 1)], "bf16": [figures(20, 2, 1, None)]}
        ratios = side_by_side.compare(ours, theirs)
        self.assertEqual(ratios["f32 to f32"], [figures(2, 2, 3, None)])
        self.assertEqual(ratios["q8 to their best"], [figures(2, 8, 12, None)])  # bf16 at 10, f32 further on
        self.assertNotIn("f32 to f32", side_by_side.compare(ours, {"int8": theirs["f32"]}))
        lines = side_by_side.table(ours, theirs).splitlines()
        self.assertIn("| smitin q8 | 40.0 | 32.0 | 24.0 | - |", lines)
        self.assertIn("| f32 to f32 | 2.00 | 2.00 | 3.00 | - |", lines)
        self.assertEqual(len({line.count("|") for line in lines}), 1)

    def test_ratios_of_rounds(self):
        """A machine that is half as fast in one round changes no ratio, though it does the medians' spread."""
        ours = {"q8": [figures(40, 20, 10, None), figures(20, 10, 5, None), figures(40, 30, 10, None)]}
        theirs = {"f32": [figures(10, 10, 10, 1), figures(5, 5, 5, 1), figures(10, 10, 20, 1)]}
        summary = side_by_side.sum_up(side_by_side.compare(ours, theirs)["q8 to their best"])
        self.assertEqual(summary, figures((4, 4, 4), (2, 2, 3), (1, 0.5, 1), None))
        lines = side_by_side.table(ours, theirs).splitlines()
        self.assertIn("| smitin q8 | 40.0 (20.0-40.0) | 20.0 (10.0-30.0) | 10.0 (5.0-10.0) | - |", lines)
        self.assertIn("| q8 to their best | 4.00 | 2.00 (2.00-3.00) | 1.00 (0.50-1.00) | - |", lines)

    def test_ours(self):
        """The figures of smitin bench are read where they are, and its places are those of the script."""
        args = argparse.Namespace(smitin=SMITIN, threads=1, steps=3, cache="auto")
        places, details = side_by_side.run_ours(args, MODEL, "q8")
        self.assertEqual(tuple(places), PLACES)
        self.assertGreater(places[10], 0)
        self.assertIsNone(places[1500])  # the tiny model has 253 frames
        self.assertEqual((details["threads"], details["formats"][0]["weights"]), (1, "q8"))
        self.assertEqual(details["formats"][0]["cache"], "q8")
        with self.assertRaisesRegex(side_by_side.Refusal, "code 3"):
            side_by_side.run_ours(args, "nowhere", "q8")

    def test_settings_of_others_are_left(self):
        kept = {"PATH": "/bin", "HOME": "/root", "LD_LIBRARY_PATH": "/opt"}
        self.assertEqual(side_by_side.without_settings({**kept, "OMP_WAIT_POLICY": "PASSIVE", "GLIBC_TUNABLES": "x"}), kept)

    def test_plot(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, start in (("it's.png", b"\x89PNG"), ("a_b.svg", b"<?xml")):
                path = pathlib.Path(folder) / name
                side_by_side.plot(path, "it's a_b", {"f32": [figures(4, 3, 2, None), figures(5, 4, 2, None)]},
                                  {"int8": [figures(1, 1, 1, 1)]})
                self.assertEqual(path.read_bytes()[: len(start)], start)


class Flags(unittest.TestCase):
    def test_silly(self):
        for arguments, word in ((["--ours", "q5"], "q5"), (["--theirs", "q8"], "int8"), (["--rounds", 0], "less than 1"), (["--cache", "q4"], "f16"),
                                (["--model", "nowhere"], "config.json"), (["--model", MODEL, "--layers", 2], "--layers"),
                                (["--plot", "x.gif"], ".png"), (["--json", "nowhere/x.json"], "no folder nowhere")):
            with self.subTest(arguments):
                result = subprocess.run([sys.executable, SCRIPT, SMITIN, *map(str, arguments)], capture_output=True)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(word, result.stderr.decode())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)

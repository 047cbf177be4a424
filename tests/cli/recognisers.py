#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables of outside recognisers: all of examples/recognisers but the nets. Usage: recognisers.py SMITIN [TEST ...]"""
import csv
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

try:
    import numpy
    import scipy.io.wavfile
    import scipy.stats
except ImportError:
    print("there is no numpy or no scipy; on Debian: apt install python3-numpy python3-scipy")
    sys.exit(77)  # skipped

SMITIN = os.path.abspath(sys.argv[1])
SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "recognisers"
NETS = ("yamnet", "passt", "convnext", "clap")
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS))
import audioset  # noqa: E402
import common  # noqa: E402

# A net that hears loudness, and whether there is anything above 1 kHz; windows of a second at 8 kHz.
NET = '''
import numpy, common
class Net:
    name, rate, seconds, repeat, what, advice = "ears", 8000, 1.0, False, "NUMBER", "nothing"
    defaults = {"loud": ["1"], "high": ["2"]}
    def __init__(self, traits, weights, random):
        self.traits, self.bad = traits, weights == "bad"
    def score(self, windows):
        assert windows.dtype == numpy.float32 and windows.shape[1] == 8000 and len(windows) <= 3
        spectrum = numpy.abs(numpy.fft.rfft(windows))
        heard = {"1": numpy.sqrt((windows ** 2).mean(1)), "2": spectrum[:, 1000:].sum(1) / spectrum.sum(1)}
        scores = numpy.stack([heard[what[0]] for what in self.traits.values()], 1)
        return scores * numpy.nan if self.bad else scores
common.main(Net)
'''


def write_wav(path, frequency, loud, seconds=3.0, rate=16000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(32767 * loud * math.sin(2 * math.pi * frequency * i / rate))) * channels
                                  for i in range(int(seconds * rate))))


class Audio(unittest.TestCase):
    def test_windows(self):
        samples = numpy.arange(25, dtype=numpy.float32)
        self.assertEqual([(w[0], w[-1]) for w in common.cut(samples, 10)], [(0, 9), (10, 19), (15, 24)])
        self.assertEqual(common.cut(samples[:20], 10).shape, (2, 10))
        self.assertEqual(common.cut(samples[:10], 10).shape, (1, 10))
        self.assertEqual(common.cut(samples[1:4], 10).tolist(), [[1, 2, 3] + 7 * [0]])
        self.assertEqual(common.cut(samples[1:4], 10, True).tolist(), [3 * [1, 2, 3] + [0]])

    def test_rates(self):
        """A tone is the same tone at every rate, width and number of channels."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tone.wav"
            for rate, channels in ((8000, 1), (16000, 2), (44100, 1), (32000, 2)):
                write_wav(path, 440, 0.5, 1.0, rate, channels)
                samples = common.read_audio(path, 16000)
                self.assertEqual((samples.dtype, samples.shape), (numpy.float32, (16000,)))
                wanted = 0.5 * numpy.sin(2 * math.pi * 440 * numpy.arange(16000) / 16000)
                # 16 bits, and a filter with a ripple of less than 1 %; its ends see silence beyond.
                self.assertLess(numpy.abs(samples - wanted)[200:-200].max(), 0.005)
            for dtype, full in ((numpy.uint8, 255), (numpy.int32, 2 ** 31 - 1), (numpy.float32, 1.0)):
                scipy.io.wavfile.write(path, 16000, numpy.array([full, full], dtype=dtype))
                self.assertAlmostEqual(float(common.read_audio(path, 16000)[0]), 1.0, delta=0.01)


class Classes(unittest.TestCase):
    def test_reduce(self):
        for total, drum, bass in ((527, 164, 142), (521, 159, 137)):
            classes = audioset.Classes({"drums": ["Drum", "Hi-hat"], "bass": ["Bass guitar"], "own": ["3"]}, total)
            probabilities = numpy.zeros((2, total))
            probabilities[0, drum], probabilities[1, bass], probabilities[1, 3] = 0.7, 0.2, 0.1
            self.assertEqual(classes.reduce(probabilities), [[0.7, 0, 0], [0, 0.2, 0.1]])

    def test_table(self):
        """YAMNet's numbers are AudioSet's less those of the classes that it leaves out before them, of which there are six."""
        pairs = sorted(audioset.CLASSES.values())
        gaps = [whole - part for whole, part in pairs]
        self.assertEqual(gaps, sorted(gaps))
        self.assertTrue(0 <= gaps[0] and gaps[-1] <= 6)
        for names in audioset.TRAITS.values():
            self.assertTrue(set(names) <= set(audioset.CLASSES))


class Tables(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        (self.folder / "net.py").write_text(NET)
        for i in range(6):  # louder and louder; some low, some high; of many lengths and rates
            write_wav(self.folder / "made" / "a" / ("piece-%d.wav" % i), 300 if i % 2 else 3000, 0.1 * (i + 1), 0.4 + 0.7 * i,
                      (16000, 44100)[i % 2], 1 + i % 2)

    def smitin(self, *arguments):
        result = subprocess.run([SMITIN, "eval", *map(str, arguments)], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def run_net(self, *arguments, code=0, script=None):
        result = subprocess.run([sys.executable, script or "net.py", *map(str, arguments)], cwd=self.folder, capture_output=True, env={
            **os.environ, "PYTHONPATH": "%s:%s" % (self.folder / "stubs", SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(result.returncode, code, result.stderr.decode())
        return result.stderr.decode()

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def test_export_to_correlation(self):
        self.smitin("export", "made", "-o", "clips")
        self.run_net("clips", "-o", "ears.csv", "--batch", "3")
        rows = self.rows("ears.csv")
        self.assertEqual([row["file"] for row in rows], ["made/a/piece-%d.wav" % i for i in range(6)])
        for i, row in enumerate(rows[1:], 1):  # the first is shorter than a window
            self.assertAlmostEqual(float(row["ears_loud"]), 0.1 * (i + 1) / math.sqrt(2), delta=0.002)
            self.assertEqual(float(row["ears_high"]) > 0.5, i % 2 == 0)
        (self.folder / "table.csv").write_text("file,success_loud\n" + "".join("a/piece-%d.json,0.%d\n" % (i, i) for i in range(6)))
        found = self.smitin("correlate", "table.csv", "ears.csv", "--x", "success_loud", "--y", "ears_loud")
        row, = csv.DictReader(found.splitlines())
        self.assertEqual((row["n"], row["spearman"]), ("6", "1"))
        # Another batch, the same table; and one without training has names of its own.
        self.run_net("clips", "-o", "one.csv", "--batch", "1")
        self.assertEqual((self.folder / "one.csv").read_bytes(), (self.folder / "ears.csv").read_bytes())
        self.run_net("clips", "-o", "random.csv", "--batch", "3", "--random-weights", "--trait", "loud", "--trait", "mine=2")
        self.assertEqual(list(self.rows("random.csv")[0]), ["file", "ears_untrained_loud", "ears_untrained_mine"])

    def test_spearman_is_scipys(self):
        """Of tables with and without ties, long and short, up and down."""
        random = numpy.random.default_rng(1)
        for n, decimals, slope in ((200, 9, 1.0), (50, 1, -0.5), (30, 0, 0.3), (3, 9, 1.0), (40, 1, 0.0)):
            x = numpy.round(random.standard_normal(n), decimals)
            y = numpy.round(slope * x + random.standard_normal(n), decimals)
            for name, values in (("x", x), ("y", y)):
                (self.folder / (name + ".csv")).write_text("file,%s\n" % name + "".join("%d,%.9f\n" % p for p in enumerate(values)))
            row, = json.loads(self.smitin("correlate", "x.csv", "y.csv", "--x", "x", "--y", "y", "--json"))
            self.assertEqual(row["n"], n)
            self.assertAlmostEqual(row["spearman"], scipy.stats.spearmanr(x, y).statistic, delta=6e-8)  # seven digits are printed

    def test_refusals(self):
        self.smitin("export", "made", "-o", "clips")
        made = {p.name for p in self.folder.iterdir()}
        for words, arguments in (("smitin eval export -o nowhere", ["nowhere"]), ("no trait \"organ\"", ["clips", "--trait", "organ"]),
                                 ("--trait must be", ["clips", "--trait", "=x"]), ("no finite score", ["clips", "--weights", "bad"])):
            text = self.run_net(*arguments, "-o", "t.csv", "--batch", "3", code=1)
            self.assertIn(words, text)
            self.assertTrue(text.startswith("net.py: "), text)
        self.assertIn("no folder", self.run_net("clips", "-o", "none/t.csv", code=1))
        self.run_net("clips", "-o", "t.csv", "--batch", "0", code=2)
        self.run_net("clips", "-o", "t.csv", "--weights", "x", "--random-weights", code=2)
        (self.folder / "clips" / "a-piece-3.wav").write_bytes(b"RIFF....")
        self.assertIn("a-piece-3.wav", self.run_net("clips", "-o", "t.csv", "--batch", "3", code=1))
        (self.folder / "clips" / "a-piece-3.wav").unlink()
        self.assertIn("a-piece-3.wav, which is not there", self.run_net("clips", "-o", "t.csv", code=1))
        for text in ("", "clip,file\n", "clip,other\nx,y\n"):
            (self.folder / "clips" / "manifest.csv").write_text(text)
            self.assertIn("a row for every clip", self.run_net("clips", "-o", "t.csv", code=1))
        self.assertEqual({p.name for p in self.folder.iterdir()}, made)  # nothing, half or whole

    def test_missing_packages(self):
        """Every script says what to install, and leaves no table."""
        self.smitin("export", "made", "-o", "clips")
        (self.folder / "stubs").mkdir()
        (self.folder / "stubs" / "torch.py").write_text("raise ImportError('there is none')")
        for name in NETS:
            text = self.run_net("clips", "-o", "t.csv", script=SCRIPTS / (name + ".py"), code=1)
            self.assertIn("%s.py: the module torch cannot be imported (there is none); pip install torch" % name, text)
            self.assertFalse((self.folder / "t.csv").exists())
            self.run_net("--help", script=SCRIPTS / (name + ".py"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

# SPDX-License-Identifier: MIT
"""What tests of the command line share: the program and the tiny model that they are told of (SMITIN TINY_MODEL), its
calls, and music to give it."""
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


class Folder(unittest.TestCase):
    """Each test in an empty folder of its own."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def signal_when(self, is_time, number, *arguments):
        """Start the program and send it a signal when it is time (is_time(process)), unless it ends before; exit code and
        what it said."""
        process = subprocess.Popen([SMITIN, *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.time() + 300  # sanitizers on a busy machine take more than one minute to a piece
        while not is_time(process) and process.poll() is None:
            if time.time() > until:
                process.kill()
                self.fail("the time to send the signal never came")
            time.sleep(0.0005)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors.decode().splitlines()


class Case(Folder):
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

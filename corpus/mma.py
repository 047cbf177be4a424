# SPDX-License-Identifier: MIT
"""Runs the MMA program: accompaniment text in, MIDI file object and printed lines out."""

import os
import subprocess
import tempfile

import mido


class MmaError(RuntimeError):
    """MMA refused a text; the message is what it printed."""


def compile_text(text, timeout=600):
    """Compiles MMA source `text`; returns (mido.MidiFile, printed text)."""
    with tempfile.TemporaryDirectory(prefix="corpus-mma-") as folder:
        source, target = os.path.join(folder, "a.mma"), os.path.join(folder, "a.mid")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        run = subprocess.run(["mma", "-w", "-xNOCREDIT", "-f", target, source],
                             capture_output=True, timeout=timeout, check=False)
        printed = run.stdout.decode(errors="replace")
        if run.returncode != 0 or not os.path.exists(target):
            raise MmaError(printed.strip() or run.stderr.decode(errors="replace").strip())
        return mido.MidiFile(target), printed

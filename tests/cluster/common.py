# SPDX-License-Identifier: MIT
"""What the tests of clusters share: an experiment, short enough, and what its results must be."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = 77  # the exit code that Meson counts as a skipped test
ROOT_TOO = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # in containers
NOT_OURS = ("SMITIN_", "SLURM_", "SBATCH_", "PMI_", "PMIX_", "OMPI_")


def environment(program, **more):
    """As a user's shell, with the program on the path."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_OURS)}
    return {**inherited, **ROOT_TOO, "PATH": "%s:%s" % (pathlib.Path(program).resolve().parent, os.environ["PATH"]), **more}


def write_plan(folder):
    """experiments/methods.json with short pieces, and how many they are."""
    plan = json.loads((ROOT / "experiments" / "methods.json").read_text())
    plan["pieces"] = 3
    plan["settings"]["seconds"] = 4
    path = folder / "methods.json"
    path.write_text(json.dumps(plan))
    return path, plan["pieces"] * len(plan["conditions"])


def alone(program, plan, folder):
    """One process, undisturbed: what every other way must end in."""
    for words in (["run", plan, "-o", folder, "-t", "1", "--quiet"], ["merge", folder]):
        subprocess.run([program, "eval", *map(str, words)], cwd=ROOT, env=environment(program), check=True, capture_output=True)
    return tree(folder)


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(folder):
    """The pieces that are there, whole."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("piece-*.csv"))


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s in vain for %s" % (seconds, what))
        time.sleep(0.02)


def kill_process(word, variable):
    """SIGKILL to the smitin whose command line has the word and whose environment has the NAME=VALUE."""
    wait_until(lambda: find_process(word, variable), variable)
    os.kill(find_process(word, variable), signal.SIGKILL)


def find_process(word, variable):
    """Its number, or None while there is none."""
    for folder in pathlib.Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            if words[:1] and words[0].endswith(b"smitin") and word.encode() in words and \
                    variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:  # it has just ended
            continue
    return None


class Pieces(unittest.TestCase):
    """The experiment, and what one undisturbed process makes of it, in a folder that the tests of a class share."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.plan, cls.total = write_plan(cls.folder)
        cls.whole = alone(os.path.abspath(sys.argv[1]), cls.plan, cls.folder / "whole")

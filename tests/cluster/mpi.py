#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Experiments under Open MPI's and MPICH's own mpirun. Usage: mpi.py SMITIN [TEST ...]"""
import collections
import os
import shutil
import subprocess
import sys
import unittest

import common

SMITIN = os.path.abspath(sys.argv[1])
# Words of a launcher that starts four ranks here, and the variable by which it numbers them.
LAUNCHERS = {"mpirun.openmpi": (["--oversubscribe"], "OMPI_COMM_WORLD_RANK"), "mpirun.mpich": ([], "PMI_RANK")}


class Ranks(common.Pieces):
    def start(self, launcher, name):
        return subprocess.Popen([launcher, *LAUNCHERS[launcher][0], "-n", "4", "smitin", "eval", "run", str(self.plan), "-o",
                                 str(self.folder / name), "-t", "1"], cwd=common.ROOT, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env=common.environment(SMITIN))

    def finish(self, launcher, name):
        """Run to the end; how often each piece was made."""
        process = self.start(launcher, name)
        text = process.communicate()[0].decode()
        self.assertEqual(process.returncode, 0, text)
        subprocess.run([SMITIN, "eval", "merge", str(self.folder / name)], cwd=common.ROOT, check=True, capture_output=True)
        self.assertEqual(common.tree(self.folder / name), self.whole)
        return collections.Counter(line for line in text.splitlines() if line.endswith(".wav"))

    def check(self, launcher):
        if shutil.which(launcher) is None:
            self.skipTest("there is no " + launcher)
        name = launcher + "-ranks"
        made = self.finish(launcher, name)
        self.assertEqual((len(made), set(made.values())), (self.total, {1}))
        self.assertFalse(self.finish(launcher, name))  # nothing is left to make
        # One rank is killed; whether the launcher then ends the others is its own matter. A second run completes it.
        out = self.folder / (launcher + "-killed")
        process = self.start(launcher, out.name)
        common.wait_until(lambda: len(common.rows(out)) >= 2, "two pieces")
        common.kill_process(str(out), LAUNCHERS[launcher][1] + "=2")
        text = process.communicate()[0].decode()
        self.assertNotEqual(process.returncode, 0, text)
        there = common.rows(out)
        self.assertLess(len(there), self.total)
        made = self.finish(launcher, out.name)
        self.assertEqual(len(made), self.total - len(there))

    def test_open_mpi(self):
        self.check("mpirun.openmpi")

    def test_mpich(self):
        self.check("mpirun.mpich")


if __name__ == "__main__":
    if not any(map(shutil.which, LAUNCHERS)):
        print("there is neither Open MPI's nor MPICH's mpirun; on Debian: apt install openmpi-bin")
        sys.exit(common.SKIP)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

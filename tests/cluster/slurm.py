#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scripts of examples/slurm on a real Slurm of one node. Usage: slurm.py SMITIN [TEST ...]"""
import collections
import os
import re
import shutil
import subprocess
import sys
import unittest

import common
import node

SMITIN = os.path.abspath(sys.argv[1])
SCRIPTS = common.ROOT / "examples" / "slurm"


class Scripts(common.Pieces):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slurm = cls.enterClassContext(node.Node())

    def setUp(self):
        self.logs = self.folder / (self.id().rsplit(".", 1)[1] + ".logs")
        self.logs.mkdir()

    def shell(self, *words):
        """A user's shell; logs go where its variables say."""
        result = subprocess.run([str(w) for w in words], cwd=common.ROOT, capture_output=True, env=common.environment(
            SMITIN, SBATCH_OUTPUT=str(self.logs / "%A_%a.log"), **self.slurm.environment))
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def submit_array(self, name):
        """Jobs of the pieces and of the tables."""
        text = self.shell("bash", SCRIPTS / "array.sh", self.plan, self.folder / name)
        return re.fullmatch(r"pieces: job (\d+); tables: job (\d+); squeue --me shows them\n", text).groups()

    def submit(self, script, name):
        return self.shell("sbatch", "--parsable", script, self.plan, self.folder / name).strip()

    def states(self, *jobs):
        return collections.Counter(state for job in jobs for state in re.findall(
            r"JobState=(\w+)", self.slurm.call("scontrol", "--oneliner", "show", "job", job)))

    def wait_for(self, *jobs):
        def ended():
            states = self.states(*jobs)  # none while the controller is too busy to answer
            return states and not set(states) & {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"}
        common.wait_until(ended, "jobs", 300)
        return self.states(*jobs)

    def said(self):
        return "".join(p.read_text() for p in sorted(self.logs.iterdir()))

    def made(self):
        """How often each piece was made, by the logs."""
        return collections.Counter(line.split(": ")[-1] for line in self.said().splitlines() if line.endswith(".wav"))

    def check_whole(self, name):
        self.assertEqual(common.tree(self.folder / name), self.whole, self.said())

    def test_array(self):
        pieces, tables = self.submit_array("array")
        self.assertEqual(self.wait_for(pieces, tables), {"COMPLETED": 5}, self.said())
        self.check_whole("array")
        self.assertEqual((len(self.made()), set(self.made().values())), (self.total, {1}))
        for task in range(1, 5):  # each its own share, and no more
            made = [line for line in (self.logs / ("%s_%d.log" % (pieces, task))).read_text().splitlines() if line.endswith(".wav")]
            self.assertEqual(len(made), len(range(task - 1, self.total, 4)))

    def test_killed_task(self):
        out = self.folder / "killed"
        pieces, tables = self.submit_array(out.name)
        log = self.logs / (pieces + "_2.log")
        common.wait_until(lambda: log.exists() and ".wav" in log.read_text(), "the second task's first piece")
        common.kill_process(str(out), "SLURM_ARRAY_TASK_ID=2")
        self.assertEqual(self.wait_for(pieces, tables), {"COMPLETED": 3, "FAILED": 1, "CANCELLED": 1}, self.said())
        there = common.rows(out)
        self.assertLess(len(there), self.total)
        self.assertFalse((out / "table.csv").exists())
        before = self.made()
        self.assertEqual(self.wait_for(*self.submit_array(out.name)), {"COMPLETED": 5}, self.said())
        self.check_whole(out.name)
        self.assertEqual(sum((self.made() - before).values()), self.total - len(there))

    def test_ranks(self):
        job = self.submit(SCRIPTS / "ranks.sh", "ranks")
        self.assertEqual(self.wait_for(job), {"COMPLETED": 1}, self.said())
        self.check_whole("ranks")
        self.assertEqual((len(self.made()), set(self.made().values())), (self.total, {1}))

    def test_killed_rank(self):
        out = self.folder / "killed-rank"
        job = self.submit(SCRIPTS / "ranks.sh", out.name)
        common.wait_until(lambda: len(common.rows(out)) >= 2, "two pieces")
        common.kill_process(str(out), "SLURM_PROCID=2")
        self.assertEqual(self.wait_for(job), {"FAILED": 1}, self.said())
        self.assertFalse((out / "table.csv").exists())
        there = common.rows(out)
        before = self.made()
        self.assertEqual(self.wait_for(self.submit(SCRIPTS / "ranks.sh", out.name)), {"COMPLETED": 1}, self.said())
        self.check_whole(out.name)
        self.assertEqual(sum((self.made() - before).values()), self.total - len(there))

    def test_other_launchers(self):
        """What the comment in ranks.sh offers in the place of srun."""
        text = (SCRIPTS / "ranks.sh").read_text()
        launchers = {"pmi2": "srun --mpi=pmi2", "mpirun": "mpirun.openmpi --oversubscribe"}
        if shutil.which("mpirun.openmpi") is None:
            del launchers["mpirun"]
        for name, launcher in launchers.items():
            with self.subTest(launcher):
                changed = re.sub(r"\nsrun --cpus-per-task=\S+ ", "\n%s " % launcher, text)
                self.assertNotEqual(changed, text)
                script = self.folder / (name + ".sh")
                script.write_text(changed)
                job = self.submit(script, name)
                self.assertEqual(self.wait_for(job), {"COMPLETED": 1}, self.said())
                self.check_whole(name)


if __name__ == "__main__":
    if node.missing():
        print("missing: %s; on Debian: apt install slurmctld slurmd slurm-client munge" % ", ".join(node.missing()))
        sys.exit(common.SKIP)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

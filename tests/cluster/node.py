#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Slurm of one node in a folder, for as long as a command runs; needs Debian's slurmctld, slurmd, slurm-client and
munge, but neither root nor any file of theirs. Usage: node.py COMMAND [ARGUMENT ...], such as node.py bash"""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
CORES = 4  # whatever the machine has: tasks wait for each other else

CONFIGURATION = """ClusterName=smitin
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
KillWait=2
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=65536 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def find(name):
    """The daemons are not on everybody's path."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def missing():
    return [name for name in PROGRAMS if find(name) is None]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Node:
    """A context in which `environment` leads Slurm's commands to a cluster of its own."""

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="slurm-")
        self.folder = pathlib.Path(self.temporary.name)
        self.folder.chmod(0o755)  # munged wants its socket to be reachable
        self.daemons = []
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        configuration = self.folder / "slurm.conf"
        configuration.write_text(CONFIGURATION.format(host=socket.gethostname().split(".")[0], ports=free_ports(2), cores=CORES,
                                                      user=pwd.getpwuid(os.getuid()).pw_name, folder=self.folder))
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        self.environment = {"SLURM_CONF": str(configuration)}
        try:
            self.start("munged", "--foreground", "--num-threads=2",
                       *("--%s=%s/munge.%s" % (option, self.folder, suffix) for option, suffix in
                         (("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))))
            self.wait(lambda: (self.folder / "munge.socket").exists())
            self.start("slurmctld", "-D")
            self.start("slurmd", "-D")
            self.wait(lambda: self.call("sinfo", "--noheader", "--format=%T") == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, name, *options):
        log = open(self.folder / (name + ".out"), "wb")
        self.daemons.append(subprocess.Popen([find(name), *options], env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=subprocess.STDOUT))
        log.close()

    def call(self, *words):
        """What a command of Slurm says; "" when it fails."""
        result = subprocess.run(words, env={**os.environ, **self.environment}, capture_output=True)
        return result.stdout.decode().strip() if result.returncode == 0 else ""

    def wait(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            ended = [d.args[0] for d in self.daemons if d.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "".join("\n== %s\n%s" % (p.name, p.read_text()[-2000:]) for p in sorted(self.folder.glob("*.[ol][uo][tg]")))
                raise RuntimeError("Slurm has not come up%s:%s" % (", ".join(["", *ended]), logs))
            time.sleep(0.1)

    def __exit__(self, *_):
        if len(self.daemons) == 3:
            self.call("scancel", "--state=PENDING,RUNNING", "--user", str(os.getuid()))
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.temporary.cleanup()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: node.py COMMAND [ARGUMENT ...]", file=sys.stderr)
        sys.exit(2)
    if missing():
        print("missing: %s; on Debian: apt install slurmctld slurmd slurm-client munge" % ", ".join(missing()), file=sys.stderr)
        sys.exit(1)
    with Node() as node:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **node.environment}).returncode)

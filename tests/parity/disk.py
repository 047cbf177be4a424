#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What loading a model reads from the disk: disk.py SMITIN MODEL [FORMAT...]. Its files are dropped from the system's cache before
every run, so that each byte that is needed comes from the disk; a byte that comes twice counts twice. Status 1 when a run
read much more than the weights or wrote something beside its second of music."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SLACK = 1.05  # configuration, vocabulary, and what the system reads ahead and drops again


def drop(folder):
    """Bytes of the folder's weights; none of its files is cached afterwards."""
    total = 0
    for path in pathlib.Path(folder).iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        total += path.stat().st_size if path.suffix in (".safetensors", ".bin") and path.name != "reference.safetensors" else 0
    return total


def main():
    smitin, model, bad = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), False
    print("| weights as | in the files | read | major faults | written | seconds |\n|---|---|---|---|---|---|")
    for form in sys.argv[3:] or ["file", "q8"]:
        with tempfile.TemporaryDirectory() as folder:
            size, started = drop(model), time.monotonic()
            process = subprocess.Popen([smitin, "generate", "-m", model, "-d", "1", "-s", "1", "-q", form, "--quiet",
                                        "-o", folder + "/a.wav"])
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
        if status != 0:
            sys.exit("%s failed" % smitin)
        read, written = 512 * used.ru_inblock, 512 * used.ru_oublock
        if read == 0:
            sys.exit("nothing was read: this file system does not count, or does not let go of what it caches")
        print("| %s | %.1f MB | %.1f MB | %d | %.1f MB | %.1f |" % (form, size / 1e6, read / 1e6, used.ru_majflt,
                                                               written / 1e6, seconds), flush=True)
        bad |= read > SLACK * size + 4e6 or written > 1e6
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

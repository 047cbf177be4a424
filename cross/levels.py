#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test the CPU levels that this machine's processor lacks under qemu: those of x86-64 that qemu knows, and ARM's in a
cross build (Debian's compiler and arm64 libraries; see cross/aarch64.ini). Plays one piece on both architectures, too.
Prints which level ran natively, emulated or not at all, then "N passed, M failed".

    cross/levels.py BUILD        BUILD is a finished native build folder
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import wave

ROOT = pathlib.Path(__file__).resolve().parents[1]
SYSROOT, ARM = ROOT / "build-arm64-root", ROOT / "build-arm64"
QEMU_ARM = ["qemu-aarch64", "-L", str(SYSROOT)]
QEMU_X86 = ["qemu-x86_64", "-cpu", "max"]
WITHOUT_DOT = ["qemu-aarch64", "-cpu", "cortex-a53", "-L", str(SYSROOT)]
TABLE = "tests/kernels/test_kernels_table"
# For a level that is neither here nor emulated.
NOT_TESTED = {"not on this CPU": "NOT TESTED: this CPU lacks it, and qemu does not emulate it",
              "not for this processor": "NOT TESTED: it could not be built"}


class Score:
    def __init__(self):
        self.passed = self.failed = 0

    def count(self, name, good, why=""):
        self.passed += good
        self.failed += not good
        if not good:
            print(f"failed: {name}: {why}")


def levels_of(score, name, command):
    """{level: "here", "not on this CPU" or "not for this processor"} as the test of the table tells."""
    run = subprocess.run(command, capture_output=True, text=True)
    score.count(f"table, {name}", run.returncode == 0, run.stdout + run.stderr)
    return dict(re.findall(r"^level (\w+): (.*)$", run.stdout + run.stderr, re.M))


def kernel_tests(score, build, wrapper=None, **environment):
    """The kernel tests of a build folder by Meson, counted from its log; `wrapper` runs the programs."""
    options, log = ([], "emulated") if wrapper is None else (["--wrapper", " ".join(wrapper)], f"emulated-{wrapper[0]}")
    log = build / "meson-logs" / f"{log}.json"  # Meson adds the wrapper's name
    log.unlink(missing_ok=True)
    subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--suite", "kernels", "--print-errorlogs",
                    "--timeout-multiplier", "5", "--logbase", "emulated", *options], env={**os.environ, **environment})
    counted = subprocess.run([sys.executable, ROOT / "scripts/count_tests.py", log], capture_output=True, text=True)
    passed, failed = map(int, counted.stdout.split()) if counted.returncode == 0 else (0, 1)
    score.passed += passed
    score.failed += failed
    return failed == 0 and passed > 0


def cross_build():
    """True when the program and the kernel tests for ARM are built."""
    steps = [[ROOT / "cross/sysroot", SYSROOT]]
    if not (ARM / "build.ninja").exists():
        steps.append(["meson", "setup", ARM, ROOT, "-Dwerror=true", "--cross-file", SYSROOT / "root.ini",
                      "--cross-file", ROOT / "cross/aarch64.ini"])
    units = re.findall(r"'(\w+)'", (ROOT / "tests/kernels/meson.build").read_text().split("]")[0])
    steps.append(["ninja", "-C", ARM, "cli/smitin", *(f"tests/kernels/test_kernels_{unit}" for unit in units)])
    for step in steps:
        run = subprocess.run(step, capture_output=True, text=True)
        if run.returncode != 0:
            print(run.stdout[-4000:], run.stderr[-4000:], sep="\n")
            return False
    return True


def samples(command, level, weights, folder):
    """The sound of a second of the mini model, or what was said instead."""
    path = pathlib.Path(folder) / f"{level}-{weights}.wav"
    run = subprocess.run([*command, "generate", "-m", ROOT / "models/mini", "-p", "slow jazz with piano", "--knob",
                          "drums:60%", "-d", "1", "-s", "1", "-q", weights, "--cpu-level", level, "-o", path],
                         capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr
    with wave.open(str(path)) as sound:
        return sound.readframes(sound.getnframes())


def same_music(score, native, here):
    """A piece of AVX2 is the piece of NEON, sample for sample."""
    x86 = [native / "cli/smitin"] if here.get("avx2") == "here" else [*QEMU_X86, native / "cli/smitin"]
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("f32", "q8", "q4"):
            want = samples(x86, "avx2", weights, folder)
            for level in ("neon", "neon_dot") if weights != "f32" else ("neon",):
                got = samples([*QEMU_ARM, ARM / "cli/smitin"], level, weights, folder)
                score.count(f"music of {level}, {weights}", isinstance(want, bytes) and got == want,
                            got if isinstance(got, str) else want if isinstance(want, str) else "other samples")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    native, score = pathlib.Path(sys.argv[1]).resolve(), Score()
    here = levels_of(score, "native", [native / TABLE])
    how = {level: "natively, in the tests before" for level, state in here.items() if state == "here"}

    emulated = levels_of(score, "emulated x86-64", [*QEMU_X86, native / TABLE])
    new = [level for level, state in emulated.items() if state == "here" and level not in how]
    if new:
        # qemu reads a whole register where the processor reads what a mask says, so no page is missing there.
        good = kernel_tests(score, native, QEMU_X86, SMITIN_TESTS_UNGUARDED="1")
        how.update({level: "emulated, without guard pages" if good else "emulated: FAILED" for level in new})

    if cross_build():
        arm = levels_of(score, "emulated ARM", [*QEMU_ARM, ARM / TABLE])
        lesser = levels_of(score, "emulated ARM without dot products", [*WITHOUT_DOT, ARM / TABLE])
        score.count("levels of an older ARM", (lesser.get("neon"), lesser.get("neon_dot")) == ("here", "not on this CPU"),
                    lesser)
        good = kernel_tests(score, ARM)
        how.update({level: "emulated" if good else "emulated: FAILED"
                    for level, state in arm.items() if state == "here" and level not in how})
        same_music(score, native, here)
    else:
        score.count("the cross build for ARM", False, "see above")

    print("CPU levels:")
    for level, state in here.items():
        print(f"  {level:12} {how.get(level) or NOT_TESTED[state]}")
    print(f"{score.passed} passed, {score.failed} failed")
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())

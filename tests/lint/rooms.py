#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house's rules that a compiler does not check: dependencies point downward, every file names its licence, files
stay readable in one sitting, and nothing names a machine."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["base", "kernels", "format", "audio", "hub", "text", "codec", "melody", "lm", "steer", "probe", "data", "eval", "engine"]
# The command line sees the public header, and of the rooms only those that do not touch the model.
CLI_MAY_USE = {"base", "audio", "data", "probe", "eval", "format", "hub"}
MAX_LINES = 1000
SOURCES = ("*.c", "*.h", "*.cc", "*.py", "*.sh")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in out.decode().split("\0") if name and (ROOT / name).is_file()]


def included(path):
    for line in path.read_text().splitlines():
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield match.group(1)


def room_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "src" and len(parts) > 2 else parts[0]


def check_includes(problems):
    for path in tracked("src/*.c", "src/*.h", "src/*.cc", "cli/*.c", "cli/*.h", "examples/*.c"):
        room = room_of(path)
        for name in included(path):
            target = (path.parent / name).resolve()
            made_from = target.with_name(target.stem.replace("_html", ".html"))  # scripts/embed.py at build time
            if not target.is_file() and not (target.stem.endswith("_html") and made_from.is_file()):
                problems.append(f"{path.relative_to(ROOT)}: includes {name}, which is not there")
                continue
            other = room_of(target)
            if other == room:
                continue
            if room == "cli" and other in CLI_MAY_USE:
                continue
            if room in ROOMS and other in ROOMS and ROOMS.index(other) < ROOMS.index(room):
                continue
            problems.append(f"{path.relative_to(ROOT)}: room {room} may not include {name} of room {other}")


def check_files(problems):
    for path in tracked(*SOURCES, "demo", "check", ".ci/run", "meson.build", "*/meson.build"):
        text = path.read_text()
        name = path.relative_to(ROOT)
        if "SPDX-License-Identifier: MIT" not in text[:400]:
            problems.append(f"{name}: no SPDX line at the top")
        lines = text.count("\n")
        if lines > MAX_LINES:
            problems.append(f"{name}: {lines} lines; split it (at most {MAX_LINES})")
        if re.search(r"/(root|work|home/\w+)/", text) and path != pathlib.Path(__file__).resolve():
            problems.append(f"{name}: names a path of one machine")


def main():
    problems = []
    check_includes(problems)
    check_files(problems)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

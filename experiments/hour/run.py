# SPDX-License-Identifier: MIT
"""Does an hour of music take the memory of a minute, and its last second the time of the first?
`python -m experiments.hour.run --smitin build/cli/smitin --model models/mini` plays a long piece through a pipe, as a listener
would, and notes the player's memory and processor time after every few seconds of music. Writes hour.csv (every note) and
hour.md (a table) into OUT; status 1 when memory or cost grew."""

import argparse
import csv
import pathlib
import subprocess
import sys
import time

HEADER = 4096  # more than a WAV's header with its tags; it counts as no music


def status(pid):
    """(resident KiB, processor seconds) of a process."""
    fields = dict(line.split(":", 1) for line in open("/proc/%d/status" % pid))
    times = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return int(fields["VmRSS"].split()[0]), (int(times[11]) + int(times[12])) / 100


def play(args, rest):
    """Notes [(seconds of music, resident KiB, processor seconds, seconds on the clock)] and the words of the end."""
    command = [args.smitin, "generate", "-m", args.model, "-d", str(args.seconds), "-s", "1", "--quiet", "-o", "-", *rest]
    notes, played, due, second = [], 0, 0.0, None
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        started = time.monotonic()
        while data := process.stdout.read1(1 << 16):
            if second is None:  # bytes of a second stand in the header
                second = int.from_bytes(data[28:32], "little")
            played += len(data)
            music = max(0.0, (played - HEADER) / second)
            if music >= due and process.poll() is None:
                notes.append((music, *status(process.pid), time.monotonic() - started))
                due = music + args.every
        code = process.wait()
    if code != 0:
        sys.exit("%s ended with status %d after %.0f s of music" % (args.smitin, code, played / (second or 1)))
    return notes


def table(args, notes):
    """Rows of even parts of the piece: their memory at the end and what a second of music cost."""
    lines = ["| until | resident | processor time of a second of music |", "|---|---|---|"]
    costs, ends = [], []
    for part in range(args.parts):
        low, high = (args.seconds * p / args.parts for p in (part, part + 1))
        inside = [n for n in notes if low <= n[0] <= high]
        if len(inside) < 2:
            sys.exit("too few notes between %.0f and %.0f s; make --every smaller" % (low, high))
        first, last = inside[0], inside[-1]
        costs.append((last[2] - first[2]) / (last[0] - first[0]))
        ends.append(last[1])
        lines.append("| %.0f s | %.1f MB | %.4f s |" % (high, last[1] / 1000, costs[-1]))
    settled = next(n for n in notes if n[0] >= min(args.settled, args.seconds / args.parts))
    growth, slower = (ends[-1] - settled[1]) / 1000, costs[-1] / costs[0]
    lines += ["", "From %.0f s to the end memory grew by %.1f MB (bound %g); the last part cost %.2f of the first (bound %g)."
              % (settled[0], growth, args.growth, slower, args.slower)]
    return "\n".join(lines) + "\n", growth <= args.growth and slower <= args.slower


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="Options behind -- go to smitin generate.")
    parser.add_argument("--smitin", default="build/cli/smitin")
    parser.add_argument("--model", default="models/mini")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out/hour"))
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--every", type=float, default=5, help="seconds of music between notes")
    parser.add_argument("--parts", type=int, default=6)
    parser.add_argument("--settled", type=float, default=60, help="seconds of music after which memory should stay")
    # What stays of a frame: 4 bytes a codebook, 3 MB an hour in mono and 6 in stereo, and the loudness meter's blocks.
    parser.add_argument("--growth", type=float, default=8, help="MB that memory may grow by after that")
    parser.add_argument("--slower", type=float, default=1.25, help="times the first part's cost that the last may take")
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    notes = play(args, args.rest)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "hour.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["music_seconds", "resident_kib", "processor_seconds", "clock_seconds"])
        writer.writerows(("%.2f" % m, r, "%.2f" % p, "%.2f" % c) for m, r, p, c in notes)
    text, flat = table(args, notes)
    (args.out / "hour.md").write_text(text)
    print(text)
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()

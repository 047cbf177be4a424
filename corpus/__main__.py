# SPDX-License-Identifier: MIT
"""Command line: `python3 -m corpus survey|make|game|stats ...`."""

import argparse
import functools
import sys

from . import build, game, grooves, stats, survey, synth


def parser():
    top = argparse.ArgumentParser(prog="python3 -m corpus", description=__doc__.splitlines()[0])
    sub = top.add_subparsers(dest="command", required=True)
    s = sub.add_parser("survey", help="probe MMA's grooves and write the list of them")
    s.add_argument("--list", default=grooves.LIST_FILE, metavar="FILE")
    s.add_argument("--library", action="append", metavar="NAME",
                   help="folder of MMA's library, may be repeated (default: stdlib)")
    s.add_argument("--jobs", type=int, default=1, metavar="N")
    m = sub.add_parser("make", help="render pieces; a second run goes on where the first stopped")
    m.add_argument("out", metavar="OUT")
    m.add_argument("--pieces", type=int, nargs=3, default=(1725, 104, 122),
                   metavar=("TRAIN", "VALID", "TEST"),
                   help="pieces per split, about 52 s each (default: 1725 104 122)")
    m.add_argument("--list", default=grooves.LIST_FILE, metavar="FILE")
    m.add_argument("--font", action="append", metavar="NAME",
                   help="soundfont to draw from, may be repeated (default: %s)"
                   % ", ".join(synth.DEFAULT_FONTS))
    m.add_argument("--mixture", action="store_true", help="also write mixture.wav")
    m.add_argument("--jobs", type=int, default=1, metavar="N")
    g = sub.add_parser("game", help="render the game music of unpacked packages as a test set")
    g.add_argument("out", metavar="OUT")
    g.add_argument("--root", default="/", metavar="DIR",
                   help="where the packages are unpacked (default: /, where they are installed)")
    g.add_argument("--jobs", type=int, default=1, metavar="N")
    t = sub.add_parser("stats", help="how often stems sound, levels, metres")
    t.add_argument("out", metavar="OUT")
    return top


def main(argv=None):
    args = parser().parse_args(argv)
    if args.command == "survey":
        found = survey.survey(args.library or ["stdlib"], args.jobs)
        grooves.save(found, args.list)
        print("%d grooves written to %s" % (len(found), args.list))
        return 0
    if args.command == "stats":
        for split in grooves.SPLITS:
            text = stats.report(args.out, split)
            if text:
                print(text)
        return 0
    report = functools.partial(print, flush=True)
    try:
        if args.command == "game":
            game.make_all(args.root, args.out, args.jobs, report)
            return 0
        counts = dict(zip(grooves.SPLITS, args.pieces))
        build.make(args.out, counts, args.jobs, args.list, args.font or synth.DEFAULT_FONTS,
                   args.mixture, report)
    except (synth.SynthError, ValueError, OSError) as error:
        print("corpus: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

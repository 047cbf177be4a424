# SPDX-License-Identifier: MIT
"""Fills the tables of docs/results.md from docs/results/*.csv: `python -m experiments.paper.report`.

A table stands between "<!-- NAME -->" and "<!-- end -->"; rows whose experiments are not there are left out."""

import csv
import math
import pathlib
import re

from training.settings import TARGETS

FOLDER = pathlib.Path("docs/results")
PAGE = pathlib.Path("docs/results.md")


def listed(name):
    """The rows of a CSV, or none."""
    path = FOLDER / (name + ".csv")
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def read(name):
    """{condition: {measure: (mean, low, high, n)}} of a run; empty without one."""
    found = {}
    for row in listed(name):
        values = [float(row[k]) if row[k] else math.nan for k in ("mean", "low", "high", "n")]
        found.setdefault(row["condition"], {})[row["measure"]] = tuple(values)
    return found


def pooled(kind, condition, measure, targets=TARGETS):
    """(mean of instruments, low, high, n), or None. Half-widths of independent parts add in squares."""
    parts = []
    for target in targets:
        row = read("%s-%s" % (kind, target)).get(condition, {}).get(measure.format(target))
        if row:
            parts.append(row)
    if not parts:
        return None
    mean = sum(p[0] for p in parts) / len(parts)
    half = math.sqrt(sum(((p[2] - p[1]) / 2) ** 2 for p in parts)) / len(parts)
    return mean, mean - half, mean + half, sum(p[3] for p in parts)


def percent(row):
    return "" if row is None else "%.1f ± %.1f" % (100 * row[0], 100 * (row[2] - row[0]))


def plain(row, digits=1):
    if row is None:
        return ""
    if math.isnan(row[2]):
        return "%.*f" % (digits, row[0])
    return "%.*f ± %.*f" % (digits, row[0], digits, row[2] - row[0])


def line(cells):
    return "| %s |" % " | ".join(cells)


def begin(heads):
    """The first two lines of a table."""
    return [line(heads), "|---" * len(heads) + "|"]


SUCCESS = ("success at tau %", lambda get: percent(get("success_{}")))
HALF = ("at 0.5 %", lambda get: percent(get("success_half_{}")))
PRESENCE = ("presence %", lambda get: percent(get("presence_{}")))
REMOVED = ("1 - C ≥ tau %", lambda get: percent(get("removal_{}")))
ABSENT = ("C < tau %", lambda get: percent(get("absence_{}")))
DOSE = ("dose", lambda get: plain(get("dose_{}")))
REAL = ("FD music", lambda get: plain(get("frechet_reference"), 0))
FREE = ("FD unsteered", lambda get: plain(get("frechet_first"), 0))
ALIKE = ("similarity", lambda get: plain(get("similarity"), 3))
COUNT = ("n", lambda get: "%.0f" % get("similarity")[3] if get("similarity") else "%.0f" % get("presence_{}")[3])
ALL = SUCCESS, HALF, PRESENCE, DOSE, REAL, FREE, ALIKE, COUNT


def table(rows, columns, paper=(), targets=TARGETS):
    """rows: (words, kind, condition, *paper's numbers)."""
    lines = begin([""] + [c[0] for c in columns] + ["paper: " + p for p in paper])
    for words, kind, condition, *numbers in rows:
        def get(measure):
            return pooled(kind, condition, measure, targets)
        if get("presence_{}") is None:
            continue
        numbers += [""] * (len(paper) - len(numbers))
        lines.append(line([words] + [c[1](get) for c in columns] + numbers))
    return lines if len(lines) > 2 else []


def continuation():
    k = "continuation"
    return table([("unconditioned", k, "free", "7.4"), ("text \"add X\"", k, "text-add", "12.8"),
                  ("text \"music with X\"", k, "text-with"),
                  ("ITI, SMITIN's alpha", k, "iti-50", "49.9", ".420", ".896"),
                  ("ITI, a quarter of it", k, "iti-12"), ("weight-decay ITI, a quarter", k, "decay-12"),
                  ("SMITIN, 50 %", k, "smitin-50", "27.8", ".355"), ("SMITIN, 100 %", k, "smitin-100"),
                  ("SMITIN 50 % + \"add X\"", k, "smitin-50-text", "19.8"),
                  ("SMITIN along the probes, 48", k, "smitin-probe", "23.3", ".336", ".913")],
                 ALL, ("success %", "FAD", "similarity"))


def each():
    """Success and distance of every instrument."""
    rows = (("unconditioned", "free"), ("SMITIN, 50 %", "smitin-50"), ("SMITIN, 100 %", "smitin-100"),
            ("ITI, SMITIN's alpha", "iti-50"), ("ITI, a quarter", "iti-12"))
    lines = begin([""] + ["%s: success %%, presence %%, FD unsteered" % t for t in TARGETS])
    for words, condition in rows:
        cells = []
        for t in TARGETS:
            parts = [pooled("continuation", condition, m, [t]) for m in ("success_{}", "presence_{}", "frechet_first")]
            cells.append("%s, %s, %s" % (percent(parts[0]), percent(parts[1]), plain(parts[2], 0) or "0"))
        lines.append(line([words, *cells]))
    return lines


def heads():
    rows = [("soft weights", "continuation", "smitin-50", "27.8")]
    rows += [("the best %d of 30" % k, "heads", "top-%d" % k) for k in (3, 5, 10, 15, 30)]
    return table(rows, ALL, ("success %",))


def readings():
    r = "readings"
    return table([("as shipped: median, unit mean shift, reading a column before", "continuation", "smitin-50"),
                  ("mean instead of median", r, "mean"), ("lag: read at the step, apply at the next", r, "lag"),
                  ("s = 1", r, "every-1"), ("probes' unit directions, alpha 5", r, "probe-5"),
                  ("probes' raw directions, alpha 5", r, "raw-5"),
                  ("probes' unit directions, alpha 48", "continuation", "smitin-probe")], ALL)


def text():
    k = "text"
    return table([("text", k, "text", "", ".482"), ("text, \"add X\"", k, "text-add", "30.8"), ("text, X named", k, "text-with"),
                  ("text + ITI, a quarter", k, "iti-12", "52.0", ".538"), ("text + SMITIN 50 %", k, "smitin-50", "29.7", ".487"),
                  ("text + SMITIN 100 %", k, "smitin-100", "39.5", ".497")],
                 (SUCCESS, HALF, PRESENCE, DOSE, REAL, FREE, ("n", lambda get: "%.0f" % get("presence_{}")[3])),
                 ("success %", "FAD"))


def removal():
    k = "removal"
    return table([("unconditioned", k, "free"), ("text \"remove X\"", k, "text-remove"), ("text \"no X\"", k, "text-no"),
                  ("SMITIN -50 %", k, "smitin-50"), ("SMITIN -100 %", k, "smitin-100"), ("ITI, a quarter of -50 %", k, "iti-12")],
                 (REMOVED, ABSENT, PRESENCE, DOSE, REAL, FREE, ALIKE, COUNT))


def game():
    k = "game"
    return table([("unconditioned", k, "free"), ("SMITIN, 50 %", k, "smitin-50"), ("ITI, SMITIN's alpha", k, "iti-50")], ALL)


def three():
    run, names = read("three"), ("drums", "bass", "piano")
    lines = begin(["", "all at once %"] + ["%s: success %%, presence %%" % t for t in names] + ["FD music", "FD unsteered", "n"])
    for words, condition in (("unconditioned", "free"), ("three knobs at 50 %", "plain"), ("the same, `--orthogonal`", "orthogonal")):
        if run:
            row = run[condition]
            cells = ["%s, %s" % (percent(row["success_" + t]), percent(row["presence_" + t])) for t in names]
            lines.append(line([words, percent(row["simultaneous"]), *cells, plain(row["frechet_reference"], 0),
                               plain(row.get("frechet_first"), 0), "%.0f" % row["simultaneous"][3]]))
    return lines


def share(row):
    """An accuracy of so many clips, with the normal interval of a share."""
    p = float(row["best"])
    return "%.1f ± %.1f" % (100 * p, 196 * math.sqrt(p * (1 - p) / float(row["clips"])))


def sizes():
    """The knobs' accuracies, then what they do."""
    lines = begin(["pairs", "best head, drums %", "best head, piano %", "paper, mean of four %"])
    found = {(r["target"], int(r["pairs"])): r for r in listed("knobs")}
    for n, paper in (10, "79.1"), (100, "82.6"), (500, "84.4"), (1000, "84.8"):
        cells = [share(found[t, n]) if (t, n) in found else "" for t in ("drums", "piano")]
        lines.append(line([str(n), *cells, paper]))
    rows = [("%d pairs, %s" % (n, words), "sizes", "%s-%d" % (c, n))
            for c, words in (("raw", "alpha 5"), ("own", "50 % of its own range")) for n in (10, 100, 500, 1000)]
    return lines + [""] + table(rows, ALL, targets=("drums", "piano"))


def told():
    """How well heads tell real music from something else."""
    words = {"real": "real music or the model's own, played freely (paper: 96.2, 77.5)",
             "matched": "real music or what the model made of its first 3 s", "codec": "real music or the same through the codec"}
    lines = begin(["", "best head %", "mean of heads %", *("towards " + t for t in TARGETS)])
    for row in listed("real-knobs"):
        accuracies, cosines = [float(row[k]) for k in ("best", "mean")], [float(row["cosine_" + t]) for t in TARGETS]
        lines.append(line([words[row["knob"]], *("%.1f" % (100 * a) for a in accuracies), *("%.2f" % c for c in cosines)]))
    return lines


def heard(row):
    """Loudness and presences of {measure: (mean, ...)}."""
    return ["%.1f" % row["lufs"][0]] + ["%.0f" % (100 * row["presence_" + t][0]) for t in TARGETS]


def real():
    """What music holds and what the model makes, then what the two knobs do."""
    lines = begin(["", "success at tau %", "at 0.5 %", "dose", "FD music", "FD unsteered", "loudness, LUFS", *("%s %%" % t for t in TARGETS), "n"])
    sets = read("music") | {name: read(run).get("free") for name, run in (("synthetic", "synthetic"), ("synthetic, matched", "synthetic-matched"))}
    for name in "held-out music", "real", "synthetic", "matched", "synthetic, matched":
        if sets.get(name):
            lines.append(line([name, *[""] * 5, *heard(sets[name]), "%.0f" % sets[name]["lufs"][3]]))
    for knob in "real", "matched":
        for condition, row in read(knob).items():
            name = "unconditioned" if condition == "free" else condition.replace("-", " ")
            lines.append(line(["%s: %s" % (knob, name), percent(row["success_" + knob]), percent(row["success_half_" + knob]),
                               plain(row["dose_" + knob]), plain(row["frechet_reference"], 0), plain(row.get("frechet_first"), 0),
                               *heard(row), "%.0f" % row["success_" + knob][3]]))
    return lines


TABLES = {f.__name__: f for f in (continuation, each, heads, readings, text, removal, game, three, sizes, told, real)}


def main():
    page = PAGE.read_text()
    for name, make in TABLES.items():
        marks = re.compile(r"(<!-- %s -->\n).*?(<!-- end -->)" % name, re.DOTALL)
        if not marks.search(page):
            raise SystemExit("%s has no place for the table '%s'" % (PAGE, name))
        page = marks.sub(lambda m, lines=make(): m.group(1) + "\n" + "\n".join(lines) + "\n\n" + m.group(2), page)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()

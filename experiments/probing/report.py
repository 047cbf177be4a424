# SPDX-License-Identifier: MIT
"""Tables of what the heads know, from the reports of `experiments.probing.run`: Markdown on stdout; CSVs and pictures in OUT.

Heads are chosen on valid families and measured on the test set; "best" is the best head on the test set itself, as papers
report it. Settings are the paper's (last step, C = 1, no standardisation) unless they are named.
"""

import argparse
import csv
import json
import pathlib
import shutil

from training.settings import TARGETS

from . import questions
from .run import COSTS, LAYERS, PAPER, SETTINGS, TESTS, Setting, asked, cases, tests_of

INSTRUMENT_MEASURES = ("accuracy", "f1", "auc", "ap")
PICTURES = ("heatmap.png", "histogram.png", "layers.png")

def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def number(row, name):
    """A measure of a row; minus infinity where there is none, as no head should be chosen for it."""
    return float(row[name]) if row.get(name) else float("-inf")


def best(rows, name):
    return max(rows, key=lambda r: number(r, name))


def summary(report, question):
    """{"valid": of the head chosen there, "test": of that head, "best": on test, "mean": over heads, "place": layer.head}."""
    rows = read(report / "heads.csv")
    chosen = best(rows, "valid_" + question.measure)
    name = "test_" + question.measure
    return {"valid": number(chosen, "valid_" + question.measure), "test": number(chosen, name),
            "best": number(best(rows, name), name), "mean": sum(number(r, name) for r in rows) / len(rows),
            "place": ".".join(chosen[c] for c in ("layer", "head") if c in chosen), "row": chosen}


def per_label(report, measure, split="valid"):
    """{label: row of its own head, the best one on a split}."""
    found = {}
    for row in read(report / "heads_by_label.csv"):
        found.setdefault(row["label"], []).append(row)
    return {label: best(rows, "%s_%s" % (split, measure)) for label, rows in found.items()}


def report_of(args, kind, pool, question, test, setting=PAPER):
    return asked(args, kind, pool, question.name, test) / setting.name


def baseline(folder, question):
    """The measure of one answer for all clips, the best there is for the test set: what a probe that hears nothing could reach."""
    clips = json.loads((folder / "manifest.json").read_text())["clips"]
    test = [c["labels"] for c in clips if c["split"] == "test"]
    if question.task == "regression":
        return 0.0
    if question.task == "binary":
        share = sum(map(bool, test)) / len(test)
        return max(share, 1 - share)
    score = key_score if question.measure == "key" else lambda a, b: float(a == b)
    return max(sum(score(k, labels[0]) for labels in test) for k in range(len(question.classes))) / len(test)


def key_score(guess, truth):
    """Weighted score of a key: 1, fifth above 0.5, relative 0.3, parallel 0.2 (MIREX)."""
    up, minor, really = (guess // 2 - truth // 2) % 12, guess % 2, truth % 2
    if minor == really:
        return 1.0 if up == 0 else 0.5 if up == 7 else 0.0
    return 0.3 if up == (3 if really else 9) else 0.2 if up == 0 else 0.0


def errors(folder, label, accuracy, f1):
    """(hits, false alarms) as shares, of a label's accuracy and F1 on the test clips of a folder."""
    clips = [c["labels"] for c in json.loads((folder / "manifest.json").read_text())["clips"] if c["split"] == "test"]
    there = sum(label in labels for labels in clips)
    wrong = (1 - accuracy) * len(clips)
    hits = f1 * wrong / (2 * (1 - f1)) if f1 < 1 else there     # F1 = 2 hits / (2 hits + wrong)
    return hits / there, (wrong - (there - hits)) / (len(clips) - there)


def instruments(args):
    """The paper's MUSDB table and the measures that do not need a threshold; also instruments.csv."""
    question = questions.QUESTIONS[0]
    rows, first, second, third = [], [], [], []
    for kind in ("mixes", "natural"):
        for test in TESTS:
            report = report_of(args, kind, "last", question, test)
            place = summary(report, question)["row"]
            one = {r["label"]: r for r in read(report / "heads_by_label.csv")
                   if (r["layer"], r["head"]) == (place["layer"], place["head"])}
            for choice, found in (("one head", one), ("own heads", per_label(report, question.measure)),
                                  ("best heads on test", per_label(report, question.measure, "test"))):
                values = {t: [number(found[t], "test_" + m) for m in INSTRUMENT_MEASURES] for t in TARGETS}
                values["mean"] = [sum(v[i] for v in values.values()) / len(TARGETS) for i in range(len(INSTRUMENT_MEASURES))]
                name = "%s, %s, %s" % (kind, test, choice)
                if choice == "one head":
                    shares = [errors(report.parent, k, *values[t][:2]) for k, t in enumerate(TARGETS)]
                    third.append("| %s | %s |" % (name, " | ".join("%.0f / %.0f" % (100 * a, 100 * b) for a, b in shares)))
                first.append("| %s | %s |" % (name, " | ".join("%.1f / %.3f" % (100 * v[0], v[1]) for v in values.values())))
                second.append("| %s | %s |" % (name, " | ".join("%.1f / %.1f" % (100 * v[2], 100 * v[3]) for v in values.values())))
                rows += [[kind, test, choice, label, *("%.4f" % x for x in v)] for label, v in values.items()]
    with open(args.out / "instruments.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["clips", "test", "heads", "instrument", *INSTRUMENT_MEASURES], *rows])
    head = "| accuracy % / F1 | drums | bass | guitar | piano | mean |\n|---|---|---|---|---|---|"
    return "\n".join([head, *first, "", head.replace("accuracy % / F1", "ROC-AUC % / AP %"), *second, "",
                      head.replace("accuracy % / F1", "hits % / false alarms %").replace(" mean |", "").replace("|---", "", 1), *third])


def others(args):
    """Everything but instruments, a line per question (of numbers one per number) and test set; also others.csv."""
    rows = []
    for question in questions.QUESTIONS[1:]:
        for test in tests_of(question):
            report = report_of(args, "natural", "last", question, test)
            if question.task == "regression":
                by_label = read(report / "heads_by_label.csv")
                for label, row in per_label(report, question.measure).items():
                    all_of = [number(r, "test_r2") for r in by_label if r["label"] == label]
                    rows.append([label, "R2", test, 0.0, number(row, "test_r2"), "%s.%s" % (row["layer"], row["head"]),
                                 max(all_of), sum(all_of) / len(all_of)])
                continue
            s = summary(report, question)
            rows.append([question.name, "weighted score" if question.measure == "key" else question.measure, test,
                         baseline(report.parent, question), s["test"], s["place"], s["best"], s["mean"]])
            if question.measure == "key":
                rows.append([question.name, "accuracy", test, "", number(s["row"], "test_accuracy"), s["place"],
                             max(number(r, "test_accuracy") for r in read(report / "heads.csv")), ""])
    rows = [["%.3f" % v if isinstance(v, float) else v for v in row] for row in rows]
    with open(args.out / "others.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["question", "measure", "test", "constant", "head_of_valid", "head", "best_on_test", "mean_of_heads"], *rows])
    lines = ["| question | measure | test set | one answer for all | head chosen on valid | best head | mean of heads |",
             "|---|---|---|---|---|---|---|"]
    return "\n".join(lines + ["| %s | %s | %s | %s | %s (%s) | %s | %s |" % tuple(row) for row in rows])


def settings(args):
    """settings.csv with every fit; and how far each choice moves the measure on valid families, the others being the paper's."""
    rows = []
    for kind, question in cases():
        for pool in ("last", "mean50"):
            for test in tests_of(question):
                for setting in SETTINGS:
                    report = report_of(args, kind, pool, question, test, setting)
                    if (report / "report.json").exists():
                        s = summary(report, question)
                        rows.append([kind, question.name, test, question.measure, pool, setting.name, s["place"],
                                     *("%.4f" % s[k] for k in ("valid", "test", "best", "mean"))])
    with open(args.out / "settings.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["clips", "question", "test", "measure", "pooling", "setting", "head", "valid", "test_of_it", "best_on_test",
              "mean_of_heads"], *rows])
    lines = ["| valid, held out | paper's | mean of 50 | standardised | all heads of a layer | "
             + " | ".join("C = %s" % c for c in COSTS if c != PAPER.cost) + " |", "|---" * (4 + len(COSTS)) + "|"]
    wanted = [("last", PAPER), ("mean50", PAPER), ("last", Setting(standardise=True)), ("last", LAYERS)]
    wanted += [("last", Setting(c)) for c in COSTS if c != PAPER.cost]
    found = {(r[0], r[1], r[4], r[5]): "%s, %s" % (r[7][:5], r[8][:5]) for r in rows if r[2] == "held"}
    for kind, question in cases():
        if question.grid:
            cells = [found.get((kind, question.name, pool, setting.name), "") for pool, setting in wanted]
            lines.append("| %s, %s (%s) | %s |" % (question.name, kind, question.measure, " | ".join(cells)))
    return "\n".join(lines)


def knobs(args):
    """The shipped knobs on the clips they were tested on when they were made, and on game music; also TARGET-knob-heads.csv."""
    lines = ["| knob | best head, held out | the same head, game music | mean of heads, held out | mean of heads, game music |",
             "|---|---|---|---|---|"]
    for target in TARGETS:
        found = json.loads((args.work / "knobs" / (target + ".json")).read_text())
        head = found["best_head_of_file"]
        lines.append("| %s | %.1f (%d.%d) | %.1f | %.1f | %.1f |" % (
            target, 100 * head["accuracy_file"], head["layer"], head["head"], 100 * head["accuracy_here"],
            100 * found["mean_accuracy_file"], 100 * found["mean_accuracy_here"]))
        shutil.copyfile(args.work / "knobs" / (target + ".csv"), args.out / (target + "-knob-heads.csv"))
    return "\n".join(lines)


def files(args):
    """Per-head CSVs and pictures of the paper's settings."""
    for kind, question in cases():
        for test in tests_of(question):
            report = report_of(args, kind, "last", question, test)
            stem = "%s-%s-%s" % (question.name, kind, test)
            shutil.copyfile(report / "heads.csv", args.out / (stem + "-heads.csv"))
            for picture in PICTURES[:1] if test == "game" else PICTURES:
                shutil.copyfile(report / picture, args.out / ("%s-%s" % (stem, picture)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/probing"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for title, part in (("Instruments", instruments), ("Everything else", others), ("Settings", settings), ("Knobs", knobs)):
        print("### %s\n\n%s\n" % (title, part(args)))
    files(args)


if __name__ == "__main__":
    main()

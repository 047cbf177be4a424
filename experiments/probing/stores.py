# SPDX-License-Identifier: MIT
"""One listening, many questions: folders of activations with other labels and splits, made from one that smitin wrote."""

import json

import numpy as np

TASKS = ("binary", "multilabel", "multiclass", "regression")
SPLITS = ("train", "valid", "test")


def load(folder):
    """(manifest, z float32 [clips, L, H * D], the clips of its rows)."""
    manifest = json.loads((folder / "manifest.json").read_text())
    if not manifest["complete"]:
        raise SystemExit("%s is not complete; run smitin probe extract again" % folder)
    z = np.concatenate([np.load(folder / s["file"]) for s in manifest["shards"]])
    return manifest, z, [c for c in manifest["clips"] if "sha256" in c]


def ask(source, out, title, task, classes, choose):
    """Write `out`, a folder for `smitin probe fit`; returns the number of clips in each split.

    source  from load
    title   above pictures
    classes names of the traits, classes or numbers
    choose  clip -> (split, labels), labels as in a manifest: places of its traits, [its class], or its numbers;
            or None to leave the clip out
    """
    manifest, z, clips = source
    if task not in TASKS:
        raise ValueError("no task is called %s" % task)
    rows, chosen, counts = [], [], dict.fromkeys(SPLITS, 0)
    for row, clip in enumerate(clips):
        answer = choose(clip)
        if answer is None:
            continue
        split, labels = answer
        counts[split] += 1
        rows.append(row)
        chosen.append({"path": clip["path"], "track": clip["track"], "start": clip["start"], "split": split,
                       "labels": labels, "shard": 0, "row": len(rows) - 1, "sha256": clip["sha256"]})
    if not counts["train"] or not counts["test"]:
        raise SystemExit("%s: %d clips to train and %d to test" % (out, counts["train"], counts["test"]))
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "activations-00000.npy", z[rows])
    asked = dict(manifest, task=task, classes=list(classes), clips_per_shard=len(rows), clips=chosen,
                 shards=[{"file": "activations-00000.npy", "rows": len(rows)}],
                 data="%s: %d clips to train, %d valid, %d test" % (title, *(counts[s] for s in SPLITS)))
    (out / "manifest.json").write_text(json.dumps(asked) + "\n")
    return counts

# SPDX-License-Identifier: MIT
"""Statistics of a rendered corpus: how often each stem sounds, levels, metres, exactness."""

import collections
import json
import os

import numpy as np

from . import build, gm, mix, wav

WINDOW = 250            # frames of 20 ms in one window: 5 s
WITH, WITHOUT = 0.2, 0.01


def pieces(out, split):
    """Folders of the finished pieces of a split, in order."""
    folder = os.path.join(out, split)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = (os.path.join(folder, n) for n in names if not n.startswith("."))
    return [p for p in paths if os.path.exists(os.path.join(p, build.META))]


def load(folder):
    """(meta, {stem: int16 memory map}) of one piece."""
    with open(os.path.join(folder, build.META), encoding="utf-8") as file:
        meta = json.load(file)
    return meta, {s: wav.read(os.path.join(folder, s + ".wav")) for s in meta["activity"]}


def window_shares(meta):
    """Array [windows, stems]: share of active frames of every stem in every whole 5 s window."""
    length = int(meta["seconds"] * 50) // WINDOW * WINDOW
    rows = []
    for stem in gm.STEMS:
        text = meta["activity"].get(stem, "")[:length].ljust(length, "0")
        frames = np.frombuffer(text.encode(), np.uint8) - ord("0")
        rows.append(frames.reshape(-1, WINDOW).mean(1))
    return np.array(rows).T


def _decibels(x):
    return 10 * np.log10(np.mean(np.square(x, dtype=np.float64)) / 32768 ** 2 + 1e-20)


def summary(out, split):
    """Dict of statistics of one split, or None when it has no pieces."""
    shares, level = [], collections.defaultdict(list)
    table = collections.defaultdict(collections.Counter)
    seconds, peak, names = 0.0, 0, pieces(out, split)
    if not names:
        return None
    for folder in names:
        meta, stems = load(folder)
        seconds += meta["seconds"]
        shares.append(window_shares(meta))
        total = mix.mixture(stems)
        peak = max(peak, int(np.abs(total).max()))
        level["mixture"].append(_decibels(total))
        for stem, x in stems.items():
            level[stem].append(_decibels(x))
        for field in ("metre", "family", "mode"):
            table[field][meta[field]] += 1
    shares = np.concatenate(shares)
    return {
        "pieces": len(names), "hours": seconds / 3600, "peak": peak / 32768,
        "families": len(table["family"]), "metre": dict(table["metre"]),
        "mode": dict(table["mode"]),
        "with": dict(zip(gm.STEMS, (shares >= WITH).mean(0).round(3))),
        "without": dict(zip(gm.STEMS, (shares < WITHOUT).mean(0).round(3))),
        "sounding": np.bincount((shares >= WITH).sum(1), minlength=6) / len(shares),
        "rms": {k: np.percentile(v, (5, 50, 95)).round(1) for k, v in level.items()}}


def report(out, split):
    """The summary as text, or "" for an empty split."""
    s = summary(out, split)
    if s is None:
        return ""
    lines = ["%s: %d pieces, %.2f h, %d families, peak %.3f" % (
        split, s["pieces"], s["hours"], s["families"], s["peak"])]
    lines.append("  metre %s; mode %s" % (s["metre"], s["mode"]))
    lines.append("  stems sounding per window (0..5): %s" %
                 " ".join("%.2f" % v for v in s["sounding"]))
    for stem in gm.STEMS:
        lines.append("  %-7s with %3.0f %%  without %3.0f %%  RMS %s dBFS" % (
            stem, 100 * s["with"][stem], 100 * s["without"][stem],
            " / ".join("%.1f" % v for v in s["rms"].get(stem, ()))))
    lines.append("  mixture RMS %s dBFS" % " / ".join("%.1f" % v for v in s["rms"]["mixture"]))
    return "\n".join(lines)

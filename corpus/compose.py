# SPDX-License-Identifier: MIT
"""Writes a song: a style family, a key, a tempo, a form, chords, and the MMA text of it all."""

import dataclasses
import random

from . import grooves as groove_list
from . import theory

# How often a family is drawn per cycle, so that metres other than 4/4 are not too rare.
ODD_METRE_WEIGHT = 2

FORMS = {8: ("AB", "AAB", "ABA", "AABA"), 12: ("A", "AB", "AA")}


@dataclasses.dataclass
class Song:
    """A composed song, before it is rendered.

    key      tonic, 0 = C .. 11 = B
    beats    quarter-note lengths per bar
    bars     per bar, list of (beat at which it starts, chord token)
    sections list of (first bar, name) with names "intro", "A", "B", "end"
    grooves  per bar, the groove that plays
    text     source for the MMA program
    """
    family: str
    groove: groove_list.Groove
    metre: str
    beats: int
    bpm: int
    key: int
    minor: bool
    pool: str
    form: str
    bars: list
    sections: list
    grooves: list
    text: str


def schedule(families):
    """List of family names for one cycle; families in rarer metres stand in it several times."""
    cycle = []
    for name, members in families.items():
        odd = all(g.metre != "4/4" for g in members if g.kind == "body")
        cycle += [name] * (ODD_METRE_WEIGHT if odd else 1)
    return cycle


def family_for(number, split, families):
    """Family of piece `number` of a split: shuffled cycles, so every prefix is representative."""
    cycle = schedule({f: v for f, v in families.items() if groove_list.split_of(f) == split})
    if not cycle:
        raise ValueError("no style family falls into split %r" % split)
    turn, place = divmod(number, len(cycle))
    random.Random("cycle/%s/%d" % (split, turn)).shuffle(cycle)
    return cycle[place]


def compose(rng, family, members):
    """Song in style `family`, whose grooves are `members`."""
    bodies = [g for g in members if g.kind == "body"]
    main = rng.choice(bodies)
    members = [g for g in members if (g.metre, g.beats) == (main.metre, main.beats)]
    second = rng.choice([g for g in members if g.kind == "body"])
    pools, low, high = theory.style_of(family)
    bpm = rng.randint(130, 220) if main.beats == 6 else rng.randint(low, high)
    key, pool = rng.randrange(12), rng.choice(pools)
    length = 12 if pool == "blues" else 8
    parts = {"A": (main, _section(rng, pool, length)), "B": (second, _section(rng, pool, length))}
    form = rng.choice(FORMS[length])
    minor = theory.is_minor(parts["A"][1] + (parts["B"][1] if "B" in form else []))
    plan = _plan(rng, members, parts, form, minor)
    bars, sections, playing = _lay_out(plan, main.beats)
    text = _mma_text(rng.randrange(1 << 30), bpm, key, bars, playing)
    return Song(family, main, main.metre, main.beats, bpm, key, minor, pool, form, bars, sections,
                playing, text)


def _section(rng, pool, length):
    """`length` bars of chords from a random progression of the pool."""
    bars = rng.choice(theory.PROGRESSIONS[pool]).split()
    return (bars * length)[:length]


def _plan(rng, members, parts, form, minor):
    """List of (section name or None to go on, groove, bars): intro, sections with fills, end."""
    by_kind = {k: [g for g in members if g.kind == k] for k in ("intro", "fill", "end")}
    plan = []
    if by_kind["intro"] and rng.random() < 0.4:
        groove = rng.choice(by_kind["intro"])
        plan.append(("intro", groove, parts["A"][1][:min(4, groove.size or 4)]))
    fills = [g for g in by_kind["fill"] if 1 <= g.size <= 2]
    for name in form:
        groove, bars = parts[name]
        if fills and rng.random() < 0.5:
            fill = rng.choice(fills)
            plan.append((name, groove, bars[:-fill.size]))
            plan.append((None, fill, bars[-fill.size:]))
        else:
            plan.append((name, groove, bars))
    ends = [g for g in by_kind["end"] if 1 <= g.size <= 4]
    if ends and rng.random() < 0.6:
        groove = rng.choice(ends)
        tonic = "I:m" if minor else "I"
        approach = [parts[form[-1]][1][-1]] if groove.size > 1 else []
        plan.append(("end", groove, (approach + [tonic] * 4)[:groove.size]))
    return plan


def _lay_out(plan, beats):
    """Flattens a plan into (bars, sections, groove per bar)."""
    bars, sections, playing = [], [], []
    for name, groove, chords in plan:
        if name:
            sections.append((len(bars), name))
        for chord in chords:
            tokens = chord.split(",") if beats == 4 else chord.split(",")[:1]
            bars.append([(2 * i, t) for i, t in enumerate(tokens)])
            playing.append(groove.name)
    return bars, sections, playing


def _mma_text(seed, bpm, key, bars, playing):
    lines, last = ["RndSeed %d" % seed, "Tempo %d" % bpm], None
    for number, (bar, groove) in enumerate(zip(bars, playing), 1):
        if groove != last:
            lines.append("Groove " + groove)
            last = groove
        chords = " / ".join(theory.chord_name(t, key) for _, t in bar)
        lines.append("%d %s" % (number, chords))
    return "\n".join(lines) + "\n"

# SPDX-License-Identifier: MIT
"""Makes one piece in memory: compose, compile, render per stem, arrange, mix, describe.

Everything depends on (split, number, groove list, fonts) alone. Each step draws from a random
generator of its own, so that a change in one step leaves the others as they were.
"""

import dataclasses
import random

import numpy as np

from . import arrange, compose, gm, grooves, melody, midi, mix, mma, synth, theory, timbre

VERSION = 1             # of the recipe; part of the metadata
LEAD_CHANCE = 0.6
RELEASE = 1.5           # seconds rendered after the last event
FEWEST_FRAMES = 15      # a stem that is active in fewer 20 ms frames is left out
AUDIBLE = 0.1           # share of active frames that makes a block of a stem worth switching on


@dataclasses.dataclass
class Piece:
    """stems: {stem: int16 array}, all of one length; meta: what meta.json holds."""
    stems: dict
    meta: dict


def random_for(split, number, step):
    """Random generator of one step of one piece."""
    return random.Random("smitin/%d/%s/%s/%s" % (VERSION, split, number, step))


def make(split, number, families, fonts=synth.DEFAULT_FONTS):
    """Piece `number` (0, 1, ...) of a split.

    families  from grooves.families
    fonts     soundfont names; one is drawn per rendered track

    Raises mma.MmaError when MMA refuses the song.
    """
    family = compose.family_for(number, split, families)
    song = compose.compose(random_for(split, number, "song"), family, families[family])
    file, _ = mma.compile_text(song.text)
    tracks, parts, lead = _tracks(song, file, split, number)
    clock = midi.Clock(file)
    bar_ticks = song.beats * file.ticks_per_beat
    bar_times = [clock.seconds(i * bar_ticks) for i in range(len(song.bars) + 1)]
    samples = int((max(clock.seconds(clock.last_tick), bar_times[-1]) + RELEASE) * synth.RATE)
    stems, chosen_fonts = render(tracks, file.ticks_per_beat, samples, fonts,
                                  random_for(split, number, "fonts"))
    stems, settings = shape(stems, random_for(split, number, "timbre"))
    plan = _arrange(stems, song, bar_times, random_for(split, number, "arrangement"))
    block_times = [bar_times[b] for b in plan.blocks]
    loudest = {s: mix.frame_rms(x).max() for s, x in stems.items()}
    for stem in stems:
        stems[stem] *= arrange.gains(plan.on[stem], block_times, samples, synth.RATE)
    stems, activity = quantise(stems, loudest)
    seconds = len(next(iter(stems.values()))) / synth.RATE
    meta = {
        "version": VERSION, "seed": number, "split": split, "family": family,
        "groove": song.groove.name, "description": grooves.description(song.groove),
        "bpm": song.bpm, "key": theory.key_name(song.key, song.minor).split()[0],
        "mode": "minor" if song.minor else "major", "metre": song.metre, "beats": song.beats,
        "bars": [round(t, 6) for t in bar_times[:-1]], "form": song.form,
        "sections": [list(s) for s in song.sections],
        "chords": [",".join(theory.chord_name(t, song.key) for _, t in bar) for bar in song.bars],
        "programs": _programs(parts, stems, plan, len(song.bars)),
        "fonts": {s: chosen_fonts[s] for s in stems}, "font_choice": list(fonts), "lead": lead,
        "timbre": {s: settings[s] for s in stems}, "arrangement": _plan_meta(plan, stems),
        "activity": {s: "".join("01"[int(v)] for v in activity[s]) for s in stems},
        "rate": synth.RATE, "seconds": seconds}
    return Piece(stems, meta)


def quantise(stems, loudest):
    """({stem: int16 array}, {stem: activity}) without stems that hardly sound.

    loudest: {stem: RMS of the loudest frame before anything was switched off}
    """
    full, gain = mix.quantise(stems, synth.RATE)
    activity = {s: mix.active(x / 32767, loudest[s] * gain) for s, x in full.items()}
    kept = [s for s in full if activity[s].sum() >= FEWEST_FRAMES]
    full = {s: full[s] for s in kept}
    if len(kept) < len(stems) and mix.peak(full) > mix.PEAK + 0.0005:
        # What was left out had cancelled a peak: find the gain anew without it.
        return quantise({s: stems[s] for s in kept}, loudest)
    return full, {s: activity[s] for s in kept}


def _tracks(song, file, split, number):
    """([(stem, MIDI track)], [Part], lead as metadata or None)."""
    bar_ticks = song.beats * file.ticks_per_beat
    chosen = midi.choose_programs(random_for(split, number, "programs"), midi.survey_parts(file))
    found, parts = midi.split(file, chosen, bar_ticks)
    tracks, lead = list(found.items()), None
    rng = random_for(split, number, "lead")
    if rng.random() < LEAD_CHANCE:
        program, notes = melody.write(rng, song, file.ticks_per_beat)
        found, extra = midi.split(midi.lead_file(program, notes, file), {}, bar_ticks)
        tracks += found.items()
        parts += extra
        if extra:
            lead = {"program": program, "name": gm.PROGRAM_NAMES[program],
                    "stem": gm.stem_of(0, program)}
    return tracks, parts, lead


def render(tracks, ticks_per_beat, samples, fonts, rng):
    """({stem: float array}, {stem: [font of every track in it]}); silent stems left out."""
    stems, used = {}, {}
    for stem, track in tracks:
        font = rng.choice(fonts)
        x = synth.render(midi.to_bytes(track, ticks_per_beat), font, samples)
        stems[stem] = stems[stem] + x if stem in stems else x
        used.setdefault(stem, []).append(font)
    order = [s for s in gm.STEMS if s in stems]
    return {s: stems[s] for s in order if mix.active(stems[s]).any()}, used


def shape(stems, rng):
    """High-pass, random timbre, level and limiter; returns (stems, settings per stem)."""
    shaped, settings = {}, {}
    for stem, x in stems.items():
        settings[stem] = timbre.draw(rng, stem)
        x = timbre.apply(mix.high_pass(x, synth.RATE), settings[stem], synth.RATE)
        shaped[stem] = mix.level(x, stem, rng)
    return shaped, settings


def _arrange(stems, song, bar_times, rng):
    """The on/off plan, which knows where each stem has something to play."""
    blocks = arrange.blocks_of(rng, song.sections, bar_times)
    edges = [bar_times[b] for b in blocks] + [bar_times[-1]]
    audible = {}
    for stem, x in stems.items():
        frames = mix.active(x)
        marks = [int(t * synth.RATE) // mix.FRAME for t in edges]
        audible[stem] = [bool(np.mean(frames[a:b]) >= AUDIBLE) if b > a else False
                         for a, b in zip(marks, marks[1:])]
    return arrange.arrange(rng, blocks, len(song.bars), audible)


def _plan_meta(plan, stems):
    meta = plan.as_meta()
    meta["on"] = {s: v for s, v in meta["on"].items() if s in stems}
    return meta


def _programs(parts, stems, plan, bars):
    """{stem: [program entries]}; "bars" is a digit per bar: the part sounds and is switched on."""
    edges = plan.blocks + [bars]
    table = {s: [] for s in stems}
    for part in sorted(parts, key=lambda p: (-p.notes, p.channel, p.program)):
        if part.stem not in stems:
            continue
        on = plan.on[part.stem]
        heard = [False] * bars
        for block, (first, last) in enumerate(zip(edges, edges[1:])):
            for bar in range(first, last):
                heard[bar] = on[block] and bar in part.bars
        if any(heard):
            table[part.stem].append({
                "program": part.program, "name": gm.program_name(part.channel, part.program),
                "notes": part.notes, "bars": "".join("01"[h] for h in heard)})
    return table

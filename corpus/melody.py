# SPDX-License-Identifier: MIT
"""A rule-based lead line: motif rhythms, chord tones on strong beats, scale steps between."""

from . import theory

LEADS = (56, 59, 64, 65, 66, 68, 71, 73, 75, 40, 11, 80, 81, 22, 57, 60, 79,
         27, 26, 25, 24, 29, 26, 0, 4, 0, 1)
LOW_LEADS = frozenset((57, 60, 66, 24, 25, 26, 27, 29))

# Bar rhythms in beats by beats per bar; a negative length is a rest.
RHYTHMS = {
    2: ((1, 1), (2,), (.5, .5, 1), (1.5, .5), (-1, 1), (-2,)),
    3: ((1, 1, 1), (2, 1), (3,), (1, .5, .5, 1), (-1, 1, 1), (-3,)),
    4: ((1, 1, 1, 1), (2, 2), (.5, .5, 1, 2), (1.5, .5, 1, 1), (3, 1), (4,), (-1, 1, 1, 1),
        (1, .5, .5, .5, .5, 1), (-.5, .5, 1, .5, .5, 1), (-4,)),
    5: ((1, 1, 1, 2), (3, 2), (-2, 1, 2)),
    6: ((2, 1, 2, 1), (3, 3), (6,), (-3, 2, 1)),
}

MOTIF_ORDER = (0, 1, 0, 2)
SECTION_PLAYS = 0.8


def write(rng, song, ticks):
    """(program, notes) of a lead; a note is (start tick, end tick, pitch, velocity).

    `ticks` is the number of ticks per beat of the song's MIDI file.
    """
    program = rng.choice(LEADS)
    low, high = (52, 76) if program in LOW_LEADS else (57, 81)
    rhythms = RHYTHMS.get(song.beats) or ((song.beats,),)
    motif = [rng.choice(rhythms) for _ in range(3)]
    swing = song.beats == 4 and bool(theory.SWING.search(song.family))
    pitch, notes = rng.randint(low + 6, high - 6), []
    starts, playing = {bar for bar, _ in song.sections}, True
    for number, bar in enumerate(song.bars):
        if number in starts:
            playing = rng.random() < SECTION_PLAYS
        own = rng.random() < 0.8
        rhythm = motif[MOTIF_ORDER[number % 4]] if own else rng.choice(rhythms)
        beat = 0.0
        for length in rhythm:
            if length > 0:
                pitch = _next_pitch(rng, song, bar, beat, length, pitch, (low, high))
                start = number * song.beats + beat
                start += 1 / 6 if swing and beat % 1 == 0.5 else 0
                end = number * song.beats + beat + length * rng.uniform(0.75, 0.97)
                velocity = max(40, min(115, int(rng.gauss(88, 9))))
                if playing:
                    notes.append((int(start * ticks), max(int(end * ticks), int(start * ticks) + 1),
                                  pitch, velocity))
            beat += abs(length)
    return program, notes


def _next_pitch(rng, song, bar, beat, length, pitch, span):
    """Pitch near the last one: a chord tone on strong beats and long notes, else also the scale."""
    token = [t for start, t in bar if start <= beat][-1]
    allowed = theory.pitch_classes(token, song.key)
    if beat % 2 != 0 and length < 2:
        mode = "blues" if song.pool == "blues" else "minor" if song.minor else "major"
        allowed = allowed | {(song.key + step) % 12 for step in theory.SCALES[mode]}
    reach = 7 if rng.random() < 0.15 else 4
    near = [p for p in range(span[0], span[1] + 1) if p % 12 in allowed and abs(p - pitch) <= reach]
    if not near:
        return pitch
    weights = [(0.4 if p == pitch else 1.0) / (1 + abs(p - pitch)) for p in near]
    return rng.choices(near, weights)[0]

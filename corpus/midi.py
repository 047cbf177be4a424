# SPDX-License-Identifier: MIT
"""From one MIDI file to one MIDI track per stem, with instruments exchanged on the way."""

import bisect
import collections
import dataclasses
import io

import mido

from . import gm

MIN_NOTES = 4           # a stem with fewer notes is left out
SUBSTITUTE = 0.5        # chance that a part takes another program of its family
COMPLETE = {"guitar": 0.85, "piano": 0.85, "bass": 0.8}   # chance to give a missing role a part
COMPLETE_WITH = {"guitar": range(24, 31), "piano": range(0, 6), "bass": range(32, 40)}
BASS_TOP = 50           # a part with a lower mean pitch (MIDI note) can stand in for a bass
KITS = (0, 0, 0, 8, 16, 25, 32, 40)


@dataclasses.dataclass
class Part:
    """What one channel and program plays: the stem, the note count, bars with sounding notes."""
    stem: str
    channel: int
    program: int
    notes: int
    bars: set


@dataclasses.dataclass(frozen=True)
class Note:
    """One sounding note; start and end in ticks, program as set when it begins."""
    start: int
    end: int
    channel: int
    program: int
    pitch: int

    @property
    def stem(self):
        return gm.stem_of(self.channel, self.program)


class Clock:
    """Seconds of a tick, by the tempo events of a file."""

    def __init__(self, midi):
        self.ticks, self.seconds_at, self.tempi = [0], [0.0], [500000]
        self.per_beat, tick = midi.ticks_per_beat, 0
        for message in mido.merge_tracks(midi.tracks):
            tick += message.time
            if message.type == "set_tempo":
                start = self.seconds(tick)
                if tick == self.ticks[-1]:
                    self.tempi[-1] = message.tempo
                else:
                    self.ticks.append(tick)
                    self.seconds_at.append(start)
                    self.tempi.append(message.tempo)
        self.last_tick = tick

    def seconds(self, tick):
        i = bisect.bisect_right(self.ticks, tick) - 1
        return self.seconds_at[i] + (tick - self.ticks[i]) * self.tempi[i] * 1e-6 / self.per_beat

    def tick(self, seconds):
        """The last tick that is not after `seconds`."""
        i = bisect.bisect_right(self.seconds_at, seconds) - 1
        return self.ticks[i] + int((seconds - self.seconds_at[i]) * self.per_beat
                                   / (self.tempi[i] * 1e-6) + 1e-6)


def notes(midi):
    """[Note] of a file in the order of their ends; a note that never ends, ends with the file."""
    done, program, tick = [], [0] * 16, 0
    pending = collections.defaultdict(list)

    def end(key):
        start, number = pending[key].pop(0)
        done.append(Note(start, tick, key[0], number, key[1]))

    for m in mido.merge_tracks(midi.tracks):
        tick += m.time
        if m.type == "program_change":
            program[m.channel] = m.program
        elif m.type == "note_on" and m.velocity:
            pending[m.channel, m.note].append((tick, program[m.channel]))
        elif m.type in ("note_on", "note_off") and pending[m.channel, m.note]:
            end((m.channel, m.note))
    for key in sorted(pending):
        while pending[key]:
            end(key)
    return done


def survey_parts(midi):
    """{(channel, program): (notes, mean pitch)} of a file."""
    count, total, program = collections.Counter(), collections.Counter(), [0] * 16
    for m in mido.merge_tracks(midi.tracks):
        if m.type == "program_change":
            program[m.channel] = m.program
        elif m.type == "note_on" and m.velocity:
            key = (m.channel, program[m.channel])
            count[key] += 1
            total[key] += m.note
    return {k: (count[k], total[k] / count[k]) for k in sorted(count)}


def choose_programs(rng, parts):
    """{(channel, program): new program}: family substitutes, then missing roles filled.

    A piece without guitar, piano or bass often gives one of its other parts to that
    instrument, so that the four named instruments are about equally common.
    """
    chosen = {}
    for channel, program in parts:
        if channel == gm.DRUM_CHANNEL:
            continue
        other = rng.choice(gm.substitutes(program))
        chosen[channel, program] = other if rng.random() < SUBSTITUTE else program
    kit = rng.choice(KITS)
    roles = list(COMPLETE)
    rng.shuffle(roles)
    for role in roles:
        lucky, program = rng.random() < COMPLETE[role], rng.choice(COMPLETE_WITH[role])
        stems = collections.Counter(gm.stem_of(c, p) for (c, _), p in chosen.items())
        if stems[role] or not lucky:
            continue
        spare = [k for k, p in chosen.items() if gm.stem_of(k[0], p) == "other"
                 or (gm.stem_of(k[0], p) in ("guitar", "piano") and stems[gm.stem_of(k[0], p)] > 1)]
        if role == "bass":
            spare = [k for k in spare if parts[k][1] < BASS_TOP]
        else:
            spare = [k for k in spare if parts[k][1] >= BASS_TOP]
        if spare:
            chosen[rng.choice(spare)] = program
    chosen.update({k: kit for k in parts if k[0] == gm.DRUM_CHANNEL})
    return chosen


class _StemWriter:
    """Collects absolute-time messages and turns them into a track with delta times."""

    def __init__(self):
        self.track, self.last = mido.MidiTrack(), 0

    def add(self, message, tick):
        self.track.append(message.copy(time=tick - self.last))
        self.last = tick


def split(midi, chosen, bar_ticks):
    """Splits a file into stems; returns ({stem: track}, [Part]).

    chosen    {(channel, program): new program}, identity where a key is missing
    bar_ticks ticks per bar, for the bars in which a part sounds

    Every event that is not a note goes to all stems, so controllers and tempo stay exact.
    """
    writers, parts = {s: _StemWriter() for s in gm.STEMS}, {}
    program, pending, tick = [0] * 16, collections.defaultdict(list), 0
    kit = next((p for (c, _), p in chosen.items() if c == gm.DRUM_CHANNEL), 0)
    writers["drums"].add(mido.Message("program_change", channel=gm.DRUM_CHANNEL, program=kit), 0)
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                old = program[message.channel]
                new = chosen.get((message.channel, old), old)
                stem = gm.stem_of(message.channel, new)
                part = parts.setdefault((message.channel, new),
                                        Part(stem, message.channel, new, 0, set()))
                part.notes += 1
                pending[key].append((part, tick))
                writers[stem].add(message, tick)
            elif pending[key]:
                part, start = pending[key].pop(0)
                part.bars.update(range(start // bar_ticks, max(start, tick - 1) // bar_ticks + 1))
                writers[part.stem].add(message, tick)
            continue
        if message.is_meta and message.type != "set_tempo":
            continue
        if message.type == "program_change":
            program[message.channel] = message.program
            if message.channel == gm.DRUM_CHANNEL:
                continue
            key = (message.channel, message.program)
            message = message.copy(program=chosen.get(key, message.program))
        for writer in writers.values():
            writer.add(message, tick)
    counts = collections.Counter()
    for part in parts.values():
        counts[part.stem] += part.notes
    tracks = {s: writers[s].track for s in gm.STEMS if counts[s] >= MIN_NOTES}
    return tracks, [p for p in parts.values() if p.stem in tracks]


def lead_file(program, notes, midi):
    """A MIDI file with the tempo of `midi` and one lead part on channel 0."""
    out = mido.MidiFile(type=1, ticks_per_beat=midi.ticks_per_beat)
    tempo = _StemWriter()
    tick = 0
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type == "set_tempo":
            tempo.add(message, tick)
    writer, events = _StemWriter(), []
    for start, end, pitch, velocity in notes:
        events.append((start, 1, pitch, velocity))
        events.append((end, 0, pitch, 0))
    writer.add(mido.Message("program_change", channel=0, program=program), 0)
    for tick, _, pitch, velocity in sorted(events):
        writer.add(mido.Message("note_on", channel=0, note=pitch, velocity=velocity), tick)
    out.tracks += [tempo.track, writer.track]
    return out


def to_bytes(track, ticks_per_beat):
    """Standard MIDI file (format 0) of one track."""
    file = mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat)
    file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()

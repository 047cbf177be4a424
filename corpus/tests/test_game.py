# SPDX-License-Identifier: MIT
"""Game music: what packages hold, where tunes are cut, what pieces hold; with tunes made here."""

import filecmp
import gzip
import io
import json
import os
import struct
import zipfile

import mido
import numpy as np
import pytest

from corpus import build, game, gamefiles, gm, midi, mix, stats, synth, wav

FONT = "sf_GMbank.sf2"


def tune(beats=40, wait=0, parts=((0, 0), (1, 33)), key=None):
    """Bytes of a MIDI file at 120 bpm: a note a beat per (channel, program), after `wait` beats."""
    file = mido.MidiFile(ticks_per_beat=96)
    for number, (channel, program) in enumerate(parts):
        track = mido.MidiTrack()
        track.append(mido.Message("program_change", channel=channel, program=program))
        for beat in range(beats):
            note = 36 if channel == gm.DRUM_CHANNEL else 48 + (0, 4, 7, 12)[beat % 4]
            track.append(mido.Message("note_on", channel=channel, note=note, velocity=90,
                                      time=96 * wait if beat == 0 else 0))
            track.append(mido.Message("note_off", channel=channel, note=note, time=96))
        file.tracks.append(track)
        if key is not None and number == 0:
            track.insert(0, mido.MetaMessage("key_signature", key="C"))
    buffer = io.BytesIO()
    file.save(file=buffer)
    data = buffer.getvalue()
    return data if key is None else data.replace(b"\xff\x59\x02\x00\x00", b"\xff\x59\x02" + key)


def wad(lumps):
    body = b"".join(data for _, data in lumps)
    where, entries = gamefiles.WAD_HEADER.size, b""
    for name, data in lumps:
        entries += gamefiles.WAD_ENTRY.pack(where, len(data), name.encode())
        where += len(data)
    return gamefiles.WAD_HEADER.pack(b"IWAD", len(lumps), 12 + len(body)) + body + entries


@pytest.fixture
def root(tmp_path):
    """A tree like that of the unpacked packages: a WAD, a zip, plain files, one of each twice."""
    first, second = tune(40), tune(44, parts=((0, 25), (9, 0), (2, 60)))
    doom = tmp_path / "usr/share/games/doom"
    doom.mkdir(parents=True)
    (doom / "freedoom1.wad").write_bytes(
        wad([("D_E1M1", first), ("DEMO1", b"x"), ("D_MUS", b"MUS\x1a")]))
    (doom / "freedoom2.wad").write_bytes(wad([("D_RUNNIN", first), ("D_DM2TTL", second)]))
    books = tmp_path / "usr/share/games/pianobooster/music"
    books.mkdir(parents=True)
    with zipfile.ZipFile(books / "Books.zip", "w") as archive:
        archive.writestr("Books4/Beginner/01-Middle C.mid", tune(48))
        archive.writestr("Books4/Beginner/info.html", "x")
    music = tmp_path / "usr/share/games/simutrans/music"
    music.mkdir(parents=True)
    (music / "02-Short.mid").write_bytes(tune(8))
    (music / "03-Solo.mid").write_bytes(tune(40, parts=((0, 0),)))
    (music / "04-Odd key.mid").write_bytes(tune(50, key=b"\xff\xff"))
    changelog = tmp_path / "usr/share/doc/simutrans-data"
    changelog.mkdir(parents=True)
    with gzip.open(changelog / "changelog.Debian.gz", "wt") as file:
        file.write("simutrans (123.0.1-1) unstable; urgency=medium\n")
    return str(tmp_path)


def test_tunes_are_found_once_with_their_package(root):
    tunes = gamefiles.find(root)
    assert [t.name for t in tunes] == [
        "freedoom-d-e1m1", "freedoom-d-dm2ttl", "pianobooster-beginner-01-middle-c",
        "simutrans-02-short", "simutrans-03-solo", "simutrans-04-odd-key"]
    assert tunes[-1].package == "simutrans-data 123.0.1-1" and tunes[-1].licence == "Artistic-1.0"
    assert "unknown version" in tunes[0].package
    assert tunes[-1].midi().tracks      # its key signature is one that mido refuses


def test_nothing_to_find_and_damage_are_said(tmp_path, root):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no game music below .*freedoom, openttd"):
        gamefiles.find(str(empty))
    whole = wad([("D_E1M1", tune(40))])
    too_long = whole[:len(whole) - 16] + struct.pack("<ii8s", 5, 1 << 30, b"D_X")
    for damaged, why in ((whole[:-1], "directory"), (b"ZWAD" + whole[4:], "not a WAD"),
                         (b"IW", "not a WAD"), (too_long, "lump 0")):
        with pytest.raises(ValueError, match=why):
            gamefiles.wad_lumps(damaged, "x.wad")


def test_an_excerpt_begins_with_the_first_note():
    file = mido.MidiFile(file=io.BytesIO(tune(200, wait=20)))
    part = game.excerpt(file)
    assert (part.first, part.start, part.seconds) == (20 * 96, 10.0, game.SECONDS)
    assert part.last == (20 + 120) * 96
    with pytest.raises(game.GameError, match="lasts 4.0 s"):
        game.excerpt(mido.MidiFile(file=io.BytesIO(tune(8))))
    with pytest.raises(game.GameError, match="no notes"):
        game.excerpt(mido.MidiFile())


def test_clock_finds_the_tick_of_a_second():
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks.append(mido.MidiTrack([
        mido.MetaMessage("set_tempo", tempo=500000),
        mido.MetaMessage("set_tempo", tempo=250000, time=400),
        mido.MetaMessage("end_of_track", time=400)]))
    clock = midi.Clock(file)
    for tick in range(0, 900, 50):
        assert clock.tick(clock.seconds(tick)) == tick


def test_notes_keep_their_program_and_open_ones_end_with_the_file():
    def on(pitch, wait=0):
        return mido.Message("note_on", note=pitch, velocity=64, time=wait)

    def off(pitch, wait=0):
        return mido.Message("note_off", note=pitch, time=wait)

    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([
        on(60), mido.Message("program_change", program=40, time=5), off(60, 5), on(62), on(62, 5),
        off(62, 5), mido.MetaMessage("end_of_track", time=10)]))
    assert [(n.start, n.end, n.program, n.pitch) for n in midi.notes(file)] == [
        (0, 10, 0, 60), (10, 20, 40, 62), (15, 30, 40, 62)]


def test_key_of_scales():
    def scale(tonic, steps, weights):
        return [midi.Note(0, w, 0, 0, 60 + tonic + s) for s, w in zip(steps, weights)]
    weights = (5, 1, 3, 1, 4, 1, 1)
    assert game.key_of(scale(2, (0, 2, 4, 5, 7, 9, 11), weights))[:2] == ("D", "major")
    assert game.key_of(scale(6, (0, 2, 3, 5, 7, 8, 10), weights))[:2] == ("F#", "minor")
    assert game.key_of([]) == (None, None, 0.0)


@pytest.fixture
def made(root, tmp_path, monkeypatch):
    try:
        synth.font_path(FONT)
    except synth.SynthError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    monkeypatch.setattr(game, "FONTS", (FONT,))
    monkeypatch.setattr(game.font_paths, "__defaults__", ((FONT,),))
    out, said = str(tmp_path / "out"), []
    groups = game.make_all(root, out, report=said.append)
    return root, out, groups, said


def test_pieces_have_the_corpus_layout(made):
    _, out, groups, said = made
    counts = {group: pieces for group, (pieces, _) in groups.items()}
    assert counts == {"freedoom": 2, "pianobooster": 1, "simutrans": 1}
    assert any("02-short left out: lasts" in s for s in said)
    assert any("03-solo left out: has 1 stem" in s for s in said)
    for folder in stats.pieces(out, "test"):
        meta, stems = stats.load(folder)
        assert set(os.listdir(folder)) == {s + ".wav" for s in stems} | {build.META}
        assert len(stems) >= 2
        assert np.abs(mix.mixture(stems)).max() <= 0.951 * 32767
        samples = int(round(meta["seconds"] * synth.RATE))
        assert 15 < meta["seconds"] <= game.SECONDS and samples % mix.FRAME == 0
        for stem, x in stems.items():
            assert len(x) == samples and len(meta["activity"][stem]) == samples // mix.FRAME
            assert all(len(p["bars"]) == len(meta["bars"]) for p in meta["programs"][stem])
        assert meta["bpm"] == pytest.approx(120, abs=0.5)
        assert meta["fonts"].keys() == stems.keys()
        assert "/" not in json.dumps(meta["fonts"])
    assert "4 pieces" in stats.report(out, "test")


def test_game_pieces_are_the_same_again_and_kept(made, tmp_path):
    root, out, _, _ = made
    again = str(tmp_path / "again")
    chosen = [t for t in gamefiles.find(root) if t.name == "simutrans-04-odd-key"][0]
    assert game.make_one(chosen, again, (synth.font_path(FONT),))[2] == "made"
    a, b = (os.path.join(f, "test", chosen.name) for f in (out, again))
    names = sorted(os.listdir(a))
    assert filecmp.cmpfiles(a, b, names, shallow=False)[0] == names
    assert wav.read(os.path.join(a, "piano.wav")).any()
    assert game.make_one(chosen, again, (synth.font_path(FONT),))[2] == "kept"

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The variants of MusicGen on the command line. Usage: variants.py SMITIN STEREO_MODEL MELODY_MODEL"""
import json
import os
import shutil
import sys
import unittest
import wave

import terminal
from terminal import RATE, smitin, tone, write_wav

MELODY = os.path.abspath(sys.argv[3])


def read_wav(path):
    with wave.open(str(path)) as file:
        return file.getnchannels(), file.getnframes(), file.readframes(file.getnframes())


def channel(data, index):
    """16-bit samples of one of two channels."""
    return b"".join(data[i + 2 * index:i + 2 * index + 2] for i in range(0, len(data), 4))


class Stereo(terminal.Case):
    def test_files_and_pipe_have_two_channels(self):
        for name in ("a.wav", "a.flac"):
            result = self.generate("-s", 3, "-p", "slow drums", "-o", name)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("1.00 s", result.stderr.decode())
        channels, frames, data = read_wav(self.folder / "a.wav")
        self.assertEqual((channels, frames), (2, RATE))
        self.assertNotEqual(channel(data, 0), channel(data, 1))
        flac = (self.folder / "a.flac").read_bytes()
        # STREAMINFO: 20 bits of rate, then 3 of channels less one.
        self.assertEqual((flac[8 + 12] >> 1) & 7, 1)
        piped = self.generate("-s", 3, "-p", "slow drums", "-o", "-", "--quiet")
        self.assertEqual(piped.stdout, (self.folder / "a.wav").read_bytes())

    def test_clips_of_one_and_two_channels(self):
        write_wav(self.folder / "one.wav", tone(0.4))
        write_wav(self.folder / "two.wav", tone(0.4), channels=2)
        for name in ("one", "two"):
            result = self.generate("-s", 3, "--quiet", "-i", name + ".wav", "-o", name + "-more.wav")
            self.assertEqual(result.returncode, 0, result.stderr)
        # A mono clip is in both channels.
        one, two = (read_wav(self.folder / (name + "-more.wav")) for name in ("one", "two"))
        self.assertEqual(one, two)
        self.assertEqual(one[:2], (2, RATE))
        result = self.generate("-s", 3, "--quiet", "-i", "two.wav", "--keep-prompt", "no", "-o", "rest.wav")
        self.assertEqual(result.returncode, 0, result.stderr)
        channels, frames, rest = read_wav(self.folder / "rest.wav")
        self.assertEqual((channels, frames), (2, RATE - RATE * 2 // 5))
        piped = self.generate("-s", 3, "--quiet", "-i", "two.wav", "--keep-prompt", "no", "-o", "-")
        self.assertEqual(piped.stdout, (self.folder / "rest.wav").read_bytes())

    def test_a_knob_is_trained_and_turned(self):
        train_and_turn(self, terminal.MODEL)

    def test_no_melody(self):
        write_wav(self.folder / "tune.wav", tone(1))
        self.assert_refused(self.generate("--melody", "tune.wav", "-o", "x.wav"), 2, "stereo", "follows no melody")
        self.assert_left("tune.wav")


class Melody(terminal.Case):
    def make(self, *arguments):
        result = smitin("generate", "-m", MELODY, "-d", "1", "-s", 3, "--quiet", *arguments, folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_tune_is_followed(self):
        write_wav(self.folder / "a.wav", tone(1.5, frequency=220.0))
        write_wav(self.folder / "b.wav", tone(1.5, frequency=261.63))
        write_wav(self.folder / "soft.wav", tone(1.5, frequency=220.0, loudness=0.05), channels=2)
        for name in ("a", "b", "soft"):
            self.make("--melody", name + ".wav", "-p", "slow drums", "-o", name + "-out.wav")
        self.make("-p", "slow drums", "-o", "none-out.wav")
        a, b, soft, none = (read_wav(self.folder / (name + "-out.wav")) for name in ("a", "b", "soft", "none"))
        self.assertEqual(a[:2], (1, RATE))
        self.assertNotEqual(a, b)
        self.assertNotEqual(a, none)
        self.assertEqual(a, soft)  # only pitches count, neither loudness nor channels

    def test_settings_make_it_again(self):
        write_wav(self.folder / "a.wav", tone(1.5, frequency=220.0))
        self.make("--melody", "a.wav", "-o", "once.wav")
        settings = json.loads((self.folder / "once.json").read_text())
        self.assertEqual(settings["melody"], "a.wav")
        result = smitin("generate", "--from", "once.wav", "--quiet", "-o", "again.wav", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(read_wav(self.folder / "once.wav"), read_wav(self.folder / "again.wav"))
        write_wav(self.folder / "a.wav", tone(1.5, frequency=330.0))
        result = smitin("generate", "--from", "once.wav", "-o", "again.wav", folder=self.folder)
        self.assertIn("melody", result.stderr.decode())

    def test_refusals(self):
        for arguments, code, words in ((["--melody", "gone.wav"], 1, ["gone.wav"]), (["--melody"], 2, ["--melody"])):
            result = smitin("generate", "-m", MELODY, "-o", "x.wav", *arguments, folder=self.folder)
            self.assert_refused(result, code, *words)
        self.assert_left()

    def test_a_knob_is_trained_and_turned(self):
        train_and_turn(self, MELODY)
        # While a tune and a text are followed, too: they stand in front of what knobs count.
        write_wav(self.folder / "a.wav", tone(1.5, frequency=220.0))
        along = ("--melody", "a.wav", "-p", "slow drums")
        for name, knob in (("off", ()), ("zero", ("--knob", "low:0")), ("on", ("--knob", "low:20"))):
            self.make(*along, *knob, "-o", name + "-along.wav")
        off, zero, on = (read_wav(self.folder / (name + "-along.wav")) for name in ("off", "zero", "on"))
        self.assertEqual(off, zero)
        self.assertNotEqual(off, on)

    def test_a_model_without_its_lstm(self):
        """An early upload: one message names what is missing and what to do; the codec beside the model mends it."""
        early = self.folder / "early"
        shutil.copytree(MELODY, early)
        tensors, data = read_safetensors(early / "model.safetensors")
        whole = {name: t for name, t in tensors.items() if name.startswith("audio_encoder.")}
        kept = {name: t for name, t in tensors.items() if ".lstm." not in name or name.endswith("weight_ih_l0")}
        self.assertEqual(len(tensors) - len(kept), 14)
        write_safetensors(early / "model.safetensors", kept, data)
        result = smitin("generate", "-m", early, "-d", "1", "-o", "x.wav", folder=self.folder)
        self.assert_refused(result, 3, "14 problems", "encodec_32khz", "lstm.weight_hh_l0 is missing")
        codec = self.folder / "encodec_32khz"
        codec.mkdir()
        write_safetensors(codec / "model.safetensors", {n.split(".", 1)[1]: t for n, t in whole.items()}, data)
        for model, name in ((early, "mended.wav"), (MELODY, "sound.wav")):
            result = smitin("generate", "-m", model, "-d", "1", "-s", 3, "--quiet", "-o", name, folder=self.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(read_wav(self.folder / "mended.wav"), read_wav(self.folder / "sound.wav"))


def read_safetensors(path):
    """The header, by name, and the bytes behind it."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return header, data[8 + size:]


def write_safetensors(path, tensors, data):
    header, body = {}, b""
    for name, tensor in tensors.items():
        begin, end = tensor["data_offsets"]
        header[name] = {**tensor, "data_offsets": [len(body), len(body) + end - begin]}
        body += data[begin:end]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def train_and_turn(case, model):
    for kind, frequency, loudness in (("with", 60.0, 0.9), ("without", 700.0, 0.2)):
        (case.folder / kind).mkdir()
        for i in range(6):
            sound = tone(3, RATE, frequency * (1 + 0.05 * i), loudness)
            write_wav(case.folder / kind / ("%d.wav" % i), sound, channels=1 + i % 2)
    result = smitin("knob", "train", "-m", model, "--with", "with", "--without", "without", "--name", "low",
                    "--clip-seconds", "0.4", "--pairs", "24", "--calibrate-pieces", "2", "--calibrate-seconds",
                    "0.5", folder=case.folder)
    case.assertEqual(result.returncode, 0, result.stderr)
    info = json.loads(smitin("knob", "info", "-m", model, "--json", "low", folder=case.folder).stdout)
    case.assertGreater(info["best_accuracy"], 0.8)
    # Every head of the model has its probe: counts and widths are the model's.
    decoder = json.load(open(os.path.join(model, "config.json")))["decoder"]
    heads = decoder["num_attention_heads"]
    case.assertEqual((info["layers"], info["heads"], info["head_size"]),
                     (decoder["num_hidden_layers"], heads, decoder["hidden_size"] // heads))
    with open(case.folder / "low.knob.csv") as file:
        case.assertEqual(len(file.readlines()), 1 + info["layers"] * heads)
    sounds = {}
    for name, knob in (("off", None), ("zero", "low:0"), ("on", "low:20")):
        extra = ["--knob", knob] if knob else []
        result = smitin("generate", "-m", model, "-d", "1", "-s", 3, "--quiet", "-o", name + ".wav", *extra,
                        folder=case.folder)
        case.assertEqual(result.returncode, 0, result.stderr)
        sounds[name] = read_wav(case.folder / (name + ".wav"))
    case.assertEqual(sounds["off"], sounds["zero"])
    case.assertNotEqual(sounds["off"], sounds["on"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

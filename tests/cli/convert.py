#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Models in one GGUF file, read here by a parser of their own. Usage: convert.py SMITIN TINY_MODEL [TEST ...]"""
import json
import math
import pathlib
import signal
import struct
import sys
import unittest

import terminal
from terminal import MINI, smitin, tone, write_wav

MODEL = pathlib.Path(terminal.MODEL)
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]  # of IQ4_NL


class Gguf:
    """GGUF version 3 as its definition says."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 0
        magic, version, tensors, values = self.take("4sIQQ")
        assert (magic, version) == (b"GGUF", 3)
        self.meta = {}
        for _ in range(values):
            key = self.text()
            assert key not in self.meta
            self.meta[key] = self.value(self.take("I")[0])
        self.tensors = {}
        for _ in range(tensors):
            name, (dims,) = self.text(), self.take("I")
            shape = self.take(f"{dims}Q")[::-1]
            kind, place = self.take("IQ")
            assert name not in self.tensors and len(name) < 64
            self.tensors[name] = (kind, shape, place)
        alignment = self.meta["general.alignment"]
        self.start = (self.at + alignment - 1) // alignment * alignment
        assert all(place % alignment == 0 for _, _, place in self.tensors.values())

    def take(self, form):
        size = struct.calcsize("<" + form)
        self.at += size
        return struct.unpack_from("<" + form, self.data, self.at - size)

    def text(self):
        return self.take(f"{self.take('Q')[0]}s")[0].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            items, count = self.take("IQ")
            return bytes(self.take(f"{count}B")) if items == 0 else [self.value(items) for _ in range(count)]
        return self.take(NUMBERS[kind])[0]

    def numbers(self, name):
        kind, shape, place = self.tensors[name]
        count, at, out = math.prod(shape), self.start + place, []
        if kind in (0, 1):
            return list(struct.unpack_from(f"<{count}{'fe'[kind]}", self.data, at))
        if kind == 30:
            return [struct.unpack("<f", b"\0\0" + self.data[at + 2 * i:at + 2 * i + 2])[0] for i in range(count)]
        assert shape[-1] % 32 == 0
        for _ in range(count // 32):
            scale, = struct.unpack_from("<e", self.data, at)
            if kind == 8:
                out += [scale * q for q in struct.unpack_from("<32b", self.data, at + 2)]
                at += 34
            else:
                assert kind == 20
                codes = self.data[at + 2:at + 18]
                out += [scale * LEVELS[c & 15] for c in codes] + [scale * LEVELS[c >> 4] for c in codes]
                at += 18
        return out


def originals():
    """Tensors of the model's safetensors file, f32 or f16."""
    data = (MODEL / "model.safetensors").read_bytes()
    length, = struct.unpack_from("<Q", data)
    out = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + x for x in entry["data_offsets"])
            form = {"F32": "f", "F16": "e"}[entry["dtype"]]
            out[name] = list(struct.unpack(f"<{(end - begin) // struct.calcsize(form)}{form}", data[begin:end]))
    return out


def off(made, wanted):
    """Root mean square error in parts of the size."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(made, wanted)) / sum(b * b for b in wanted))


class Convert(terminal.Case):
    def convert(self, *arguments):
        result = smitin("convert", "-m", MODEL, *arguments, "--quiet", folder=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result

    def test_the_file_holds_the_model(self):
        """Contents against the original files, for every format."""
        given, prints = originals(), set()
        # Errors of the formats for weights of a normal spread are 0.03, 0.2, 0.5 and 7.4 percent.
        for name, most in (("f32", 0), ("f16", 0.0005), ("bf16", 0.004), ("q8", 0.008), ("q4", 0.11)):
            with self.subTest(name):
                self.convert("-q", name, "-o", "m.gguf", "--name", "a name", "--licence", "mine")
                file = Gguf(self.folder / "m.gguf")
                meta = file.meta
                self.assertEqual(meta["general.architecture"], "musicgen")
                self.assertEqual((meta["general.name"], meta["general.license"]), ("a name", "mine"))
                self.assertEqual((meta["smitin.version"], meta["smitin.format"]), (1, name))
                for key, source in (("config", "config.json"), ("generation_config", "generation_config.json")):
                    self.assertEqual(meta["smitin." + key], (MODEL / source).read_text())
                self.assertEqual(meta["smitin.spiece_model"], (MODEL / "spiece.model").read_bytes())
                self.assertRegex(meta["smitin.fingerprint"], "^[0-9a-f]{64}$")
                prints.add(meta["smitin.fingerprint"])
                self.assertEqual(len(prints), 1)  # of the model, not of its rounding
                for short, long in (("lm.blk.0.fc1.weight", "decoder.model.decoder.layers.0.fc1.weight"),
                                    ("lm.heads.1.weight", "decoder.lm_heads.1.weight"),
                                    ("lm.blk.2.self_attn.k_proj.weight", "decoder.model.decoder.layers.2.self_attn.k_proj.weight"),
                                    ("lm.blk.0.fc2.weight", "decoder.model.decoder.layers.0.fc2.weight")):
                    self.assertLessEqual(off(file.numbers(short), given[long]), most, short)
                # Rows of 48 are no whole blocks, so q8 and q4 leave them as they are.
                if name in ("q8", "q4"):
                    self.assertEqual(file.numbers("lm.blk.0.fc2.weight"), given["decoder.model.decoder.layers.0.fc2.weight"])
                    self.assertEqual(file.tensors["lm.blk.0.fc1.weight"][0], 8 if name == "q8" else 20)
                self.assertEqual(file.numbers("lm.layer_norm.bias"), given["decoder.model.decoder.layer_norm.bias"])
                self.assertEqual(file.tensors["codec.encoder.layers.0.conv.weight"][0], 0 if name == "f32" else 1)

    def test_the_file_plays_the_model(self):
        self.convert("-o", "m.gguf")  # q8
        for name, model in (("a", [MODEL, "-q", "q8"]), ("b", ["m.gguf"]), ("c", ["m.gguf", "-q", "q8"])):
            result = smitin("generate", "-m", *model, "-d", "1", "-s", 3, "-p", "slow drums", "-o", name + ".flac", "--quiet",
                            folder=self.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
        # FLAC keeps the MD5 of the samples in its first block.
        sums = {(self.folder / (name + ".flac")).read_bytes()[26:42] for name in "abc"}
        self.assertEqual(len(sums), 1)
        again = smitin("generate", "--from", "b.flac", "-o", "d.flac", "--quiet", folder=self.folder)
        self.assertEqual((again.returncode, again.stderr), (0, b""))
        self.assertIn((self.folder / "d.flac").read_bytes()[26:42], sums)

    def test_knobs(self):
        """A knob of the directory lies beside the file, and one is trained on the file itself."""
        (self.folder / "knobs").mkdir()
        for kind, frequency in (("with", 60.0), ("without", 700.0)):
            (self.folder / kind).mkdir()
            for i in range(6):
                write_wav(self.folder / kind / f"{i}.wav", tone(3, frequency=frequency * (1 + 0.05 * i)))
        train = ["--with", "with", "--without", "without", "--clip-seconds", "0.4", "--pairs", 24, "--calibrate-pieces", 0,
                 "--quiet"]
        result = smitin("knob", "train", "-m", MODEL, *train, "--name", "low", "-o", "knobs/low.knob.safetensors",
                        folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.convert("-q", "q4", "-o", "m.gguf")
        result = smitin("generate", "-m", "m.gguf", "-d", "1", "--knob", "low:5", "-o", "a.wav", "--quiet", folder=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        result = smitin("knob", "train", "-m", "m.gguf", *train, "--name", "own", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        info = json.loads(smitin("knob", "info", "-m", "m.gguf", "--json", "own.knob.safetensors", folder=self.folder).stdout)
        self.assertEqual(info["model"], "m")
        self.assertEqual(info["fingerprint"], Gguf(self.folder / "m.gguf").meta["smitin.fingerprint"])

    def test_bench_takes_the_file_as_it_is(self):
        self.convert("-q", "q4", "-o", "m.gguf")
        result = smitin("bench", "-m", "m.gguf", "--steps", 3, "--json", "--quiet", "-t", 1, folder=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual([f["weights"] for f in json.loads(result.stdout)["formats"]], ["q4"])

    def test_json_and_progress(self):
        result = smitin("convert", "-m", MODEL, "-o", "m.gguf", "--json", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        told = json.loads(result.stdout)
        self.assertEqual((told["file"], told["weights"], told["model"]), ("m.gguf", "q8", "tiny"))
        self.assertEqual(told["bytes"], (self.folder / "m.gguf").stat().st_size)
        self.assertEqual(result.stderr.decode().count("\n"), 1)  # no bar where there is no terminal

    def test_interrupt(self):
        """An interrupt amid the writing leaves neither the file nor a part of it. The tiny model is written too soon."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                code, said = self.signal_when(lambda process: any(self.folder.iterdir()), number,
                                              "convert", "-m", MINI, "-q", "q4", "-t", "1", "-o", "m.gguf")
                self.assertEqual(code, 128 + number, said)
                self.assertIn("interrupted", " ".join(said))
                self.assert_left()

    def test_refusals(self):
        for arguments, code, word in (([], 2, "-o FILE.gguf"), (["-o", "-"], 2, "pipe"), (["-q", "q5", "-o", "x"], 2, "q8, q4"),
                                      (["-q", "file", "-o", "x"], 2, "q8, q4"), (["-o", "no/x.gguf"], 1, "no/x.gguf"),
                                      (["-o", "."], 1, "cannot write")):
            with self.subTest(arguments):
                self.assert_refused(smitin("convert", "-m", MODEL, *arguments, folder=self.folder), code, word)
                self.assert_left()
        self.assert_refused(smitin("convert", "-m", "nowhere", "-o", "x", folder=self.folder), 3, "nowhere")
        self.convert("-o", "m.gguf")
        self.assert_refused(smitin("generate", "-m", "m.gguf", "-q", "f16", "-o", "x.wav", folder=self.folder), 2, "q8 already")
        self.assert_refused(smitin("convert", "-m", "m.gguf", "-q", "q4", "-o", "x.gguf", folder=self.folder), 2, "q8 already")
        whole = (self.folder / "m.gguf").read_bytes()
        for size in (0, 3, 24, 1000, len(whole) // 2, len(whole) - 100):
            (self.folder / "m.gguf").write_bytes(whole[:size])
            result = smitin("generate", "-m", "m.gguf", "-o", "x.wav", folder=self.folder)
            self.assert_refused(result, 3, "m.gguf")
        (self.folder / "m.gguf").write_bytes(whole.replace(b"musicgen", b"llamalla", 1))
        self.assert_refused(smitin("generate", "-m", "m.gguf", "-o", "x.wav", folder=self.folder), 3, "'llamalla'")
        self.assert_left("m.gguf")


if __name__ == "__main__":
    unittest.main(argv=[__file__, *sys.argv[3:]], verbosity=2)

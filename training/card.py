# SPDX-License-Identifier: MIT
"""Writes the model card from the logs and the measured floors: `python -m training.card models/mini`."""

import argparse
import json
import pathlib

from safetensors import safe_open

from . import audio, runs
from .settings import RATE, TARGETS, CodecSettings, CodecTraining, LmSettings, LmTraining

TEXT = """# models/mini

A small MusicGen checkpoint in the layout of `facebook/musicgen-small`. It plays simple arrangements
with drums, bass, guitar, piano and lead instruments, and exists so that a fresh clone makes music,
that probes and steering can be tried at once, and that the engine has something to be compared with.
`transformers.MusicgenForConditionalGeneration.from_pretrained("models/mini")` loads it.

## Parts

| Part | Shape | Million parameters |
|---|---|---|
| codec | EnCodec, 32 kHz, {codec.filters} filters, latents of {codec.hidden}, 4 codebooks x {codec.codes}, 50 frames/s, 2 kbit/s | {n_codec:.1f} |
| text encoder | T5, {lm.text_layers} layers, width {lm.text_hidden}, {pieces} SentencePiece pieces | {n_text:.1f} |
| decoder | {lm.layers} layers x {lm.heads} heads of {head_size}, width {lm.hidden}, delay pattern 0 1 2 3 | {n_decoder:.1f} |

{megabytes:.1f} MB in half precision.

## Data

Music rendered by `corpus/` from Debian packages: grooves of MMA's `stdlib` (package `mma`, GPL-2+),
random chords, forms and rule-based leads, played with FluidR3_GM (`fluid-soundfont-gm`, MIT),
MuseScore_General_Lite (`musescore-general-soundfont-small`, MIT, parts public domain or CC0) and
sf_GMbank (`csound-soundfont`, public domain by its own statement). {hours[train]:.1f} h
({tracks[train]} pieces) for training, {hours[valid]:.1f} h for validation and {hours[test]:.1f} h for tests, split by
style family. Stems enter and leave at bar lines. No recording by anybody is in it and no rendered
audio is shipped; `corpus/README.md` has the details.
The weights and this card are under the MIT licence of the project. Whether weights are a work based
on GPL grooves is settled nowhere; the model holds no groove file and no audio.

## Training

| Run | Seed | Steps | Last losses | Seen |
|---|---|---|---|---|
| codec | {codec_plan.seed} | {codec_step} | log-mel {codec_mel:.3f} (log10), SI-SDR {codec_sdr:.1f} dB on crops | {codec_hours:.1f} h of crops |
| text encoder and decoder | {lm_plan.seed} | {lm_step} | {lm_loss} nats per codebook | {lm_frames:.1f} million frames |

Two CPU cores, shared with other work: {codec_time:.1f} h for the codec and {lm_time:.1f} h for the rest. The
commands are in `training/README.md`.

## Floors on held-out style families

{floors}
## Limits

Instrumental, General MIDI timbres, mostly 4/4; no voices. English captions of the corpus's own kind
("slow jazz waltz with piano, bass and drums in D minor"); other words mean little to it. 2 kbit/s
blur cymbals and high partials above 2 kHz. Thirty seconds is what it has seen in one piece.
"""


def last_lines(path):
    """Training lines of a log, one per step (a resumed run overwrites), in order."""
    lines = {}
    if path.exists():
        for line in path.read_text().splitlines():
            values = json.loads(line)
            if not any(name.startswith("valid") for name in values):
                lines[values["step"]] = values
    return [lines[k] for k in sorted(lines)]


def hours(lines):
    """Summed time between consecutive log lines, pauses left out."""
    from datetime import datetime
    times = [datetime.fromisoformat(v["time"].replace("Z", "+00:00")).timestamp() for v in lines]
    return sum(b - a for a, b in zip(times, times[1:]) if 0 < b - a < 300) / 3600


def mean(lines, name, count=20):
    values = [v[name] for v in lines[-count:]] or [float("nan")]
    return sum(values) / len(values)


def floors(folder, model_folder):
    """Markdown of every floor that has been measured."""
    parts = []
    read = lambda name: json.loads((folder / name).read_text()) if (folder / name).exists() else None
    codec, lm, probes, distance = (read(n + ".json") for n in ("codec", "lm", "probes", "frechet"))
    if codec:
        rows = ["| Codec (`training.floors.codec`) | validation | test |", "|---|---|---|"]
        for key, name in (("log_mel_l1_db", "mean log-mel L1, dB"), ("si_sdr_db", "median SI-SDR, dB"),
                          ("codebook_perplexity", "codes in use (perplexity of 1024)"),
                          ("kept_mean", "recogniser accuracy kept (floor 0.95)"),
                          ("kept", "the same for " + ", ".join(TARGETS))):
            rows.append("| %s | %s | %s |" % (name, codec["valid"][key], codec["test"][key]))
        parts.append("\n".join(rows))
    if lm:
        rows = ["| Nats per token (`training.floors.lm`) | book 0 | 1 | 2 | 3 | mean |", "|---|---|---|---|---|---|"]
        for key, name in (("unigram", "unigram"), ("ngram", "n-gram"), ("decoder", "decoder, no text"),
                          ("decoder_text", "decoder, with text"), ("decoder_train", "decoder, training pieces")):
            rows.append("| %s | %s |" % (name, " | ".join(str(x) for x in lm[key])))
        parts.append("\n".join(rows))
    if probes:
        rows = ["| Probes (`training.floors.probes`, mixtures as they are) | best head | standard error | floor | chosen on validation, "
                "measured on test | mean of heads |", "|---|---|---|---|---|---|"]
        for t in TARGETS:
            p = probes[t]
            rows.append("| %s | %.3f (layer %d, head %d) | %.3f | %.2f | %.3f | %.3f |" % (
                t, p["best"], *p["head"], p["error"], p["floor"],
                p["chosen_on_valid_measured_on_test"], p["mean_of_heads"]))
        missed = [t for t in TARGETS if not probes[t]["passes"]]
        rows += ["", "Below the floor: %s." % ", ".join(missed)] if missed else []
        parts.append("\n".join(rows))
    knobs = [safe_open(path, "np").metadata() | {"accuracy": safe_open(path, "np").get_tensor("accuracy_test")}
             for path in sorted(model_folder.glob("knobs/*.knob.safetensors"))]
    if knobs:
        rows = ["| Knobs (`smitin knob train`, the paper's recipe: any mixture plus a target stem from anywhere) | best head | "
                "mean of heads | 50 % is alpha | 100 % is alpha |", "|---|---|---|---|---|"]
        rows += ["| %s | %.3f | %.3f | %.0f | %.0f |" % (k["trait"], k["accuracy"].max(), k["accuracy"].mean(),
                                                      float(k["default_alpha"]), float(k["max_alpha"])) for k in knobs]
        parts.append("\n".join(rows))
    if distance:
        parts.append("Frechet distance (`training.floors.frechet`, the recogniser's 96 features of 2-s windows, "
                     "top-k %d) to held-out music: unconditional output %s, codec-reconstructed training music %s, "
                     "ratio %s (floor 3)." % (distance["top_k"], distance["generated"],
                                              distance["reconstructed_training"], distance["ratio"]))
    return "\n\n".join(parts) + "\n" if parts else "Not measured yet.\n"


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("folder", type=pathlib.Path)
    args = top.parse_args()
    from . import export
    model, pieces, _ = export.assemble(args.work)
    count = lambda part: sum(p.numel() for p in part.parameters()) / 1e6
    codec, lm = (last_lines(args.work / name / "log.jsonl") for name in ("codec", "lm"))
    plan = CodecTraining()
    corpus = {split: audio.pieces(args.work / "corpus", split) for split in ("train", "valid", "test")}
    text = TEXT.format(
        codec=CodecSettings(), lm=LmSettings(), codec_plan=plan, lm_plan=LmTraining(), pieces=pieces,
        head_size=LmSettings().hidden // LmSettings().heads, n_codec=count(model.audio_encoder),
        n_text=count(model.text_encoder), n_decoder=count(model.decoder),
        megabytes=(args.folder / "model.safetensors").stat().st_size / 1e6,
        hours={split: sum(p.length for p in found) / RATE / 3600 for split, found in corpus.items()},
        tracks={split: len(found) for split, found in corpus.items()},
        codec_step=codec[-1]["step"] if codec else 0, codec_mel=mean(codec, "mel"),
        codec_sdr=mean(codec, "sdr"), codec_time=hours(codec),
        codec_hours=(codec[-1]["step"] if codec else 0) * plan.batch * plan.frames / 50 / 3600,
        lm_step=lm[-1]["step"] if lm else 0, lm_time=hours(lm),
        lm_loss=" ".join("%.2f" % x for x in lm[-1]["loss"]) if lm else "none",
        lm_frames=lm[-1]["frames"] / 1e6 if lm else 0, floors=floors(args.work / "floors", args.folder))
    (args.folder / "README.md").write_text(text)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Assembles a checkpoint directory like facebook/musicgen-small: `python -m training.export DIR`.

Takes whatever exists: without a trained decoder or codec the fresh weights are written, which is
enough to test a loader.
"""

import argparse
import json
import pathlib
import shutil

import torch
from transformers import EncodecFeatureExtractor, GenerationConfig

from . import runs, text
from .lm import model as lm_model
from .settings import RATE, CodecSettings

LIMIT = 48 * 1000 * 1000    # bytes


def load_codec(model, work):
    """Codec weights into `model.audio_encoder`: the polished decoder if there is one."""
    for name in ("polished.pt", "frozen.pt", "last.pt"):
        path = work / "codec" / name
        if path.exists():
            model.audio_encoder.load_state_dict(runs.load(path)["model"])
            return name
    return "fresh weights"


def load_lm(model, work):
    """Averaged decoder and text-encoder weights into `model`."""
    path = work / "lm" / "last.pt"
    if not path.exists():
        return "fresh weights"
    state = runs.load(path)
    trained = torch.nn.ModuleList([model.text_encoder, model.enc_to_dec_proj, model.decoder])
    trained.load_state_dict(state["model"])
    average = runs.Average(trained, 0.0)
    average.load_state_dict(state["average"])
    average.swap(trained)
    return "step %d" % state["step"]


def assemble(work):
    """(model, vocabulary size, what was loaded)."""
    tokenizer = text.Tokenizer(work / "text" / "spiece.model")
    size = tokenizer.model.vocab_size()
    model = lm_model.build(pieces=size)
    notes = {"codec": load_codec(model, work), "lm": load_lm(model, work)}
    return model.eval(), size, notes


def drop_training_state(model):
    """Averages of the codebooks serve no purpose after training; zeros keep the layout."""
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.cluster_size.zero_()
        layer.codebook.embed_avg.zero_()


def write(model, size, work, folder):
    """The directory, in the layout that the transformers loaders and our engine read."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = CodecSettings().codes
    drop_training_state(model)
    model.generation_config = GenerationConfig(
        bos_token_id=codes, decoder_start_token_id=codes, pad_token_id=codes, do_sample=True,
        guidance_scale=3.0, max_length=1500, top_k=250)
    model.half().save_pretrained(folder, safe_serialization=True)
    EncodecFeatureExtractor(feature_size=1, sampling_rate=RATE, padding_side="left",
                            padding_value=0.0, return_attention_mask=True).save_pretrained(folder)
    shutil.copyfile(work / "text" / "spiece.model", folder / "spiece.model")
    text.write_configs(folder, size)
    patch_processor(folder)
    (folder / "model.safetensors").chmod(0o644)
    total = sum(f.stat().st_size for f in folder.iterdir())
    if total > LIMIT:
        raise SystemExit("%s: %d bytes, more than %d" % (folder, total, LIMIT))
    return total


def patch_processor(folder):
    """preprocessor_config.json names its processor, as the published one does."""
    path = folder / "preprocessor_config.json"
    config = json.loads(path.read_text())
    config.update(feature_extractor_type="EncodecFeatureExtractor", processor_class="MusicgenProcessor")
    path.write_text(json.dumps(config, indent=2) + "\n")


def main():
    top = argparse.ArgumentParser(parents=[runs.parser(__doc__)], add_help=False)
    top.add_argument("folder", type=pathlib.Path)
    args = top.parse_args()
    model, size, notes = assemble(args.work)
    total = write(model, size, args.work, args.folder)
    print(json.dumps({"bytes": total, **notes}))


if __name__ == "__main__":
    main()

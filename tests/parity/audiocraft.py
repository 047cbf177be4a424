# SPDX-License-Identifier: MIT
"""audiocraft itself against the golden files: audiocraft.py FOLDER [GOLDEN], FOLDER being audiocraft's unpacked source package.

Its own decoder and codec take the committed state_dict.bin and compression_state_dict.bin, every name and no other, and compute
the logits, latents, codes and audio that transformers gave for the same weights and our engine is tested against. What audiocraft
imports and does not need for that (training, other models, data) is replaced by stand-ins.
"""
import importlib
import importlib.abc
import importlib.machinery
import json
import pathlib
import sys
import types
from unittest.mock import MagicMock

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).resolve().parent
UNUSED = ("av", "demucs", "dora", "encodec", "flashy", "hydra", "julius", "laion_clap", "librosa", "num2words", "soundfile", "spacy",
          "torchaudio", "torchdiffeq", "torchmetrics", "xformers")
ROOMS = ("", ".data", ".losses", ".metrics", ".models", ".modules", ".optim", ".quantization", ".utils")


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        known = name.split(".")[0] in UNUSED
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__name__ = [], spec.name
        return module

    def exec_module(self, module):
        pass


def prepare(folder):
    """Packages without their __init__, which would import all of audiocraft."""
    sys.meta_path.insert(0, StandIn())
    for room in ROOMS:
        module = types.ModuleType("audiocraft" + room)
        module.__path__ = [str(folder / "audiocraft" / room.strip("."))]
        sys.modules[module.__name__] = module
    quantization = sys.modules["audiocraft.quantization"]
    for part, names in (("vq", ["ResidualVectorQuantizer"]), ("base", ["BaseQuantizer", "DummyQuantizer", "QuantizedResult"])):
        made = importlib.import_module("audiocraft.quantization." + part)
        for name in names:
            setattr(quantization, name, getattr(made, name))
    importlib.import_module("audiocraft.modules.transformer").ops.unbind = torch.unbind


def weights(path):
    state = torch.load(path, weights_only=True)["best_state"]
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def difference(name, ours, theirs, bound):
    worst = float((ours - theirs).abs().max())
    print("%-22s largest difference %.2g (bound %g)" % (name, worst, bound))
    return worst <= bound


def decoder(golden, config):
    lm = importlib.import_module("audiocraft.models.lm")
    patterns = importlib.import_module("audiocraft.modules.codebooks_patterns")
    conditioners = importlib.import_module("audiocraft.modules.conditioners")
    state = weights(golden / "containers" / "audiocraft" / "state_dict.bin")
    projection = {k.rsplit(".", 1)[1]: state.pop(k) for k in list(state) if k.startswith("condition_provider.")}
    books, hidden = config["num_codebooks"], config["hidden_size"]
    fuser = conditioners.ConditionFuser({"sum": [], "prepend": [], "cross": ["description"], "input_interpolate": []})
    model = lm.LMModel(patterns.DelayedPatternProvider(books), conditioners.ConditioningProvider({}), fuser, n_q=books,
                       card=config["vocab_size"], dim=hidden, num_heads=config["num_attention_heads"],
                       hidden_scale=config["ffn_dim"] / hidden, norm_first=True, bias_proj=False,
                       num_layers=config["num_hidden_layers"], dropout=0.0, activation="gelu", bias_ff=False, bias_attn=False,
                       causal=True, memory_efficient=True, cross_attention=True, positional_embedding="sin")
    model.load_state_dict(state)
    model.eval()
    known, good = load_file(golden / "tiny" / "lm_golden.safetensors"), True
    text = known["text"] @ projection["weight"].T + projection["bias"]
    for row, states in (("cond", text), ("uncond", torch.zeros_like(text))):  # no text is a text of zeros behind the projection
        logits = model(known["grid"].long().T[None], [], {"description": (states[None], torch.ones(1, len(states)))})
        good &= difference("logits, " + row, logits[0].transpose(0, 1), known[row], 1e-4)
    return good


def codec(golden, config):
    encodec = importlib.import_module("audiocraft.models.encodec")
    seanet = importlib.import_module("audiocraft.modules.seanet")
    quantizer = sys.modules["audiocraft.quantization"].ResidualVectorQuantizer
    known = load_file(golden / "tiny" / "codec_golden.safetensors")
    sizes = sorted(int(k.split("_")[1]) for k in known if k.startswith("samples_"))
    shape = dict(channels=1, dimension=config["codebook_dim"], n_filters=config["num_filters"], norm="weight_norm", causal=False,
                 n_residual_layers=config["num_residual_layers"], ratios=config["upsampling_ratios"], pad_mode=config["pad_mode"],
                 kernel_size=config["kernel_size"], last_kernel_size=config["last_kernel_size"], compress=config["compress"],
                 residual_kernel_size=config["residual_kernel_size"], dilation_base=config["dilation_growth_rate"],
                 true_skip=not config["use_conv_shortcut"], lstm=config["num_lstm_layers"])
    books = len(known["codes_%d" % sizes[0]])
    model = encodec.EncodecModel(seanet.SEANetEncoder(**shape), seanet.SEANetDecoder(**shape),
                                 quantizer(dimension=config["codebook_dim"], n_q=books, bins=config["codebook_size"]),
                                 frame_rate=50, sample_rate=config["sampling_rate"], channels=1, causal=False, renormalize=False)
    model.load_state_dict(weights(golden / "containers" / "audiocraft" / "compression_state_dict.bin"))
    model.eval()
    good = True
    for size in sizes:
        samples = known["samples_%d" % size][None, None]
        latents = model.encoder(samples)[0].T
        codes, audio = model.encode(samples)[0][0], known["audio_%d" % size]
        good &= difference("latents, %d samples" % size, latents, known["latents_%d" % size], 1e-4)
        equal = int((codes == known["codes_%d" % size]).sum())
        print("%-22s %d of %d equal" % ("codes", equal, codes.numel()))
        good &= equal == codes.numel()
        good &= difference("audio", model.decode(codes[None])[0, 0, :len(audio)], audio, 1e-4)
    return good


@torch.no_grad()
def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: audiocraft.py AUDIOCRAFT-SOURCE [GOLDEN]")
    prepare(pathlib.Path(sys.argv[1]))
    golden = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent / "golden"
    config = json.loads((golden / "tiny" / "config.json").read_text())
    results = decoder(golden, config["decoder"]), codec(golden, config["audio_encoder"])
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

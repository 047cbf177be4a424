# SPDX-License-Identifier: MIT
"""Make tests/golden/containers: tensors of tests/golden/tiny in the other containers that MusicGen comes in, small.

    python3 tests/golden/make_containers.py

Needs torch and safetensors. The files are what torch.save writes, so the reader is tested against the real writer:
  few/pytorch_model.bin      some tensors of the decoder as transformers saves them, and the layouts that occur:
                             a shared storage with offsets, strides that are not row-major, every element type
  few/expected.safetensors   the same tensors, for comparison bit by bit
  shards/                    tensors of the decoder in two .bin shards with their index
  audiocraft/state_dict.bin  the whole decoder under audiocraft's names, projections fused
  audiocraft/compression_state_dict.bin          the whole codec under audiocraft's names
  pointer/compression_state_dict.bin             no codec, only the name of a pretrained one
"""
import collections
import json
import pathlib
import re
import shutil

import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "containers"
DECODER = "decoder.model.decoder."


def state_dict(tensors):
    """As Module.state_dict gives it: an OrderedDict with an attribute, which the pickle sets with BUILD."""
    made = collections.OrderedDict(tensors)
    made._metadata = collections.OrderedDict([("", {"version": 1}), ("decoder", {"version": 1})])
    return made


def few(tiny):
    folder = FOLDER / "few"
    folder.mkdir()
    names = [name for name in tiny if name.startswith(DECODER + "layers.0.self_attn")]
    tensors = {name: tiny[name] for name in names}
    base = torch.arange(60, dtype=torch.float32) / 7
    tensors["whole"] = base
    tensors["offset"] = base[10:34].view(4, 6)
    tensors["transposed"] = base[10:34].view(4, 6).t()
    tensors["column"] = base.view(3, 4, 5)[:, 1:3, 2]
    tensors["cube"] = base.view(3, 4, 5).permute(2, 0, 1)
    tensors["scalar"] = torch.tensor(-1.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["double"] = torch.tensor([1 / 3, -1e300], dtype=torch.float64)
    tensors["half"] = torch.tensor([65504.0, 2.0**-24], dtype=torch.float16)
    tensors["bfloat"] = torch.tensor([3.0e38, 1.0078125], dtype=torch.bfloat16)
    tensors["long"] = torch.tensor([2**62, -1])
    tensors["int"] = torch.tensor([2**30, -7], dtype=torch.int32)
    tensors["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
    torch.save(state_dict(tensors), folder / "pytorch_model.bin")
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, folder / "expected.safetensors")


def shards(tiny):
    folder = FOLDER / "shards"
    folder.mkdir()
    weight_map, total = {}, 0
    for i in (1, 2):
        file = f"pytorch_model-{i:05}-of-00002.bin"
        tensors = {n: t for n, t in tiny.items() if n.startswith(f"{DECODER}layers.{i}.encoder_attn")}
        torch.save(state_dict(tensors), folder / file)
        weight_map.update(dict.fromkeys(tensors, file))
        total += sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")


def audiocraft_lm(tiny):
    made = collections.OrderedDict()
    norms = {"self_attn_layer_norm": "norm1", "encoder_attn_layer_norm": "norm_cross", "final_layer_norm": "norm2",
             "fc1": "linear1", "fc2": "linear2", "self_attn.out_proj": "self_attn.out_proj",
             "encoder_attn.out_proj": "cross_attention.out_proj"}
    for name, tensor in tiny.items():
        if name.startswith("enc_to_dec_proj."):
            made["condition_provider.conditioners.description.output_proj." + name.split(".")[1]] = tensor
        elif name.startswith("decoder.lm_heads."):
            made[name.replace("decoder.lm_heads.", "linears.")] = tensor
        elif name.startswith(DECODER + "embed_tokens."):
            made[name.replace(DECODER + "embed_tokens.", "emb.")] = tensor
        elif name.startswith(DECODER + "layer_norm."):
            made[name.replace(DECODER + "layer_norm.", "out_norm.")] = tensor
        elif match := re.fullmatch(re.escape(DECODER) + r"layers\.(\d+)\.(.*)\.(weight|bias)", name):
            layer, module, leaf = match.groups()
            if module in norms:
                made[f"transformer.layers.{layer}.{norms[module]}.{leaf}"] = tensor
            elif module.endswith(".q_proj"):
                stem = name.removesuffix("q_proj.weight")
                attention = "self_attn" if module.startswith("self_attn") else "cross_attention"
                made[f"transformer.layers.{layer}.{attention}.in_proj_weight"] = torch.cat(
                    [tiny[f"{stem}{p}_proj.weight"] for p in "qkv"])
    return made


def audiocraft_codec(tiny):
    made = collections.OrderedDict()
    for name, tensor in tiny.items():
        if not name.startswith("audio_encoder."):
            continue
        name = name.removeprefix("audio_encoder.").replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        if name.startswith("quantizer."):
            name = name.replace("quantizer.layers", "quantizer.vq.layers").replace(".codebook.", "._codebook.")
        else:
            transposed = name.startswith("decoder.") and ".block." not in name and tensor_is_transposed(tiny, name)
            name = name.replace(".layers.", ".model.")
            name = name.replace(".conv.", ".convtr.convtr." if transposed else ".conv.conv.")
        made[name] = tensor
    return made


def tensor_is_transposed(tiny, name):
    """The decoder's convolutions between its first layer and its last are transposed ones."""
    indices = sorted({int(n.split(".")[3]) for n in tiny if re.match(r"audio_encoder\.decoder\.layers\.\d+\.conv\.", n)})
    return ".conv." in name and int(name.split(".")[2]) in indices[1:-1]


def audiocraft(tiny):
    folder = FOLDER / "audiocraft"
    folder.mkdir()
    package = {"best_state": audiocraft_lm(tiny), "xp.cfg": "solver: musicgen\nsample_rate: 2000\n", "version": "1.3.0",
               "exported": True}
    torch.save(package, folder / "state_dict.bin")
    package = {"best_state": audiocraft_codec(tiny), "xp.cfg": "solver: compression\n", "version": "1.3.0", "exported": True}
    torch.save(package, folder / "compression_state_dict.bin")
    folder = FOLDER / "pointer"
    folder.mkdir()
    torch.save({"pretrained": "facebook/encodec_32khz", "exported": True, "version": "1.3.0"},
               folder / "compression_state_dict.bin")


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    weights = load_file(HERE / "tiny" / "model.safetensors")
    few(weights)
    shards(weights)
    audiocraft(weights)

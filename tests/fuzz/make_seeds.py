# SPDX-License-Identifier: MIT
"""Write the hand-made part of the seed corpora: well-formed files and the nasty ones that parsers fall for.

    python3 tests/fuzz/make_seeds.py
"""
import hashlib
import io
import json
import os
import struct
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def framed(header, data=b""):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors():
    nan = struct.pack("<2f", float("nan"), float("inf"))
    sound = {"__metadata__": {"format": "pt"}, "a": tensor("F32", [2], 0, 8), "b.weight": tensor("F16", [1, 3], 8, 14),
             "c": tensor("BF16", [2], 14, 18), "d": tensor("F64", [], 18, 26), "e": tensor("U8", [0, 4], 26, 26),
             "f": tensor("I64", [1], 26, 34), "g": tensor("I32", [1], 34, 38)}
    save("safetensors", "sound", framed(json.dumps(sound), nan + bytes(30)))
    save("safetensors", "empty", framed("{}"))
    save("safetensors", "padded", framed("{}      "))
    save("safetensors", "huge_length", struct.pack("<Q", 2**64 - 1) + b"{}")
    save("safetensors", "length_past_end", struct.pack("<Q", 3) + b"{}")
    save("safetensors", "short", b"\x02\0\0\0")
    save("safetensors", "overlap", framed(json.dumps({"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [2], 4, 12)}), bytes(12)))
    save("safetensors", "hole", framed(json.dumps({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 8, 12)}), bytes(12)))
    save("safetensors", "trailing", framed(json.dumps({"a": tensor("F32", [1], 0, 4)}), bytes(9)))
    save("safetensors", "shape_2_63", framed(json.dumps({"a": tensor("F32", [2**63 - 1, 2], 0, 8)}), bytes(8)))
    save("safetensors", "shape_beyond", framed(json.dumps({"a": tensor("F32", [2**63], 0, 8)}), bytes(8)))
    save("safetensors", "shape_wraps", framed(json.dumps({"a": tensor("F32", [2**62], 0, 0)})))
    save("safetensors", "shape_wraps_to_zero", framed(json.dumps({"a": tensor("F32", [2**32, 2**32], 0, 0)})))
    save("safetensors", "offsets_negative", framed(json.dumps({"a": tensor("F32", [1], -4, 0)}), bytes(4)))
    save("safetensors", "offsets_huge", framed(json.dumps({"a": tensor("F32", [1], 2**63 - 4, 2**63 - 1)}), bytes(4)))
    save("safetensors", "offsets_backward", framed(json.dumps({"a": tensor("F32", [1], 4, 0)}), bytes(4)))
    save("safetensors", "nine_dims", framed(json.dumps({"a": tensor("U8", [1] * 9, 0, 1)}), bytes(1)))
    save("safetensors", "duplicate", framed('{"a":%s,"a":%s}' % (json.dumps(tensor("U8", [1], 0, 1)), json.dumps(tensor("U8", [1], 1, 2))), bytes(2)))
    save("safetensors", "nesting", framed('{"a":' + "[" * 3000 + "]" * 3000 + "}"))
    save("safetensors", "nul_name", framed('{"a\\u0000b":%s}' % json.dumps(tensor("U8", [1], 0, 1)), bytes(1)))
    save("safetensors", "bad_utf8", framed(b'{"\xff":1}'))
    save("safetensors", "meta_number", framed('{"__metadata__":{"a":1}}'))
    save("safetensors", "entry_array", framed('{"a":[1,2,3]}'))


def knob_file(edit_meta=None, edit_values=None, sign=True):
    L, H, D = 2, 2, 2
    values = {"direction": [1, 0] * 4, "mean_shift": [0, 1] * 4, "weight_norm": [1] * 4, "bias": [0] * 4, "sigma": [1] * 4,
              "sigma_mean": [1] * 4, "accuracy_train": [0.5] * 4, "accuracy_test": [0.75] * 4}
    values.update(edit_values or {})
    header, data = {}, b""
    for name, numbers in values.items():
        raw = struct.pack(f"<{len(numbers)}f", *numbers)
        shape = [L, H, D] if len(numbers) == 8 else [L, H]
        header[name] = tensor("F32", shape, len(data), len(data) + len(raw))
        data += raw
    meta = {"format": "smitin-knob", "version": "1", "trait": "drums", "model": "m", "fingerprint": "0" * 64, "data": "d",
            "licence": "l", "site": "self_attn.z", "train_count": "8", "test_count": "4", "default_alpha": "5.0",
            "max_alpha": "10.0", "checksum": hashlib.sha256(data).hexdigest() if sign else "0" * 64}
    meta.update(edit_meta or {})
    return framed(json.dumps({"__metadata__": meta, **header}), data)


def knob():
    nan = float("nan")
    save("knob", "sound", knob_file())
    save("knob", "wrong_checksum", knob_file(sign=False))
    save("knob", "nan_direction", knob_file(edit_values={"direction": [nan] * 8}))
    save("knob", "long_direction", knob_file(edit_values={"direction": [2, 0] * 4}))
    save("knob", "huge_direction", knob_file(edit_values={"mean_shift": [3e38] * 8}))
    save("knob", "infinite_bias", knob_file(edit_values={"bias": [float("inf")] * 4}))
    save("knob", "accuracy_over_1", knob_file(edit_values={"accuracy_test": [1.5] * 4}))
    save("knob", "version_2", knob_file({"version": "2"}))
    save("knob", "trait_long", knob_file({"trait": "x" * 64}))
    save("knob", "trait_newline", knob_file({"trait": "a\nb"}))
    save("knob", "alpha_text", knob_file({"max_alpha": "[[["}))
    save("knob", "alpha_huge", knob_file({"max_alpha": "1e308"}))
    save("knob", "count_huge", knob_file({"train_count": "99999999999999999999"}))
    save("knob", "fingerprint_short", knob_file({"fingerprint": "abc"}))
    save("knob", "no_tensors", framed("{}"))


def config():
    text = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 64,
            "feed_forward_proj": "relu", "is_gated_act": False, "relative_attention_num_buckets": 32,
            "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6, "eos_token_id": 1}
    codec = {"model_type": "encodec", "audio_channels": 1, "codebook_dim": 16, "codebook_size": 64, "hidden_size": 16,
             "num_filters": 4, "norm_type": "weight_norm", "sampling_rate": 32000, "target_bandwidths": [1.2],
             "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": False, "use_conv_shortcut": False,
             "pad_mode": "reflect", "compress": 2, "num_lstm_layers": 1}
    decoder = {"model_type": "musicgen_decoder", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
               "ffn_dim": 32, "num_codebooks": 4, "vocab_size": 64, "max_position_embeddings": 64, "pad_token_id": 64,
               "activation_function": "gelu", "audio_channels": 1}

    def whole(model_type="musicgen", **edits):
        parts = {"text_encoder": dict(text), "audio_encoder": dict(codec), "decoder": dict(decoder)}
        for key, value in edits.items():
            part, name = key.split("__")
            parts[part][name] = value
        return json.dumps({"model_type": model_type, **parts})

    save("config", "sound", whole())
    save("config", "with_generation", whole() + '\0{"guidance_scale":3.0,"max_length":1500,"decoder_start_token_id":64}')
    save("config", "generation_bad", whole() + '\0{"guidance_scale":"x","max_length":-1}')
    save("config", "melody", '{"model_type":"musicgen_melody"}')
    save("config", "stereo", whole(decoder__audio_channels=2))
    save("config", "stereo_sound", whole(decoder__audio_channels=2, decoder__num_codebooks=8))
    melody = whole("musicgen_melody", decoder__model_type="musicgen_melody_decoder", decoder__max_position_embeddings=512)
    chroma = {"n_fft": 512, "hop_length": 128, "chunk_length": 2, "num_chroma": 12, "sampling_rate": 32000}
    save("config", "melody_sound", melody + "\0{}\0" + json.dumps(chroma))
    save("config", "melody_bad", melody + "\0{}\0" + json.dumps({**chroma, "hop_length": 2**63 - 1, "n_fft": -2}))
    save("config", "melody_short", whole("musicgen_melody", decoder__model_type="musicgen_melody_decoder"))
    save("config", "zero_heads", whole(decoder__num_attention_heads=0))
    save("config", "layers_2_63", whole(decoder__num_hidden_layers=2**63 - 1))
    save("config", "ratios_empty", whole(audio_encoder__upsampling_ratios=[]))
    save("config", "ratios_zero", whole(audio_encoder__upsampling_ratios=[0, 5]))
    save("config", "ratios_big", whole(audio_encoder__upsampling_ratios=[64] * 8))
    save("config", "ratios_object", whole(audio_encoder__upsampling_ratios={"0": 8}))
    save("config", "bandwidth_tiny", whole(audio_encoder__target_bandwidths=[1e-300]))
    save("config", "bandwidth_huge", whole(audio_encoder__target_bandwidths=[1e300]))
    save("config", "null_everything", json.dumps({"model_type": "musicgen", "text_encoder": None, "audio_encoder": None, "decoder": None}))
    save("config", "nesting", '[1,' * 2100 + "1" + "]" * 2100)
    save("config", "duplicate", '{"model_type":"musicgen","model_type":"musicgen"}')
    save("config", "nan", '{"model_type":NaN}')
    save("config", "array", "[1,2]")


def npy_file(header, data=b"", version=1, length=None):
    header = header.encode()
    length = len(header) if length is None else length
    size = struct.pack("<H", length & 0xFFFF) if version == 1 else struct.pack("<I", length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def npy():
    plain = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n"
    save("npy", "sound", npy_file(plain % "(2, 3)", bytes(24)))
    save("npy", "version_2", npy_file(plain % "(1,)", bytes(4), version=2))
    save("npy", "version_3", npy_file(plain % "(1,)", bytes(4), version=3))
    save("npy", "scalar", npy_file(plain % "()", struct.pack("<f", float("nan"))))
    save("npy", "halves", npy_file((plain % "(3,)").replace("f4", "f2"), bytes(6)))
    save("npy", "bytes", npy_file((plain % "(3,)").replace("<f4", "|u1"), bytes(3)))
    save("npy", "shape_2_63", npy_file(plain % "(9223372036854775808,)", bytes(4)))
    save("npy", "shape_wraps", npy_file(plain % "(4294967296, 4294967296)"))
    save("npy", "shape_wraps_bytes", npy_file(plain % "(4611686018427387904,)"))
    save("npy", "nine_dims", npy_file(plain % "(1,1,1,1,1,1,1,1,1)", bytes(4)))
    save("npy", "fortran", npy_file((plain % "(2, 1)").replace("False", "True"), bytes(8)))
    save("npy", "object", npy_file((plain % "(1,)").replace("<f4", "|O"), bytes(8)))
    save("npy", "unclosed", npy_file("{'descr': '<f4"))
    save("npy", "length_past_end", npy_file(plain % "(1,)", length=60000))
    save("npy", "length_huge", npy_file(plain % "(1,)", version=2, length=2**32 - 1))
    save("npy", "magic_only", b"\x93NUMPY\x01\x00")


def storage(kind=b"Float", key=b"0", elements=6):
    """A storage as PyTorch pickles it: by a persistent id."""
    text = lambda b: b"X" + struct.pack("<I", len(b)) + b
    return b"(" + text(b"storage") + b"ctorch\n" + kind + b"Storage\n" + text(key) + text(b"cpu") + b"K" + bytes([elements]) + b"tQ"


def torch_pickle(shape=b"K\x02K\x03\x86", strides=b"K\x03K\x01\x86", offset=b"K\x00", store=None):
    store = storage() if store is None else store
    args = b"(" + store + offset + shape + strides + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02}q\x00X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n" + args + b"Rs."


def archive(pickle, data=bytes(24), method=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        for name, content in (("m/data.pkl", pickle), ("m/byteorder", b"little"), ("m/data/0", data)):
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return made.getvalue()


def pickle():
    """Whole archives, and pickles alone behind a "P"."""
    sound = archive(torch_pickle())
    save("pickle", "sound", sound)
    save("pickle", "transposed", archive(torch_pickle(strides=b"K\x01K\x02\x86")))
    save("pickle", "half", archive(torch_pickle(store=storage(b"Half")), bytes(12)))
    save("pickle", "beyond", archive(torch_pickle(offset=b"K\x01")))
    save("pickle", "expanded", archive(torch_pickle(b"J\0\0\0\x40\x85", b"K\x00\x85")))
    save("pickle", "stride_2_63", archive(torch_pickle(b"K\x02\x85", b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85")))
    save("pickle", "compressed", archive(torch_pickle(), method=zipfile.ZIP_DEFLATED))
    save("pickle", "system", archive(b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."))
    save("pickle", "no_end", sound[:-22])
    big = bytearray(sound)
    big[-6:-2] = b"\xff" * 4
    save("pickle", "zip64_missing", bytes(big))
    state = b"\x80\x02}(X\x0a\0\0\0best_state" + torch_pickle()[2:-1] + b"X\x0a\0\0\0pretrainedX\x03\0\0\0a/bu."
    save("pickle", "best_state", archive(state))
    for name, text in (("values", b"}q\0(X\1\0\0\0a]q\1(K\1J\xfe\xff\xff\xffM,\1eX\1\0\0\0bN\x88\x8a\6\0\0\0\0\0\1\x87u."),
                       ("state", b"ccollections\nOrderedDict\nq\0)Rq\1(X\1\0\0\0x)q\2X\1\0\0\0yh\2u}X\1\0\0\0m}sb."),
                       ("itself", b"]q\0h\0a."), ("deep", b"]" + b"\x85" * 1000 + b"."), ("marks", b"(" * 1000),
                       ("memo_gap", b"Nr\xff\xff\xff\xff."), ("eval", b"cbuiltins\neval\n."), ("inst", b"(ios\nsystem\n.")):
        save("pickle", "alone_" + name, b"P\x80\x02" + text)


def index():
    save("index", "sound", json.dumps({"metadata": {"total_size": 8}, "weight_map": {"a": "x.bin", "b": "y.bin", "c": "x.bin"}}))
    save("index", "parent", json.dumps({"weight_map": {"a": "../x.bin"}}))
    save("index", "absolute", json.dumps({"weight_map": {"a": "/x.bin"}}))
    save("index", "hidden", json.dumps({"weight_map": {"a": ".x"}}))
    save("index", "number", json.dumps({"weight_map": {"a": 1}}))
    save("index", "empty_map", json.dumps({"weight_map": {}}))
    save("index", "many", json.dumps({"weight_map": {str(i): f"{i}.bin" for i in range(300)}}))
    save("index", "nul", '{"weight_map":{"a\\u0000b":"c"}}')
    save("index", "array", "[]")


def wav(kind, channels, rate, bits, data, claimed=None, block=None):
    size = len(data) if claimed is None else claimed
    block = channels * bits // 8 if block is None else block
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    return b"RIFF" + struct.pack("<I", 36 + size & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data


def audio():
    tone = struct.pack("<64h", *(1000 * (i % 8 - 4) for i in range(64)))
    save("audio", "mono16", wav(1, 1, 32000, 16, tone))
    save("audio", "stereo16", wav(1, 2, 44100, 16, tone))
    save("audio", "nan_float", wav(3, 1, 8000, 32, struct.pack("<4f", float("nan"), float("inf"), -1e38, 0.5)))
    save("audio", "claims_4_gib", wav(1, 1, 32000, 16, tone, claimed=2**32 - 1))
    save("audio", "claims_nothing", wav(1, 1, 32000, 16, tone, claimed=0))
    save("audio", "no_channels", wav(1, 0, 32000, 16, tone))
    save("audio", "many_channels", wav(1, 65535, 32000, 16, tone))
    save("audio", "rate_0", wav(1, 1, 0, 16, tone))
    save("audio", "rate_huge", wav(1, 1, 2**32 - 1, 16, tone))
    save("audio", "bits_255", wav(1, 1, 32000, 255, tone, block=1))
    save("audio", "block_0", wav(1, 1, 32000, 16, tone, block=0))
    save("audio", "header_only", wav(1, 1, 32000, 16, b"")[:20])


def slakh():
    save("slakh", "sound", b"UUID: 1\naudio_dir: stems\nstems:\n  S00:\n    audio_rendered: true\n    is_drum: false\n"
         b'    plugin_name: "a: b"\n    program_num: 30\n  S07:\n    is_drum: true\n    program_num: 128\ntarget_peak: -1.0\n')
    save("slakh", "windows", b"\xef\xbb\xbfstems:\r\n  S00:\r\n    is_drum: null\r\n    program_num: null")
    save("slakh", "parent", b"stems:\n  ../S00:\n")
    save("slakh", "tab", b"stems:\n\tS00:\n")
    save("slakh", "number", b"stems:\n  S00:\n    program_num: 99999999999999999999\n")
    save("slakh", "nul", b"stems:\n  S\0:\n")
    save("slakh", "flow", b"audio_dir: ..\nstems: {}\n")
    save("slakh", "many", b"stems:\n" + b"".join(b"  S%d:\n" % i for i in range(130)))
    save("slakh", "long", b"stems:\n  S0:\n    plugin_name: " + b"x" * 3000)


def table():
    save("table", "sound", b"path,split,labels\na/b.wav,train,slow; guitar\n\"c, d.wav\",test,\"\"\n")
    save("table", "windows", b'\xef\xbb\xbfpath\tlabels\r\n"a ""b"""\t"x\r\ny"\r\n\r\nc\td\r')
    save("table", "open", b'a,b\n"x')
    save("table", "behind", b'a,b\n"x"y,z\n')
    save("table", "uneven", b"a,b\n1\n1,2,3\n1,2")
    save("table", "nul", b"a,b\n\0")
    save("table", "empty", b"")
    save("table", "commas", b"," * 1500)
    save("table", "long", b"a,b\n" + b"x" * 5000 + b",1")


def weights(channels=(2, 3), features=3, classes=2, meta="a,b", **changed):
    """A recogniser of two blocks, all halves of 1/8 or 0; `changed` gives tensors other shapes."""
    shapes, last = {}, 1
    for i, c in enumerate(channels):
        shapes["convs.%d.weight" % i] = [c, last, 3, 3]
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes["norms.%d.%s" % (i, part)] = [c]
        last = c
    shapes |= {"mix.weight": [features, 2 * last * (64 >> len(channels))], "mix.bias": [features],
               "out.weight": [classes, features], "out.bias": [classes]}
    shapes |= {k.replace("__", "."): v for k, v in changed.items()}
    header, at = {} if meta is None else {"__metadata__": {"classes": meta}}, 0
    for name, shape in shapes.items():
        size = 2
        for n in shape:
            size *= n
        header[name] = tensor("F16", shape, at, at + size)
        at += size
    return framed(json.dumps(header), struct.pack("<H", 0x3000) * (at // 2))


def recogniser():
    save("recogniser", "sound", weights())
    save("recogniser", "one_block", weights(channels=(1,), features=1, classes=1, meta="x"))
    save("recogniser", "six_blocks", weights(channels=(1,) * 6))
    save("recogniser", "four_unnamed", weights(classes=4, meta=None))
    save("recogniser", "two_unnamed", weights(meta=None))
    save("recogniser", "names_short", weights(meta="a"))
    save("recogniser", "names_empty", weights(meta=","))
    save("recogniser", "no_channels", weights(convs__0__weight=[0, 1, 3, 3]))
    save("recogniser", "flat", weights(convs__1__weight=[54]))
    save("recogniser", "narrow", weights(mix__weight=[3, 5]))
    save("recogniser", "many_classes", weights(classes=33, meta=",".join("c%d" % i for i in range(33))))
    nan = bytearray(weights())
    nan[-2:] = struct.pack("<H", 0x7E00)
    save("recogniser", "nan", bytes(nan))
    save("recogniser", "empty", framed("{}"))


def annotations():
    save("annotations", "list", "['low quality', \"don't stop\", 'a \\'b\\' \\\\', '']")
    save("annotations", "empty_list", "[]")
    save("annotations", "open", "['a', 'b")
    save("annotations", "escape", "['a\\")
    save("annotations", "quotes", "['','','','','','']")
    save("annotations", "key", "d# minor\t2\t")
    save("annotations", "two_keys", "C major / A minor")
    save("annotations", "number", " -1.5e3 \t")
    save("annotations", "infinite", "1e999")


def manifest():
    clips = [{"path": "a.wav", "track": "a", "start": 0, "split": "train", "labels": [1], "shard": 0, "row": 0, "sha256": "0" * 64},
             {"path": "b.wav", "track": "b", "start": 1.5, "split": "test", "labels": [], "skipped": "broken"},
             {"path": "c.wav", "track": "c", "start": 1.5, "split": "valid", "labels": [0, 1]}]
    sound = {"format": "smitin activations 1", "complete": False, "model": "m", "fingerprint": "f", "layers": 2, "heads": 3,
             "head_size": 4, "weights": "file", "cache": "f16", "pooling": "mean:3", "sample_rate": 32000, "channels": 1,
             "seconds": 3, "data": "d", "notes": ["n"], "task": "multilabel", "classes": ["x", "y"], "clips_per_shard": 2,
             "shards": [{"file": "activations-00000.npy", "rows": 1}], "clips": clips}
    save("manifest", "sound", json.dumps(sound))
    for name, change in (("rows", {"shards": [{"file": "activations-00000.npy", "rows": 2}]}),
                         ("shard", {"shards": [{"file": "activations-00009.npy", "rows": 1}]}),
                         ("twice", {"shards": 2 * sound["shards"]}), ("names", {"shards": [{"file": "../a.npy", "rows": 1}]}),
                         ("task", {"task": "binary"}), ("class", {"task": "multiclass"}), ("numbers", {"task": "regression"}),
                         ("label", {"clips": [{**clips[0], "labels": [2]}] + clips[1:]}), ("head", {"head_size": 2**40}),
                         ("per", {"clips_per_shard": 0}), ("no_clips", {"clips": []}), ("pooling", {"pooling": "mean:-1"}),
                         ("split", {"clips": [{**clips[0], "split": "all"}]}), ("row", {"clips": [{**clips[0], "row": 1}] + clips[1:]})):
        save("manifest", name, json.dumps({**sound, **change}))
    save("manifest", "open", json.dumps(sound)[:-9])


def gguf_text(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


def gguf_file(tensors=(), values=(), data=b"", version=3):
    """Tensors: (name, shape from the innermost, type, place); values: (key, type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    for key, kind, value in values:
        head += gguf_text(key) + struct.pack("<I", kind) + value
    for name, shape, kind, place in tensors:
        head += gguf_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, place)
    return head + bytes(-len(head) % 32) + data


def gguf():
    values = [("general.architecture", 8, gguf_text("musicgen")), ("general.alignment", 4, struct.pack("<I", 32)),
              ("k", 9, struct.pack("<IQ", 8, 2) + gguf_text("a") + gguf_text("")), ("smitin.config", 8, gguf_text("{}")),
              ("smitin.spiece_model", 9, struct.pack("<IQ", 0, 3) + b"xyz"), ("yes", 7, b"\1")]
    tensors = [("w", [3, 2], 0, 0), ("q", [32, 1], 8, 32), ("n", [64], 20, 96), ("v", [5], 30, 160)]
    save("gguf", "sound", gguf_file(tensors, values, bytes(170)))
    save("gguf", "filled", gguf_file(tensors, values, bytes(192)))
    save("gguf", "empty", gguf_file())
    save("gguf", "version_2", gguf_file(version=2))
    save("gguf", "big_endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    save("gguf", "counts_huge", b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1))
    save("gguf", "text_huge", gguf_file((), [("k", 8, struct.pack("<Q", 2**64 - 1))]))
    save("gguf", "array_huge", gguf_file((), [("k", 9, struct.pack("<IQ", 12, 2**61 + 1))]))
    save("gguf", "array_nested", gguf_file((), [("k", 9, struct.pack("<IQ", 9, 1) * 50)]))
    save("gguf", "alignment_0", gguf_file((), [("general.alignment", 4, struct.pack("<I", 0))]))
    save("gguf", "alignment_huge", gguf_file((), [("general.alignment", 4, struct.pack("<I", 2**31))]))
    save("gguf", "key_twice", gguf_file((), [("k", 7, b"\0")] * 2))
    save("gguf", "name_twice", gguf_file([("a", [8], 0, 0), ("a", [8], 0, 32)], (), bytes(64)))
    save("gguf", "shape_wraps", gguf_file([("a", [2**32, 2**32], 0, 0)]))
    save("gguf", "shape_2_63", gguf_file([("a", [2**63], 0, 0)]))
    save("gguf", "shape_0", gguf_file([("a", [0], 0, 0)]))
    save("gguf", "five_dims", gguf_file([("a", [1] * 5, 0, 0)], (), bytes(4)))
    save("gguf", "rows_of_33", gguf_file([("a", [33], 8, 0)], (), bytes(64)))
    save("gguf", "type_unknown", gguf_file([("a", [32], 12, 0)], (), bytes(64)))
    save("gguf", "place_huge", gguf_file([("a", [8], 0, 2**64 - 32)], (), bytes(32)))
    save("gguf", "hole", gguf_file([("a", [8], 0, 0), ("b", [8], 0, 64)], (), bytes(96)))
    save("gguf", "overlap", gguf_file([("a", [8], 0, 0), ("b", [8], 0, 0)], (), bytes(64)))


def card():
    save("card", "sound", "---\nlicense: mit\ntags:\n- music\n---\n# A model\n")
    save("card", "other", "---\r\nlicense: other\r\nlicense_name: 'own terms'\r\n---\r\n")
    save("card", "open", "---\nlicense: \"x")
    save("card", "long", "---\nlicense: " + "x" * 300)
    save("card", "control", b"---\nlicense: a\0b\n---")


def experiment():
    sound = {"about": "a", "clips": ["a.wav", "b"], "texts": ["slow", "fast"], "pieces": 3, "seed": 7,
             "settings": {"model": "mini", "seconds": 2.5, "lag": True, "force-knob": False},
             "conditions": [{"name": "free", "knob": "drums:0"}, {"name": "two", "knob": ["drums:60%", "bass:-5"], "top-k": 20,
                             "prompt": "{text}, {text} and {text"}], "describe": {"plain": True}, "reference": "real"}
    save("experiment", "sound", json.dumps(sound))
    for name, change in (("clip", {"clips": "a"}), ("settings", {"settings": []}), ("name", {"conditions": [{"name": "../x"}]}),
                         ("twice", {"conditions": 2 * sound["conditions"]}), ("nested", {"conditions": [{"name": "a", "x": [[1]]}]}),
                         ("number", {"conditions": [{"name": "a", "x": 1e308, "y": -0.1, "z": 2**63 - 1}]}),
                         ("seed", {"seed": 2**53}), ("pieces", {"pieces": 1e9}), ("texts", {"texts": None}),
                         ("taken", {"settings": {"seed": 1}}), ("unknown", {"knob": "drums"}), ("describe", {"describe": {"json": True}}),
                         ("many", {"conditions": [{"name": "c%d" % i} for i in range(257)]})):
        save("experiment", name, json.dumps({**sound, **change}))
    save("experiment", "open", json.dumps(sound)[:-3])
    save("experiment", "keys", '{"seed":1,"seed":2}')
    save("experiment", "deep", "[" * 3000)
    without = dict(sound)
    del without["pieces"]
    save("experiment", "every", json.dumps(without))


if __name__ == "__main__":
    recogniser()
    safetensors()
    knob()
    config()
    npy()
    pickle()
    index()
    audio()
    slakh()
    table()
    annotations()
    manifest()
    gguf()
    card()
    experiment()

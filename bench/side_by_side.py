#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smitin and transformers in one sitting, on one shape, at the same places of a piece: who makes how many steps a second.

Run by hand, on a quiet machine. It needs `pip install torch transformers`, and gnuplot for a plot:

  bench/side_by_side.py build/cli/smitin                                    # musicgen-small, random weights
  bench/side_by_side.py build/cli/smitin --model DIRECTORY                  # a text model with its own weights
  bench/side_by_side.py build/cli/smitin --shape large --ours q8,q4 --theirs bf16,int8 --json s.json --plot s.png

Both sides take turns, setting by setting, for several rounds; told is the median of the rounds, with the lowest and the
highest behind it. Ratios are taken in each round, of neighbours in time, and then likewise. A step is that of a piece with
guidance: two rows, one of them with a text of twelve tokens. Ours is `smitin bench`, sampling included; theirs is the
decoder's forward pass alone, with scaled-dot-product attention, each time with the cache that grows (what generate() takes)
and with one of fixed length, of which the faster counts at each place. int8 is dynamic quantisation of all linear layers.
"""
import argparse
import contextlib
import inspect
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import zip_longest

ROOT = pathlib.Path(__file__).resolve().parents[1]
OURS, THEIRS = ("f32", "f16", "bf16", "q8", "q4"), ("f32", "bf16", "int8")
CACHES = ("auto", "f16", "f32", "q8")
PLACES = (10, 250, 1000, 1500)  # frames: those of smitin bench
TOKENS = 12  # of the text, as in smitin bench
REAL_TIME = 50  # steps a second


class Refusal(Exception):
    """What the person at the terminal can mend."""


# ---- Ours ----

def run_ours(args, directory, weights):
    """{place: steps a second or None} of one run of smitin bench, and all that it said."""
    model = ["-m", directory] if directory else ["--shape", f"musicgen-{args.shape}"]
    command = [args.smitin, "bench", *model, "-q", weights, "--cache", args.cache, "-t", args.threads, "--steps", args.steps, "--json", "--quiet"]
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise Refusal(f"{args.smitin} bench ended with code {result.returncode}")
    figures = json.loads(result.stdout)
    return {place["frame"]: place["steps_per_second"] for place in figures["formats"][0]["positions"]}, figures


# ---- Theirs ----

def import_theirs(threads):
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Refusal(f"{error}; pip install torch transformers") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    return torch, transformers


def shape_config(shape, layers=None):
    """The configuration of a published shape, from the script that makes the models of tests/parity."""
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    import make_model
    return make_model.config(shape, layers)


def read_decoder(args, directory):
    """Their decoder in f32."""
    _, transformers = import_theirs(args.threads)
    if directory is None:
        return transformers.MusicgenForCausalLM(shape_config(args.shape).decoder).eval()
    config = transformers.AutoConfig.from_pretrained(directory, local_files_only=True)
    if config.model_type != "musicgen":
        raise Refusal(f"{directory} is of type {config.model_type}; only text models are compared")
    return transformers.MusicgenForConditionalGeneration.from_pretrained(directory, local_files_only=True).decoder.float().eval()


def convert(torch, model, weights):
    if weights == "bf16":
        return model.to(torch.bfloat16)
    if weights == "int8":
        engines = torch.backends.quantized.supported_engines
        torch.backends.quantized.engine = next(e for e in ("x86", "onednn", "qnnpack") if e in engines)
        try:
            from torch.ao.quantization import quantize_dynamic
        except ImportError as error:
            raise Refusal("this PyTorch no longer has dynamic quantisation; leave int8 out of --theirs") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it will go
            return quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    return model


def make_cache(transformers, config, fixed, columns):
    if not fixed:
        return transformers.EncoderDecoderCache(transformers.DynamicCache(), transformers.DynamicCache())
    own = transformers.StaticCache(config=config, max_cache_len=columns)
    return transformers.EncoderDecoderCache(own, transformers.DynamicCache())


def time_theirs(torch, transformers, model, place, steps, fixed):
    """Steps a second, from the median of `steps` steps around `place`."""
    config, before = model.config, max(0, place - steps // 2)
    cache = make_cache(transformers, config, fixed, before + steps + 1)
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    dtype = torch.bfloat16 if model.dtype == torch.bfloat16 else torch.float32
    condition = {"encoder_hidden_states": torch.randn(2, TOKENS, config.hidden_size).to(dtype),
                 "encoder_attention_mask": torch.tensor([[1] * TOKENS, [0] * TOKENS]), "use_cache": True, name: cache}
    columns = lambda count: torch.randint(0, config.vocab_size, (config.num_codebooks, count)).repeat(2, 1)
    model(input_ids=columns(before + 1), **condition)
    taken = []
    for _ in range(steps):
        ids, start = columns(1), time.perf_counter()
        model(input_ids=ids, **condition)
        taken.append(time.perf_counter() - start)
    return 1 / statistics.median(taken)


def run_theirs(args, directory, weights):
    """{place: steps a second of the faster cache}, and {cache: the same for each}."""
    torch, transformers = import_theirs(args.threads)
    torch.manual_seed(1)
    caches = {"growing": {}, "fixed": {}}
    with torch.inference_mode():
        model = convert(torch, read_decoder(args, directory), weights)
        for place in PLACES:
            for name, figures in caches.items():
                fits = place + args.steps < model.config.max_position_embeddings
                figures[place] = time_theirs(torch, transformers, model, place, args.steps, name == "fixed") if fits else None
    return {place: caches["growing"][place] and max(c[place] for c in caches.values()) for place in PLACES}, caches


# ---- Figures ----

def best_of(settings):
    """{place: the highest of all settings}."""
    return {place: max((s[place] for s in settings if s[place] is not None), default=None) for place in PLACES}


def ratio(a, b):
    return {place: a[place] / b[place] if a[place] is not None and b[place] is not None else None for place in PLACES}


def compare(ours, theirs):
    """{name: [ratios of a round]}: each of ours to their best at that place in the same round, and f32 to f32."""
    best = [best_of(settings) for settings in zip(*theirs.values())]
    ratios = {f"{name} to their best": list(map(ratio, rounds, best)) for name, rounds in ours.items()}
    if "f32" in ours and "f32" in theirs:
        ratios["f32 to f32"] = list(map(ratio, ours["f32"], theirs["f32"]))
    return ratios


def sum_up(rounds):
    """{place: (median, lowest, highest) of the rounds, or None where a round has none}."""
    columns = {place: [figures[place] for figures in rounds] for place in PLACES}
    return {place: None if None in column else (statistics.median(column), min(column), max(column)) for place, column in columns.items()}


def table(ours, theirs):
    def cell(summary, digits):
        if summary is None:
            return "-"
        median, low, high = (f"{value:.{digits}f}" for value in summary)
        return median if low == high else f"{median} ({low}-{high})"

    def row(name, rounds, digits):
        summary = sum_up(rounds)
        return f"| {name} | " + " | ".join(cell(summary[place], digits) for place in PLACES) + " |"

    lines = ["| steps a second at frame | " + " | ".join(map(str, PLACES)) + " |", "|---" * (1 + len(PLACES)) + "|"]
    lines += [row(f"smitin {name}", rounds, 1) for name, rounds in ours.items()]
    lines += [row(f"transformers {name}", rounds, 1) for name, rounds in theirs.items()]
    lines += [row(name, rounds, 2) for name, rounds in compare(ours, theirs).items()]
    return "\n".join(lines)


def plot(path, title, ours, theirs):
    """Medians of steps a second against the frame with their spread, ours in full lines and theirs in broken ones."""
    blocks, curves = [], []
    for side, settings, dash in (("smitin", ours, 1), ("transformers", theirs, 2)):
        for name, rounds in settings.items():
            summary = sum_up(rounds)
            points = [f"{place} {' '.join(map(str, summary[place]))}" for place in PLACES if summary[place] is not None]
            if points:
                blocks.append(f"$d{len(blocks)} << E\n" + "\n".join(points) + "\nE\n")
                curves.append(f"$d{len(curves)} with yerrorlines pt 7 lc {len(curves) + 1} dt {dash} title '{side} {name}'")
    terminal = "svg" if path.suffix == ".svg" else "pngcairo"
    quoted = lambda text: "'" + str(text).replace("'", "''") + "'"
    script = ("".join(blocks) + f"set terminal {terminal} size 900,560 noenhanced\nset output {quoted(path)}\nset grid\nset title {quoted(title)}\n"
              "set xlabel 'frame'\nset ylabel 'steps a second'\nset yrange [0:*]\nset key outside\n"
              f"plot {', '.join(curves)}, {REAL_TIME} dt 3 lc 'black' title 'real time'\n")
    try:
        subprocess.run(["gnuplot"], input=script.encode(), check=True)
    except FileNotFoundError as error:
        raise Refusal("gnuplot is not installed; it draws the plot") from error


# ---- The script ----

def settings(names):
    def split(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
        return chosen
    return split


def at_least(least):
    def whole(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value
    return whole


def picture(text):
    path = pathlib.Path(text)
    if path.suffix not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"{text} ends neither with .png nor .svg")
    return path


def parse(arguments):
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("smitin", help="the program, as it was built")
    which = top.add_mutually_exclusive_group()
    which.add_argument("--model", type=pathlib.Path, help="a directory with a text model")
    which.add_argument("--shape", choices=("small", "medium", "large"), default="small", help="random weights [small]")
    top.add_argument("--layers", type=at_least(1), help="of the shape only so many, for a trial")
    top.add_argument("--ours", type=settings(OURS), default=list(OURS), help="weights [%s]" % ",".join(OURS))
    top.add_argument("--cache", choices=CACHES, default=CACHES[0], help="keys and values of ours [%s]" % CACHES[0])
    top.add_argument("--theirs", type=settings(THEIRS), default=list(THEIRS), help="weights [%s]" % ",".join(THEIRS))
    top.add_argument("--rounds", type=at_least(1), default=3, help="[3]")
    top.add_argument("--steps", type=at_least(3), default=20, help="timed at each place [20]")
    top.add_argument("--threads", type=at_least(1), default=len(os.sched_getaffinity(0)), help="of both [every core]")
    top.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    top.add_argument("--plot", type=picture, help="draw steps a second against the frame: .png or .svg")
    args = top.parse_args(arguments)
    if args.layers and args.model:
        top.error("--layers is for a shape; a model has its own")
    if args.model and not (args.model / "config.json").is_file():
        top.error(f"{args.model} is no directory with a config.json")
    for path in (args.json, args.plot):
        if path and not path.parent.is_dir():
            top.error(f"there is no folder {path.parent} for {path.name}")
    return args


@contextlib.contextmanager
def model_directory(args):
    """Where both sides read the model; None where each makes its own of the shape. A shape with fewer layers is written
    down, as smitin bench knows the whole ones."""
    if args.layers is None:
        yield args.model
        return
    with tempfile.TemporaryDirectory() as folder:
        shape_config(args.shape)
        import make_model
        make_model.make(folder, args.shape, args.layers)
        yield pathlib.Path(folder)


def measure(args, directory):
    """({ours: [rounds]}, {theirs: [rounds]}, raw): one of ours, one of theirs, and so on, every round."""
    ours, theirs, raw = {name: [] for name in args.ours}, {name: [] for name in args.theirs}, []
    for number in range(args.rounds):
        for pair in zip_longest(args.ours, args.theirs):
            for side, run, name, results in (("smitin", run_ours, pair[0], ours), ("transformers", run_theirs, pair[1], theirs)):
                if name is None:
                    continue
                print(f"round {number + 1} of {args.rounds}: {side} {name} ...", file=sys.stderr)
                figures, details = run(args, directory, name)
                results[name].append(figures)
                raw.append({"side": side, "weights": name, "round": number + 1, "details": details})
    return ours, theirs, raw


def report(args, ours, theirs, raw):
    torch, transformers = import_theirs(args.threads)
    model = str(args.model or "musicgen-" + args.shape)
    title = f"{model}{f' cut to {args.layers} layers' if args.layers else ''}, threads: {args.threads}, our cache: {args.cache}"
    print(f"{title}; torch {torch.__version__}, transformers {transformers.__version__}; median of {args.rounds} rounds (lowest-highest)\n")
    print(table(ours, theirs))
    if args.json:
        figures = {"model": model, "layers": args.layers, "threads": args.threads, "cache": args.cache,
                   "rounds": args.rounds, "steps": args.steps, "machine": platform.machine(), "torch": torch.__version__,
                   "transformers": transformers.__version__, "summary": ["median", "lowest", "highest"]}
        for side, settings in (("ours", ours), ("theirs", theirs), ("ratios", compare(ours, theirs))):
            figures[side] = {name: sum_up(rounds) for name, rounds in settings.items()}
        figures["runs"] = raw
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    if args.plot:
        plot(args.plot, title, ours, theirs)


def without_settings(environment):
    """Less what changes how threads wait or how memory is had: OMP_WAIT_POLICY=PASSIVE alone costs their int8 more than half
    of its speed, and neither side is to be measured with what somebody has set for other work."""
    return {name: value for name, value in environment.items() if not name.startswith(("OMP_", "KMP_", "GOMP_", "MKL_", "GLIBC_TUNABLES"))}


def main():
    args = parse(None)
    kept = without_settings(os.environ)
    if kept != dict(os.environ):  # libraries read them as they are loaded, so begin again
        os.execve(sys.executable, [sys.executable, *sys.argv], kept)
    try:
        import_theirs(args.threads)  # before the minutes that ours takes
        with model_directory(args) as directory:
            ours, theirs, raw = measure(args, directory)
        report(args, ours, theirs, raw)
    except (Refusal, OSError, subprocess.CalledProcessError) as error:
        print(f"side_by_side: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""What the recognisers share: the clips that "smitin eval export" wrote, as windows of one length and rate, and the table
of their scores for "smitin eval correlate". Needs numpy and scipy."""
import argparse
import csv
import fractions
import importlib
import os
import pathlib
import sys
import tempfile

import numpy
import scipy.io.wavfile
import scipy.signal


def fail(message):
    print("%s: %s" % (pathlib.Path(sys.argv[0]).name, message), file=sys.stderr)
    sys.exit(1)


def need(module, advice):
    """Import a module, or say how to get it. One of the wrong version may raise anything."""
    try:
        return importlib.import_module(module)
    except Exception as error:
        fail("the module %s cannot be imported (%s); %s" % (module, error, advice))


def load_state(net, path):
    """A file of torch's into a net, tensor for tensor."""
    try:
        net.load_state_dict(importlib.import_module("torch").load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch has many
        fail("%s does not hold this net's weights: %s" % (path, " ".join(str(error).split())[:300]))


# ---- Clips ----

def read_manifest(folder):
    """[(clip's path, name of the piece)] of a folder of clips."""
    path = folder / "manifest.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        fail("%s: %s; make the clips with \"smitin eval export -o %s PIECES\"" % (path, error.strerror, folder))
    except (csv.Error, UnicodeDecodeError) as error:
        fail("%s is no CSV: %s" % (path, error))
    if not rows or not all(row.get("clip") and row.get("file") for row in rows):
        fail("%s must have a row for every clip, with its name in \"clip\" and its piece in \"file\", as \"smitin eval export\" "
             "writes it" % path)
    return [(folder / row["clip"], row["file"]) for row in rows]


def read_audio(path, rate):
    """A WAV file as float32 mono at `rate` Hz, full scale 1."""
    try:
        found, samples = scipy.io.wavfile.read(path)
    except (OSError, ValueError) as error:
        fail("%s cannot be read as WAV (%s); export the clips again, as WAV" % (path, error))
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        samples = samples / half - (1.0 if samples.dtype.kind == "u" else 0.0)  # 8 bits are stored from 0 on
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if not samples.size or not numpy.isfinite(samples).all():
        fail("%s holds no sound that can be judged: it is empty, or has samples that are no numbers" % path)
    ratio = fractions.Fraction(rate, found)
    if ratio != 1:
        samples = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator)
    return samples.astype(numpy.float32)


def cut(samples, size, repeat=False):
    """Windows of `size` samples side by side that cover the clip, [N, size]. The last one is moved back to end with the clip;
    a clip shorter than a window is followed by silence, after as many repeats as fit if the net was trained so."""
    if len(samples) < size:
        samples = numpy.tile(samples, size // len(samples) if repeat else 1)
        return numpy.pad(samples, (0, size - len(samples)))[None]
    starts = list(range(0, len(samples) - size + 1, size))
    if starts[-1] + size < len(samples):
        starts.append(len(samples) - size)
    return numpy.stack([samples[s:s + size] for s in starts])


# ---- Scores ----

def score_clips(clips, net, batch):
    """The mean score of every clip over its windows, [clips, traits]; windows of several clips go through the net at once."""
    size = round(net.seconds * net.rate)
    sums, counts, waiting = [], numpy.zeros(len(clips)), []

    def flush():
        scores = numpy.asarray(net.score(numpy.stack([w for _, w in waiting])), dtype=numpy.float64)
        assert scores.shape == (len(waiting), len(net.traits)), scores.shape
        for (clip, _), row in zip(waiting, scores):
            if not numpy.isfinite(row).all():
                fail("the net has no finite score for %s" % clips[clip][0])
            sums[clip] += row
        waiting.clear()

    for number, (path, _) in enumerate(clips):
        windows = cut(read_audio(path, net.rate), size, net.repeat)
        sums.append(numpy.zeros(len(net.traits)))
        counts[number] = len(windows)
        for window in windows:
            waiting.append((number, window))
            if len(waiting) == batch:
                flush()
        if sys.stderr.isatty():
            print("\r%d of %d clips" % (number + 1, len(clips)), end="\n" if number + 1 == len(clips) else "", file=sys.stderr)
    if waiting:
        flush()
    return numpy.stack(sums) / counts[:, None]


def write_table(path, names, clips, scores):
    """A row a clip: "file" and the named scores. The file is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", *names])
            for (_, piece), row in zip(clips, scores):
                writer.writerow([piece, *("%.7g" % score for score in row)])
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


# ---- The command ----

def read_traits(words, defaults):
    """--trait NAME=WHAT+WHAT ..., or all defaults: {name: [what, ...]}."""
    traits = {}
    for word in words:
        name, given, rest = word.partition("=")
        if not name or any(c in name for c in ",\"\n") or (given and not all(rest.split("+"))):
            fail("--trait must be a name, or NAME=WHAT+WHAT, not \"%s\"" % word)
        if not given and name not in defaults:
            fail("there is no trait \"%s\" here; there are %s; say what it is with --trait %s=WHAT" % (name, ", ".join(defaults), name))
        traits[name] = rest.split("+") if given else defaults[name]
    return traits or dict(defaults)


def main(net_class):
    """net_class: `name` (of the columns), `rate` (Hz), `seconds` (of a window), `repeat` (see cut), `defaults` ({trait: [what, ...]}), `what` (for
    the help), `advice` (how to install), and a constructor (traits, weights or None, random) -> something with score(windows [B, n]) -> [B, traits]."""
    parser = argparse.ArgumentParser(description=sys.modules[net_class.__module__].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=pathlib.Path, help="the folder of \"smitin eval export\"")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="FILE.csv", help="the table of scores")
    parser.add_argument("--trait", action="append", default=[], metavar="NAME[=%s+...]" % net_class.what,
                        help="score this trait; may be given several times [%s]" % ", ".join(net_class.defaults))
    parser.add_argument("--weights", metavar="FILE", help="the net's weights, when they are on disk already")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="windows at once [8]")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of torch; 0 is its own choice [0]")
    parser.add_argument("--random-weights", action="store_true",
                        help="an untrained net, to try the path; its columns are called %s_untrained_NAME" % net_class.name)
    options = parser.parse_args()
    if options.batch < 1 or options.threads < 0:
        parser.error("--batch must be 1 or more, --threads 0 or more")
    if options.random_weights and options.weights:
        parser.error("give --weights or --random-weights")
    if not options.output.absolute().parent.is_dir():
        fail("there is no folder %s for the table" % options.output.absolute().parent)
    clips = read_manifest(options.clips)
    for path, _ in clips:
        if not path.is_file():
            fail("the manifest names %s, which is not there; export the clips again" % path)
    traits = read_traits(options.trait, net_class.defaults)
    if options.threads:
        need("torch", net_class.advice).set_num_threads(options.threads)
    try:
        net = net_class(traits, options.weights, options.random_weights)
    except ImportError as error:  # some packages look for theirs when they are used
        fail("the net cannot be built: %s; %s" % (error, net_class.advice))
    scores = score_clips(clips, net, options.batch)
    column = net_class.name + ("_untrained_%s" if options.random_weights else "_%s")
    write_table(options.output, [column % name for name in traits], clips, scores)
    print("%s: %d clips" % (options.output, len(clips)), file=sys.stderr)

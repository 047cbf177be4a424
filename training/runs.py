# SPDX-License-Identifier: MIT
"""What every training run shares: work folder, logs, atomic checkpoints, averages of weights."""

import argparse
import ctypes
import json
import math
import os
import pathlib
import signal
import socket
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing


def work_folder():
    """Where data and checkpoints lie: $SMITIN_TRAIN or ./work (never committed)."""
    return pathlib.Path(os.environ.get("SMITIN_TRAIN", "work"))


def parser(doc):
    """Argument parser with the options that all commands share."""
    top = argparse.ArgumentParser(description=doc.splitlines()[0])
    top.add_argument("--work", type=pathlib.Path, default=work_folder(), metavar="DIR",
                     help="corpus, tokens and checkpoints (default: $SMITIN_TRAIN or ./work)")
    top.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    return top


def add_processes(top):
    top.add_argument("--processes", type=int, default=1, metavar="N",
                     help="processes that share each batch, each with its part of the threads")
    return top


def setup(args):
    """Threads and device of a run."""
    torch.set_num_threads(args.threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def launch(work, args):
    """Runs work(rank, args) in `args.processes` processes that share each step's batch.

    Two processes of one thread train faster on two cores than one process of two: they meet once
    per step and not once per operation, which matters most when other programs want the cores too.
    """
    if args.processes == 1:
        work(0, args)
        return
    args.threads = max(1, args.threads // args.processes)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_join, (work, args, port), args.processes)


def _join(rank, work, args, port):
    if sys.platform == "linux":     # go when the parent goes, however it ends
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    dist.init_process_group("gloo", init_method="tcp://127.0.0.1:%d" % port, rank=rank,
                            world_size=args.processes)
    work(rank, args)


def mean(tensors):
    """Replaces each tensor by its mean over the processes."""
    if not dist.is_initialized():
        return
    flat = torch.cat([t.flatten() for t in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        t.copy_(part.view_as(t))


def share(tensor):
    """The first process's values for all."""
    if dist.is_initialized():
        dist.broadcast(tensor, 0)
    return tensor


class Log:
    """Appends one JSON object per line and echoes it."""

    def __init__(self, path, rank=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "a", buffering=1) if rank == 0 else None

    def write(self, **values):
        if self.file is None:
            return
        values = {k: float("%.5g" % v) if isinstance(v, float) else v for k, v in values.items()}
        values["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.file.write(json.dumps(values) + "\n")
        print(json.dumps(values), flush=True)


def save(path, state):
    """Writes a checkpoint so that a kill at any moment leaves the old or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False)


def cosine(step, steps, warmup, floor=0.02):
    """Factor of the learning rate: linear warm-up, then half a cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    x = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * x))


def trapezoid(step, steps, warmup, decay, floor=0.02):
    """Warm-up, plateau, cosine fall in the last share `decay`: the end may be moved while it runs."""
    if step < warmup:
        return (step + 1) / warmup
    x = (step - (1 - decay) * steps) / max(1.0, decay * steps)
    return 1.0 if x <= 0 else floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, x)))


class Average:
    """Exponential moving average of a module's parameters, with a warm start."""

    def __init__(self, module, rate):
        self.rate = rate
        self.count = 0
        self.values = [p.detach().clone() for p in module.parameters()]

    @torch.no_grad()
    def update(self, module):
        self.count += 1
        rate = min(self.rate, (1 + self.count) / (10 + self.count))
        torch._foreach_lerp_(self.values, [p.detach() for p in module.parameters()], 1 - rate)

    @torch.no_grad()
    def swap(self, module):
        """Exchanges averages and live weights; call twice to evaluate with the averages."""
        for value, p in zip(self.values, module.parameters()):
            old = p.detach().clone()
            p.copy_(value)
            value.copy_(old)

    def state_dict(self):
        return {"count": self.count, "values": self.values}

    def load_state_dict(self, state):
        self.count = state["count"]
        self.values = state["values"]

# SPDX-License-Identifier: MIT
"""Trains the text encoder and the decoder: `python -m training.lm.train` (goes on from its checkpoint)."""

import concurrent.futures
import time

import torch

from .. import runs
from ..settings import CODEBOOKS, CodecSettings, LmTraining
from ..text import Tokenizer
from . import data, model as lm_model, optim

SPECIAL = CodecSettings().codes


class Trainer:
    """State of one run: model, averages, optimisers and data."""

    def __init__(self, args, plan, device, rank=0):
        torch.manual_seed(plan.seed)
        self.args, self.plan, self.device, self.rank = args, plan, device, rank
        self.path = args.work / "lm" / "last.pt"
        self.tokenizer = Tokenizer(args.work / "text" / "spiece.model")
        self.model = lm_model.build(pieces=self.tokenizer.model.vocab_size()).to(device)
        self.model.audio_encoder.requires_grad_(False)
        self.trained = torch.nn.ModuleList([self.model.text_encoder, self.model.enc_to_dec_proj,
                                            self.model.decoder])
        self.words = lm_model.Words(self.model.config.decoder.hidden_size,
                                    self.tokenizer.model.vocab_size()).to(device)
        self.sounds = lm_model.Sounds(self.model.config.decoder.hidden_size).to(device)
        self.optimisers = optim.optimisers(self.model, plan.lr, plan.weight_decay)
        self.optimisers[1].add_param_group({"params": [*self.words.parameters(), *self.sounds.parameters()],
                                            "weight_decay": 0.0})
        self.average = runs.Average(self.trained, plan.ema)
        self.step, self.frames_seen = 0, 0
        if self.path.exists():
            self.resume(runs.load(self.path))
        self.rescan()
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.next = self.pool.submit(self.draw, self.step)

    def rescan(self):
        """Excerpts over whatever has been tokenised so far."""
        self.data = data.Excerpts(data.tracks(self.args.work, "train"), self.tokenizer,
                                  "%d %d %d" % (self.plan.seed, self.step, self.rank), self.plan.minus_one)

    def resume(self, state):
        self.trained.load_state_dict(state["model"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(kept)
        self.words.load_state_dict(state["words"])
        self.sounds.load_state_dict(state["sounds"])
        self.average.load_state_dict(state["average"])
        self.step, self.frames_seen = state["step"], state["frames_seen"]
        torch.manual_seed(self.plan.seed + 1000 * self.step + self.rank)

    def save(self):
        if self.rank:
            return
        runs.save(self.path, {"model": self.trained.state_dict(), "average": self.average.state_dict(),
                              "words": self.words.state_dict(), "sounds": self.sounds.state_dict(),
                              "optimisers": [o.state_dict() for o in self.optimisers],
                              "step": self.step, "frames_seen": self.frames_seen})

    def shape(self, step):
        """(rows of this process, frames): one step in four is on 30 s, two on 2.5 s, one on 10 s.

        Over 10 s a caption is worth some 0.005 nats a token, too little to learn from; over the
        first seconds it is worth more.
        """
        plan = self.plan
        columns = (plan.long_columns, plan.short_columns, plan.columns, plan.short_columns)[step % 4]
        return max(1, plan.batch_columns // columns // self.args.processes), columns - CODEBOOKS + 1

    def first_position(self, frames):
        """Half of the excerpts shorter than 30 s begin later: positions never seen are noise to the decoder."""
        room = self.plan.long_columns - frames - CODEBOOKS
        return int(torch.randint(0, room, ())) if room > 0 and torch.rand(()) < 0.5 else 0

    def draw(self, step):
        return self.data.batch(*self.shape(step))

    def words_weight(self):
        """Fades out before the end: naming words is the means, and in the way of music by itself."""
        left = (0.92 - self.step / self.args.steps) / 0.15
        return self.plan.words * min(1.0, max(0.0, left))

    def train_step(self):
        codes, ids, mask, active = (x.to(self.device) for x in self.next.result())
        self.next = self.pool.submit(self.draw, self.step + 1)
        keep = (torch.rand(len(codes), device=self.device) >= self.plan.caption_dropout).float()
        mask[:, 0] = 1
        with torch.autocast(self.device.type, torch.bfloat16):
            states = lm_model.text_states(self.model, ids, mask, keep)
            grid = lm_model.delayed(codes, SPECIAL)
            inner = []
            hidden = lm_model.hidden_states(self.model, grid[:, :, :-1], states, mask,
                                            first=self.first_position(codes.shape[2]), inner=inner)
            parts = lm_model.cross_entropy(self.model, hidden, grid, SPECIAL)
            words = self.words.loss(hidden, ids, keep)
            sounds = self.sounds.loss(inner[len(inner) * 2 // 3 - 1], active)
        factor = runs.cosine(self.step, self.args.steps, self.plan.warmup)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
            for group in optimiser.param_groups:
                group["lr"] = self.args.lr * factor
        (parts.mean() + self.words_weight() * words + self.plan.sounds * sounds).backward()
        grads = [p for m in (self.trained, self.words, self.sounds) for p in m.parameters() if p.grad is not None]
        runs.mean([p.grad for p in grads])
        norm = torch.nn.utils.clip_grad_norm_(grads, 1.0)
        if torch.isfinite(norm):
            for optimiser in self.optimisers:
                optimiser.step()
            self.average.update(self.trained)
        self.step += 1
        self.frames_seen += codes.shape[0] * codes.shape[2] * self.args.processes
        return torch.cat((parts.detach(), torch.stack((words, sounds)).detach())), norm.item()


@torch.no_grad()
def validate(run, found, frames, count=48):
    """Mean loss per codebook on fixed held-out excerpts: unconditional, with captions, with others' captions."""
    fixed = data.Excerpts(found, run.tokenizer, 7, 0.0)
    sums = torch.zeros(3, CODEBOOKS)
    run.average.swap(run.trained)
    for _ in range(count // 8):
        codes, ids, mask, _ = (x.to(run.device) for x in fixed.batch(8, frames))
        grid = lm_model.delayed(codes, SPECIAL)
        with torch.autocast(run.device.type, torch.bfloat16):
            states = lm_model.text_states(run.model, ids, mask, torch.ones(8, device=run.device))
            sums[0] += lm_model.losses(run.model, grid, None, None, SPECIAL).cpu() / (count // 8)
            sums[1] += lm_model.losses(run.model, grid, states, mask, SPECIAL).cpu() / (count // 8)
            sums[2] += lm_model.losses(run.model, grid, states.roll(1, 0), mask.roll(1, 0), SPECIAL).cpu() / (count // 8)
    run.average.swap(run.trained)
    return sums


def options():
    top = runs.add_processes(runs.parser(__doc__))
    plan = LmTraining()
    top.add_argument("--steps", type=int, default=plan.steps)
    top.add_argument("--lr", type=float, default=plan.lr)
    top.add_argument("--stop", type=int, default=10 ** 9, help="stop after this step, to go on later")
    return top.parse_args()


def work(rank, args):
    run = Trainer(args, LmTraining(), runs.setup(args), rank)
    held = data.tracks(args.work, "valid") if rank == 0 else []
    log = runs.Log(args.work / "lm" / "log.jsonl", rank)
    last, saved, seen, sums, steps = time.time(), time.time(), run.frames_seen, 0.0, 0
    while run.step < min(args.steps, args.stop):
        parts, norm = run.train_step()
        sums, steps = sums + parts, steps + 1
        if run.step % 20 == 0:
            now = time.time()
            log.write(step=run.step, loss=[round(x, 3) for x in (sums / steps).tolist()[:CODEBOOKS]],
                      words=float(sums[-2] / steps), sounds=float(sums[-1] / steps), norm=norm,
                      frames=run.frames_seen, columns_per_s=(run.frames_seen - seen) / (now - last))
            last, seen, sums, steps = now, run.frames_seen, 0.0, 0
        if run.step % 400 == 0 and held:
            names = "valid", "valid_text", "valid_wrong_text"
            for columns, suffix in ((run.plan.columns, ""), (run.plan.short_columns, "_short"),
                                    (run.plan.long_columns, "_long")):
                rows = validate(run, held, columns - CODEBOOKS + 1, 48 if columns < 1000 else 8).tolist()
                log.write(step=run.step, **{n + suffix: [round(x, 4) for x in r] for n, r in zip(names, rows)})
        if run.step % 250 == 0 and run.step < args.steps // 2:
            run.rescan()
        if time.time() - saved > 180:
            run.save()
            saved = time.time()
    run.save()


def main():
    runs.launch(work, options())


if __name__ == "__main__":
    main()

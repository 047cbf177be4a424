# SPDX-License-Identifier: MIT
"""Trains the codec: `python -m training.codec.train` (goes on from its checkpoint)."""

import concurrent.futures
import time

import torch

from .. import audio, runs
from ..settings import HOP, CodecTraining
from . import losses, model as codec_model
from .fast import Fast

# Shares of the gradient in the output, at first and later, and the steps between which they shift. The waveform
# comes first: with the later shares from the start SI-SDR was below -30 dB after 200 steps, so it is above 0 dB.
FIRST_SHARES = {"mel": 1.0, "linear": 0.5, "wave": 2.0}
SHARES = {"mel": 3.0, "linear": 0.5, "wave": 0.3}
SHIFT = (600, 1800)
COMMIT = 0.25       # of the decoder's gradient in the latents: pulls them to their codes
HEAR = 0.2          # of the decoder's gradient: keeps in the codes which instruments sound
SCALE = 2.0         # deviation of the latents
LAST_SHARE = 0.02   # of the rate, for the last convolution: its one gain is small and scales everything,
                    # and steps of the full rate make the level of the output jump by a third


class Trainer:
    """State of one run: model, averages, optimiser, data and the loss terms."""

    def __init__(self, args, plan, device, rank=0):
        torch.manual_seed(plan.seed)
        self.args, self.plan, self.device, self.rank = args, plan, device, rank
        self.rows = plan.batch // args.processes
        self.path = args.work / "codec" / "last.pt"
        self.model = codec_model.build().to(device)
        self.fast = Fast(self.model, compiled=not args.eager)
        self.quantizer = codec_model.Quantizer(self.model, plan.ema)
        self.spectral = losses.SpectralLoss().to(device)
        self.balance = losses.Balancer(FIRST_SHARES)
        last = list(self.model.decoder.layers[-1].parameters())
        slow = {id(p) for p in last}
        self.optimiser = torch.optim.AdamW(
            [{"params": [p for p in self.model.parameters() if id(p) not in slow], "share": 1.0},
             {"params": last, "share": LAST_SHARE}], lr=plan.lr, betas=(0.9, 0.99), weight_decay=1e-3)
        self.average = runs.Average(self.model, plan.weight_ema)
        self.hear = codec_model.Hear(self.model.config.hidden_size).to(device)
        self.hear_optimiser = torch.optim.AdamW(self.hear.parameters(), plan.lr)
        self.step, self.ready, self.latents = 0, False, []
        if self.path.exists():
            self.resume(runs.load(self.path))
        self.data = self.rescan()
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.next = self.pool.submit(self.data.batch, self.rows)

    def rescan(self):
        """Crops over whatever has been rendered so far."""
        found = audio.pieces(self.args.work / "corpus", "train")
        return audio.Crops(found, self.plan.frames * HOP, (self.plan.seed, self.step, self.rank))

    def resume(self, state):
        self.model.load_state_dict(state["model"])
        if len(state["optimiser"]["param_groups"]) == 2:
            self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        if "hear" in state:
            self.hear.load_state_dict(state["hear"])
        self.step, self.ready = state["step"], state["ready"]
        torch.manual_seed(self.plan.seed + 1000 * self.step + self.rank)

    def save(self):
        if self.rank:
            return
        runs.save(self.path, {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
                              "average": self.average.state_dict(), "step": self.step,
                              "hear": self.hear.state_dict(),
                              "ready": self.ready})

    def batch(self):
        rows, active = (torch.from_numpy(x).to(self.device) for x in self.next.result())
        self.next = self.pool.submit(self.data.batch, self.rows)
        return rows, active

    def quantize(self, latents):
        """The quantizer, or nothing while the auto-encoder warms up and latents are collected."""
        if self.ready:
            return self.quantizer(latents)
        if self.step >= self.plan.free_steps - 40:
            self.latents.append(latents.detach().flatten(0, 1))
        if self.step + 1 >= self.plan.free_steps:
            self.quantizer.initialise(torch.cat(self.latents))
            self.ready, self.latents = True, []
        return latents, latents.new_zeros(()), None, 0

    def shares(self):
        first, last = SHIFT
        late = min(1.0, max(0.0, (self.step - first) / (last - first)))
        return {name: FIRST_SHARES[name] * (1 - late) + SHARES[name] * late for name in SHARES}

    @staticmethod
    def hold_scale(grad, latents):
        """The gradient without its part along the latents, and a pull of their deviation towards SCALE.

        The scale of latents means nothing, but left alone it doubled every thousand steps, and the
        codebooks trailed behind.
        """
        along = (grad * latents).sum() / latents.square().sum()
        pull = 0.2 * grad.norm() / latents.norm() * (latents.std() / SCALE).log()
        return grad + latents * (pull - along)

    def gradients(self, wave, active):
        """Backward pass with balanced shares; returns what is logged."""
        latents = self.fast.encode(wave)
        quantized, commit, codes, revived = self.quantize(latents)
        inner = quantized.detach().requires_grad_()
        output = self.fast.decode(inner)
        self.balance.shares = self.shares()
        mel, linear = self.spectral(output, wave)
        shape = losses.wave_loss(output, wave)
        output.backward(self.balance(output, {"mel": mel, "linear": linear, "wave": shape}))
        heard = self.hear.loss(inner, active)
        told, *learnt = torch.autograd.grad(heard, [inner, *self.hear.parameters()])
        for p, g in zip(self.hear.parameters(), learnt):
            p.grad = g
        grad = inner.grad
        grad = grad + told * (HEAR * grad.norm() / (told.norm() + 1e-12))
        if codes is not None:
            pull, = torch.autograd.grad(commit, latents, retain_graph=True)
            grad = grad + pull * (COMMIT * grad.norm() / (pull.norm() + 1e-12))
            grad = self.hold_scale(grad, latents.detach())
        latents.backward(grad)
        return {"mel": mel.item(), "linear": linear.item(), "wave": shape.item(),
                "heard": heard.item(), "commit": commit.item(), "latents": latents.detach().std().item(), "revived": revived,
                "used": [] if codes is None else [len(c.unique()) for c in codes],
                "sdr": losses.si_sdr(output.detach(), wave).median().item()}

    def train_step(self):
        self.optimiser.zero_grad(set_to_none=True)
        values = self.gradients(*self.batch())
        runs.mean([p.grad for m in (self.model, self.hear) for p in m.parameters()])
        factor = runs.trapezoid(self.step, self.args.steps, self.plan.warmup, self.plan.decay)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.lr * factor * group["share"]
        norm = torch.nn.utils.clip_grad_norm_(self.optimiser.param_groups[0]["params"], 2.0)
        if torch.isfinite(norm):
            self.optimiser.step()
            self.hear_optimiser.step()
            self.average.update(self.model)
        self.step += 1
        return dict(values, norm=norm.item())


def work(rank, args):
    device = runs.setup(args)
    plan = CodecTraining()
    run = Trainer(args, plan, device, rank)
    log = runs.Log(args.work / "codec" / "log.jsonl", rank)
    last, saved = time.time(), time.time()
    while run.step < args.steps:
        values = run.train_step()
        if run.step % 20 == 0:
            now = time.time()
            seconds = 20 * plan.batch * plan.frames / 50
            log.write(step=run.step, **values, audio_per_s=seconds / (now - last))
            last = now
        if run.step % 500 == 0:
            run.data = run.rescan()
        if time.time() - saved > 120:
            run.save()
            saved = time.time()
    run.save()


def main():
    top = runs.add_processes(runs.parser(__doc__))
    top.add_argument("--steps", type=int, default=CodecTraining.steps,
                     help="planned steps; may be changed when a run goes on")
    top.add_argument("--eager", action="store_true", help="do not use torch.compile")
    runs.launch(work, top.parse_args())


if __name__ == "__main__":
    main()

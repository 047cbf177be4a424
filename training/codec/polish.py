# SPDX-License-Identifier: MIT
"""Trains only the codec's decoder further, with an adversary: `python -m training.codec.polish`.

Encoder and codebooks are frozen, so the tokens, and a language model trained on them, stay valid.
Spectral losses alone blur what 2 kbit/s cannot carry; the adversary makes the decoder fill it in.
"""

import time

import torch

from .. import audio, runs
from ..settings import HOP, CodecTraining
from . import discriminator, losses, model as codec_model
from .fast import Fast

WEIGHTS = {"mel": 4.0, "linear": 0.3, "wave": 1.0, "adversary": 0.3, "match": 1.0}


class Polisher:
    def __init__(self, args, plan, device, rank):
        torch.manual_seed(plan.seed + 77)
        self.args, self.plan, self.device, self.rank = args, plan, device, rank
        self.rows = plan.batch // args.processes
        self.path = args.work / "codec" / "polish-last.pt"
        self.model = codec_model.build().to(device)
        self.model.load_state_dict(runs.load(args.work / "codec" / "frozen.pt")["model"])
        self.model.encoder.requires_grad_(False)
        self.fast = Fast(self.model)
        self.quantizer = codec_model.Quantizer(self.model, 1.0)
        self.judge = discriminator.Discriminator().to(device)
        self.spectral = losses.SpectralLoss().to(device)
        self.codec_optimiser = torch.optim.AdamW(self.model.decoder.parameters(), args.lr,
                                                 betas=(0.8, 0.99))
        self.judge_optimiser = torch.optim.AdamW(self.judge.parameters(), args.lr, betas=(0.8, 0.99))
        self.average = runs.Average(self.model.decoder, 0.998)
        self.step = 0
        if self.path.exists():
            self.resume(runs.load(self.path))
        found = audio.pieces(args.work / "corpus", "train")
        self.data = audio.Crops(found, plan.frames * HOP, (plan.seed + 77, self.step, rank))

    def parts(self):
        return {"model": self.model, "judge": self.judge, "average": self.average,
                "codec_optimiser": self.codec_optimiser, "judge_optimiser": self.judge_optimiser}

    def resume(self, state):
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.step = state["step"]
        torch.manual_seed(self.plan.seed + 77 + 1000 * self.step + self.rank)

    def save(self):
        """The resumable state, and beside it the weights to export (averaged decoder)."""
        if self.rank:
            return
        runs.save(self.path, dict({k: v.state_dict() for k, v in self.parts().items()}, step=self.step))
        self.average.swap(self.model.decoder)
        runs.save(self.path.with_name("polished.pt"), {"model": self.model.state_dict()})
        self.average.swap(self.model.decoder)

    def _descend(self, loss, module, optimiser, limit):
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        runs.mean([p.grad for p in module.parameters()])
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), limit)
        if torch.isfinite(norm):
            optimiser.step()

    def train_step(self):
        wave = torch.from_numpy(self.data.batch(self.rows)[0]).to(self.device)
        with torch.no_grad():
            latents, _, _, _ = self.quantizer(self.fast.encode(wave), learn=False)
        output = self.fast.decode(latents)
        rate = self.args.lr * runs.trapezoid(self.step, self.args.steps, 50, 0.5)
        for group in self.codec_optimiser.param_groups + self.judge_optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16):
            taught = discriminator.teach(self.judge(wave), self.judge(output.detach()))
        self._descend(taught, self.judge, self.judge_optimiser, 5.0)
        mel, linear = self.spectral(output, wave)
        shape = losses.wave_loss(output, wave)
        total = WEIGHTS["mel"] * mel + WEIGHTS["linear"] * linear + WEIGHTS["wave"] * shape
        wanted = match = torch.zeros(())
        if self.step >= self.args.warm:
            self.judge.requires_grad_(False)
            with torch.autocast(self.device.type, torch.bfloat16):
                with torch.no_grad():
                    real = self.judge(wave)
                wanted, match = discriminator.please(real, self.judge(output))
            total = total + WEIGHTS["adversary"] * wanted + WEIGHTS["match"] * match
        self._descend(total, self.model.decoder, self.codec_optimiser, 5.0)
        self.judge.requires_grad_(True)
        self.average.update(self.model.decoder)
        self.step += 1
        return {"mel": mel.item(), "linear": linear.item(), "wave": shape.item(), "judge": taught.item(),
                "wanted": wanted.item(), "match": float(match),
                "sdr": losses.si_sdr(output.detach(), wave).median().item()}


def work(rank, args):
    run = Polisher(args, CodecTraining(), runs.setup(args), rank)
    log = runs.Log(args.work / "codec" / "polish.jsonl", rank)
    last, saved = time.time(), time.time()
    while run.step < args.steps:
        values = run.train_step()
        if run.step % 20 == 0:
            log.write(step=run.step, **values, seconds_per_step=(time.time() - last) / 20)
            last = time.time()
        if time.time() - saved > 120:
            run.save()
            saved = time.time()
    run.save()


def main():
    top = runs.add_processes(runs.parser(__doc__))
    top.add_argument("--steps", type=int, default=4000)
    top.add_argument("--warm", type=int, default=500, help="steps before the adversary joins")
    top.add_argument("--lr", type=float, default=4e-4)
    runs.launch(work, top.parse_args())


if __name__ == "__main__":
    main()

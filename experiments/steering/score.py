# SPDX-License-Identifier: MIT
"""Scores of generated pieces by the independent recogniser: presence of every instrument, distances, similarity."""

import json

import numpy as np
import torch

from training import audio
from training.floors import frechet, recogniser
from training.settings import RATE, TARGETS

from . import prompts

WINDOW = recogniser.SECONDS * RATE
RESAMPLES = 2000


def windows(samples, hop):
    """[n, WINDOW] windows of one piece."""
    starts = range(0, len(samples) - WINDOW + 1, hop)
    return np.stack([samples[s:s + WINDOW] for s in starts])


def interval(values, seed=0):
    """[mean, low, high]: 95 % bootstrap interval over pieces."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return [float(values.mean()), float(low), float(high)]


class Judge:
    """The recogniser, the held-out reference set, and the features of every condition scored so far."""

    def __init__(self, work, seed):
        self.model = recogniser.load()
        held = audio.pieces(work / "corpus", "valid") + audio.pieces(work / "corpus", "test")
        self.reference = frechet.embed(self.model, frechet.music(held, 300, 6, seed))
        self.features = {}

    def _hear(self, folder):
        """(presence [pieces, 4], features [windows, 96], mean feature [pieces, 96]) of a folder of WAVs."""
        presence, features, means = [], [], []
        for path in sorted(folder.glob("*.wav")):
            parts = torch.from_numpy(windows(prompts.read_wav(path), WINDOW // 2))
            with torch.no_grad():
                embedded = recogniser.hear(self.model, parts, embed=True)
                presence.append((self.model.out(embedded) > 0).float().mean(0).numpy())
            embedded = embedded.numpy()
            features.append(embedded[::2])
            means.append(embedded.mean(0))
        return np.stack(presence), np.concatenate(features), np.stack(means)

    def score(self, folder, prompt_folder, target):
        presence, features, means = self._hear(folder)
        self.features[id(features)] = features
        _, _, before = self._hear_prompts(prompt_folder)
        index = TARGETS.index(target)
        cosines = (means * before).sum(1) / (np.linalg.norm(means, axis=1) * np.linalg.norm(before, axis=1) + 1e-9)
        knobs = [json.loads(p.read_text())["knobs"][0] for p in sorted(folder.glob("*.json"))]
        return {
            "pieces": len(presence),
            "presence": interval(presence[:, index]),
            "others": interval(np.delete(presence, index, 1).mean(1)),
            "similarity": interval(cosines),
            "success": interval([k["success"] for k in knobs]) if knobs else None,
            "monitor": interval([k["presence"] for k in knobs]) if knobs else None,
            "dose": float(np.mean([k["dose"] for k in knobs])) if knobs else 0.0,
            "alpha": knobs[0]["alpha"] if knobs else 0.0,
            "weight_sum": knobs[0]["weight_sum"] if knobs else 0.0,
            "features": id(features),
        }

    def _hear_prompts(self, folder):
        if not hasattr(self, "prompt_cache"):
            self.prompt_cache = self._hear(folder)
        return self.prompt_cache

    def distances(self, table, base):
        """Add Frechet distances to held-out music and to the unsteered output; drop the features' keys."""
        own = self.features[table[base]["features"]]
        for row in table.values():
            features = self.features[row.pop("features")]
            row["frechet_music"] = frechet.frechet(features, self.reference)
            row["frechet_unsteered"] = frechet.frechet(features, own) if features is not own else 0.0

# SPDX-License-Identifier: MIT
"""Makes fadtk/: embeddings where fadtk puts them, and in expected.json fadtk's own Frechet distance between the two folders.

    python tests/golden/make_fadtk.py tests/golden          (pip install fadtk)

Paths, statistics and distance come from fadtk; only the numbers in the files are ours. Names have what file names have: dots,
spaces, upper-case suffixes.
"""
import importlib.metadata
import json
import pathlib
import sys

import numpy as np
from fadtk.fad import calc_embd_statistics, calc_frechet_distance
from fadtk.utils import calculate_embd_statistics_online, get_cache_embedding_path

MODEL, D = "clap-laion-music", 8
NAMES = ["piece-0000.wav", "piece-0001.wav", "a.b.c.flac", "two words.mp3", "LOUD.WAV", "accordéon.ogg"]


def main(folder):
    random = np.random.default_rng(1)
    mix = random.standard_normal((D, D))
    statistics, doubles = [], []
    for name, shift, scale in (("made", 0.3, 0.8), ("real", 0.0, 1.0)):
        paths = []
        for i, audio in enumerate(NAMES):
            rows = shift + scale * random.standard_normal((7 + i, D)) @ mix
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)  # as CLAP's are
            path = get_cache_embedding_path(MODEL, folder / name / audio)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, rows.astype(np.float32))
            paths.append(path)
        statistics.append(calculate_embd_statistics_online(sorted(paths)))
        doubles.append(calc_embd_statistics(np.concatenate([np.load(path) for path in paths]).astype(np.float64)))
    expected = {"fadtk": importlib.metadata.version("fadtk"), "files": len(NAMES), "embeddings": sum(7 + i for i in range(len(NAMES))),
                "frechet": float(calc_frechet_distance(*statistics[0], *statistics[1])),  # means of a file in single precision
                "frechet_double": float(calc_frechet_distance(*doubles[0], *doubles[1]))}
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    print(expected)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) / "fadtk")

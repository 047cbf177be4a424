# SPDX-License-Identifier: MIT
"""Makes logistic.safetensors: small classification problems and scikit-learn's answer to each.

    python tests/golden/make_logistic.py tests/golden/logistic.safetensors

Case NAME holds NAME.x [N, D] f32, NAME.y [N] u8, NAME.C [1] f64, NAME.theta [D] f64, NAME.bias [1] f64 and
NAME.predicted [N] u8. The solver runs far beyond its default tolerance, so that the answers are the minimum itself.
"""
import sys

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression


def problem(seed, rows, columns, shift, offset, share=0.5):
    """Two Gaussian clouds `shift` apart along a random direction, far from the origin by `offset`."""
    random = np.random.default_rng(seed)
    y = (np.arange(rows) < share * rows).astype(np.uint8)
    direction = random.standard_normal(columns)
    direction /= np.linalg.norm(direction)
    scale = random.uniform(0.2, 2.0, columns)
    x = random.standard_normal((rows, columns)) * scale + offset * random.standard_normal(columns)
    x += np.outer(y, shift * direction)
    return x.astype(np.float32), y


def main(path):
    cases = {
        "overlap": (problem(1, 60, 4, 1.0, 0.0), 1.0),
        "head": (problem(2, 160, 64, 2.0, 0.5), 1.0),
        "separable": (problem(3, 40, 8, 30.0, 0.0), 1.0),
        "unbalanced": (problem(4, 80, 6, 1.5, 1.0, share=0.15), 0.1),
        "far": (problem(5, 60, 5, 1.0, 20.0), 1.0),
        "wide": (problem(6, 24, 48, 1.0, 0.2), 10.0),
    }
    tensors = {}
    for name, ((x, y), C) in cases.items():
        model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=10000)
        model.fit(x.astype(np.float64), y)
        theta, bias = model.coef_[0], model.intercept_[0]
        p = 1 / (1 + np.exp(-(x.astype(np.float64) @ theta + bias)))
        gradient = np.append(theta + C * (x.T.astype(np.float64) @ (p - y)), C * np.sum(p - y))
        assert np.abs(gradient).max() < 1e-6, (name, np.abs(gradient).max())
        tensors |= {
            f"{name}.x": x, f"{name}.y": y, f"{name}.C": np.array([C]), f"{name}.theta": theta,
            f"{name}.bias": np.array([bias]), f"{name}.predicted": model.predict(x.astype(np.float64)),
        }
    save_file(tensors, path, metadata={"made_by": f"scikit-learn {sklearn.__version__}"})


if __name__ == "__main__":
    main(sys.argv[1])

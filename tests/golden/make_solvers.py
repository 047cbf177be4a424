# SPDX-License-Identifier: MIT
"""Makes solvers.safetensors and measures.safetensors: small problems and scikit-learn's answer to each.

    python tests/golden/make_solvers.py tests/golden

Softmax case NAME holds NAME.x [N, D] f32, NAME.y [N] i32, NAME.C [1] f64, NAME.theta [K, D] f64, NAME.bias [K] f64; a
ridge case NAME.x, NAME.y [N, T] f64, NAME.alpha [1] f64, NAME.theta [T, D] f64, NAME.bias [T] f64. The solvers run far
beyond their default tolerances, so that the answers are the minimum itself.

A measure case holds what goes in, and in NAME.expected what scikit-learn (or scipy) says; NAN where that is not defined.
"""
import sys
import warnings

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge


def classes(seed, rows, columns, K, shift, offset, weights=None):
    random = np.random.default_rng(seed)
    y = random.choice(K, rows, p=weights)
    y[:K] = np.arange(K)
    centres = shift * random.standard_normal((K, columns))
    scale = random.uniform(0.2, 2.0, columns)
    x = centres[y] + scale * random.standard_normal((rows, columns)) + offset * random.standard_normal(columns)
    return x.astype(np.float32), y.astype(np.int32)


def softmax_cases(tensors):
    cases = {
        "three": (classes(1, 90, 5, 3, 0.8, 0.0), 1.0),
        "two": (classes(2, 60, 4, 2, 0.7, 0.5), 1.0),
        "keys": (classes(3, 120, 16, 24, 0.7, 0.2), 1.0),
        "separable": (classes(4, 60, 8, 4, 8.0, 0.0), 1.0),
        "far": (classes(5, 80, 5, 3, 1.0, 20.0), 0.5),
        "unbalanced": (classes(6, 100, 6, 4, 1.0, 0.3, [0.7, 0.2, 0.07, 0.03]), 10.0),
        "wide": (classes(7, 24, 40, 3, 1.0, 0.2), 1.0),
    }
    for name, ((x, y), C) in cases.items():
        wide = x.astype(np.float64)
        K = y.max() + 1
        # scikit-learn fits two classes as one binary problem: there theta_1 = -theta_0 = w / 2, whose penalty is w^2 / 4,
        # so the minimum is that of a binary regression with 2 C.
        model = LogisticRegression(C=C if K > 2 else 2 * C, solver="newton-cg" if K > 2 else "newton-cholesky",
                                   tol=1e-12, max_iter=100000).fit(wide, y)
        theta, bias = model.coef_, model.intercept_ - model.intercept_.mean()
        if K == 2:
            theta, bias = np.vstack([-theta, theta]) / 2, np.array([-1, 1]) * model.intercept_[0] / 2
        margin = wide @ theta.T + bias
        p = np.exp(margin - margin.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        gradient = theta + C * p.T @ wide
        assert np.abs(gradient).max() < 1e-5, (name, np.abs(gradient).max())
        tensors |= {f"{name}.x": x, f"{name}.y": y, f"{name}.C": np.array([C]), f"{name}.theta": theta, f"{name}.bias": bias}


def ridge_cases(tensors):
    for name, seed, rows, columns, targets, alpha, offset in (
        ("two_numbers", 11, 60, 5, 2, 1.0, 0.0), ("more_inputs", 12, 20, 40, 1, 1.0, 0.5), ("strong", 13, 80, 8, 1, 100.0, 10.0)):
        random = np.random.default_rng(seed)
        x = (random.standard_normal((rows, columns)) + offset * random.standard_normal(columns)).astype(np.float32)
        y = x @ random.standard_normal((columns, targets)) + random.standard_normal((rows, targets)) + 5.0
        model = Ridge(alpha=alpha, solver="cholesky").fit(x.astype(np.float64), y)
        tensors |= {f"{name}.x": x, f"{name}.y": y, f"{name}.alpha": np.array([alpha]),
                    f"{name}.theta": np.atleast_2d(model.coef_), f"{name}.bias": np.atleast_1d(model.intercept_)}


def ranked(score, truth):
    """accuracy and F1 at 0.5, ROC-AUC, average precision."""
    both = 0 < truth.sum() < len(truth)
    return np.array([
        metrics.accuracy_score(truth, score > 0.5), metrics.f1_score(truth, score > 0.5, zero_division=0),
        metrics.roc_auc_score(truth, score) if both else np.nan,
        metrics.average_precision_score(truth, score) if truth.any() else np.nan])


def measure_cases(tensors):
    random = np.random.default_rng(21)
    truth = (random.random(40) < 0.3).astype(np.uint8)
    noisy = np.clip(0.4 * truth + 0.6 * random.random(40), 0, 1)
    for name, score, true in (
        ("plain", noisy, truth), ("ties", np.round(noisy * 4) / 4, truth), ("constant", np.full(40, 0.7), truth),
        ("perfect", truth.astype(float), truth), ("reversed", 1.0 - noisy, truth),
        ("no_positive", noisy, np.zeros(40, np.uint8)), ("no_negative", noisy, np.ones(40, np.uint8)),
        ("single", np.array([0.9]), np.array([1], np.uint8)), ("at_the_cut", np.full(6, 0.5), truth[:6])):
        tensors |= {f"{name}.score": score, f"{name}.truth": true, f"{name}.expected": ranked(score, true)}
    for name, K in (("classes", 5), ("one_missing", 8)):
        true = random.integers(0, 5, 50).astype(np.int32)
        said = np.where(random.random(50) < 0.6, true, random.integers(0, 5, 50)).astype(np.int32)
        tensors |= {f"{name}.predicted": said, f"{name}.truth": true, f"{name}.K": np.array([K], np.int32),
                    f"{name}.expected": np.array([metrics.accuracy_score(true, said), metrics.f1_score(true, said, average="macro")])}
    true = random.standard_normal(30)
    for name, said, truths in (("numbers", true + 0.5 * random.standard_normal(30), true), ("worse", -true, true),
                               ("constant_guess", np.full(30, 0.2), true), ("constant_truth", true, np.full(30, 0.1))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pearson = np.corrcoef(said, truths)[0, 1]
        r2 = metrics.r2_score(truths, said, force_finite=False)
        tensors |= {f"{name}.predicted": said, f"{name}.truth": truths,
                    f"{name}.expected": np.array([r2 if np.isfinite(r2) and np.ptp(truths) > 0 else np.nan,
                                                  pearson if np.ptp(said) > 0 and np.ptp(truths) > 0 else np.nan])}


def main(folder):
    made_by = {"made_by": f"scikit-learn {sklearn.__version__}"}
    tensors = {}
    softmax_cases(tensors)
    ridge_cases(tensors)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, f"{folder}/solvers.safetensors", metadata=made_by)
    tensors = {}
    measure_cases(tensors)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, f"{folder}/measures.safetensors", metadata=made_by)


if __name__ == "__main__":
    main(sys.argv[1])

/* SPDX-License-Identifier: MIT */
/* The regressions beside the binary one (probe.h): several classes, and numbers. Rows of x lie at
 * x + i * stride, D values each. Both keep LAPACK to their thread only with sm_blas_single. */
#ifndef SMITIN_PROBE_SOLVERS_H
#define SMITIN_PROBE_SOLVERS_H

#include <stddef.h>
#include "../base/error.h"

/* Multinomial logistic regression, scikit-learn's objective:
 *
 *     f = 1/2 |Theta|^2 + C sum_i -log softmax(Theta x_i + b)[y_i]
 *
 * over K >= 2 classes y_i in 0..K-1, at least two of which occur; intercepts not penalised. By
 * L-BFGS whose first metric is the Hessian at equal probabilities, H = I + C/K sum_i (x_i, 1) (x_i,
 * 1)^T for every class. Ends when no entry of the gradient exceeds 1e-8 of the largest one at zero
 * (or 1e-8): the penalty makes f strongly convex, so that no coefficient is further from the
 * minimum than the gradient is long. theta [K, D], bias [K], summing to zero over the classes. */
smitin_status sm_softmax_fit(const float *x, size_t stride, const int *y, size_t N, int D, int K,
                             double C, double *theta, double *bias, smitin_error *error);
/* Probabilities p [K] of one row. */
void sm_softmax_predict(const float *x, int D, int K, const double *theta, const double *bias,
                        double *p);

/* Ridge regression of T numbers a row, y [N, T]: minimises sum_i |y_i - Theta x_i - b|^2 + alpha
 * |Theta|^2 by Cholesky, intercepts not penalised. theta [T, D], bias [T]. */
smitin_status sm_ridge_fit(const float *x, size_t stride, const double *y, size_t N, int D, int T,
                           double alpha, double *theta, double *bias, smitin_error *error);

#endif

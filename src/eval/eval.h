/* SPDX-License-Identifier: MIT */
/* Measures, in double. */
#ifndef SMITIN_EVAL_EVAL_H
#define SMITIN_EVAL_EVAL_H

#include "../base/error.h"

/* Frechet distance between two sets of embeddings a [N, d] and b [M, d]:
 *     |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2),
 * covariances with n - 1; the trace of the root is the sum of sqrt(max(0, eig(R S_b R))), R =
 * S_a^(1/2) by symmetric eigendecomposition. N, M >= 2. */
smitin_status sm_frechet(const float *a, size_t N, const float *b, size_t M, int d,
                         double *distance, smitin_error *error);
/* Cosine similarity; 0 when either vector is zero. */
double sm_cosine(const float *a, const float *b, int d);
/* Spearman's rank correlation with average ranks for ties; NAN when either side is constant or n
 * < 2. */
smitin_status sm_spearman(const double *a, const double *b, size_t n, double *rho,
                          smitin_error *error);

#endif

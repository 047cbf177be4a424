/* SPDX-License-Identifier: MIT */
/* Distances between two sets of embeddings, in double. Sets are rows, a [N, d] and b [M, d], f32;
 * a is what is judged, b the reference. Sums follow the order of the rows: sets from
 * sm_embeddings_settle give the same bits in whatever order they were read. */
#ifndef SMITIN_EVAL_DISTANCE_H
#define SMITIN_EVAL_DISTANCE_H

#include <stdint.h>
#include "../base/pool.h"

#define SM_EMBEDDING_MAX 8192 /* dimensions */

/* At least 2 rows, 1..SM_EMBEDDING_MAX dimensions, finite; `which` ("first") stands in messages. */
smitin_status sm_embeddings_check(const float *x, size_t N, int d, const char *which,
                                  smitin_error *error);

/* Frechet distance:
 *     |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2),
 * covariances with n - 1; the trace of the root is the sum of sqrt(max(0, eig(R S_a R))), R =
 * S_b^(1/2) by symmetric eigendecomposition. N, M >= 2. Without full rank (N or M <= d) it is
 * defined, finite and biased upward. */
smitin_status sm_frechet(const float *a, size_t N, const float *b, size_t M, int d,
                         double *distance, smitin_error *error);

/* The same against one reference many times; its mean and R are found once. */
typedef struct sm_frechet_reference sm_frechet_reference;
smitin_status sm_frechet_reference_new(sm_frechet_reference **reference, const float *b, size_t M,
                                       int d, smitin_error *error);
void sm_frechet_reference_free(sm_frechet_reference *reference); /* NULL is allowed */
/* Of N rows of a, given by their numbers (NULL: 0..N-1); checked beforehand, N >= 2. One call at a
 * time: the reference holds the working arrays. */
smitin_status sm_frechet_to(sm_frechet_reference *reference, const float *a, const size_t *rows,
                            size_t N, double *distance, smitin_error *error);

/* FAD-infinity (Gui et al., "Adapting Frechet Audio Distance for Generative Music Evaluation",
 * 2024): the distance is biased by about slope / N, so it is measured at SM_INFINITY_SIZES sizes
 * n from `smallest` to N, evenly spaced, each on n rows of a drawn without replacement by `seed`,
 * and a line in 1 / n is fitted by least squares: distance(n) = value + slope / n. All of b is the
 * reference each time. */
#define SM_INFINITY_SIZES 25

typedef struct sm_infinity {
    double value, slope;
    double r2; /* of the fit; NAN when all distances are equal */
    size_t smallest;
} sm_infinity;

/* smallest 0: 500, or N / 2 when that is less. Needs N - smallest >= SM_INFINITY_SIZES - 1 and
 * smallest >= 2. The value may be below zero when the true distance is near it. */
smitin_status sm_frechet_infinity(sm_infinity *out, const float *a, size_t N, const float *b,
                                  size_t M, int d, size_t smallest, uint64_t seed,
                                  smitin_error *error);

/* KAD (Chung et al., "KAD: No More FAD!", 2025): 100 times the unbiased estimate of the squared
 * maximum mean discrepancy,
 *     sum_{i != j} k(a_i, a_j) / (N (N - 1)) + sum_{i != j} k(b_i, b_j) / (M (M - 1))
 *         - 2 sum_{i, j} k(a_i, b_j) / (N M),     k(x, y) = exp(-|x - y|^2 / (2 s^2)),
 * s the median distance between two rows of the reference b (of an even number of distances the
 * lower middle one). May be below zero for sets that are alike. */
typedef struct sm_kad {
    double value, bandwidth; /* s */
    size_t used_a, used_b;   /* rows */
} sm_kad;

/* Of a larger set `most` rows are drawn without replacement by `seed`: time grows with their square
 * and so does memory, 2 most^2 bytes. A bandwidth of 0, when most reference rows are equal, is
 * refused. The same bits for any pool, which may be NULL. */
smitin_status sm_kad_distance(sm_kad *out, const float *a, size_t N, const float *b, size_t M,
                              int d, size_t most, uint64_t seed, sm_pool *pool,
                              smitin_error *error);

/* n of the numbers 0..N-1 without replacement, ascending, to rows[N] (of which the first n count);
 * draws of different `stream` are independent. */
void sm_draw_rows(size_t *rows, size_t N, size_t n, uint64_t seed, uint32_t stream);

#endif

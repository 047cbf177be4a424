/* SPDX-License-Identifier: MIT */
/* Probes: one logistic regression per attention head, and what a knob keeps of them. */
#ifndef SMITIN_PROBE_PROBE_H
#define SMITIN_PROBE_PROBE_H

#include <stdatomic.h>
#include "../base/pool.h"
#include "../format/knob_file.h"

/* Binary logistic regression by Newton's method with LAPACK's Cholesky: minimises
 *
 *     1/2 |theta|^2 + C sum_i log(1 + exp(-s_i (<theta, x_i> + b))),     s_i = +-1
 *
 * the intercept not penalised, inputs not standardised (scikit-learn's default objective; C = 1
 * there). x: row i at x + i * stride, D values; y[i] 0 or 1, both classes present. theta [D],
 * *bias. Converges to the rounding of doubles; the penalty keeps the minimum finite for separable
 * data, too. */
smitin_status sm_logistic_fit(const float *x, size_t stride, const uint8_t *y, size_t N, int D,
                              double C, double *theta, double *bias, smitin_error *error);

typedef struct sm_probe_set {
    const float *z;       /* [N, L, H, D] */
    const uint8_t *label; /* [N] 1 = the trait is there */
    const uint8_t *test;  /* [N] 1 = test split, 0 = train */
    size_t N;
    int L, H, D;
} sm_probe_set;

/* Fit every head on the train split and fill the knob's tensors and counts (not its other
 * metadata). Both splits need both classes. The spreads are over train and test together, the
 * centroids over train. The result does not depend on the pool. `done`, when not NULL, counts
 * finished heads for a progress bar. SMITIN_ERROR_MODEL when no head differs between segments. */
smitin_status sm_probe_fit(sm_knob_data *knob, const sm_probe_set *set, double C, sm_pool *pool,
                           atomic_int *done, smitin_error *error);

/* accuracy [L,H]: the share of all N rows, whatever their split, that the knob's probes put on the
 * right side. SMITIN_ERROR_KNOB when the shapes differ. */
smitin_status sm_probe_test(float *accuracy, const sm_knob_data *knob, const sm_probe_set *set,
                            smitin_error *error);

/* Share of rows, as above, on the right side of <theta, x> + bias > 0. */
double sm_logistic_accuracy(const float *x, size_t stride, const uint8_t *y, size_t N, int D,
                            const double *theta, double bias);

/* accuracy over layers x heads as CSV: header
 * "layer,head,accuracy_train,accuracy_test,sigma,weight_norm". */
smitin_status sm_probe_write_csv(const sm_knob_data *knob, const char *path, smitin_error *error);
/* The same as a PNG heat map (test accuracy, rows layers, columns heads), drawn by gnuplot. */
smitin_status sm_probe_write_heatmap(const sm_knob_data *knob, const char *path,
                                     smitin_error *error);

#endif

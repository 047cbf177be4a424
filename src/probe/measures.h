/* SPDX-License-Identifier: MIT */
/* Measures of predictions, in double, equal to scikit-learn's where that has them. NAN where a
 * measure is not defined, so that nobody averages it by mistake. */
#ifndef SMITIN_PROBE_MEASURES_H
#define SMITIN_PROBE_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Share of rows with (score > cut) == truth; NAN for no rows. */
double sm_accuracy(const double *score, const uint8_t *truth, size_t N, double cut);
/* 2 TP / (2 TP + FP + FN) at score > cut; 0 when nothing is true or predicted. */
double sm_f1(const double *score, const uint8_t *truth, size_t N, double cut);

typedef struct sm_scored {
    double score;
    uint8_t truth;
} sm_scored;

/* Area under the ROC curve, equal scores counting half, and average precision,
 *
 *     AP = sum_n (R_n - R_{n-1}) P_n     over falling distinct scores.
 *
 * The AUC is NAN unless both classes are there, the AP unless the true one is. Sorts rows [N]. */
void sm_ranking(sm_scored *rows, size_t N, double *auc, double *ap);

/* Share of equal pairs; NAN for no rows. */
double sm_class_accuracy(const int *predicted, const int *truth, size_t N);
/* Mean F1 over the classes 0..K-1 that occur on either side; NAN for no rows. counts: scratch
 * [3, K]. */
double sm_macro_f1(const int *predicted, const int *truth, size_t N, int K, size_t *counts);
/* MIREX's weighted key score, mean over rows; classes are those of sm_key_names. 1 for the same
 * key, 0.5 for a fifth above the truth in the same mode (with `descending` also below), 0.3 for the
 * relative and 0.2 for the parallel key. */
double sm_key_score(const int *predicted, const int *truth, size_t N, bool descending);

/* Coefficient of determination 1 - sum (y - p)^2 / sum (y - mean)^2; NAN for a constant truth or
 * fewer than two rows. */
double sm_r2(const double *predicted, const double *truth, size_t N);
/* Pearson's correlation; NAN when either side is constant. */
double sm_pearson(const double *a, const double *b, size_t N);

#endif

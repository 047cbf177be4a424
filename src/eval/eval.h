/* SPDX-License-Identifier: MIT */
/* Measures of agreement between numbers, in double. */
#ifndef SMITIN_EVAL_EVAL_H
#define SMITIN_EVAL_EVAL_H

#include <stdint.h>
#include "../base/error.h"

/* Cosine similarity; 0 when either vector is zero. */
double sm_cosine(const float *a, const float *b, int d);
/* Spearman's rank correlation with average ranks for ties; NAN when either side is constant or n
 * < 2. */
smitin_status sm_spearman(const double *a, const double *b, size_t n, double *rho,
                          smitin_error *error);

/* Rising; no NAN among them. */
void sm_sort(double *x, size_t n);
/* The value below which a share (0..1) of sorted numbers [n >= 1] lies, linear between the two
 * nearest, as numpy's quantile. */
double sm_quantile(const double *sorted, size_t n, double share);

/* A measure with its interval. */
typedef struct sm_interval {
    double value, low, high; /* low and high are NAN when nothing can be drawn */
    size_t n;                /* what it was measured on */
    size_t drawn;            /* resamples in which it was defined */
} sm_interval;

/* Spearman's correlation and its 95 % percentile interval over `resamples` bootstrap draws of the
 * pairs. group [n] 0..groups-1 or NULL: with groups each draw keeps every group's size, and the
 * value is the mean of the groups' correlations; groups without one (constant, or a single pair)
 * do not count. Draws in which it is undefined are left out. The order of the pairs matters for
 * the draws: sort them by name first. */
smitin_status sm_spearman_interval(const double *a, const double *b, const int *group, int groups,
                                   size_t n, int resamples, uint64_t seed, sm_interval *out,
                                   smitin_error *error);
/* The mean and its interval, likewise. */
smitin_status sm_mean_interval(const double *x, size_t n, int resamples, uint64_t seed,
                               sm_interval *out, smitin_error *error);

/* Mean opinion score with the interval of CrowdMOS (Ribeiro et al., "CROWDMOS: An approach for
 * crowdsourcing mean opinion score studies", ICASSP 2011). ratings [listeners, files], NAN where
 * one did not rate. Two-way random effects, rating = mu + file + listener + uncertainty, with
 * variances s, w, u from (each a mean over the columns or rows with two ratings or more; variances
 * divide by n)
 *     mean variance of a listener's ratings = s + u
 *     mean variance of a file's ratings     = w + u
 *     variance of all ratings               = s + w + u,
 * negative solutions taken as 0; with T ratings, M_f of file f and N_l of listener l,
 *     Var mu = s sum_f M_f^2 / T^2 + w sum_l N_l^2 / T^2 + u / T,
 * and the 95 % interval is mu +- t sqrt(Var mu), t of min(listeners, files) - 1 degrees of freedom.
 * Where no file has two ratings s cannot be told from u, and where no listener has two w cannot: it
 * is left out, and u holds it. */
typedef struct sm_mos {
    double mos,
        interval; /* interval NAN: with fewer than 2 listeners or files, or too few ratings */
    double file, listener, uncertainty; /* variances s, w, u; NAN when left out */
    size_t ratings;
} sm_mos;
smitin_status sm_mos_find(sm_mos *out, const double *ratings, size_t listeners, size_t files,
                          smitin_error *error);
/* Student's t: the value below which a share p (0.5..1) lies; df >= 1. */
double sm_student_quantile(double p, double df);

#endif

/* SPDX-License-Identifier: MIT */
/* Owns the Frechet distance between two sets of embeddings, each taken for a Gaussian. */
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../base/blas.h"
#include "eval.h"

#define DIMENSION_MAX 8192

/* All working arrays, cut from one block. */
typedef struct frechet {
    size_t d;
    double *mean_a, *mean_b;        /* [d] */
    double *a, *b, *root, *product; /* [d, d] */
    double *values, *row;           /* [d] */
} frechet;

static smitin_status check_finite(const float *x, size_t N, size_t d, const char *which,
                                  smitin_error *error)
{
    for (size_t i = 0; i < N * d; i++)
        if (!isfinite(x[i]))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "embedding %zu of the %s set has a value that is not a number", i / d,
                           which);
    return SMITIN_OK;
}

/* Mean [d] and covariance [d, d] with n - 1, both triangles. row [d] is scratch. */
static void moments(const float *x, size_t N, size_t d, double *mean, double *covariance,
                    double *row)
{
    memset(mean, 0, d * sizeof *mean);
    memset(covariance, 0, d * d * sizeof *covariance);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < d; j++) mean[j] += (double)x[i * d + j];
    for (size_t j = 0; j < d; j++) mean[j] /= (double)N;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < d; j++) row[j] = (double)x[i * d + j] - mean[j];
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k <= j; k++) covariance[j * d + k] += row[j] * row[k];
    }
    for (size_t j = 0; j < d; j++)
        for (size_t k = 0; k <= j; k++) {
            covariance[j * d + k] /= (double)(N - 1);
            covariance[k * d + j] = covariance[j * d + k];
        }
}

static double trace(const double *matrix, size_t d)
{
    double sum = 0.0;
    for (size_t j = 0; j < d; j++) sum += matrix[j * d + j];
    return sum;
}

/* out = x y for square x, y [d, d]. */
static void multiply(double *out, const double *x, const double *y, size_t d)
{
    memset(out, 0, d * d * sizeof *out);
    for (size_t i = 0; i < d; i++)
        for (size_t k = 0; k < d; k++) {
            double factor = x[i * d + k];
            for (size_t j = 0; j < d; j++) out[i * d + j] += factor * y[k * d + j];
        }
}

/* Eigenvalues of the symmetric matrix (both triangles) to f->values, its eigenvectors over it by
 * rows of `matrix` when job is 'V'. */
static smitin_status eigen(frechet *f, char job, double *matrix, smitin_error *error)
{
    lapack_int d = (lapack_int)f->d;
    if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, job, 'U', d, matrix, d, f->values) != 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the covariance of the embeddings has no eigenvalues that can be found; "
                       "check the embeddings");
    return SMITIN_OK;
}

/* f->root = S^(1/2) = sum_e sqrt(max(0, lambda_e)) v_e v_e^T. S is overwritten. */
static smitin_status square_root(frechet *f, double *S, smitin_error *error)
{
    size_t d = f->d;
    SM_TRY(eigen(f, 'V', S, error));
    memset(f->root, 0, d * d * sizeof *f->root);
    for (size_t e = 0; e < d; e++) {
        const double *v = S + e * d; /* column e of a matrix by columns */
        double scale = sqrt(fmax(0.0, f->values[e]));
        if (scale == 0.0) continue;
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++) f->root[i * d + j] += scale * v[i] * v[j];
    }
    return SMITIN_OK;
}

/* tr (S_a S_b)^(1/2) = sum sqrt(max(0, eig(R S_b R))). Overwrites both. */
static smitin_status trace_of_root(frechet *f, double *sum, smitin_error *error)
{
    size_t d = f->d;
    SM_TRY(square_root(f, f->a, error));
    multiply(f->product, f->root, f->b, d);
    multiply(f->a, f->product, f->root, d);
    for (size_t i = 0; i < d; i++) /* rounding leaves it not quite symmetric */
        for (size_t j = 0; j < i; j++)
            f->a[i * d + j] = f->a[j * d + i] = 0.5 * (f->a[i * d + j] + f->a[j * d + i]);
    SM_TRY(eigen(f, 'N', f->a, error));
    *sum = 0.0;
    for (size_t e = 0; e < d; e++) *sum += sqrt(fmax(0.0, f->values[e]));
    return SMITIN_OK;
}

smitin_status sm_frechet(const float *a, size_t N, const float *b, size_t M, int dimension,
                         double *distance, smitin_error *error)
{
    if (N < 2 || M < 2)
        return sm_fail(
            error, SMITIN_ERROR_ARGUMENT,
            "a Frechet distance needs at least 2 embeddings on each side, not %zu and %zu", N, M);
    if (dimension < 1 || dimension > DIMENSION_MAX || N > SIZE_MAX / DIMENSION_MAX ||
        M > SIZE_MAX / DIMENSION_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "embeddings have 1 to %d dimensions, not %d",
                       DIMENSION_MAX, dimension);
    size_t d = (size_t)dimension, total = 4 * d * d + 4 * d;
    SM_TRY(check_finite(a, N, d, "first", error));
    SM_TRY(check_finite(b, M, d, "second", error));
    double *memory = calloc(total, sizeof *memory);
    if (memory == NULL) return sm_fail_memory(error, "a Frechet distance", total * sizeof *memory);
    frechet f = {.d = d,
                 .a = memory,
                 .b = memory + d * d,
                 .root = memory + 2 * d * d,
                 .product = memory + 3 * d * d};
    f.mean_a = memory + 4 * d * d;
    f.mean_b = f.mean_a + d;
    f.values = f.mean_b + d;
    f.row = f.values + d;
    moments(a, N, d, f.mean_a, f.a, f.row);
    moments(b, M, d, f.mean_b, f.b, f.row);
    double between = 0.0, traces = trace(f.a, d) + trace(f.b, d), root = 0.0;
    for (size_t j = 0; j < d; j++)
        between += (f.mean_a[j] - f.mean_b[j]) * (f.mean_a[j] - f.mean_b[j]);
    int threads = sm_blas_single();
    smitin_status status = trace_of_root(&f, &root, error);
    sm_blas_restore(threads);
    free(memory);
    if (status != SMITIN_OK) return status;
    /* A distance is never negative; rounding may be. */
    *distance = fmax(0.0, between + traces - 2.0 * root);
    return SMITIN_OK;
}

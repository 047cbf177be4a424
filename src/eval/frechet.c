/* SPDX-License-Identifier: MIT */
/* Owns the Frechet distance between two sets of embeddings, each taken for a Gaussian. */
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../base/blas.h"
#include "distance.h"

/* All arrays of a reference are cut from one block. */
struct sm_frechet_reference {
    size_t d;
    double *mean, *root; /* [d]; R = S^(1/2), [d, d] */
    double trace;        /* of S */
    /* working arrays */
    double *other_mean, *values, *row; /* [d] */
    double *other, *product;           /* [d, d] */
};

smitin_status sm_embeddings_check(const float *x, size_t N, int d, const char *which,
                                  smitin_error *error)
{
    if (d < 1 || d > SM_EMBEDDING_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "embeddings have 1 to %d dimensions, not %d",
                       SM_EMBEDDING_MAX, d);
    if (N < 2 || N > SIZE_MAX / SM_EMBEDDING_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a distance needs at least 2 embeddings on each side, and the %s set has "
                       "%zu; add audio",
                       which, N);
    for (size_t i = 0; i < N * (size_t)d; i++)
        if (!isfinite(x[i]))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "embedding %zu of the %s set has a value that is not a number",
                           i / (size_t)d, which);
    return SMITIN_OK;
}

/* Mean [d] and covariance [d, d] with n - 1, both triangles, of the rows of x given by their
 * numbers (NULL: 0..N-1). row [d] is scratch. */
static void moments(const float *x, const size_t *rows, size_t N, size_t d, double *mean,
                    double *covariance, double *row)
{
    memset(mean, 0, d * sizeof *mean);
    memset(covariance, 0, d * d * sizeof *covariance);
    for (size_t i = 0; i < N; i++) {
        const float *at = x + (rows != NULL ? rows[i] : i) * d;
        for (size_t j = 0; j < d; j++) mean[j] += (double)at[j];
    }
    for (size_t j = 0; j < d; j++) mean[j] /= (double)N;
    for (size_t i = 0; i < N; i++) {
        const float *at = x + (rows != NULL ? rows[i] : i) * d;
        for (size_t j = 0; j < d; j++) row[j] = (double)at[j] - mean[j];
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

/* Eigenvalues [d] of the symmetric matrix (both triangles), its eigenvectors over it by rows of
 * `matrix` when job is 'V'. */
static smitin_status eigen(char job, double *matrix, double *values, size_t d, smitin_error *error)
{
    int threads = sm_blas_single();
    lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, job, 'U', (lapack_int)d, matrix, (lapack_int)d, values);
    sm_blas_restore(threads);
    if (info != 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the covariance of the embeddings has no eigenvalues that can be found; "
                       "check the embeddings");
    return SMITIN_OK;
}

/* root = S^(1/2) = sum_e sqrt(max(0, lambda_e)) v_e v_e^T. S is overwritten. */
static smitin_status square_root(double *root, double *S, double *values, size_t d,
                                 smitin_error *error)
{
    SM_TRY(eigen('V', S, values, d, error));
    memset(root, 0, d * d * sizeof *root);
    for (size_t e = 0; e < d; e++) {
        const double *v = S + e * d; /* column e of a matrix by columns */
        double scale = sqrt(fmax(0.0, values[e]));
        if (scale == 0.0) continue;
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++) root[i * d + j] += scale * v[i] * v[j];
    }
    return SMITIN_OK;
}

smitin_status sm_frechet_reference_new(sm_frechet_reference **out, const float *b, size_t M,
                                       int dimension, smitin_error *error)
{
    *out = NULL;
    SM_TRY(sm_embeddings_check(b, M, dimension, "second", error));
    size_t d = (size_t)dimension, total = 3 * d * d + 4 * d;
    sm_frechet_reference *r = malloc(sizeof *r);
    double *memory = calloc(total, sizeof *memory);
    if (r == NULL || memory == NULL) {
        free(r);
        free(memory);
        return sm_fail_memory(error, "a Frechet distance", total * sizeof *memory);
    }
    *r = (sm_frechet_reference){
        .d = d, .root = memory, .other = memory + d * d, .product = memory + 2 * d * d};
    r->mean = memory + 3 * d * d;
    r->other_mean = r->mean + d;
    r->values = r->other_mean + d;
    r->row = r->values + d;
    moments(b, NULL, M, d, r->mean, r->other, r->row);
    r->trace = trace(r->other, d);
    smitin_status status = square_root(r->root, r->other, r->values, d, error);
    if (status == SMITIN_OK)
        *out = r;
    else
        sm_frechet_reference_free(r);
    return status;
}

void sm_frechet_reference_free(sm_frechet_reference *r)
{
    if (r == NULL) return;
    free(r->root); /* the block's beginning */
    free(r);
}

smitin_status sm_frechet_to(sm_frechet_reference *r, const float *a, const size_t *rows, size_t N,
                            double *distance, smitin_error *error)
{
    const size_t d = r->d;
    moments(a, rows, N, d, r->other_mean, r->other, r->row);
    double between = 0.0, traces = trace(r->other, d) + r->trace, root = 0.0;
    for (size_t j = 0; j < d; j++)
        between += (r->other_mean[j] - r->mean[j]) * (r->other_mean[j] - r->mean[j]);
    /* tr (S_a S_b)^(1/2) = sum sqrt(max(0, eig(R S_a R))) */
    multiply(r->product, r->root, r->other, d);
    multiply(r->other, r->product, r->root, d);
    for (size_t i = 0; i < d; i++) /* rounding leaves it not quite symmetric */
        for (size_t j = 0; j < i; j++)
            r->other[i * d + j] = r->other[j * d + i] =
                0.5 * (r->other[i * d + j] + r->other[j * d + i]);
    SM_TRY(eigen('N', r->other, r->values, d, error));
    for (size_t e = 0; e < d; e++) root += sqrt(fmax(0.0, r->values[e]));
    /* A distance is never negative; rounding may be. */
    *distance = fmax(0.0, between + traces - 2.0 * root);
    return SMITIN_OK;
}

smitin_status sm_frechet(const float *a, size_t N, const float *b, size_t M, int d,
                         double *distance, smitin_error *error)
{
    sm_frechet_reference *reference = NULL;
    SM_TRY(sm_embeddings_check(a, N, d, "first", error));
    SM_TRY(sm_frechet_reference_new(&reference, b, M, d, error));
    const smitin_status status = sm_frechet_to(reference, a, NULL, N, distance, error);
    sm_frechet_reference_free(reference);
    return status;
}

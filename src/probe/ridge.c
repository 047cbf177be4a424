/* SPDX-License-Identifier: MIT */
/* Owns ridge regression: normal equations of centred data, by Cholesky. */
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "solvers.h"

typedef struct ridge {
    const float *x;
    const double *y;
    size_t stride, N;
    int D, T;
    double *gram;        /* [D, D], lower triangle */
    double *right;       /* [T, D], then the solution */
    double *mean;        /* [D] */
    double *target_mean; /* [T] */
    double *row;         /* [D] */
} ridge;

static smitin_status check_rows(const ridge *r, smitin_error *error)
{
    for (size_t i = 0; i < r->N; i++) {
        for (int j = 0; j < r->D; j++)
            if (!isfinite(r->x[i * r->stride + (size_t)j]))
                return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                               "row %zu of a probe has an input that is not a number", i);
        for (int t = 0; t < r->T; t++)
            if (!isfinite(r->y[i * (size_t)r->T + (size_t)t]))
                return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                               "row %zu of a probe has a target that is not a number", i);
    }
    return SMITIN_OK;
}

static void take_means(ridge *r)
{
    for (size_t i = 0; i < r->N; i++) {
        for (int j = 0; j < r->D; j++) r->mean[j] += (double)r->x[i * r->stride + (size_t)j];
        for (int t = 0; t < r->T; t++) r->target_mean[t] += r->y[i * (size_t)r->T + (size_t)t];
    }
    for (int j = 0; j < r->D; j++) r->mean[j] /= (double)r->N;
    for (int t = 0; t < r->T; t++) r->target_mean[t] /= (double)r->N;
}

static void add_products(ridge *r)
{
    const size_t D = (size_t)r->D;
    for (size_t i = 0; i < r->N; i++) {
        for (size_t j = 0; j < D; j++) r->row[j] = (double)r->x[i * r->stride + j] - r->mean[j];
        for (size_t j = 0; j < D; j++)
            for (size_t k = 0; k <= j; k++) r->gram[j * D + k] += r->row[j] * r->row[k];
        for (int t = 0; t < r->T; t++) {
            const double y = r->y[i * (size_t)r->T + (size_t)t] - r->target_mean[t];
            for (size_t j = 0; j < D; j++) r->right[(size_t)t * D + j] += y * r->row[j];
        }
    }
}

smitin_status sm_ridge_fit(const float *x, size_t stride, const double *y, size_t N, int D, int T,
                           double alpha, double *theta, double *bias, smitin_error *error)
{
    ridge r = {.x = x, .y = y, .stride = stride, .N = N, .D = D, .T = T};
    const size_t n = (size_t)(D > 0 ? D : 0), m = (size_t)(T > 0 ? T : 0);
    if (D < 1 || D > 4096 || T < 1 || N < 1 || !(alpha > 0.0) || !isfinite(alpha))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot fit a probe of %d inputs to %zu rows with a penalty of %g", D, N,
                       alpha);
    SM_TRY(check_rows(&r, error));
    const size_t size = n * n + m * n + 2 * n + m;
    double *memory = calloc(size, sizeof *memory);
    if (memory == NULL) return sm_fail_memory(error, "a probe", size * sizeof *memory);
    r.gram = memory;
    r.right = r.gram + n * n;
    r.mean = r.right + m * n;
    r.row = r.mean + n;
    r.target_mean = r.row + n;
    take_means(&r);
    add_products(&r);
    for (size_t j = 0; j < n; j++) r.gram[j * n + j] += alpha;
    /* The lower triangle by rows is the upper one by columns. */
    smitin_status status = SMITIN_OK;
    if (LAPACKE_dposv(LAPACK_COL_MAJOR, 'U', D, T, r.gram, D, r.right, D) != 0)
        status =
            sm_fail(error, SMITIN_ERROR_ARGUMENT,
                    "a probe's equations cannot be solved; its inputs are too large to be head "
                    "outputs, so give a smaller C");
    for (size_t t = 0; t < m && status == SMITIN_OK; t++) {
        memcpy(theta + t * n, r.right + t * n, n * sizeof *theta);
        bias[t] = r.target_mean[t];
        for (size_t j = 0; j < n; j++) bias[t] -= theta[t * n + j] * r.mean[j];
    }
    free(memory);
    return status;
}

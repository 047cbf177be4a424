/* SPDX-License-Identifier: MIT */
/* Owns the kernel distance between two sets of embeddings. Every row's sum is made in one order and
 * the rows are added in one order, whoever works on them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "distance.h"

static const double SCALE = 100.0;

/* One side as it is summed: rows [n, d] in double. */
typedef struct side {
    double *rows;
    size_t n;
} side;

typedef struct job {
    size_t d;
    const side *x, *y; /* y is x for a set against itself */
    double gamma;      /* 1 / (2 s^2) */
    double *sums;      /* [x->n]: sum of the kernel over y, without a row against itself */
    float *distances;  /* instead: distances of row i to the rows before it, from i (i - 1) / 2 */
} job;

static double squared(const double *x, const double *y, size_t d)
{
    double sum[4] = {0.0};
    size_t j = 0;
    for (; j + 4 <= d; j += 4)
        for (size_t k = 0; k < 4; k++) sum[k] += (x[j + k] - y[j + k]) * (x[j + k] - y[j + k]);
    for (; j < d; j++) sum[0] += (x[j] - y[j]) * (x[j] - y[j]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void sum_rows(void *context, int worker, int first, int last)
{
    (void)worker;
    const job *w = context;
    for (size_t i = (size_t)first; i < (size_t)last; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < w->y->n; j++)
            if (w->x != w->y || i != j)
                sum += exp(-w->gamma * squared(w->x->rows + i * w->d, w->y->rows + j * w->d, w->d));
        w->sums[i] = sum;
    }
}

static void measure_rows(void *context, int worker, int first, int last)
{
    (void)worker;
    const job *w = context;
    for (size_t i = (size_t)first; i < (size_t)last; i++)
        for (size_t j = 0; j < i; j++)
            w->distances[i * (i - 1) / 2 + j] =
                (float)sqrt(squared(w->x->rows + i * w->d, w->x->rows + j * w->d, w->d));
}

static double mean_kernel(job *w, const side *x, const side *y, sm_pool *pool)
{
    w->x = x;
    w->y = y;
    sm_pool_run(pool, sum_rows, w, (int)x->n, 16);
    double sum = 0.0;
    for (size_t i = 0; i < x->n; i++) sum += w->sums[i];
    return sum / ((double)x->n * (double)(x == y ? x->n - 1 : y->n));
}

/* The k-th smallest, counted from 0; reorders the values. */
static float select_value(float *x, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        const float pivot = x[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i >= j) break;
            const float kept = x[i];
            x[i] = x[j];
            x[j] = kept;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return x[k];
}

static smitin_status find_bandwidth(job *w, const side *b, sm_pool *pool, double *bandwidth,
                                    smitin_error *error)
{
    const size_t pairs = b->n * (b->n - 1) / 2;
    w->distances = malloc(pairs * sizeof *w->distances);
    if (w->distances == NULL)
        return sm_fail_memory(error, "the distances of the reference set",
                              pairs * sizeof *w->distances);
    w->x = b;
    sm_pool_run(pool, measure_rows, w, (int)b->n, 16);
    *bandwidth = (double)select_value(w->distances, pairs, (pairs - 1) / 2);
    free(w->distances);
    if (*bandwidth > 0.0) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "half of all distances in the reference set are zero, so a kernel has no width; "
                   "check the reference for copies");
}

/* At most `most` rows of x in double; rows may be NULL when memory is short. */
static smitin_status take_side(side *out, const float *x, size_t N, size_t d, size_t most,
                               uint64_t seed, uint32_t stream, smitin_error *error)
{
    const size_t n = N < most ? N : most;
    size_t *rows = malloc(N * sizeof *rows);
    *out = (side){malloc(n * d * sizeof *out->rows), n};
    if (rows == NULL || out->rows == NULL) {
        free(rows);
        return sm_fail_memory(error, "a kernel distance", n * d * sizeof *out->rows);
    }
    sm_draw_rows(rows, N, n, seed, stream);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) out->rows[i * d + j] = (double)x[rows[i] * d + j];
    free(rows);
    return SMITIN_OK;
}

smitin_status sm_kad_distance(sm_kad *out, const float *a, size_t N, const float *b, size_t M,
                              int d, size_t most, uint64_t seed, sm_pool *pool, smitin_error *error)
{
    enum { STREAM_A = SM_INFINITY_SIZES, STREAM_B, MOST = 40000 };
    SM_TRY(sm_embeddings_check(a, N, d, "first", error));
    SM_TRY(sm_embeddings_check(b, M, d, "second", error));
    if (most < 2 || most > MOST)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a kernel distance is taken of 2 to %d embeddings, not %zu", MOST, most);
    side x = {0}, y = {0};
    job w = {.d = (size_t)d};
    smitin_status status = take_side(&x, a, N, w.d, most, seed, STREAM_A, error);
    if (status == SMITIN_OK) status = take_side(&y, b, M, w.d, most, seed, STREAM_B, error);
    if (status == SMITIN_OK) {
        w.sums = calloc(x.n > y.n ? x.n : y.n, sizeof *w.sums);
        if (w.sums == NULL) status = sm_fail_memory(error, "a kernel distance", x.n + y.n);
    }
    if (status == SMITIN_OK) status = find_bandwidth(&w, &y, pool, &out->bandwidth, error);
    if (status == SMITIN_OK) {
        w.gamma = 1.0 / (2.0 * out->bandwidth * out->bandwidth);
        out->value = SCALE * (mean_kernel(&w, &x, &x, pool) + mean_kernel(&w, &y, &y, pool) -
                              2.0 * mean_kernel(&w, &x, &y, pool));
        out->used_a = x.n;
        out->used_b = y.n;
    }
    free(w.sums);
    free(x.rows);
    free(y.rows);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns the extrapolation of Frechet distances to sets without end, and drawing rows. */
#include <math.h>
#include <stdlib.h>
#include "../base/rng.h"
#include "distance.h"

static int by_number(const void *x, const void *y)
{
    const size_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

void sm_draw_rows(size_t *rows, size_t N, size_t n, uint64_t seed, uint32_t stream)
{
    for (size_t i = 0; i < N; i++) rows[i] = i;
    for (size_t i = 0; i < n; i++) {
        const double u = sm_uniform(seed, (uint32_t)i, stream, SM_RNG_EVAL);
        const size_t pick = i + (size_t)(u * (double)(N - i)), kept = rows[i];
        rows[i] = rows[pick];
        rows[pick] = kept;
    }
    qsort(rows, n, sizeof *rows, by_number);
}

/* y = value + slope x by least squares. */
static void fit_line(const double *x, const double *y, size_t n, sm_infinity *out)
{
    double mean_x = 0.0, mean_y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0;
    for (size_t i = 0; i < n; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    out->slope = xy / xx;
    out->value = mean_y - out->slope * mean_x;
    out->r2 = yy > 0.0 ? xy * xy / (xx * yy) : (double)NAN;
}

smitin_status sm_frechet_infinity(sm_infinity *out, const float *a, size_t N, const float *b,
                                  size_t M, int d, size_t smallest, uint64_t seed,
                                  smitin_error *error)
{
    double inverse[SM_INFINITY_SIZES], distance[SM_INFINITY_SIZES];
    SM_TRY(sm_embeddings_check(a, N, d, "first", error));
    if (smallest == 0) smallest = N / 2 < 500 ? N / 2 : 500;
    if (smallest < 2 || smallest > N || N - smallest < SM_INFINITY_SIZES - 1)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "an extrapolation from %zu embeddings to %zu has no room for %d sizes; add "
                       "audio",
                       smallest, N, SM_INFINITY_SIZES);
    sm_frechet_reference *reference = NULL;
    SM_TRY(sm_frechet_reference_new(&reference, b, M, d, error));
    size_t *rows = malloc(N * sizeof *rows);
    smitin_status status = SMITIN_OK;
    if (rows == NULL) status = sm_fail_memory(error, "a draw of embeddings", N * sizeof *rows);
    for (uint32_t i = 0; i < SM_INFINITY_SIZES && status == SMITIN_OK; i++) {
        const size_t n = smallest + (N - smallest) * i / (SM_INFINITY_SIZES - 1);
        sm_draw_rows(rows, N, n, seed, i);
        inverse[i] = 1.0 / (double)n;
        status = sm_frechet_to(reference, a, rows, n, &distance[i], error);
    }
    free(rows);
    sm_frechet_reference_free(reference);
    if (status != SMITIN_OK) return status;
    fit_line(inverse, distance, SM_INFINITY_SIZES, out);
    out->smallest = smallest;
    return SMITIN_OK;
}

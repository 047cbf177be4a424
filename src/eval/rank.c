/* SPDX-License-Identifier: MIT */
/* Owns measures of agreement: cosine similarity and rank correlation. */
#include <math.h>
#include <stdlib.h>
#include "eval.h"

double sm_cosine(const float *a, const float *b, int d)
{
    double aa = 0.0, bb = 0.0, ab = 0.0;
    for (int i = 0; i < d; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    if (aa == 0.0 || bb == 0.0) return 0.0;
    return fmax(-1.0, fmin(1.0, ab / (sqrt(aa) * sqrt(bb))));
}

typedef struct ranked {
    double value, rank;
    size_t index;
} ranked;

static int by_value(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    return (a->value > b->value) - (a->value < b->value);
}

static int by_index(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    return (a->index > b->index) - (a->index < b->index);
}

/* Ranks 1..n in the order of the values; equal values share the mean of their ranks. */
static void rank_values(const double *values, size_t n, ranked *out)
{
    for (size_t i = 0; i < n; i++) out[i] = (ranked){values[i], 0.0, i};
    qsort(out, n, sizeof *out, by_value);
    for (size_t first = 0; first < n;) {
        size_t last = first;
        while (last + 1 < n && out[last + 1].value == out[first].value) last++;
        double rank = 0.5 * (double)(first + last) + 1.0;
        for (; first <= last; first++) out[first].rank = rank;
    }
    qsort(out, n, sizeof *out, by_index);
}

smitin_status sm_spearman(const double *a, const double *b, size_t n, double *rho,
                          smitin_error *error)
{
    *rho = (double)NAN;
    for (size_t i = 0; i < n; i++)
        if (isnan(a[i]) || isnan(b[i]))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "value %zu of a rank correlation is not a number", i);
    if (n < 2) return SMITIN_OK;
    ranked *ranks = calloc(2 * n, sizeof *ranks);
    if (ranks == NULL) return sm_fail_memory(error, "a rank correlation", 2 * n * sizeof *ranks);
    rank_values(a, n, ranks);
    rank_values(b, n, ranks + n);
    double middle = 0.5 * (double)(n + 1), aa = 0.0, bb = 0.0, ab = 0.0;
    for (size_t i = 0; i < n; i++) {
        double x = ranks[i].rank - middle, y = ranks[n + i].rank - middle;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    free(ranks);
    if (aa > 0.0 && bb > 0.0) *rho = fmax(-1.0, fmin(1.0, ab / sqrt(aa * bb)));
    return SMITIN_OK;
}

/* SPDX-License-Identifier: MIT */
/* Owns intervals by resampling: seeded, percentile, over whatever the rows are (files). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../base/rng.h"
#include "eval.h"

/* Streams of random numbers beyond those of draws of rows (distance.h). */
enum { FIRST_STREAM = 1 << 20 };

static void set_interval(sm_interval *out, double *draws, size_t drawn)
{
    out->low = out->high = (double)NAN;
    out->drawn = drawn;
    if (drawn == 0 || isnan(out->value)) return;
    sm_sort(draws, drawn);
    out->low = sm_quantile(draws, drawn, 0.025);
    out->high = sm_quantile(draws, drawn, 0.975);
}

/* One of n, for place `i` of draw `draw`. */
static size_t pick(uint64_t seed, size_t i, size_t draw, size_t n)
{
    const double u = sm_uniform(seed, (uint32_t)i, (uint32_t)(FIRST_STREAM + draw), SM_RNG_EVAL);
    return (size_t)(u * (double)n);
}

/* Pairs sorted by group: those of group g are first[g]..first[g + 1] - 1. */
typedef struct pairs {
    double *a, *b;             /* [n] */
    double *drawn_a, *drawn_b; /* [n] */
    size_t *first;             /* [groups + 1] */
    int groups;
} pairs;

static void sort_pairs(pairs *p, const double *a, const double *b, const int *group, size_t n)
{
    size_t at = 0;
    for (int g = 0; g < p->groups; g++) {
        p->first[g] = at;
        for (size_t i = 0; i < n; i++)
            if (group == NULL || group[i] == g) {
                p->a[at] = a[i];
                p->b[at++] = b[i];
            }
    }
    p->first[p->groups] = at;
}

/* Mean over groups of their correlation; NAN when none has one. */
static smitin_status mean_rho(const pairs *p, const double *a, const double *b, double *mean,
                              smitin_error *error)
{
    double sum = 0.0;
    int defined = 0;
    for (int g = 0; g < p->groups; g++) {
        double rho = (double)NAN;
        const size_t first = p->first[g], count = p->first[g + 1] - first;
        SM_TRY(sm_spearman(a + first, b + first, count, &rho, error));
        if (isnan(rho)) continue;
        sum += rho;
        defined++;
    }
    *mean = defined > 0 ? sum / defined : (double)NAN;
    return SMITIN_OK;
}

static smitin_status draw_rho(pairs *p, uint64_t seed, size_t draw, double *rho,
                              smitin_error *error)
{
    for (int g = 0; g < p->groups; g++) {
        const size_t first = p->first[g], count = p->first[g + 1] - first;
        for (size_t i = first; i < first + count; i++) {
            const size_t from = first + pick(seed, i, draw, count);
            p->drawn_a[i] = p->a[from];
            p->drawn_b[i] = p->b[from];
        }
    }
    return mean_rho(p, p->drawn_a, p->drawn_b, rho, error);
}

smitin_status sm_spearman_interval(const double *a, const double *b, const int *group, int groups,
                                   size_t n, int resamples, uint64_t seed, sm_interval *out,
                                   smitin_error *error)
{
    pairs p = {.groups = group != NULL ? groups : 1};
    const size_t total = (size_t)resamples;
    double *memory = malloc((4 * n + total + 1) * sizeof *memory);
    p.first = malloc(((size_t)p.groups + 1) * sizeof *p.first);
    *out = (sm_interval){(double)NAN, (double)NAN, (double)NAN, n, 0};
    if (memory == NULL || p.first == NULL) {
        free(memory);
        free(p.first);
        return sm_fail_memory(error, "a bootstrap interval", (4 * n + total) * sizeof *memory);
    }
    p.a = memory;
    p.b = p.a + n;
    p.drawn_a = p.b + n;
    p.drawn_b = p.drawn_a + n;
    double *draws = p.drawn_b + n;
    size_t drawn = 0;
    sort_pairs(&p, a, b, group, n);
    smitin_status status = mean_rho(&p, p.a, p.b, &out->value, error);
    for (size_t draw = 0; draw < total && status == SMITIN_OK; draw++) {
        double rho = (double)NAN;
        status = draw_rho(&p, seed, draw, &rho, error);
        if (!isnan(rho)) draws[drawn++] = rho;
    }
    if (status == SMITIN_OK) set_interval(out, draws, drawn);
    free(memory);
    free(p.first);
    return status;
}

smitin_status sm_mean_interval(const double *x, size_t n, int resamples, uint64_t seed,
                               sm_interval *out, smitin_error *error)
{
    const size_t total = (size_t)resamples;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    *out = (sm_interval){n > 0 ? sum / (double)n : (double)NAN, (double)NAN, (double)NAN, n, 0};
    if (n == 0) return SMITIN_OK;
    double *draws = malloc((total + 1) * sizeof *draws);
    if (draws == NULL) return sm_fail_memory(error, "a bootstrap interval", total * sizeof *draws);
    for (size_t draw = 0; draw < total; draw++) {
        sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += x[pick(seed, i, draw, n)];
        draws[draw] = sum / (double)n;
    }
    set_interval(out, draws, total);
    free(draws);
    return SMITIN_OK;
}

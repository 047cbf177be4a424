/* SPDX-License-Identifier: MIT */
/* smitin-bench-kernels [THREADS [LEVEL [compact]]]: speed of the kernels at the sizes the models
 * use, beside what the machine can do at best. One line for each size and level; medians, because
 * other programs share the machine. With `compact` only the kernels on compact weights and caches.
 *
 * Products of few rows read weights from an area larger than the caches, as a decoding step does.
 */
#include "compact.h"
#include "machine.h"

#include "../src/base/arena.h"
#include "../src/base/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPEATS = 9,
    AREA = 1 << 25, /* floats: 128 MiB of weights to walk through */
    INPUTS = 1 << 22,
    OUTPUTS = 1 << 22,
};

typedef struct shape {
    const char *name;
    int R, N, M, ldx; /* ldx 0 = M */
} shape;

static const shape shapes[] = {
    {"decode d 256", 1, 256, 256, 0},
    {"decode ffn, d 256", 2, 1024, 256, 0},
    {"decode ffn, d 384", 2, 1536, 384, 0},
    {"decode ffn back, d 384", 2, 384, 1536, 0},
    {"decode d 1024", 1, 1024, 1024, 0},
    {"decode d 1024", 2, 1024, 1024, 0},
    {"decode ffn", 2, 4096, 1024, 0},
    {"decode ffn back", 2, 1024, 4096, 0},
    {"decode ffn", 4, 4096, 1024, 0},
    {"decode ffn", 8, 4096, 1024, 0},
    {"decode ffn", 16, 4096, 1024, 0},
    {"output heads", 2, 8192, 1024, 0},
    {"LSTM recurrent", 1, 1024, 256, 0},
    {"LSTM recurrent", 1, 4096, 1024, 0},
    {"prefill", 256, 1024, 256, 0},
    {"prefill", 256, 4096, 1024, 0},
    {"prefill back", 256, 1024, 4096, 0},
    {"codec 7 taps of 1", 32000, 16, 7, 1},
    {"codec 7 taps of 16", 32000, 16, 112, 16},
    {"codec last, 7 taps of 16", 32000, 1, 112, 16},
    {"codec 3 taps of 16", 32000, 8, 48, 16},
    {"codec 1 tap of 8", 32000, 16, 8, 8},
    {"codec 8 taps of 16", 8000, 32, 128, 64},
    {"codec 3 taps of 64", 8000, 32, 192, 64},
    {"codec 16 taps of 64", 2000, 128, 1024, 512},
    {"codec 7 taps of 512", 50, 512, 3584, 512},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct job {
    const sm_kernels *kernels;
    const shape *shape;
    float *y;
    const float *x, *w;
} job;

/* Few rows are cut by outputs, many by rows: in both cases every weight or every row is read once.
 */
static bool cut_by_rows(const shape *s)
{
    return s->R > 64;
}

static void run_part(void *context, int worker, int first, int last)
{
    (void)worker;
    const job *j = context;
    const shape *s = j->shape;
    const size_t ldx = (size_t)(s->ldx != 0 ? s->ldx : s->M), ldy = (size_t)s->N;
    if (cut_by_rows(s))
        j->kernels->matmul(j->y + (size_t)first * ldy, ldy, j->x + (size_t)first * ldx, ldx, j->w,
                           NULL, last - first, s->M, 0, s->N);
    else
        j->kernels->matmul(j->y, ldy, j->x, ldx, j->w, NULL, s->R, s->M, first * 8,
                           last * 8 < s->N ? last * 8 : s->N);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/* Median seconds of one product. */
static double time_product(sm_pool *pool, job *j, const float *area)
{
    const shape *s = j->shape;
    const size_t weights = (size_t)s->N * (size_t)s->M;
    const double work = 2.0 * s->R * (double)weights;
    const bool plain = j->kernels->level == SM_CPU_REF;
    const int rounds = (int)((plain ? 3e7 : 6e8) / work) + 1;
    double taken[REPEATS];
    size_t at = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double start = machine_seconds(sm_pool_threads(pool));
        for (int round = 0; round < rounds; round++) {
            if (at + weights > AREA) at = 0;
            j->w = area + at;
            at += weights;
            if (cut_by_rows(s))
                sm_pool_run(pool, run_part, j, s->R, 24);
            else
                sm_pool_run(pool, run_part, j, (s->N + 7) / 8, 4);
        }
        taken[repeat] = (machine_seconds(sm_pool_threads(pool)) - start) / rounds;
    }
    return median(taken, REPEATS);
}

static void bench_products(const sm_kernels *k, sm_pool *pool, double peak, float *y,
                           const float *x, const float *area)
{
    printf("\n%-26s %6s %5s %5s %10s %9s %7s %9s\n", k->name, "R", "N", "M", "us", "GFLOP/s",
           "% peak", "GB/s w");
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        job j = {k, s, y, x, NULL};
        const double taken = time_product(pool, &j, area);
        const double rate = 2.0 * s->R * (double)s->N * (double)s->M / taken;
        printf("%-26s %6d %5d %5d %10.1f %9.2f %7.1f %9.2f\n", s->name, s->R, s->N, s->M,
               taken * 1e6, rate * 1e-9, peak > 0.0 ? 100.0 * rate / peak : 0.0,
               4e-9 * (double)s->N * (double)s->M / taken);
        fflush(stdout);
    }
}

static void bench_attention(const sm_kernels *k, float *y, const float *x)
{
    static const int sizes[][2] = {{32, 500}, {64, 500}, {64, 1503}};
    printf("%-26s %6s %5s %21s %9s\n", "attention, one head", "T", "D", "us", "GB/s kv");
    for (int i = 0; i < 3; i++) {
        const int D = sizes[i][0], T = sizes[i][1], rounds = k->level == SM_CPU_REF ? 20 : 400;
        double taken[REPEATS];
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            const double start = machine_seconds(1);
            for (int round = 0; round < rounds; round++) {
                const float *keys = x + (size_t)(round % 16) * 128 * 1024;
                k->attend(y, x, keys, keys + (size_t)T * (size_t)D, (size_t)D, NULL, 0.125f, T, D,
                          y + 4096);
            }
            taken[repeat] = (machine_seconds(1) - start) / rounds;
        }
        const double m = median(taken, REPEATS);
        printf("%-26s %6d %5d %21.2f %9.2f\n", "", T, D, m * 1e6, 8e-9 * T * D / m);
    }
}

static void one_call(const sm_kernels *k, int which, float *y, const float *x, int n)
{
    if (which == 0) k->softmax(y, n);
    if (which == 1) { /* in place: afresh, or the values shrink to denormal numbers */
        memcpy(y, x, (size_t)n * sizeof *y);
        k->gelu(y, (size_t)n);
    }
    if (which == 2) k->elu(y, x, (size_t)n);
    if (which == 3) k->layer_norm(y, x, x, x, n, 1e-5f);
    if (which == 4) k->lstm_cell(y, y + n, x, n);
}

static void bench_vectors(const sm_kernels *k, float *y, const float *x)
{
    static const char *const names[] = {"softmax", "gelu", "elu", "layer_norm", "lstm_cell"};
    const int n = 1024, rounds = k->level == SM_CPU_REF ? 200 : 2000;
    for (int which = 0; which < 5; which++) {
        double taken[REPEATS];
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            memcpy(y, x, 2 * (size_t)n * sizeof *y);
            const double start = machine_seconds(1);
            for (int round = 0; round < rounds; round++) one_call(k, which, y, x, n);
            taken[repeat] = (machine_seconds(1) - start) / rounds;
        }
        const double m = median(taken, REPEATS);
        printf("%-26s %6s %5d %21.2f us %6.2f ns each\n", names[which], "n", n, m * 1e6,
               m / n * 1e9);
    }
}

/* Bytes per second at which one thread reads the area. */
static double read_rate(const sm_kernels *k, const float *area)
{
    double taken[REPEATS];
    volatile float sink = 0.0f;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double start = machine_seconds(1);
        sink = k->dot(area, area, AREA);
        taken[repeat] = machine_seconds(1) - start;
    }
    (void)sink;
    return 4.0 * AREA / median(taken, REPEATS);
}

static void fill(float *values, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
}

static void bench_level(const sm_kernels *k, sm_pool *pool, float *y, const float *x,
                        const float *area)
{
    const double peak = machine_peak(k->level);
    printf(
        "\n%s: multiply-add peak of one core %.1f GFLOP/s; one core reads %.1f GB/s; %d threads\n",
        k->name, peak * 1e-9, read_rate(k, area) * 1e-9, sm_pool_threads(pool));
    bench_products(k, pool, peak * sm_pool_threads(pool), y, x, area);
    bench_attention(k, y, x);
    bench_vectors(k, y, x);
}

int main(int argc, char **argv)
{
    sm_pool *pool = NULL;
    smitin_error error;
    if (sm_pool_new(&pool, argc > 1 ? atoi(argv[1]) : 1, &error) != SMITIN_OK) {
        fprintf(stderr, "smitin-bench-kernels: %s\n", error.message);
        return 2;
    }
    sm_arena *arena = sm_arena_new();
    float *area = arena != NULL ? SM_TAKE(arena, AREA, float) : NULL;
    float *x = arena != NULL ? SM_TAKE(arena, INPUTS, float) : NULL;
    float *y = arena != NULL ? SM_TAKE(arena, OUTPUTS, float) : NULL;
    int code = 1;
    if (area == NULL || x == NULL || y == NULL) {
        fprintf(stderr, "smitin-bench-kernels: memory is short\n");
    } else {
        fill(x, INPUTS);
        fill(y, OUTPUTS);
        const bool only_compact = argc > 3 && strcmp(argv[3], "compact") == 0;
        for (int level = (int)sm_cpu_detect(); level >= SM_CPU_REF; level--) {
            if (!sm_cpu_has((sm_cpu_level)level)) continue;
            const sm_kernels *k = sm_kernels_get((sm_cpu_level)level);
            if (argc > 2 && strcmp(argv[2], k->name) != 0) continue;
            fill(area, AREA);
            if (!only_compact) bench_level(k, pool, y, x, area);
            bench_compact(k, pool, area, AREA, y, x);
        }
        code = 0;
    }
    sm_arena_free(arena);
    sm_pool_free(pool);
    return code;
}

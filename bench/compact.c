/* SPDX-License-Identifier: MIT */
/* Owns the figures of compact products and caches. */
#include "compact.h"

#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 9, MANY_ROWS = 16, MOST_INPUTS = 4096, HEADS = 16, HEAD = 64, POSITIONS = 1500 };

typedef struct job {
    const sm_kernels *kernels;
    sm_format format;
    int R, N, M, T;
    float *y;
    const float *x;
    const sm_block *rows;
    const unsigned char *area; /* where this round's weights or caches begin */
    size_t scales;             /* bytes from there */
    double sink[64];           /* one for each worker */
} job;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void product_part(void *context, int worker, int first, int last)
{
    (void)worker;
    const job *j = context;
    const int n0 = first * SM_TILE, n1 = last * SM_TILE < j->N ? last * SM_TILE : j->N;
    const size_t ldy = (size_t)j->N, ldx = (size_t)j->M;
    const void *w = j->area;
    const sm_packed packed = {j->format, j->N, j->M, w,
                              (const uint16_t *)(const void *)(j->area + j->scales)};
    switch (j->format) {
    case SM_FORMAT_F32:
        j->kernels->matmul(j->y, ldy, j->x, ldx, w, NULL, j->R, j->M, n0, n1);
        break;
    case SM_FORMAT_F16:
        j->kernels->matmul_f16(j->y, ldy, j->x, ldx, w, NULL, j->R, j->M, n0, n1);
        break;
    case SM_FORMAT_BF16:
        j->kernels->matmul_bf16(j->y, ldy, j->x, ldx, w, NULL, j->R, j->M, n0, n1);
        break;
    case SM_FORMAT_Q8:
        j->kernels->matmul_q8(j->y, ldy, j->rows, &packed, NULL, j->R, n0, n1);
        break;
    case SM_FORMAT_Q4:
        j->kernels->matmul_q4(j->y, ldy, j->rows, &packed, NULL, j->R, n0, n1);
        break;
    }
}

/* One step's attention of one layer for R rows: an item is a head of a row. Keys and values of a
 * head lie together, [T, HEAD]; its scales behind all of them. */
static void attention_part(void *context, int worker, int first, int last)
{
    (void)worker;
    const job *j = context;
    const size_t size = (size_t)j->T * HEAD;
    float scratch[POSITIONS];
    for (int i = first; i < last; i++) {
        const size_t at = (size_t)i * 2 * size;
        float *z = j->y + (size_t)i * HEAD;
        const float *q = j->x + (size_t)i * HEAD;
        if (j->format == SM_FORMAT_Q8) {
            const int8_t *k = (const int8_t *)j->area + at;
            const float *scales = (const float *)(const void *)(j->area + j->scales);
            const sm_cache_q8 cache = {k, k + size, HEAD, scales + (size_t)(2 * i) * (size_t)j->T,
                                       scales + (size_t)(2 * i + 1) * (size_t)j->T};
            j->kernels->attend_q8(z, q, &cache, NULL, 0.125f, j->T, HEAD, scratch);
        } else if (j->format == SM_FORMAT_F16) {
            const uint16_t *k = (const uint16_t *)(const void *)j->area + at;
            j->kernels->attend_f16(z, q, k, k + size, HEAD, NULL, 0.125f, j->T, HEAD, scratch);
        } else {
            const float *k = (const float *)(const void *)j->area + at;
            j->kernels->attend(z, q, k, k + size, HEAD, NULL, 0.125f, j->T, HEAD, scratch);
        }
    }
}

/* Reads 1 MiB pieces as fast as the level's dot product can: the same area twice, so one stream. */
static void read_part(void *context, int worker, int first, int last)
{
    job *j = context;
    enum { PIECE = 1 << 18 };
    const float *from = (const float *)(const void *)j->area;
    for (int i = first; i < last; i++) {
        const float *piece = from + (size_t)i * PIECE;
        j->sink[worker % 64] += (double)j->kernels->dot(piece, piece, PIECE);
    }
}

/* Median seconds of `task` over `items` whose data takes `bytes`; the area is walked through. */
static double time_task(sm_pool *pool, sm_pool_task task, job *j, int items, int grain,
                        const unsigned char *area, size_t area_bytes, size_t bytes)
{
    const size_t step = (bytes + 63) / 64 * 64;
    const bool slow = j->kernels->level == SM_CPU_REF;
    const int rounds = (int)((slow ? 1e5 : 5e7) / (double)bytes) + 1;
    double taken[REPEATS];
    size_t at = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double start = machine_seconds(sm_pool_threads(pool));
        for (int round = 0; round < rounds; round++) {
            if (at + step > area_bytes) at = 0;
            j->area = area + at;
            at += step;
            sm_pool_run(pool, task, j, items, grain);
        }
        taken[repeat] = (machine_seconds(sm_pool_threads(pool)) - start) / rounds;
    }
    qsort(taken, REPEATS, sizeof taken[0], compare);
    return taken[REPEATS / 2];
}

static double read_rate(const sm_kernels *k, sm_pool *pool, const unsigned char *area, size_t bytes)
{
    job j = {.kernels = k};
    const int pieces = (int)(bytes >> 20);
    const double taken =
        time_task(pool, read_part, &j, pieces, 1, area, bytes, (size_t)pieces << 20);
    return (double)((size_t)pieces << 20) / taken;
}

static void bench_products(job *j, sm_pool *pool, const unsigned char *area, size_t bytes,
                           double rate)
{
    static const int shapes[][2] = {{1024, 1024}, {4096, 1024}, {1024, 4096}, {2048, 1024}};
    static const int rows[] = {1, 2, 16};
    for (int s = 0; s < 4; s++) {
        for (int r = 0; r < 3; r++) {
            j->R = rows[r];
            j->N = shapes[s][0];
            j->M = shapes[s][1];
            const size_t weights = (size_t)j->N * (size_t)j->M;
            static const size_t width[SM_FORMATS] = {4, 2, 2, 1, 1};
            size_t moved = weights * width[j->format];
            sm_packed_size size;
            if (sm_packed_size_of(&size, j->format, j->N, j->M, NULL) == SMITIN_OK) {
                j->scales = size.codes;
                moved = size.codes + 2 * size.scales;
            }
            const double taken = time_task(pool, product_part, j, (j->N + SM_TILE - 1) / SM_TILE, 4,
                                           area, bytes, moved);
            printf("%-5s %5d x %4d %19d %10.1f %9.2f %8.1f %9.1f\n", sm_format_name(j->format),
                   j->N, j->M, j->R, taken * 1e6, 1e-9 * (double)moved / taken,
                   100.0 * (double)moved / taken / rate, 2e-9 * j->R * (double)weights / taken);
            fflush(stdout);
        }
    }
}

static void bench_attention(job *j, sm_pool *pool, const unsigned char *area, size_t bytes,
                            double rate)
{
    static const int times[] = {250, 500, 1000, 1500};
    static const size_t width[SM_FORMATS] = {4, 2, 2, 1, 1};
    for (int t = 0; t < 4; t++) {
        j->T = times[t];
        j->R = 2;
        const size_t numbers = (size_t)(2 * j->R * HEADS) * (size_t)j->T * HEAD;
        size_t moved = numbers * width[j->format];
        j->scales = moved;
        if (j->format == SM_FORMAT_Q8) moved += numbers / HEAD * sizeof(float);
        const double taken =
            time_task(pool, attention_part, j, j->R * HEADS, 1, area, bytes, moved);
        printf("%-5s attention, %d heads, T %4d %3d %10.1f %9.2f %8.1f\n",
               sm_format_name(j->format), HEADS, j->T, j->R, taken * 1e6,
               1e-9 * (double)moved / taken, 100.0 * (double)moved / taken / rate);
        fflush(stdout);
    }
}

/* One pattern that is a harmless number in every format, whatever it is cut into: near 1/124 as f32
 * and bf16, near 1 as f16, 4 and 60 as bytes. Sums of numbers below the normal ones, which other
 * bytes would make, take a CPU many times as long. */
static void fill(void *area, size_t bytes)
{
    static const unsigned char pattern[4] = {0x04, 0x3C, 0x04, 0x3C};
    for (size_t i = 0; i + 4 <= bytes; i += 4) memcpy((unsigned char *)area + i, pattern, 4);
}

void bench_compact(const sm_kernels *k, sm_pool *pool, void *area, size_t count, float *y,
                   const float *x)
{
    const size_t bytes = count * sizeof(float);
    sm_block *rows = malloc(MANY_ROWS * (MOST_INPUTS / SM_BLOCK) * sizeof *rows);
    if (rows == NULL) {
        fprintf(stderr, "smitin-bench-kernels: memory is short\n");
        return;
    }
    k->quantise(rows, x, MOST_INPUTS, MANY_ROWS, MOST_INPUTS);
    fill(area, bytes);
    const double rate = read_rate(k, pool, area, bytes);
    printf("\n%s, %d threads read %.1f GB/s\n", k->name, sm_pool_threads(pool), rate * 1e-9);
    printf("%-18s %19s %10s %9s %8s %9s\n", "weights, outputs x inputs", "rows", "us", "GB/s",
           "% read", "GFLOP/s");
    for (int format = 0; format < SM_FORMATS; format++) {
        job j = {.kernels = k, .format = (sm_format)format, .y = y, .x = x, .rows = rows};
        bench_products(&j, pool, area, bytes, rate);
    }
    for (int format = 0; format < SM_FORMATS; format++) {
        job j = {.kernels = k, .format = (sm_format)format, .y = y, .x = x, .rows = rows};
        if (format == SM_FORMAT_F32 || format == SM_FORMAT_F16 || format == SM_FORMAT_Q8)
            bench_attention(&j, pool, area, bytes, rate);
    }
    printf("read again: %.1f GB/s\n", read_rate(k, pool, area, bytes) * 1e-9);
    free(rows);
}

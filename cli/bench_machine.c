/* SPDX-License-Identifier: MIT */
/* What "smitin bench" measures of the machine itself: reading and multiplying at best. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "../src/base/arena.h"
#include "../src/base/machine.h"
#include "../src/base/pool.h"
#include "bench.h"

enum {
    AREA = 1 << 28, /* bytes read for the machine's rate: beyond every cache */
    PIECE = 1 << 20,
};

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int bench_fail_memory(void)
{
    fprintf(stderr, "smitin: there is not enough memory to measure; close other programs\n");
    return EXIT_FAILED;
}

typedef struct reading {
    const uint64_t *area;
    uint64_t sums[1024]; /* of each worker, far enough apart not to share a line */
} reading;

/* Four streams, sent for ahead: one alone waits between its lines. */
static void read_pieces(void *context, int worker, int first, int last)
{
    reading *r = context;
    enum { WORDS = PIECE / 8, STREAM = WORDS / 4, AHEAD = 128 };
    uint64_t sum = 0;
    for (int piece = first; piece < last; piece++) {
        const uint64_t *p = r->area + (size_t)piece * WORDS;
        for (int i = 0; i < STREAM; i += 8) {
            for (int s = 0; s < 4; s++) {
                const uint64_t *line = p + s * STREAM + i;
#if defined(__GNUC__)
                __builtin_prefetch(line + AHEAD);
#endif
                for (int j = 0; j < 8; j++) sum += line[j];
            }
        }
    }
    r->sums[worker % 64 * 16] += sum;
}

static void multiply_pieces(void *context, int worker, int first, int last)
{
    const int *lanes = context;
    (void)worker;
    for (int i = first; i < last; i++) (void)sm_machine_multiply_add(*lanes);
}

/* f32 operations per second of all threads, of registers alone; NAN where no loop is known. */
static double peak_rate(sm_pool *pool)
{
    int lanes = sm_machine_lanes();
    const int pieces = 4 * sm_pool_threads(pool);
    double best = 0.0;
    if (lanes == 0) return (double)NAN;
    const double one = sm_machine_multiply_add(lanes);
    for (int i = 0; i < 8; i++) {
        const double start = bench_now();
        sm_pool_run(pool, multiply_pieces, &lanes, pieces, 1);
        best = fmax(best, one * pieces / (bench_now() - start));
    }
    return best;
}

/* Bytes per second of all threads, over what lies as weights do. */
static double read_rate(sm_pool *pool, reading *r)
{
    double best = 0.0;
    for (int i = 0; i < 12; i++) {
        const double start = bench_now();
        sm_pool_run(pool, read_pieces, r, AREA / PIECE, 1);
        best = fmax(best, AREA / (bench_now() - start));
    }
    return best;
}

int bench_machine(int threads, double *rate, double *peak, int *used)
{
    smitin_error error = {0};
    sm_pool *pool = NULL;
    sm_arena *arena = sm_arena_new();
    reading *r = arena != NULL ? SM_TAKE(arena, 1, reading) : NULL;
    /* The streams of the last piece reach beyond it when they send ahead. */
    if (r != NULL) r->area = SM_TAKE(arena, (AREA + PIECE) / 8, uint64_t);
    int code = EXIT_DONE;
    if (r == NULL || r->area == NULL) {
        code = bench_fail_memory();
    } else if (sm_pool_new(&pool, threads, &error) != SMITIN_OK) {
        code = report_error(&error);
    } else {
        *used = sm_pool_threads(pool);
        *rate = read_rate(pool, r);
        *peak = peak_rate(pool);
    }
    sm_pool_free(pool);
    sm_arena_free(arena);
    return code;
}

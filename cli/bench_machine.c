/* SPDX-License-Identifier: MIT */
/* What "smitin bench" measures of the machine itself: reading and multiplying. Owns its clock and
 * its scratch files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/base/arena.h"
#include "../src/base/error.h"
#include "../src/base/machine.h"
#include "../src/base/pool.h"
#include "bench.h"

enum {
    AREA = 1 << 28, /* bytes read for the machine's rate: beyond every cache */
    PARTS = 4, /* of it, one read at a time: what else is read between pushes it out of caches */
    PIECE = 1 << 20,
};

int bench_fail_memory(void)
{
    fprintf(stderr, "smitin: there is not enough memory to measure; close other programs\n");
    return EXIT_FAILED;
}

/* ---- Scratch files ---- */

smitin_status bench_scratch_begin(bench_scratch *s, const char *name, smitin_error *error)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == '\0') base = "/tmp";
    const int n = snprintf(s->folder, sizeof s->folder, "%s/smitin-bench-XXXXXX", base);
    if (n < 0 || n >= (int)sizeof s->folder || mkdtemp(s->folder) == NULL) {
        s->folder[0] = '\0';
        return sm_fail(error, SMITIN_ERROR_IO,
                       "no temporary folder can be made in '%.300s'; make room there, or name "
                       "another in TMPDIR",
                       base);
    }
    snprintf(s->file, sizeof s->file, "%s/%s", s->folder, name);
    return SMITIN_OK;
}

void bench_scratch_end(bench_scratch *s)
{
    if (s->folder[0] == '\0') return;
    (void)remove(s->file);
    (void)rmdir(s->folder);
}

/* ---- Reading and multiplying ---- */

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

struct bench_machine {
    sm_arena *arena;
    sm_pool *pool;
    reading reading;
    int next; /* part of the area that is read next */
};

int bench_machine_open(bench_machine **out, int threads)
{
    smitin_error error = {0};
    sm_arena *arena = sm_arena_new();
    bench_machine *m = arena != NULL ? SM_TAKE(arena, 1, bench_machine) : NULL;
    *out = NULL;
    /* The streams of the last piece reach beyond it when they send ahead. */
    if (m != NULL) m->reading.area = SM_TAKE(arena, (AREA + PIECE) / 8, uint64_t);
    if (m == NULL || m->reading.area == NULL) {
        sm_arena_free(arena);
        return bench_fail_memory();
    }
    m->arena = arena;
    if (sm_pool_new(&m->pool, threads, &error) != SMITIN_OK) {
        sm_arena_free(arena);
        return report_error(&error);
    }
    *out = m;
    return EXIT_DONE;
}

void bench_machine_close(bench_machine *m)
{
    if (m == NULL) return;
    sm_pool_free(m->pool);
    sm_arena_free(m->arena);
}

int bench_machine_threads(const bench_machine *m)
{
    return sm_pool_threads(m->pool);
}

double bench_machine_read(bench_machine *m)
{
    reading part = m->reading;
    part.area += (size_t)m->next * (AREA / PARTS / 8);
    m->next = (m->next + 1) % PARTS;
    const double start = sm_clock();
    sm_pool_run(m->pool, read_pieces, &part, AREA / PARTS / PIECE, 1);
    const double seconds = sm_clock() - start;
    memcpy(m->reading.sums, part.sums, sizeof part.sums); /* or nobody would have had to read */
    return seconds / (AREA / PARTS);
}

double bench_machine_rate(bench_machine *m)
{
    double best = 0.0;
    for (int i = 0; i < 12 * PARTS; i++) best = fmax(best, 1.0 / bench_machine_read(m));
    return best;
}

double bench_machine_peak(bench_machine *m)
{
    int lanes = sm_machine_lanes();
    const int pieces = 4 * sm_pool_threads(m->pool);
    double best = 0.0;
    if (lanes == 0) return (double)NAN;
    const double one = sm_machine_multiply_add(lanes);
    for (int i = 0; i < 8; i++) {
        const double start = sm_clock();
        sm_pool_run(m->pool, multiply_pieces, &lanes, pieces, 1);
        best = fmax(best, one * pieces / (sm_clock() - start));
    }
    return best;
}

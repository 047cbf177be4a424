/* SPDX-License-Identifier: MIT */
/* For the kernel tests: a loop over the levels this CPU has, and arrays with guarded ends. */
#ifndef SMITIN_TESTS_KERNELS_LEVELS_H
#define SMITIN_TESTS_KERNELS_LEVELS_H

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS; this header comes first */

#include "../common.h"
#include "../../src/base/rng.h"
#include "../../src/kernels/kernels.h"

#include <sys/mman.h>

/* Say that a level of this architecture was not tested; cross/levels.py has an emulator do what it
 * can. Levels of the other architecture are not in this program at all. */
static inline void say_missing(sm_cpu_level level)
{
    if (sm_cpu_built(level))
        print_message("skipped: this CPU has no %s\n", sm_cpu_level_name(level));
}

/* Run `body` with each level this CPU has; say which are missing. */
static inline void with_levels(void (*body)(const sm_kernels *level))
{
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level))
            say_missing((sm_cpu_level)level);
        else
            body(sm_kernels_get((sm_cpu_level)level));
    }
}

/* Floats that end where an unmapped page begins, so that one read too many stops the program, with
 * a known pattern before them. Their start is therefore aligned to 4 bytes only, at whatever the
 * count gives.
 *
 * With SMITIN_TESTS_UNGUARDED that page is there: qemu 7.2 reads a whole register of x86-64 where
 * the processor reads the lanes of a mask, or one number. */
typedef struct edge {
    float *data;
    size_t count;
    unsigned char *map;
    size_t bytes; /* readable */
} edge;

enum { EDGE_PAGE = 4096, EDGE_PATTERN = 0xA5 };

static inline edge edge_new(size_t count)
{
    edge e = {NULL, count, NULL, (count * sizeof(float) / EDGE_PAGE + 2) * EDGE_PAGE};
    e.map =
        mmap(NULL, e.bytes + EDGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(e.map != MAP_FAILED);
    memset(e.map, EDGE_PATTERN, e.bytes);
    if (getenv("SMITIN_TESTS_UNGUARDED") == NULL)
        assert_int_equal(mprotect(e.map + e.bytes, EDGE_PAGE, PROT_NONE), 0);
    else
        memset(e.map + e.bytes, EDGE_PATTERN, EDGE_PAGE);
    e.data = (float *)(void *)(e.map + e.bytes - count * sizeof(float));
    return e;
}

/* The last `bytes` of the array, for types other than float. */
static inline void *edge_end(const edge *e, size_t bytes)
{
    return e->map + e->bytes - bytes;
}

/* Room for `bytes` that end at the unmapped page. */
static inline edge edge_bytes(size_t bytes)
{
    return edge_new((bytes + sizeof(float) - 1) / sizeof(float));
}

/* Uniform numbers in [-size, size); another `stream`, other numbers. */
static inline edge edge_random(size_t count, float size, uint32_t stream)
{
    edge e = edge_new(count);
    for (size_t i = 0; i < count; i++)
        e.data[i] = size * (float)(2.0 * sm_uniform(1, (uint32_t)i, stream, SM_RNG_TEST) - 1.0);
    return e;
}

static inline edge edge_copy(const edge *from)
{
    edge e = edge_new(from->count);
    if (e.count > 0) memcpy(e.data, from->data, e.count * sizeof(float));
    return e;
}

/* Nothing was written before the array. */
static inline void edge_free(edge *e)
{
    for (const unsigned char *b = e->map; b < (const unsigned char *)e->data; b++)
        assert_int_equal(*b, EDGE_PATTERN);
    assert_int_equal(munmap(e->map, e->bytes + EDGE_PAGE), 0);
}

#endif

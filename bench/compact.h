/* SPDX-License-Identifier: MIT */
/* Speed of the kernels on compact weights and caches, beside the machine's read rate. */
#ifndef SMITIN_BENCH_COMPACT_H
#define SMITIN_BENCH_COMPACT_H

#include "../src/base/pool.h"
#include "../src/kernels/kernels.h"

/* `area` [count] floats, larger than the caches, is overwritten; `x` and `y` hold the activations.
 * Prints one line for each format and shape of a decoding step of musicgen-small. */
void bench_compact(const sm_kernels *k, sm_pool *pool, void *area, size_t count, float *y,
                   const float *x);

#endif

/* SPDX-License-Identifier: MIT */
/* Keys and values that are attended to again and again, in f32, f16 or q8. A run is one head of one
 * row of one layer: its positions lie one after the other, so that attention reads memory straight
 * on. Owns no memory. */
#ifndef SMITIN_LM_CACHE_H
#define SMITIN_LM_CACHE_H

#include "../base/arena.h"
#include "../kernels/kernels.h"

typedef struct sm_cache {
    sm_format format;         /* f32, f16 or q8 */
    int length, D;            /* positions of a run, head size */
    void *k, *v;              /* [runs, length, D] */
    float *k_scale, *v_scale; /* q8: [runs, length] */
} sm_cache;

/* False when memory is short. */
bool sm_cache_take(sm_cache *cache, sm_arena *arena, sm_format format, size_t runs, int length,
                   int D);
/* Bytes that sm_cache_take takes. */
size_t sm_cache_bytes(sm_format format, size_t runs, int length, int D);
/* Position `at` of a run becomes k [D], v [D]. */
void sm_cache_store(const sm_cache *cache, const sm_kernels *kernels, size_t run, int at,
                    const float *k, const float *v);
/* z [D] = attention of q [D] to positions 0..T-1 of a run. scratch [T]. */
void sm_cache_attend(const sm_cache *cache, const sm_kernels *kernels, size_t run, float *z,
                     const float *q, float scale, int T, float *scratch);

#endif

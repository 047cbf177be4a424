/* SPDX-License-Identifier: MIT */
/* Owns the layout of key/value caches in every format. */
#include "cache.h"

#include <string.h>

static size_t number_size(sm_format format)
{
    return format == SM_FORMAT_F32   ? sizeof(float)
           : format == SM_FORMAT_F16 ? sizeof(uint16_t)
                                     : sizeof(int8_t);
}

size_t sm_cache_bytes(sm_format format, size_t runs, int length, int D)
{
    const size_t scales = format == SM_FORMAT_Q8 ? sizeof(float) : 0;
    return 2 * runs * (size_t)length * ((size_t)D * number_size(format) + scales);
}

bool sm_cache_take(sm_cache *cache, sm_arena *arena, sm_format format, size_t runs, int length,
                   int D)
{
    const size_t positions = runs * (size_t)length, scales = format == SM_FORMAT_Q8 ? positions : 0;
    *cache = (sm_cache){.format = format, .length = length, .D = D};
    cache->k = sm_arena_take(arena, positions * (size_t)D, number_size(format));
    cache->v = sm_arena_take(arena, positions * (size_t)D, number_size(format));
    cache->k_scale = SM_TAKE(arena, scales, float);
    cache->v_scale = SM_TAKE(arena, scales, float);
    return cache->k != NULL && cache->v != NULL && cache->k_scale != NULL && cache->v_scale != NULL;
}

void sm_cache_store(const sm_cache *cache, const sm_kernels *kernels, size_t run, int at,
                    const float *k, const float *v)
{
    const size_t D = (size_t)cache->D, position = run * (size_t)cache->length + (size_t)at;
    const size_t to = position * D;
    if (cache->format == SM_FORMAT_F32) {
        memcpy((float *)cache->k + to, k, D * sizeof *k);
        memcpy((float *)cache->v + to, v, D * sizeof *v);
    } else if (cache->format == SM_FORMAT_F16) {
        kernels->narrow_f16((uint16_t *)cache->k + to, k, cache->D);
        kernels->narrow_f16((uint16_t *)cache->v + to, v, cache->D);
    } else {
        cache->k_scale[position] = kernels->narrow_q8((int8_t *)cache->k + to, k, cache->D);
        cache->v_scale[position] = kernels->narrow_q8((int8_t *)cache->v + to, v, cache->D);
    }
}

void sm_cache_attend(const sm_cache *cache, const sm_kernels *kernels, size_t run, float *z,
                     const float *q, float scale, int T, float *scratch)
{
    const size_t D = (size_t)cache->D, first = run * (size_t)cache->length, at = first * D;
    if (cache->format == SM_FORMAT_F32) {
        kernels->attend(z, q, (const float *)cache->k + at, (const float *)cache->v + at, D, NULL,
                        scale, T, cache->D, scratch);
    } else if (cache->format == SM_FORMAT_F16) {
        kernels->attend_f16(z, q, (const uint16_t *)cache->k + at, (const uint16_t *)cache->v + at,
                            D, NULL, scale, T, cache->D, scratch);
    } else {
        const sm_cache_q8 view = {(const int8_t *)cache->k + at, (const int8_t *)cache->v + at, D,
                                  cache->k_scale + first, cache->v_scale + first};
        kernels->attend_q8(z, q, &view, NULL, scale, T, cache->D, scratch);
    }
}

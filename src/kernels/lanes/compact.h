/* SPDX-License-Identifier: MIT */
/* Compact caches and activations at LEVEL. */
#include "attend.h"
#include "narrow.h"

void SM_ENTRY(attend_f16)(float *z, const float *q, const uint16_t *k, const uint16_t *v,
                          size_t stride, const float *bias, float scale, int T, int D,
                          float *scratch)
{
    const cache c = {k, v, stride, NULL, NULL};
    attend_any(z, q, &c, bias, scale, T, D, scratch, CACHE_F16);
}

void SM_ENTRY(attend_q8)(float *z, const float *q, const sm_cache_q8 *cached, const float *bias,
                         float scale, int T, int D, float *scratch)
{
    const cache c = {cached->k, cached->v, cached->stride, cached->k_scale, cached->v_scale};
    attend_any(z, q, &c, bias, scale, T, D, scratch, CACHE_Q8);
}

void SM_ENTRY(narrow_f16)(uint16_t *out, const float *x, int n)
{
    narrow_f16(out, x, n);
}

float SM_ENTRY(narrow_q8)(int8_t *q, const float *x, int n)
{
    return narrow_q8(q, x, n);
}

void SM_ENTRY(quantise)(sm_block *out, const float *x, size_t ldx, int R, int M)
{
    quantise(out, x, ldx, R, M);
}

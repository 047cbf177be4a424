/* SPDX-License-Identifier: MIT */
/* Compact caches and activations at the avx2 level, and its q8 and q4 products without integer dot
 * product instructions. */
#include "../levels.h"

#include "avx2_vector.h"
#include "attend.h"
#include "narrow.h"
#include "avx2_dot.h"
#include "dot.h"

void sm_attend_f16_avx2(float *z, const float *q, const uint16_t *k, const uint16_t *v,
                        size_t stride, const float *bias, float scale, int T, int D, float *scratch)
{
    const cache c = {k, v, stride, NULL, NULL};
    attend_any(z, q, &c, bias, scale, T, D, scratch, CACHE_F16);
}

void sm_attend_q8_avx2(float *z, const float *q, const sm_cache_q8 *cached, const float *bias,
                       float scale, int T, int D, float *scratch)
{
    const cache c = {cached->k, cached->v, cached->stride, cached->k_scale, cached->v_scale};
    attend_any(z, q, &c, bias, scale, T, D, scratch, CACHE_Q8);
}

void sm_narrow_f16_avx2(uint16_t *out, const float *x, int n)
{
    narrow_f16(out, x, n);
}

float sm_narrow_q8_avx2(int8_t *q, const float *x, int n)
{
    return narrow_q8(q, x, n);
}

void sm_quantise_avx2(sm_block *out, const float *x, size_t ldx, int R, int M)
{
    quantise(out, x, ldx, R, M);
}

void sm_matmul_q8_avx2(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                       const float *bias, int R, int n0, int n1)
{
    product_q8(y, ldy, x, w, bias, R, n0, n1);
}

void sm_matmul_q4_avx2(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                       const float *bias, int R, int n0, int n1)
{
    product_q4(y, ldy, x, w, bias, R, n0, n1);
}

/* SPDX-License-Identifier: MIT */
/* Four f32 numbers, what four registers are folded into. Owns the q_ inlines of the x86-64 levels.
 */
#ifndef SMITIN_KERNELS_X86_QUAD_H
#define SMITIN_KERNELS_X86_QUAD_H

#include <immintrin.h>

typedef __m128 quad;

static inline quad q_zero(void)
{
    return _mm_setzero_ps();
}
static inline quad q_set(float a)
{
    return _mm_set1_ps(a);
}
static inline quad q_load(const float *p)
{
    return _mm_loadu_ps(p);
}
static inline void q_store(float *p, quad a)
{
    _mm_storeu_ps(p, a);
}
static inline quad q_add(quad a, quad b)
{
    return _mm_add_ps(a, b);
}
static inline quad q_mul(quad a, quad b)
{
    return _mm_mul_ps(a, b);
}
static inline float q_first(quad a)
{
    return _mm_cvtss_f32(a);
}
/* Order: (0 + 2) + (1 + 3). */
static inline float q_sum(quad a)
{
    const quad t = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_shuffle_ps(t, t, 1)));
}

#endif

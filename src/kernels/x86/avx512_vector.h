/* SPDX-License-Identifier: MIT */
/* AVX-512 F, BW, DQ, VL and F16C: sixteen lanes. Owns the v_ inlines of this level. */
#ifndef SMITIN_KERNELS_AVX512_VECTOR_H
#define SMITIN_KERNELS_AVX512_VECTOR_H

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) ||                   \
    !defined(__AVX512VL__) || !defined(__F16C__)
#error "this file is compiled with AVX-512 F, BW, DQ, VL and F16C"
#endif

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../lanes/send.h"
#include "quad.h"

typedef __m512 vec;
enum {
    LANES = 16,
    WIDE = 8, /* outputs of a tile: 3 x 8 sums, 3 + 1 operands, of 32 registers */
};

/* The first n lanes, n = 1..LANES. */
static inline __mmask16 first(int n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline vec v_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vec v_set(float a)
{
    return _mm512_set1_ps(a);
}
static inline vec v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
/* a, in a register: else the compiler repeats the load of an operand in every product that uses it.
 */
static inline vec v_held(vec a)
{
    __asm__("" : "+v"(a));
    return a;
}
static inline vec v_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(first(n), p);
}
static inline void v_store(float *p, vec a)
{
    _mm512_storeu_ps(p, a);
}
static inline void v_store_n(float *p, vec a, int n)
{
    _mm512_mask_storeu_ps(p, first(n), a);
}
/* The first n lanes of a, zero in the others. */
static inline vec v_keep(vec a, int n)
{
    return _mm512_maskz_mov_ps(first(n), a);
}
static inline vec v_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}
/* a b + c */
static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vec v_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}
static inline vec v_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}
static inline float v_largest(vec a)
{
    return _mm512_reduce_max_ps(a);
}
static inline vec v_abs(vec a)
{
    return _mm512_abs_ps(a);
}
/* The size of a with the sign of b; a is not negative. */
static inline vec v_signed(vec a, vec b)
{
    return _mm512_or_ps(a, _mm512_and_ps(b, _mm512_set1_ps(-0.0f)));
}
/* a > b ? yes : no, in each lane; NaN is not greater. */
static inline vec v_greater(vec a, vec b, vec yes, vec no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
}
/* The nearest whole number. */
static inline vec v_round(vec a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a 2^k for whole k */
static inline vec v_scale2(vec a, vec k)
{
    return _mm512_scalef_ps(a, k);
}
/* Half of a and half of b in one register, folded into quarters: lane i with i + 8. One half of
 * each stays where it is, so that one shuffle does for two. */
static inline vec v_halves(vec a, vec b)
{
    return _mm512_add_ps(_mm512_mask_blend_ps(0xFF00, a, b), _mm512_shuffle_f32x4(a, b, 0x4E));
}
/* The same of quarters, ab and cd from v_halves: a lane i with i + 4. Quarters of a, c, b, d. */
static inline vec v_quarters(vec ab, vec cd)
{
    const __m512i others =
        _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
    return _mm512_add_ps(_mm512_mask_blend_ps(0xF0F0, ab, cd),
                         _mm512_permutex2var_ps(ab, others, cd));
}
/* The lane sums of a, b, c, d. Order: lane i with i + 8, then i + 4, i + 2, i + 1. */
static inline quad v_fold4(vec a, vec b, vec c, vec d)
{
    vec s = v_quarters(v_halves(a, b), v_halves(c, d));
    s = _mm512_add_ps(s, _mm512_permute_ps(s, 0x4E));
    s = _mm512_add_ps(s, _mm512_permute_ps(s, 0xB1));
    const __m512i corners = _mm512_setr_epi32(0, 8, 4, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(corners, s));
}
/* The lane sums of eight, the same numbers with half the shuffles. */
static inline void v_fold8(quad out[2], const vec s[8])
{
    const vec left = v_quarters(v_halves(s[0], s[1]), v_halves(s[2], s[3]));
    const vec right = v_quarters(v_halves(s[4], s[5]), v_halves(s[6], s[7]));
    vec both = _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, left, right),
                             _mm512_shuffle_ps(left, right, 0x4E));
    both = _mm512_add_ps(both, _mm512_permute_ps(both, 0xB1));
    const __m512i places = _mm512_setr_epi32(0, 8, 4, 12, 2, 10, 6, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256 sums = _mm512_castps512_ps256(_mm512_permutexvar_ps(places, both));
    out[0] = _mm256_castps256_ps128(sums);
    out[1] = _mm256_extractf128_ps(sums, 1);
}

/* LANES narrow numbers, widened. */
static inline vec v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline vec v_widen_bf16(__m256i half)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
static inline vec v_load_bf16(const uint16_t *p)
{
    return v_widen_bf16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline vec v_load_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
/* One. */
static inline float v_one_f16(const uint16_t *p)
{
    return _cvtsh_ss(*p);
}
/* The first n, zero in the others. */
static inline vec v_load_f16_n(const uint16_t *p, int n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p));
}
static inline vec v_load_bf16_n(const uint16_t *p, int n)
{
    return v_widen_bf16(_mm256_maskz_loadu_epi16(first(n), p));
}
static inline vec v_load_i8_n(const int8_t *p, int n)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first(n), p)));
}
/* Rounded to nearest, ties to even. */
static inline void v_store_f16(uint16_t *p, vec a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
/* Whole numbers in -127..127. */
static inline void v_store_i8(int8_t *p, vec a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}
/* The larger bit pattern: for numbers that are not negative the larger number, and NaN wins. */
static inline vec v_max_bits(vec a, vec b)
{
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
static inline float v_largest_bits(vec a)
{
    return _mm_cvtss_f32(
        _mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(_mm512_castps_si512(a)))));
}

#endif

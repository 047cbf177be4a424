/* SPDX-License-Identifier: MIT */
/* AVX2, FMA and F16C: eight lanes. Owns the v_ inlines of this level. */
#ifndef SMITIN_KERNELS_AVX2_VECTOR_H
#define SMITIN_KERNELS_AVX2_VECTOR_H

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "this file is compiled with AVX2, FMA and F16C"
#endif

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../lanes/send.h"
#include "quad.h"

typedef __m256 vec;
enum {
    LANES = 8,
    WIDE = 4, /* outputs of a tile: 3 x 4 sums, 3 + 1 operands, of 16 registers */
};

/* All bits in the first n lanes, n = 1..LANES. */
static inline __m256i first(int n)
{
    static const int32_t bits[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(bits + LANES - n));
}

static inline vec v_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vec v_set(float a)
{
    return _mm256_set1_ps(a);
}
static inline vec v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
/* a, in a register: else the compiler repeats the load of an operand in every product that uses it.
 */
static inline vec v_held(vec a)
{
    __asm__("" : "+x"(a));
    return a;
}
static inline vec v_load_n(const float *p, int n)
{
    return _mm256_maskload_ps(p, first(n));
}
static inline void v_store(float *p, vec a)
{
    _mm256_storeu_ps(p, a);
}
static inline void v_store_n(float *p, vec a, int n)
{
    _mm256_maskstore_ps(p, first(n), a);
}
/* The first n lanes of a, zero in the others. */
static inline vec v_keep(vec a, int n)
{
    return _mm256_and_ps(a, _mm256_castsi256_ps(first(n)));
}
static inline vec v_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}
/* a b + c */
static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vec v_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}
static inline vec v_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}
static inline float v_largest(vec a)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}
static inline vec v_abs(vec a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
/* The size of a with the sign of b; a is not negative. */
static inline vec v_signed(vec a, vec b)
{
    return _mm256_or_ps(a, _mm256_and_ps(b, _mm256_set1_ps(-0.0f)));
}
/* a > b ? yes : no, in each lane; NaN is not greater. */
static inline vec v_greater(vec a, vec b, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
/* The nearest whole number. */
static inline vec v_round(vec a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a 2^k for whole k in -252..252, in two steps because one exponent field does not reach that far.
 */
static inline vec v_scale2(vec a, vec k)
{
    const __m256i whole = _mm256_cvtps_epi32(k), half = _mm256_srai_epi32(whole, 1),
                  bias = _mm256_set1_epi32(127);
    const __m256i rest = _mm256_sub_epi32(whole, half);
    const vec p = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    const vec q = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(a, p), q);
}
/* The lane sums of a, b, c, d. Order: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). */
static inline quad v_fold4(vec a, vec b, vec c, vec d)
{
    const vec s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}
/* The lane sums of eight, the same numbers. */
static inline void v_fold8(quad out[2], const vec s[8])
{
    out[0] = v_fold4(s[0], s[1], s[2], s[3]);
    out[1] = v_fold4(s[4], s[5], s[6], s[7]);
}

/* LANES narrow numbers, widened. */
static inline vec v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vec v_load_bf16(const uint16_t *p)
{
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
static inline vec v_load_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}
/* One. */
static inline float v_one_f16(const uint16_t *p)
{
    return _cvtsh_ss(*p);
}
/* The first n, zero in the others; this level has no masked load of narrow numbers. */
static inline vec v_load_f16_n(const uint16_t *p, int n)
{
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * sizeof *p);
    return v_load_f16(whole);
}
static inline vec v_load_bf16_n(const uint16_t *p, int n)
{
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * sizeof *p);
    return v_load_bf16(whole);
}
static inline vec v_load_i8_n(const int8_t *p, int n)
{
    int8_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n);
    return v_load_i8(whole);
}
/* Rounded to nearest, ties to even. */
static inline void v_store_f16(uint16_t *p, vec a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
/* Whole numbers in -127..127. */
static inline void v_store_i8(int8_t *p, vec a)
{
    const __m256i whole = _mm256_cvtps_epi32(a);
    const __m128i pairs =
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(pairs, pairs));
}
/* The larger bit pattern: for numbers that are not negative the larger number, and NaN wins. */
static inline vec v_max_bits(vec a, vec b)
{
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
static inline float v_largest_bits(vec a)
{
    const __m256i bits = _mm256_castps_si256(a);
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4E));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xB1));
    return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

#endif

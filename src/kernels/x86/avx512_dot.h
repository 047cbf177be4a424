/* SPDX-License-Identifier: MIT */
/* Sixteen sums of products of four bytes: with INTEGER_DOT by one instruction, which takes weights
 * without sign (the stored bytes as they are; sm_block.shift takes the 128 back), else by three. */
#if defined(INTEGER_DOT) && !defined(__AVX512VNNI__)
#error "INTEGER_DOT needs AVX-512 VNNI"
#endif

enum { MANY = 8 }; /* rows at a time: 8 + 8 sums of 32 registers */

typedef __m512i ivec;

static inline vec i_float(ivec a)
{
    return _mm512_cvtepi32_ps(a);
}

/* Four activations, the same for every lane. */
static inline __m512i i_four(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* 64 half bytes as stored bytes: levels + 128. */
static inline __m512i i_look_up(const uint8_t *codes, bool upper)
{
    const __m512i levels = _mm512_xor_si512(
        _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)sm_q4_values)),
        _mm512_set1_epi8(-128));
    const __m512i both = _mm512_loadu_si512(codes);
    const __m512i half = upper ? _mm512_srli_epi16(both, 4) : both;
    return _mm512_shuffle_epi8(levels, _mm512_and_si512(half, _mm512_set1_epi8(15)));
}

#if defined(INTEGER_DOT)
typedef __m512i operand;

static inline ivec i_start(int32_t shift)
{
    return _mm512_set1_epi32(shift);
}
static inline operand i_operand(__m512i stored)
{
    return stored;
}
static inline ivec i_dot(ivec sum, operand w, const int8_t *x)
{
    return _mm512_dpbusd_epi32(sum, w, i_four(x));
}
#else
/* |w|, and where w is negative: x takes the sign. Pairs stay below 2 * 127 * 127 < 2^15. */
typedef struct operand {
    __m512i size;
    __mmask64 negative;
} operand;

static inline ivec i_start(int32_t shift)
{
    (void)shift;
    return _mm512_setzero_si512();
}
static inline operand i_operand(__m512i stored)
{
    const __m512i w = _mm512_xor_si512(stored, _mm512_set1_epi8(-128));
    const operand o = {_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
    return o;
}
static inline ivec i_dot(ivec sum, operand w, const int8_t *x)
{
    const __m512i four = i_four(x);
    const __m512i turned = _mm512_mask_sub_epi8(four, w.negative, _mm512_setzero_si512(), four);
    const __m512i pairs = _mm512_maddubs_epi16(w.size, turned);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#endif

static inline operand i_codes(const uint8_t *codes)
{
    return i_operand(_mm512_loadu_si512(codes));
}
static inline operand i_levels(const uint8_t *codes, bool upper)
{
    return i_operand(i_look_up(codes, upper));
}

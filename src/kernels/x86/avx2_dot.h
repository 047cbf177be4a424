/* SPDX-License-Identifier: MIT */
/* Eight sums of products of four bytes: with INTEGER_DOT by one instruction, which takes weights
 * without sign (the stored bytes as they are; sm_block.shift takes the 128 back), else by four. */
#if defined(INTEGER_DOT) && !defined(__AVXVNNI__)
#error "INTEGER_DOT needs AVX-VNNI"
#endif

enum { MANY = 4 }; /* rows at a time: 4 + 8 sums of 16 registers */

typedef __m256i ivec;

static inline vec i_float(ivec a)
{
    return _mm256_cvtepi32_ps(a);
}

/* Four activations, the same for every lane. */
static inline __m256i i_four(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline __m256i i_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* 32 half bytes as stored bytes: levels + 128. */
static inline __m256i i_look_up(const uint8_t *codes, bool upper)
{
    const __m256i levels = _mm256_xor_si256(
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)sm_q4_values)),
        _mm256_set1_epi8(-128));
    const __m256i both = i_load(codes);
    const __m256i half = upper ? _mm256_srli_epi16(both, 4) : both;
    return _mm256_shuffle_epi8(levels, _mm256_and_si256(half, _mm256_set1_epi8(15)));
}

#if defined(INTEGER_DOT)
typedef __m256i operand;

static inline ivec i_start(int32_t shift)
{
    return _mm256_set1_epi32(shift);
}
static inline operand i_operand(__m256i stored)
{
    return stored;
}
static inline ivec i_dot(ivec sum, operand w, const int8_t *x)
{
    return _mm256_dpbusd_avx_epi32(sum, w, i_four(x));
}
#else
/* w and |w|: x takes the sign of w. Pairs stay below 2 * 127 * 127 < 2^15. */
typedef struct operand {
    __m256i size, w;
} operand;

static inline ivec i_start(int32_t shift)
{
    (void)shift;
    return _mm256_setzero_si256();
}
static inline operand i_operand(__m256i stored)
{
    const __m256i w = _mm256_xor_si256(stored, _mm256_set1_epi8(-128));
    const operand o = {_mm256_abs_epi8(w), w};
    return o;
}
static inline ivec i_dot(ivec sum, operand w, const int8_t *x)
{
    const __m256i pairs = _mm256_maddubs_epi16(w.size, _mm256_sign_epi8(i_four(x), w.w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif

static inline operand i_codes(const uint8_t *codes)
{
    return i_operand(i_load(codes));
}
static inline operand i_levels(const uint8_t *codes, bool upper)
{
    return i_operand(i_look_up(codes, upper));
}

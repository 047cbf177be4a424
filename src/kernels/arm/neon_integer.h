/* SPDX-License-Identifier: MIT */
/* Eight sums of products of four bytes: with INTEGER_DOT by one instruction for each four, else by
 * four. Both are exact, so both levels give the same bits. */
#if defined(INTEGER_DOT) && !defined(__ARM_FEATURE_DOTPROD)
#error "INTEGER_DOT needs the dot product instructions"
#endif

enum { MANY = 4 }; /* rows at a time: 4 x 2 x (2 + 1) sums of 32 registers */

typedef struct ivec {
    int32x4_t low, high;
} ivec;
typedef struct operand {
    int8x16_t low, high;
} operand;

static inline vec i_float(ivec a)
{
    return v_pair(vcvtq_f32_s32(a.low), vcvtq_f32_s32(a.high));
}

/* Weights have their sign here, so there is no shift to take back. */
static inline ivec i_start(int32_t shift)
{
    const ivec zero = {vdupq_n_s32(0), vdupq_n_s32(0)};
    (void)shift;
    return zero;
}

/* sum[i] += w[4 i] x[4 i] + ... + w[4 i + 3] x[4 i + 3]. Pairs stay below 2 * 128 * 127 < 2^15. */
static inline int32x4_t fours(int32x4_t sum, int8x16_t w, int8x16_t x)
{
#if defined(INTEGER_DOT)
    return vdotq_s32(sum, w, x);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
#endif
}

static inline ivec i_dot(ivec sum, operand w, const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    const int8x16_t all = vreinterpretq_s8_s32(vdupq_n_s32(four));
    const ivec next = {fours(sum.low, w.low, all), fours(sum.high, w.high, all)};
    return next;
}

/* Stored bytes, 128 more than the weights. */
static inline operand i_codes(const uint8_t *codes)
{
    const uint8x16_t sign = vdupq_n_u8(128);
    const operand w = {vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes), sign)),
                       vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + 16), sign))};
    return w;
}

static inline int8x16_t look_up(uint8x16_t both, bool upper)
{
    const uint8x16_t half = upper ? vshrq_n_u8(both, 4) : vandq_u8(both, vdupq_n_u8(15));
    return vqtbl1q_s8(vld1q_s8(sm_q4_values), half);
}

/* What 32 half bytes stand for. */
static inline operand i_levels(const uint8_t *codes, bool upper)
{
    const operand w = {look_up(vld1q_u8(codes), upper), look_up(vld1q_u8(codes + 16), upper)};
    return w;
}

/* SPDX-License-Identifier: MIT */
/* NEON of every AArch64: eight lanes in two registers. Owns the v_ and q_ inlines of the ARM
 * levels. Eight, because two registers load as one, half as many additions follow one another, and
 * lanes fold in the order of avx2: both levels give the same bits. */
#ifndef SMITIN_KERNELS_NEON_VECTOR_H
#define SMITIN_KERNELS_NEON_VECTOR_H

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "this file is compiled for AArch64 with NEON"
#endif

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../lanes/send.h"

typedef struct vec {
    float32x4_t low, high;
} vec;
enum {
    LANES = 8,
    WIDE = 4, /* outputs of a tile: 3 x 4 sums, 3 + 1 operands, of 32 registers, two each */
};

typedef float32x4_t quad;

static inline quad q_zero(void)
{
    return vdupq_n_f32(0.0f);
}
static inline quad q_set(float a)
{
    return vdupq_n_f32(a);
}
static inline quad q_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void q_store(float *p, quad a)
{
    vst1q_f32(p, a);
}
static inline quad q_add(quad a, quad b)
{
    return vaddq_f32(a, b);
}
static inline quad q_mul(quad a, quad b)
{
    return vmulq_f32(a, b);
}
static inline float q_first(quad a)
{
    return vgetq_lane_f32(a, 0);
}
/* Order: (0 + 2) + (1 + 3). */
static inline float q_sum(quad a)
{
    return vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)));
}

static inline vec v_pair(float32x4_t low, float32x4_t high)
{
    const vec a = {low, high};
    return a;
}
/* An instruction of one or two operands on both registers. */
#define V_BOTH(does, a)     v_pair(does((a).low), does((a).high))
#define V_BOTH2(does, a, b) v_pair(does((a).low, (b).low), does((a).high, (b).high))

static inline vec v_set(float a)
{
    return v_pair(vdupq_n_f32(a), vdupq_n_f32(a));
}
static inline vec v_zero(void)
{
    return v_set(0.0f);
}
static inline vec v_load(const float *p)
{
    return v_pair(vld1q_f32(p), vld1q_f32(p + 4));
}
/* a, in registers: else the compiler repeats the load of an operand in every product that uses it.
 */
static inline vec v_held(vec a)
{
    __asm__("" : "+w"(a.low), "+w"(a.high));
    return a;
}
static inline void v_store(float *p, vec a)
{
    vst1q_f32(p, a.low);
    vst1q_f32(p + 4, a.high);
}
/* The first n, zero in the others; this level has no masked loads and stores. */
static inline vec v_load_n(const float *p, int n)
{
    if (n == LANES) return v_load(p);
    float whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * sizeof *p);
    return v_load(whole);
}
static inline void v_store_n(float *p, vec a, int n)
{
    if (n == LANES) {
        v_store(p, a);
        return;
    }
    float whole[LANES];
    v_store(whole, a);
    memcpy(p, whole, (size_t)n * sizeof *p);
}
/* The first n lanes of a, zero in the others. */
static inline vec v_keep(vec a, int n)
{
    static const uint32_t bits[2 * LANES] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const uint32_t *first = bits + LANES - n;
    return v_pair(
        vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.low), vld1q_u32(first))),
        vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.high), vld1q_u32(first + 4))));
}
static inline vec v_add(vec a, vec b)
{
    return V_BOTH2(vaddq_f32, a, b);
}
static inline vec v_sub(vec a, vec b)
{
    return V_BOTH2(vsubq_f32, a, b);
}
static inline vec v_mul(vec a, vec b)
{
    return V_BOTH2(vmulq_f32, a, b);
}
static inline vec v_div(vec a, vec b)
{
    return V_BOTH2(vdivq_f32, a, b);
}
/* a b + c */
static inline vec v_fma(vec a, vec b, vec c)
{
    return v_pair(vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high));
}
static inline vec v_min(vec a, vec b)
{
    return V_BOTH2(vminq_f32, a, b);
}
static inline vec v_max(vec a, vec b)
{
    return V_BOTH2(vmaxq_f32, a, b);
}
static inline float v_largest(vec a)
{
    return vmaxvq_f32(vmaxq_f32(a.low, a.high));
}
static inline vec v_abs(vec a)
{
    return V_BOTH(vabsq_f32, a);
}
/* The size of a with the sign of b; a is not negative. */
static inline vec v_signed(vec a, vec b)
{
    const uint32x4_t sign = vdupq_n_u32(0x80000000u);
    return v_pair(vbslq_f32(sign, b.low, a.low), vbslq_f32(sign, b.high, a.high));
}
/* a > b ? yes : no, in each lane; NaN is not greater. */
static inline vec v_greater(vec a, vec b, vec yes, vec no)
{
    return v_pair(vbslq_f32(vcgtq_f32(a.low, b.low), yes.low, no.low),
                  vbslq_f32(vcgtq_f32(a.high, b.high), yes.high, no.high));
}
/* The nearest whole number. */
static inline vec v_round(vec a)
{
    return V_BOTH(vrndnq_f32, a);
}
/* a 2^k for whole k in -252..252, in two steps because one exponent field does not reach that far.
 */
static inline float32x4_t scale2(float32x4_t a, float32x4_t k)
{
    const int32x4_t whole = vcvtnq_s32_f32(k), half = vshrq_n_s32(whole, 1),
                    bias = vdupq_n_s32(127);
    const int32x4_t rest = vsubq_s32(whole, half);
    const float32x4_t p = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
    const float32x4_t q = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23));
    return vmulq_f32(vmulq_f32(a, p), q);
}
static inline vec v_scale2(vec a, vec k)
{
    return V_BOTH2(scale2, a, k);
}
/* The lane sums of a, b, c, d. Order: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). */
static inline quad v_fold4(vec a, vec b, vec c, vec d)
{
    return vaddq_f32(vpaddq_f32(vpaddq_f32(a.low, b.low), vpaddq_f32(c.low, d.low)),
                     vpaddq_f32(vpaddq_f32(a.high, b.high), vpaddq_f32(c.high, d.high)));
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
    const float16x8_t half = vreinterpretq_f16_u16(vld1q_u16(p));
    return v_pair(vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half));
}
static inline vec v_load_bf16(const uint16_t *p)
{
    const uint16x8_t half = vld1q_u16(p);
    return v_pair(vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(half), 16)),
                  vreinterpretq_f32_u32(vshll_high_n_u16(half, 16)));
}
static inline vec v_load_i8(const int8_t *p)
{
    const int16x8_t whole = vmovl_s8(vld1_s8(p));
    return v_pair(vcvtq_f32_s32(vmovl_s16(vget_low_s16(whole))),
                  vcvtq_f32_s32(vmovl_high_s16(whole)));
}
/* One. */
static inline float v_one_f16(const uint16_t *p)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(*p))), 0);
}
/* The first n, zero in the others. */
static inline vec v_load_f16_n(const uint16_t *p, int n)
{
    if (n == LANES) return v_load_f16(p);
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * sizeof *p);
    return v_load_f16(whole);
}
static inline vec v_load_bf16_n(const uint16_t *p, int n)
{
    if (n == LANES) return v_load_bf16(p);
    uint16_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n * sizeof *p);
    return v_load_bf16(whole);
}
static inline vec v_load_i8_n(const int8_t *p, int n)
{
    if (n == LANES) return v_load_i8(p);
    int8_t whole[LANES] = {0};
    memcpy(whole, p, (size_t)n);
    return v_load_i8(whole);
}
/* Rounded to nearest, ties to even. */
static inline void v_store_f16(uint16_t *p, vec a)
{
    vst1q_u16(p, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(a.low), a.high)));
}
/* Whole numbers in -127..127. */
static inline void v_store_i8(int8_t *p, vec a)
{
    const int16x8_t whole =
        vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a.low)), vqmovn_s32(vcvtnq_s32_f32(a.high)));
    vst1_s8(p, vqmovn_s16(whole));
}
/* The larger bit pattern: for numbers that are not negative the larger number, and NaN wins. */
static inline vec v_max_bits(vec a, vec b)
{
    return v_pair(vreinterpretq_f32_s32(
                      vmaxq_s32(vreinterpretq_s32_f32(a.low), vreinterpretq_s32_f32(b.low))),
                  vreinterpretq_f32_s32(
                      vmaxq_s32(vreinterpretq_s32_f32(a.high), vreinterpretq_s32_f32(b.high))));
}
static inline float v_largest_bits(vec a)
{
    const int32_t bits =
        vmaxvq_s32(vmaxq_s32(vreinterpretq_s32_f32(a.low), vreinterpretq_s32_f32(a.high)));
    return vgetq_lane_f32(vreinterpretq_f32_s32(vdupq_n_s32(bits)), 0);
}

#endif

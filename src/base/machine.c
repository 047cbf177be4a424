/* SPDX-License-Identifier: MIT */
/* Owns the loops that show what registers can do. */
#include "machine.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { CHAINS = 12, ROUNDS = 1 << 20 }; /* more chains than latency x units of any such CPU */

/* Both return a value that depends on every operation, so that none can be left out. */
__attribute__((target("avx2,fma"))) static float chains_avx2(void)
{
    __m256 s[CHAINS];
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) s[i] = _mm256_set1_ps((float)i);
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) s[i] = _mm256_fmadd_ps(s[i], a, b);
    }
    for (int i = 1; i < CHAINS; i++) s[0] = _mm256_add_ps(s[0], s[i]);
    return _mm256_cvtss_f32(s[0]);
}

__attribute__((target("avx512f"))) static float chains_avx512(void)
{
    __m512 s[CHAINS];
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) s[i] = _mm512_set1_ps((float)i);
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) s[i] = _mm512_fmadd_ps(s[i], a, b);
    }
    for (int i = 1; i < CHAINS; i++) s[0] = _mm512_add_ps(s[0], s[i]);
    return _mm512_cvtss_f32(s[0]);
}

int sm_machine_lanes(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return 16;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 8 : 0;
}

double sm_machine_multiply_add(int lanes)
{
    volatile float sink = lanes == 16 ? chains_avx512() : lanes == 8 ? chains_avx2() : 0.0f;
    (void)sink;
    return 2.0 * CHAINS * ROUNDS * lanes;
}
#elif defined(__aarch64__)
#include <arm_neon.h>

enum { CHAINS = 24, ROUNDS = 1 << 20 }; /* more chains than latency x units of any such CPU */

int sm_machine_lanes(void)
{
    return 4;
}

/* The value depends on every operation, so that none can be left out. */
double sm_machine_multiply_add(int lanes)
{
    float32x4_t s[CHAINS];
    const float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.001f);
    if (lanes != 4) return 0.0;
    for (int i = 0; i < CHAINS; i++) s[i] = vdupq_n_f32((float)i);
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++) s[i] = vfmaq_f32(b, s[i], a);
    }
    for (int i = 1; i < CHAINS; i++) s[0] = vaddq_f32(s[0], s[i]);
    volatile float sink = vgetq_lane_f32(s[0], 0);
    (void)sink;
    return 2.0 * CHAINS * ROUNDS * lanes;
}
#else
int sm_machine_lanes(void)
{
    return 0;
}

double sm_machine_multiply_add(int lanes)
{
    (void)lanes;
    return 0.0;
}
#endif

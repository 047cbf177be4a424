/* SPDX-License-Identifier: MIT */
/* Owns the measurements of the bare machine. */
#include "machine.h"

#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

double machine_seconds(int threads)
{
    struct timespec now;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__)
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

double machine_peak(sm_cpu_level level)
{
    if (level == SM_CPU_REF) return 0.0;
    double best = 1e30;
    volatile float sink = 0.0f;
    for (int repeat = 0; repeat < 15; repeat++) {
        const double start = machine_seconds(1);
        sink = level >= SM_CPU_AVX512 ? chains_avx512() : chains_avx2();
        const double taken = machine_seconds(1) - start;
        if (taken < best) best = taken;
    }
    (void)sink;
    return 2.0 * CHAINS * ROUNDS * (level >= SM_CPU_AVX512 ? 16 : 8) / best;
}
#else
double machine_peak(sm_cpu_level level)
{
    (void)level;
    return 0.0;
}
#endif

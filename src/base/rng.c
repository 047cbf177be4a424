/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers: Philox 4x32-10. No state. */
#include "rng.h"

#include <math.h>

void sm_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the Weyl sequence of the key: golden ratio and sqrt(3) - 1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The fourth counter word parts uniform from normal numbers at one position. */
enum { KIND_UNIFORM = 0, KIND_NORMAL = 1 };

static void words_at(uint64_t seed, uint32_t a, uint32_t b, uint32_t c, uint32_t kind,
                     uint32_t out[4])
{
    const uint32_t counter[4] = {a, b, c, kind};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    sm_philox4x32(counter, key, out);
}

/* 53 of 64 random bits as a double in [0, 1): exact, every value a multiple of 2^-53. */
static double unit_interval(uint32_t high, uint32_t low)
{
    const uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return (double)bits * 0x1p-53;
}

double sm_uniform(uint64_t seed, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t w[4];
    words_at(seed, a, b, c, KIND_UNIFORM, w);
    return unit_interval(w[0], w[1]);
}

double sm_normal(uint64_t seed, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t w[4];
    words_at(seed, a, b, c, KIND_NORMAL, w);
    const double two_pi = 6.283185307179586476925;
    /* 1 - u is in (0, 1], so the logarithm is finite. */
    const double radius = sqrt(-2.0 * log(1.0 - unit_interval(w[0], w[1])));
    return radius * cos(two_pi * unit_interval(w[2], w[3]));
}

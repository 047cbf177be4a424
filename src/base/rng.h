/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers (Philox 4x32 with 10 rounds; Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011). The same (seed, stream, counter) gives the same number
 * whatever ran before it and on any thread. */
#ifndef SMITIN_BASE_RNG_H
#define SMITIN_BASE_RNG_H

#include <stdint.h>

/* Four 32-bit words for one counter. */
void sm_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A double in [0, 1) with 53 random bits, for `seed` and a position (stream a, b, c).
 * Sampling uses a = column, b = codebook, c = purpose (enum below). */
double sm_uniform(uint64_t seed, uint32_t a, uint32_t b, uint32_t c);

/* A standard normal number (Box-Muller) at the same kind of position. */
double sm_normal(uint64_t seed, uint32_t a, uint32_t b, uint32_t c);

/* What a stream is used for, so that two uses never share numbers. */
enum {
    SM_RNG_SAMPLE = 0,
    SM_RNG_DIRECTION = 1,
    SM_RNG_DATA = 2,
    SM_RNG_GATE = 3,
    SM_RNG_TEST = 4,
    SM_RNG_EVAL = 5
};

#endif

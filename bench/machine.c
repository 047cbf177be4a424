/* SPDX-License-Identifier: MIT */
/* Owns the measurements of the bare machine. */
#include "machine.h"

#include <time.h>

#include "../src/base/machine.h"

double machine_seconds(int threads)
{
    struct timespec now;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double machine_peak(sm_cpu_level level)
{
    if (level == SM_CPU_REF || sm_machine_lanes() == 0) return 0.0;
    const bool wide = level == SM_CPU_AVX512 || level == SM_CPU_AVX512_VNNI,
               arm = level == SM_CPU_NEON || level == SM_CPU_NEON_DOT;
    const int lanes = wide ? 16 : arm ? 4 : 8;
    double best = 0.0;
    for (int repeat = 0; repeat < 15; repeat++) {
        const double start = machine_seconds(1), done = sm_machine_multiply_add(lanes);
        const double rate = done / (machine_seconds(1) - start);
        if (rate > best) best = rate;
    }
    return best;
}

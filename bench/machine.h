/* SPDX-License-Identifier: MIT */
/* What the machine can do at best, measured in the same run as the kernels. */
#ifndef SMITIN_BENCH_MACHINE_H
#define SMITIN_BENCH_MACHINE_H

#include "../src/kernels/kernels.h"

/* Seconds of a clock that only moves forward: for one thread the time it had a core, so that other
 * programs count less; for several the time that passed. */
double machine_seconds(int threads);

/* f32 operations per second of one core that multiplies and adds registers of this level, two for
 * each multiply-add; 0 for the plain C level, which has no such instruction of its own. */
double machine_peak(sm_cpu_level level);

#endif

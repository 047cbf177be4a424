/* SPDX-License-Identifier: MIT */
/* Where the time of a pass goes: a stopwatch that is read after every part of it. The whole of the
 * time between two readings belongs to one part, so the parts add up to the pass. */
#ifndef SMITIN_LM_PROFILE_H
#define SMITIN_LM_PROFILE_H

#include <smitin/smitin.h>
#include <stddef.h>

typedef struct sm_profiler {
    smitin_profile *sums; /* NULL: nobody asks, and nothing is read */
    double last;          /* seconds of a clock that only moves forward */
} sm_profiler;

/* What follows counts from now. */
void sm_profile_begin(sm_profiler *profiler);
/* What has passed since the last reading belongs to `part`, which had to read `bytes`. */
void sm_profile_lap(sm_profiler *profiler, smitin_part part, size_t bytes);

#endif

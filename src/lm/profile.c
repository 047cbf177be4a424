/* SPDX-License-Identifier: MIT */
/* Owns the stopwatch and the names of the parts. */
#include "profile.h"

#include "../base/clock.h"

const char *smitin_part_name(smitin_part part)
{
    static const char *const names[SMITIN_PARTS] = {
        [SMITIN_PART_EMBED] = "embedding",
        [SMITIN_PART_NORMS] = "norms",
        [SMITIN_PART_QKV] = "q, k, v",
        [SMITIN_PART_STORE] = "into the cache",
        [SMITIN_PART_ATTENTION] = "attention",
        [SMITIN_PART_OUT] = "out",
        [SMITIN_PART_CROSS_Q] = "cross q",
        [SMITIN_PART_CROSS_ATTENTION] = "cross attention",
        [SMITIN_PART_CROSS_OUT] = "cross out",
        [SMITIN_PART_FC1] = "fc1",
        [SMITIN_PART_FC2] = "fc2",
        [SMITIN_PART_LOGITS] = "logits",
        [SMITIN_PART_SUMS] = "residual sums",
        [SMITIN_PART_KNOBS] = "knobs",
        [SMITIN_PART_SAMPLING] = "sampling",
        [SMITIN_PART_REST] = "rest",
    };
    return (unsigned)part < SMITIN_PARTS ? names[part] : NULL;
}

void sm_profile_begin(sm_profiler *profiler)
{
    if (profiler->sums != NULL) profiler->last = sm_clock();
}

void sm_profile_lap(sm_profiler *profiler, smitin_part part, size_t bytes)
{
    if (profiler->sums == NULL) return;
    const double time = sm_clock();
    profiler->sums->seconds[part] += time - profiler->last;
    profiler->sums->bytes[part] += (double)bytes;
    profiler->last = time;
}

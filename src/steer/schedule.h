/* SPDX-License-Identifier: MIT */
/* The strength over time: a factor f on every gain of a knob. No model, no memory, no state.
 *
 *     up      f = (n - from) / (to - from)        clamped to 0..1
 *     down    f = 1 - (n - from) / (to - from)    clamped to 0..1
 *     window  f = 1 for from <= n < to, else 0
 *
 * n counts the generated frames from 0; times in seconds go to the nearest frame. */
#ifndef SMITIN_STEER_SCHEDULE_H
#define SMITIN_STEER_SCHEDULE_H

#include <smitin/smitin.h>

typedef struct sm_schedule {
    smitin_schedule shape;
    double from, to; /* frames; to > from */
} sm_schedule;

/* Whether the times make sense for a piece of any length. */
smitin_status sm_schedule_check(const smitin_steering *settings, smitin_error *error);
/* For `frames` generated frames. SMITIN_ERROR_ARGUMENT when none of them lies behind `from`.
 * Settings must have passed sm_schedule_check. */
smitin_status sm_schedule_init(sm_schedule *schedule, const smitin_steering *settings,
                               double frame_rate, int frames, smitin_error *error);
double sm_schedule_factor(const sm_schedule *schedule, int frame);

#endif

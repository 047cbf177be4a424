/* SPDX-License-Identifier: MIT */
/* Owns how a strength changes over the generated part. */
#include "schedule.h"

#include <math.h>
#include "../base/error.h"

smitin_status sm_schedule_check(const smitin_steering *settings, smitin_error *error)
{
    const double from = (double)settings->schedule_from, to = (double)settings->schedule_to;
    if (settings->schedule == SMITIN_SCHEDULE_CONSTANT) return SMITIN_OK;
    if (!(from >= 0.0 && isfinite(from)))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a schedule cannot begin at %g s; 0 is where the model starts to play",
                       from);
    if (to != 0.0 && !(to > from && isfinite(to)))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a schedule that begins at %g s cannot end at %g s; give a later end, or 0 "
                       "for the end of the piece",
                       from, to);
    if (settings->schedule == SMITIN_SCHEDULE_WINDOW && from == 0.0 && to == 0.0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a window of the schedule needs a beginning or an end in seconds; without "
                       "both it is the whole piece");
    return SMITIN_OK;
}

smitin_status sm_schedule_init(sm_schedule *schedule, const smitin_steering *settings,
                               double frame_rate, int frames, smitin_error *error)
{
    const bool open = settings->schedule_to == 0.0f;
    *schedule = (sm_schedule){.shape = settings->schedule, .to = frames};
    if (schedule->shape == SMITIN_SCHEDULE_CONSTANT) return SMITIN_OK;
    schedule->from = round((double)settings->schedule_from * frame_rate);
    if (schedule->from >= frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the schedule begins at %g s, but only %g s are made; begin earlier or make "
                       "a longer piece",
                       (double)settings->schedule_from, frames / frame_rate);
    if (!open)
        schedule->to =
            fmax(round((double)settings->schedule_to * frame_rate), schedule->from + 1.0);
    /* The delayed codebooks of the last frames come after the end, and belong to the window. */
    else if (schedule->shape == SMITIN_SCHEDULE_WINDOW)
        schedule->to = (double)INFINITY;
    return SMITIN_OK;
}

double sm_schedule_factor(const sm_schedule *schedule, int frame)
{
    const double n = frame, from = schedule->from, to = schedule->to;
    if (schedule->shape == SMITIN_SCHEDULE_CONSTANT) return 1.0;
    if (schedule->shape == SMITIN_SCHEDULE_WINDOW) return n >= from && n < to ? 1.0 : 0.0;
    const double up = fmin(fmax((n - from) / (to - from), 0.0), 1.0);
    return schedule->shape == SMITIN_SCHEDULE_UP ? up : 1.0 - up;
}

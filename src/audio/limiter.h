/* SPDX-License-Identifier: MIT */
/* A true-peak limiter with look-ahead, for files and streams alike: what comes out depends on the
 * samples only, not on how they are cut into blocks. */
#ifndef SMITIN_AUDIO_LIMITER_H
#define SMITIN_AUDIO_LIMITER_H

#include <stddef.h>
#include "../base/error.h"

/* Where music for listeners is held: a decibel of room for lossy formats and cheap converters. */
#define SM_LIMITER_CEILING_DB (-1.0)

typedef struct sm_limiter sm_limiter;

/* Holds the true peak of `channels` linked channels at `rate` Hz at or below `ceiling_db` dBTP
 * (-40..0). Peaks are found between the samples too, 16 places each. The gain goes down over 5 ms
 * before a peak and back with a time constant of 100 ms. Where no peak has been above the ceiling
 * samples pass bit for bit. All memory is taken here. */
smitin_status sm_limiter_new(sm_limiter **limiter, int channels, int rate, double ceiling_db,
                             smitin_error *error);
void sm_limiter_free(sm_limiter *limiter); /* NULL is allowed */

/* Frames by which the output is late: some 6 ms. */
size_t sm_limiter_delay(const sm_limiter *limiter);
/* in [frames, channels] -> out, at most as many; returns how many: all but the first `delay` frames
 * of a piece come at once. out may be in. */
size_t sm_limiter_run(sm_limiter *limiter, const float *in, size_t frames, float *out);
/* The piece has ended: the frames still inside, at most `delay`. The limiter is then as new. */
size_t sm_limiter_finish(sm_limiter *limiter, float *out);
/* The lowest gain so far in this piece, in dB; 0 when nothing was changed. Readable until the next
 * piece begins. */
double sm_limiter_lowest_db(const sm_limiter *limiter);

#endif

/* SPDX-License-Identifier: MIT */
/* Clips of pieces for outside listeners, people or programs: cut, and brought to one loudness. */
#ifndef SMITIN_EVAL_EXCERPT_H
#define SMITIN_EVAL_EXCERPT_H

#include "../base/error.h"

typedef struct sm_excerpt_options {
    double skip;    /* seconds left out at the beginning: the prompt */
    double seconds; /* of the clip; < 0: to the end */
    double lufs;    /* NAN: as loud as it is */
    int rate;       /* Hz; 0: the file's */
} sm_excerpt_options;

typedef struct sm_excerpt {
    float *samples; /* [frames, channels]; owned */
    size_t frames;
    int channels, rate;
    double seconds;
    double lufs_before, lufs; /* LUFS, before and after; -HUGE_VAL for silence or under 0.4 s */
    double gain_db;
    double peak_db;    /* largest sample in dBFS with the gain, before the limiter */
    double limited_db; /* the limiter's lowest gain, 0 when it had nothing to do */
} sm_excerpt;

/* One gain, and a true-peak limiter at -1 dBTP where the loudness asks for more than fits (it takes
 * at most 12 dB; what is out of reach shows in `lufs`). Without a target only a clip with samples
 * beyond 1 is limited. */
smitin_status sm_excerpt_make(sm_excerpt *clip, const char *path, const sm_excerpt_options *options,
                              smitin_error *error);
void sm_excerpt_free(sm_excerpt *clip); /* safe on a zeroed struct */

#endif

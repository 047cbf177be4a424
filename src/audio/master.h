/* SPDX-License-Identifier: MIT */
/* From a model's samples to what is heard: another rate, a length to the sample, a loudness, peaks
 * held. For files and streams alike: what comes out depends on the samples only, not on how they
 * are cut into blocks.
 *
 *     resample -> cut -> gain -> limit
 *
 * The gain is constant, or it follows the loudness of what was heard so far. */
#ifndef SMITIN_AUDIO_MASTER_H
#define SMITIN_AUDIO_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/error.h"

#define SM_MASTER_LUFS_MIN (-60.0)
#define SM_MASTER_LUFS_MAX (-5.0)
/* Of the running gain: it moves at most so fast, in dB a second, and stays within so many dB. */
#define SM_MASTER_SLEW     3.0
#define SM_MASTER_GAIN_MAX 24.0
/* The most that a gain found for a target lets the limiter take away, in dB. */
#define SM_MASTER_LIMITED_MAX 12.0

typedef struct sm_master sm_master;

typedef struct sm_master_options {
    int channels;
    int rate, out_rate; /* Hz; equal: samples pass without a change */
    size_t frames;      /* exactly as many come out: more are cut, a few missing ones are zeros */
    double gain_db;     /* constant; 0: none */
    double lufs;        /* NAN: a constant gain. Else the running target: the gain goes to `lufs`
                         * less the integrated loudness so far, at most SM_MASTER_SLEW dB a second,
                         * from 0 dB on */
    bool limit;         /* hold true peaks at SM_LIMITER_CEILING_DB */
} sm_master_options;

/* Frames at out_rate that `frames` at rate are. */
size_t sm_master_frames(size_t frames, int rate, int out_rate);

/* Takes what comes out, [frames, channels]. */
typedef smitin_status (*sm_master_sink)(void *user, const float *samples, size_t frames,
                                        smitin_error *error);

smitin_status sm_master_new(sm_master **master, const sm_master_options *options,
                            sm_master_sink sink, void *user, smitin_error *error);
void sm_master_free(sm_master *master); /* NULL is allowed */
/* The next `frames` frames; `sink` is called for what is final by now. */
smitin_status sm_master_push(sm_master *master, const float *samples, size_t frames,
                             smitin_error *error);
/* No more follow: the rest comes out. */
smitin_status sm_master_finish(sm_master *master, smitin_error *error);

/* Of what came out: integrated loudness in LUFS (-HUGE_VAL for silence or less than 0.4 s) and the
 * limiter's lowest gain in dB. */
smitin_status sm_master_lufs(const sm_master *master, double *lufs, smitin_error *error);
double sm_master_limited_db(const sm_master *master);

/* The constant gain that brings samples [frames, channels] to `target` LUFS behind the limiter.
 * Loud targets make the limiter work, but not beyond SM_MASTER_LIMITED_MAX; they may be out of
 * reach: *reached is what comes out. Silence keeps a gain of 0. */
smitin_status sm_master_find_gain(const float *samples, size_t frames, int channels, int rate,
                                  double target, double *gain_db, double *reached,
                                  smitin_error *error);

#endif

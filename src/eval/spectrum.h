/* SPDX-License-Identifier: MIT */
/* Spectra of windows of samples, and bands on the mel scale. */
#ifndef SMITIN_EVAL_SPECTRUM_H
#define SMITIN_EVAL_SPECTRUM_H

#include "../base/error.h"

typedef struct sm_spectrum sm_spectrum;

/* Hann's window (of a period), even, 16..65536 samples. */
smitin_status sm_spectrum_new(sm_spectrum **spectrum, int window, smitin_error *error);
void sm_spectrum_free(sm_spectrum *spectrum); /* NULL is allowed */
/* magnitude [window / 2 + 1] of x [window], so scaled that a sine of amplitude 1 gives about 1. */
void sm_spectrum_run(sm_spectrum *spectrum, const float *x, float *magnitude);

/* filters [bands, window / 2 + 1]: triangles of height 1, evenly spaced on the HTK mel scale from
 * `low` Hz to half the rate. */
void sm_mel_filters(float *filters, int bands, int window, int rate, double low);
/* mel [bands] of one magnitude spectrum, log10 of each band's sum clamped at 1e-4, / 4 + 1: 0 at
 * -80 dB, about 1 at full scale. */
void sm_mel_apply(float *mel, const float *filters, const float *magnitude, int bands, int window);

#endif

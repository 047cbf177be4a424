/* SPDX-License-Identifier: MIT */
/* Pictures of sound: level over time and pitch. */
#ifndef SMITIN_EVAL_SPECTROGRAM_H
#define SMITIN_EVAL_SPECTROGRAM_H

#include <stddef.h>
#include "../base/error.h"

#define SM_SPECTROGRAM_BANDS 128
#define SM_SPECTROGRAM_LOW   40.0  /* Hz, where the lowest band begins */
#define SM_SPECTROGRAM_FLOOR -80.0 /* dB, black; 0 dB is a sine of amplitude 1 */

/* Mel bands over time as PNG bytes, to free(): SM_SPECTROGRAM_BANDS pixels high, low pitches below,
 * one of `width` columns for each 1/width of `seconds`; what lies behind the end of samples [count]
 * stays black, so that pieces of different length share a scale. Spectra of 2048 samples at
 * `rate` Hz; a column shows the loudest of the spectra in it. The colours rise in lightness, so
 * they read in grey, too. */
smitin_status sm_spectrogram_png(unsigned char **png, size_t *size, const float *samples,
                                 size_t count, int rate, double seconds, int width,
                                 smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* Owns measuring levels: RMS, and loudness after EBU R 128 (libebur128). */
#include <math.h>
#include <ebur128.h>
#include "audio.h"

smitin_status sm_audio_loudness(const float *samples, size_t frames, int channels, int rate,
                                double *lufs, smitin_error *error)
{
    *lufs = -HUGE_VAL;
    if (channels < 1 || channels > SM_AUDIO_CHANNELS_MAX || rate < SM_AUDIO_RATE_MIN ||
        rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot measure the loudness of %d channels at %d Hz", channels, rate);
    ebur128_state *meter = ebur128_init((unsigned)channels, (unsigned long)rate, EBUR128_MODE_I);
    if (meter == NULL) return sm_fail_memory(error, "a loudness meter", 0);
    int code = ebur128_add_frames_float(meter, samples, frames);
    if (code == EBUR128_SUCCESS) code = ebur128_loudness_global(meter, lufs);
    ebur128_destroy(&meter);
    if (code != EBUR128_SUCCESS) return sm_fail_memory(error, "a loudness meter", 0);
    return SMITIN_OK;
}

double sm_audio_rms_db(const float *samples, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)samples[i] * (double)samples[i];
    return sum > 0.0 ? 10.0 * log10(sum / (double)count) : -HUGE_VAL;
}

/* SPDX-License-Identifier: MIT */
/* Owns measuring levels: RMS, and loudness after EBU R 128 (libebur128). */
#include <math.h>
#include <stdlib.h>
#include <ebur128.h>
#include "audio.h"

struct sm_meter {
    ebur128_state *state;
};

smitin_status sm_meter_new(sm_meter **meter, int channels, int rate, bool endless,
                           smitin_error *error)
{
    *meter = NULL;
    if (channels < 1 || channels > SM_AUDIO_CHANNELS_MAX || rate < SM_AUDIO_RATE_MIN ||
        rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot measure the loudness of %d channels at %d Hz", channels, rate);
    sm_meter *m = calloc(1, sizeof *m);
    if (m == NULL) return sm_fail_memory(error, "a loudness meter", sizeof *m);
    const int mode = EBUR128_MODE_I | (endless ? EBUR128_MODE_HISTOGRAM : 0);
    m->state = ebur128_init((unsigned)channels, (unsigned long)rate, mode);
    if (m->state == NULL) {
        free(m);
        return sm_fail_memory(error, "a loudness meter", 0);
    }
    *meter = m;
    return SMITIN_OK;
}

void sm_meter_free(sm_meter *meter)
{
    if (meter == NULL) return;
    ebur128_destroy(&meter->state);
    free(meter);
}

smitin_status sm_meter_add(sm_meter *meter, const float *samples, size_t frames,
                           smitin_error *error)
{
    if (frames > 0 && ebur128_add_frames_float(meter->state, samples, frames) != EBUR128_SUCCESS)
        return sm_fail_memory(error, "a loudness meter", 0);
    return SMITIN_OK;
}

smitin_status sm_meter_lufs(const sm_meter *meter, double *lufs, smitin_error *error)
{
    *lufs = -HUGE_VAL;
    if (ebur128_loudness_global(meter->state, lufs) != EBUR128_SUCCESS)
        return sm_fail_memory(error, "a loudness meter", 0);
    return SMITIN_OK;
}

smitin_status sm_audio_loudness(const float *samples, size_t frames, int channels, int rate,
                                double *lufs, smitin_error *error)
{
    sm_meter *meter = NULL;
    *lufs = -HUGE_VAL;
    SM_TRY(sm_meter_new(&meter, channels, rate, false, error));
    smitin_status status = sm_meter_add(meter, samples, frames, error);
    if (status == SMITIN_OK) status = sm_meter_lufs(meter, lufs, error);
    sm_meter_free(meter);
    return status;
}

double sm_audio_rms_db(const float *samples, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)samples[i] * (double)samples[i];
    return sum > 0.0 ? 10.0 * log10(sum / (double)count) : -HUGE_VAL;
}

/* SPDX-License-Identifier: MIT */
/* Owns mixing down and changing the sample rate (soxr). */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <soxr.h>
#include "audio.h"

void sm_audio_to_mono(sm_audio *audio)
{
    int channels = audio->channels;
    if (channels <= 1) return;
    for (size_t i = 0; i < audio->frames; i++) {
        double sum = 0.0;
        for (int c = 0; c < channels; c++)
            sum += (double)audio->samples[i * (size_t)channels + (size_t)c];
        audio->samples[i] = (float)(sum / channels);
    }
    audio->channels = 1;
}

smitin_status sm_audio_resample(sm_audio *audio, int rate, smitin_error *error)
{
    if (rate < SM_AUDIO_RATE_MIN || rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot resample to %d Hz; choose %d to %d",
                       rate, SM_AUDIO_RATE_MIN, SM_AUDIO_RATE_MAX);
    if (rate == audio->sample_rate) return SMITIN_OK;
    double wanted = round((double)audio->frames * rate / audio->sample_rate);
    if (wanted < 1.0) wanted = 1.0; /* a single sample at a high rate still is one */
    if (wanted * audio->channels * sizeof(float) > (double)(SIZE_MAX / 4))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the audio is too long to resample to %d Hz",
                       rate);
    size_t frames = (size_t)wanted, channels = (size_t)audio->channels;
    float *out = calloc(frames * channels, sizeof *out);
    if (out == NULL)
        return sm_fail_memory(error, "resampled audio", frames * channels * sizeof *out);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    size_t done = 0;
    /* What soxr leaves of the last frame stays zero. */
    soxr_error_t problem =
        soxr_oneshot((double)audio->sample_rate, (double)rate, (unsigned)channels, audio->samples,
                     audio->frames, NULL, out, frames, &done, NULL, &quality, NULL);
    if (problem != NULL) {
        free(out);
        return sm_fail(error, SMITIN_ERROR_MEMORY, "cannot resample from %d to %d Hz: %s",
                       audio->sample_rate, rate, problem);
    }
    free(audio->samples);
    audio->samples = out;
    audio->frames = frames;
    audio->sample_rate = rate;
    return SMITIN_OK;
}

struct sm_resampler {
    soxr_t soxr;
    int from, to;
};

smitin_status sm_resampler_new(sm_resampler **resampler, int channels, int from, int to,
                               smitin_error *error)
{
    *resampler = NULL;
    if (channels < 1 || channels > SM_AUDIO_CHANNELS_MAX || from < SM_AUDIO_RATE_MIN ||
        from > SM_AUDIO_RATE_MAX || to < SM_AUDIO_RATE_MIN || to > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot resample %d channels from %d to %d Hz; choose rates of %d to %d",
                       channels, from, to, SM_AUDIO_RATE_MIN, SM_AUDIO_RATE_MAX);
    sm_resampler *r = calloc(1, sizeof *r);
    if (r == NULL) return sm_fail_memory(error, "the resampler", sizeof *r);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_error_t problem = NULL;
    r->from = from;
    r->to = to;
    r->soxr =
        soxr_create((double)from, (double)to, (unsigned)channels, &problem, NULL, &quality, NULL);
    if (r->soxr == NULL || problem != NULL) {
        sm_resampler_free(r);
        return sm_fail(error, SMITIN_ERROR_MEMORY, "cannot resample from %d to %d Hz: %s", from, to,
                       problem);
    }
    *resampler = r;
    return SMITIN_OK;
}

void sm_resampler_free(sm_resampler *resampler)
{
    if (resampler == NULL) return;
    if (resampler->soxr != NULL) soxr_delete(resampler->soxr);
    free(resampler);
}

smitin_status sm_resampler_run(sm_resampler *resampler, const float *in, size_t *frames, float *out,
                               size_t room, size_t *made, smitin_error *error)
{
    size_t taken = 0;
    *made = 0;
    const soxr_error_t problem =
        soxr_process(resampler->soxr, in, in != NULL ? *frames : 0, &taken, out, room, made);
    *frames = taken;
    if (problem == NULL) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MEMORY, "cannot resample from %d to %d Hz: %s",
                   resampler->from, resampler->to, problem);
}

/* SPDX-License-Identifier: MIT */
/* Owns clips: a part of a file through the chain that every output goes through. */
#include "excerpt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "../audio/master.h"

void sm_excerpt_free(sm_excerpt *clip)
{
    free(clip->samples);
    memset(clip, 0, sizeof *clip);
}

static double peak_of(const sm_audio *audio)
{
    double peak = 0.0;
    for (size_t i = 0; i < audio->frames * (size_t)audio->channels; i++)
        peak = fmax(peak, fabs((double)audio->samples[i]));
    return peak > 0.0 ? 20.0 * log10(peak) : -HUGE_VAL;
}

typedef struct sink {
    float *out;
    size_t count; /* values so far */
    int channels;
} sink;

static smitin_status collect(void *user, const float *samples, size_t frames, smitin_error *error)
{
    (void)error;
    sink *s = user;
    const size_t count = frames * (size_t)s->channels;
    memcpy(s->out + s->count, samples, count * sizeof *samples);
    s->count += count;
    return SMITIN_OK;
}

/* Gain and limiter, in place. */
static smitin_status master(sm_excerpt *clip, sm_audio *audio, bool limit, smitin_error *error)
{
    const sm_master_options options = {.channels = audio->channels,
                                       .rate = audio->sample_rate,
                                       .out_rate = audio->sample_rate,
                                       .frames = audio->frames,
                                       .gain_db = clip->gain_db,
                                       .lufs = (double)NAN,
                                       .limit = limit};
    const size_t values = audio->frames * (size_t)audio->channels;
    sink s = {malloc((values + 1) * sizeof(float)), 0, audio->channels};
    sm_master *chain = NULL;
    if (s.out == NULL) return sm_fail_memory(error, "a clip", values * sizeof(float));
    smitin_status status = sm_master_new(&chain, &options, collect, &s, error);
    if (status == SMITIN_OK) status = sm_master_push(chain, audio->samples, audio->frames, error);
    if (status == SMITIN_OK) status = sm_master_finish(chain, error);
    if (status == SMITIN_OK) {
        clip->limited_db = sm_master_limited_db(chain);
        memcpy(audio->samples, s.out, values * sizeof(float));
    }
    sm_master_free(chain);
    free(s.out);
    return status;
}

smitin_status sm_excerpt_make(sm_excerpt *clip, const char *path, const sm_excerpt_options *options,
                              smitin_error *error)
{
    sm_audio audio;
    memset(clip, 0, sizeof *clip);
    SM_TRY(sm_audio_read(&audio, path, options->skip, options->seconds, error));
    smitin_status status =
        options->rate > 0 ? sm_audio_resample(&audio, options->rate, error) : SMITIN_OK;
    if (status == SMITIN_OK)
        status = sm_audio_loudness(audio.samples, audio.frames, audio.channels, audio.sample_rate,
                                   &clip->lufs_before, error);
    double reached = 0.0;
    if (status == SMITIN_OK && !isnan(options->lufs))
        status = sm_master_find_gain(audio.samples, audio.frames, audio.channels, audio.sample_rate,
                                     options->lufs, &clip->gain_db, &reached, error);
    clip->peak_db = peak_of(&audio) + clip->gain_db;
    const bool limit = !isnan(options->lufs) || clip->peak_db > 0.0;
    if (status == SMITIN_OK && limit) status = master(clip, &audio, limit, error);
    if (status == SMITIN_OK)
        status = sm_audio_loudness(audio.samples, audio.frames, audio.channels, audio.sample_rate,
                                   &clip->lufs, error);
    if (status != SMITIN_OK) {
        sm_audio_free(&audio);
        return status;
    }
    clip->samples = audio.samples;
    clip->frames = audio.frames;
    clip->channels = audio.channels;
    clip->rate = audio.sample_rate;
    clip->seconds = (double)audio.frames / audio.sample_rate;
    return SMITIN_OK;
}

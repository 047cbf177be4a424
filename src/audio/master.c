/* SPDX-License-Identifier: MIT */
/* Owns the chain between a model's samples and a file or pipe, and the search for a gain. */
#include "master.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"
#include "limiter.h"

#define BLOCK_FRAMES 1024 /* at most this many move on at once */

struct sm_master {
    sm_master_options options;
    sm_master_sink sink;
    void *user;
    sm_resampler *resampler; /* NULL: rates are equal */
    sm_limiter *limiter;     /* NULL: peaks are not held */
    sm_meter *heard;         /* what came out */
    sm_meter *before;        /* what the running gain looks at; NULL: the gain is constant */
    size_t channels;
    size_t cut;        /* frames behind the cut so far */
    size_t step, left; /* of the running gain: frames of a tenth of a second, left of this one */
    double gain_db;    /* at the start of this step */
    double slope_db;   /* a frame */
    float *block;      /* [BLOCK_FRAMES, channels] */
    float *resampled;  /* likewise */
};

size_t sm_master_frames(size_t frames, int rate, int out_rate)
{
    if (rate == out_rate) return frames;
    return (size_t)llround((double)frames * out_rate / rate);
}

smitin_status sm_master_new(sm_master **master, const sm_master_options *options,
                            sm_master_sink sink, void *user, smitin_error *error)
{
    *master = NULL;
    const bool running = !isnan(options->lufs);
    if (running && !(options->lufs >= SM_MASTER_LUFS_MIN && options->lufs <= SM_MASTER_LUFS_MAX))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a loudness of %g LUFS is outside %g..%g",
                       options->lufs, SM_MASTER_LUFS_MIN, SM_MASTER_LUFS_MAX);
    sm_master *m = calloc(1, sizeof *m);
    if (m == NULL) return sm_fail_memory(error, "the output chain", sizeof *m);
    m->options = *options;
    m->sink = sink;
    m->user = user;
    m->channels = (size_t)options->channels;
    if (!running) m->gain_db = options->gain_db;
    m->step = m->left = (size_t)options->out_rate / 10;
    smitin_status status =
        sm_meter_new(&m->heard, options->channels, options->out_rate, false, error);
    if (status == SMITIN_OK && running)
        status = sm_meter_new(&m->before, options->channels, options->out_rate, true, error);
    if (status == SMITIN_OK && options->rate != options->out_rate)
        status = sm_resampler_new(&m->resampler, options->channels, options->rate,
                                  options->out_rate, error);
    if (status == SMITIN_OK && options->limit)
        status = sm_limiter_new(&m->limiter, options->channels, options->out_rate,
                                SM_LIMITER_CEILING_DB, error);
    if (status == SMITIN_OK) {
        const size_t size = BLOCK_FRAMES * m->channels * sizeof(float);
        m->block = malloc(size);
        m->resampled = malloc(size);
        if (m->block == NULL || m->resampled == NULL)
            status = sm_fail_memory(error, "the output chain", size);
    }
    if (status == SMITIN_OK)
        *master = m;
    else
        sm_master_free(m);
    return status;
}

void sm_master_free(sm_master *m)
{
    if (m == NULL) return;
    sm_meter_free(m->heard);
    sm_meter_free(m->before);
    sm_resampler_free(m->resampler);
    sm_limiter_free(m->limiter);
    free(m->block);
    free(m->resampled);
    free(m);
}

static smitin_status give(sm_master *m, const float *samples, size_t frames, smitin_error *error)
{
    if (frames == 0) return SMITIN_OK;
    SM_TRY(sm_meter_add(m->heard, samples, frames, error));
    return m->sink(m->user, samples, frames, error);
}

/* block[frames] times the gain; frame `from` of this step comes first. */
static void apply_gain(sm_master *m, size_t from, size_t frames)
{
    if (m->gain_db == 0.0 && m->slope_db == 0.0) return;
    double gain = pow(10.0, m->gain_db / 20.0);
    for (size_t i = 0; i < frames; i++) {
        if (m->slope_db != 0.0)
            gain = pow(10.0, (m->gain_db + m->slope_db * (double)(from + i)) / 20.0);
        for (size_t c = 0; c < m->channels; c++) {
            float *x = &m->block[i * m->channels + c];
            *x = (float)((double)*x * gain);
        }
    }
}

/* A tenth of a second is over: where the gain goes during the next. */
static smitin_status follow(sm_master *m, smitin_error *error)
{
    double lufs = 0.0;
    SM_TRY(sm_meter_lufs(m->before, &lufs, error));
    m->gain_db += m->slope_db * (double)m->step;
    m->left = m->step;
    m->slope_db = 0.0;
    if (!isfinite(lufs)) return SMITIN_OK;
    const double most = SM_MASTER_SLEW / 10.0;
    double wanted = fmax(-SM_MASTER_GAIN_MAX, fmin(SM_MASTER_GAIN_MAX, m->options.lufs - lufs));
    wanted = fmax(-most, fmin(most, wanted - m->gain_db));
    m->slope_db = wanted / (double)m->step;
    return SMITIN_OK;
}

/* block[frames] gets its gain, is limited and leaves. */
static smitin_status finish_block(sm_master *m, size_t frames, smitin_error *error)
{
    if (m->before != NULL) {
        SM_TRY(sm_meter_add(m->before, m->block, frames, error));
        apply_gain(m, m->step - m->left, frames);
        m->left -= frames;
        if (m->left == 0) SM_TRY(follow(m, error));
    } else {
        apply_gain(m, 0, frames);
    }
    if (m->limiter != NULL) frames = sm_limiter_run(m->limiter, m->block, frames, m->block);
    return give(m, m->block, frames, error);
}

/* Samples at the rate that goes out, before the cut. */
static smitin_status cut(sm_master *m, const float *samples, size_t frames, smitin_error *error)
{
    while (frames > 0 && m->cut < m->options.frames) {
        size_t n = frames < BLOCK_FRAMES ? frames : BLOCK_FRAMES;
        if (n > m->options.frames - m->cut) n = m->options.frames - m->cut;
        if (m->before != NULL && n > m->left) n = m->left;
        memcpy(m->block, samples, n * m->channels * sizeof *samples);
        m->cut += n;
        SM_TRY(finish_block(m, n, error));
        samples += n * m->channels;
        frames -= n;
    }
    return SMITIN_OK;
}

/* in NULL: the end. */
static smitin_status resample(sm_master *m, const float *in, size_t frames, smitin_error *error)
{
    size_t made = 0;
    do {
        size_t taken = frames;
        SM_TRY(
            sm_resampler_run(m->resampler, in, &taken, m->resampled, BLOCK_FRAMES, &made, error));
        SM_TRY(cut(m, m->resampled, made, error));
        if (in == NULL) continue;
        in += taken * m->channels;
        frames -= taken;
    } while (in == NULL ? made > 0 : frames > 0);
    return SMITIN_OK;
}

smitin_status sm_master_push(sm_master *m, const float *samples, size_t frames, smitin_error *error)
{
    if (frames == 0) return SMITIN_OK;
    return m->resampler != NULL ? resample(m, samples, frames, error)
                                : cut(m, samples, frames, error);
}

smitin_status sm_master_finish(sm_master *m, smitin_error *error)
{
    if (m->resampler != NULL) {
        SM_TRY(resample(m, NULL, 0, error));
        memset(m->resampled, 0, BLOCK_FRAMES * m->channels * sizeof *m->resampled);
        while (m->cut < m->options.frames) SM_TRY(cut(m, m->resampled, BLOCK_FRAMES, error));
    }
    if (m->limiter == NULL) return SMITIN_OK;
    float *rest = malloc(sm_limiter_delay(m->limiter) * m->channels * sizeof *rest);
    if (rest == NULL) return sm_fail_memory(error, "the limiter", 0);
    const smitin_status status = give(m, rest, sm_limiter_finish(m->limiter, rest), error);
    free(rest);
    return status;
}

smitin_status sm_master_lufs(const sm_master *m, double *lufs, smitin_error *error)
{
    return sm_meter_lufs(m->heard, lufs, error);
}

double sm_master_limited_db(const sm_master *m)
{
    return m->limiter != NULL ? sm_limiter_lowest_db(m->limiter) : 0.0;
}

/* ---- The gain of a whole piece
 * ---------------------------------------------------------------------------- */

static smitin_status swallow(void *user, const float *samples, size_t frames, smitin_error *error)
{
    (void)user, (void)samples, (void)frames, (void)error;
    return SMITIN_OK;
}

/* Loudness behind a constant gain and the limiter. */
static smitin_status try_gain(const float *samples, size_t frames, int channels, int rate,
                              double gain_db, double *lufs, double *limited_db, smitin_error *error)
{
    const sm_master_options options = {.channels = channels,
                                       .rate = rate,
                                       .out_rate = rate,
                                       .frames = frames,
                                       .gain_db = gain_db,
                                       .lufs = (double)NAN,
                                       .limit = true};
    sm_master *m = NULL;
    SM_TRY(sm_master_new(&m, &options, swallow, NULL, error));
    smitin_status status = sm_master_push(m, samples, frames, error);
    if (status == SMITIN_OK) status = sm_master_finish(m, error);
    if (status == SMITIN_OK) status = sm_master_lufs(m, lufs, error);
    *limited_db = sm_master_limited_db(m);
    sm_master_free(m);
    return status;
}

smitin_status sm_master_find_gain(const float *samples, size_t frames, int channels, int rate,
                                  double target, double *gain_db, double *reached,
                                  smitin_error *error)
{
    enum { TRIES = 10 };
    const double close_lu = 0.02;
    double limited = 0.0, highest = HUGE_VAL; /* the gain that makes the limiter work its most */
    *gain_db = 0.0;
    SM_TRY(sm_audio_loudness(samples, frames, channels, rate, reached, error));
    if (!isfinite(*reached)) return SMITIN_OK;
    /* Without a limiter the first try is exact; behind one loudness grows more slowly than the
     * gain, so each further step falls short and the search never swings. */
    double gain = target - *reached;
    for (int i = 0; i < TRIES; i++) {
        if (gain > highest) gain = highest;
        SM_TRY(try_gain(samples, frames, channels, rate, gain, reached, &limited, error));
        *gain_db = gain;
        if (!isfinite(*reached) || fabs(target - *reached) <= close_lu) break;
        if (gain >= highest) break;
        /* Its work grows as the gain does. */
        if (limited < 0.0) highest = gain + limited + SM_MASTER_LIMITED_MAX;
        gain += target - *reached;
    }
    return SMITIN_OK;
}

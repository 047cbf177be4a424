/* SPDX-License-Identifier: MIT */
/* Sound to codes and back. The codec is mono: a stereo model runs it once a channel, and the
 * codebooks of both channels are interleaved (left 0, right 0, left 1, right 1, ...), as their
 * samples are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static float *take_scratch(size_t floats, smitin_error *error)
{
    float *scratch = malloc((floats > 0 ? floats : 1) * sizeof(float));
    if (scratch == NULL) sm_fail_memory(error, "the codec's scratch", floats * sizeof(float));
    return scratch;
}

/* There are samples, and all are finite. */
static smitin_status check_mono(const float *samples, size_t count, smitin_error *error)
{
    if (samples == NULL || count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is no audio to encode: 0 samples were given");
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(samples[i]))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "sample %zu is not a finite number", i);
    }
    return SMITIN_OK;
}

smitin_status sm_engine_check_samples(const smitin_engine *engine, const float *samples,
                                      size_t count, smitin_error *error)
{
    const size_t C = (size_t)engine->config.lm.channels;
    if (samples != NULL && count % C != 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%zu samples are not whole frames of the model's %zu channels; give "
                       "interleaved samples",
                       count, C);
    return check_mono(samples, count, error);
}

size_t sm_engine_count_frames(const smitin_engine *engine, size_t count)
{
    return sm_codec_frames(engine->codec, count / (size_t)engine->config.lm.channels);
}

smitin_status sm_engine_encode_frames(const smitin_engine *engine, const float *samples,
                                      size_t count, int32_t *codes, smitin_error *error)
{
    SM_TRY(sm_engine_check_samples(engine, samples, count, error));
    SM_TRY(sm_encoder_need(engine, error));
    const size_t C = (size_t)engine->config.lm.channels, length = count / C;
    const size_t K = (size_t)engine->config.codec.codebooks; /* of one channel */
    const size_t frames = sm_codec_frames(engine->codec, length);
    const size_t latents = frames * (size_t)engine->config.codec.hidden;
    /* One channel: its latents, the codec's scratch; and when there are two its samples and codes.
     */
    const size_t planar = C > 1 ? length : 0, scratch = sm_codec_scratch(engine->codec, frames);
    float *memory = take_scratch(latents + scratch + planar, error);
    int32_t *rows = C > 1 ? malloc(K * frames * sizeof *rows) : codes;
    smitin_status status = memory != NULL ? SMITIN_OK : SMITIN_ERROR_MEMORY;
    if (rows == NULL) status = sm_fail_memory(error, "a channel's codes", K * frames);
    float *channel = memory != NULL ? memory + latents + scratch : NULL;
    for (size_t c = 0; c < C && status == SMITIN_OK; c++) {
        const float *x = samples;
        if (C > 1) {
            for (size_t i = 0; i < length; i++) channel[i] = samples[i * C + c];
            x = channel;
        }
        sm_codec_analyse(engine->codec, engine->kernels, engine->pool, x, length, memory,
                         memory + latents);
        sm_codec_quantize(engine->codec, engine->kernels, engine->pool, memory, frames, rows,
                          memory + latents);
        for (size_t k = 0; C > 1 && k < K; k++)
            memcpy(codes + (k * C + c) * frames, rows + k * frames, frames * sizeof *rows);
    }
    if (C > 1) free(rows);
    free(memory);
    return status;
}

void sm_engine_decode_frames(const smitin_engine *engine, const int32_t *codes, size_t stride,
                             size_t frames, float *samples, float *planar, float *scratch)
{
    const size_t C = (size_t)engine->config.lm.channels;
    const size_t length = frames * (size_t)engine->config.codec.hop;
    for (size_t c = 0; c < C; c++) {
        float *to = C > 1 ? planar : samples;
        /* Rows c, c + C, ... are this channel's codebooks. */
        sm_codec_decode(engine->codec, engine->kernels, engine->pool, codes + c * stride,
                        C * stride, frames, to, scratch);
        if (C > 1) sm_engine_interleave(engine, samples, planar, length, (int)c);
    }
}

void sm_engine_interleave(const smitin_engine *engine, float *samples, const float *planar,
                          size_t length, int channel)
{
    const size_t C = (size_t)engine->config.lm.channels;
    for (size_t i = 0; i < length; i++) samples[i * C + (size_t)channel] = planar[i];
}

smitin_status smitin_engine_encode(const smitin_engine *engine, const float *samples, size_t count,
                                   int32_t *codes, size_t capacity, smitin_error *error)
{
    const size_t frames = count == 0 ? 0 : sm_engine_count_frames(engine, count);
    const size_t needed = frames * (size_t)engine->config.lm.codebooks;
    if (codes == NULL || capacity < needed)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "room for %zu codes was given, but %zu are needed", capacity, needed);
    return sm_engine_encode_frames(engine, samples, count, codes, error);
}

smitin_status smitin_engine_latents(const smitin_engine *engine, const float *samples, size_t count,
                                    float *latents, size_t capacity, smitin_error *error)
{
    const size_t frames = sm_codec_frames(engine->codec, count);
    const size_t width = (size_t)engine->config.codec.hidden;
    if (latents == NULL || capacity / width < frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "room for %zu numbers was given, but %zu frames have %zu", capacity, frames,
                       frames * width);
    SM_TRY(check_mono(samples, count, error));
    SM_TRY(sm_encoder_need(engine, error));
    float *scratch = take_scratch(sm_codec_scratch(engine->codec, frames), error);
    if (scratch == NULL) return SMITIN_ERROR_MEMORY;
    sm_codec_analyse(engine->codec, engine->kernels, engine->pool, samples, count, latents,
                     scratch);
    free(scratch);
    return SMITIN_OK;
}

smitin_status smitin_engine_decode(const smitin_engine *engine, const int32_t *codes, size_t frames,
                                   float *samples, size_t capacity, smitin_error *error)
{
    const sm_lm_config *lm = &engine->config.lm;
    const size_t C = (size_t)lm->channels, hop = (size_t)engine->config.codec.hop;
    if (codes == NULL || frames == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is nothing to decode: 0 frames were given");
    if (samples == NULL || capacity / (hop * C) < frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "room for %zu samples was given, but %zu frames make %zu", capacity, frames,
                       frames * hop * C);
    for (size_t i = 0; i < frames * (size_t)lm->codebooks; i++) {
        if (codes[i] < 0 || codes[i] >= lm->vocab)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "code %d at position %zu is outside 0..%d",
                           codes[i], i, lm->vocab - 1);
    }
    const size_t size = sm_codec_scratch(engine->codec, frames), planar = C > 1 ? frames * hop : 0;
    float *scratch = take_scratch(size + planar, error);
    if (scratch == NULL) return SMITIN_ERROR_MEMORY;
    sm_engine_decode_frames(engine, codes, frames, frames, samples, scratch + size, scratch);
    free(scratch);
    return SMITIN_OK;
}

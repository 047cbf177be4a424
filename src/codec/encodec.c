/* SPDX-License-Identifier: MIT */
/* EnCodec: the order of its layers, what it refuses, and the scratch it needs. */
#include "encodec.h"

#include <assert.h>
#include <string.h>

#include "../base/arena.h"
#include "model.h"

static smitin_status check(const sm_codec_config *config, smitin_error *error)
{
    if (config->causal) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "The codec is causal (use_causal_conv true in \"audio_encoder\" of "
                       "config.json), which is not "
                       "supported; use a model with MusicGen's 32 kHz codec.");
    }
    if (config->channels != 1) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "The codec has %d audio channels; only codecs with 1 are supported (audio_channels in "
            "\"audio_encoder\" of config.json). Use a model with MusicGen's 32 kHz codec.",
            config->channels);
    }
    if (config->lstm_layers < 1) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "The codec has no LSTM (num_lstm_layers 0 in \"audio_encoder\" of "
            "config.json), which is not supported; use a model with MusicGen's 32 kHz codec.");
    }
    for (int i = 0; i < config->ratios_count; i++) {
        if (config->ratios[i] >= 1) continue;
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "upsampling_ratios in \"audio_encoder\" of config.json holds %d; "
                       "every ratio must be at least 1.",
                       config->ratios[i]);
    }
    return SMITIN_OK;
}

smitin_status sm_codec_new(sm_codec **out, const sm_codec_config *config, sm_binder *binder,
                           smitin_error *error)
{
    *out = NULL;
    SM_TRY(check(config, error));
    sm_codec *codec = SM_TAKE(binder->arena, 1, sm_codec);
    if (codec == NULL) return sm_fail_memory(error, "the codec", sizeof *codec);
    codec->config = *config;
    codec->width = config->filters;
    for (int i = 0; i < config->ratios_count; i++) codec->width *= 2;
    SM_TRY(sm_codec_bind(codec, binder, error));
    *out = codec;
    return SMITIN_OK;
}

size_t sm_codec_frames(const sm_codec *codec, size_t samples)
{
    const size_t hop = (size_t)codec->config.hop;
    return samples / hop + (samples % hop != 0);
}

/* ---- Scratch: three signals of equal size, and the LSTM's cell
 * --------------------------------------------- */

typedef struct buffers {
    float *base[3];
    int at;      /* which of them holds the signal ... */
    float *now;  /* ... and where it starts: at or after base[at] */
    float *cell; /* [6 width] */
} buffers;

/* The i-th (1 or 2) of the two free buffers. */
static float *spare(const buffers *b, int i)
{
    return b->base[(b->at + i) % 3];
}

/* The signal now stands in that free buffer. */
static void move_to(buffers *b, int i)
{
    b->at = (b->at + i) % 3;
    b->now = b->base[b->at];
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t residual_size(const sm_codec *codec, const sm_stage *stage, size_t frames)
{
    size_t size = 0;
    for (int j = 0; j < codec->config.residual_layers; j++) {
        const sm_residual *r = &stage->residuals[j];
        size = most(size, most(sm_conv_padding(&r->first, frames), frames * (size_t)r->first.in));
    }
    return size;
}

/* Floats of one signal buffer. */
static size_t signal_size(const sm_codec *codec, size_t frames)
{
    const sm_codec_config *config = &codec->config;
    const size_t width = (size_t)codec->width, hidden = (size_t)config->hidden;
    size_t n = frames * (size_t)config->hop;
    size_t size = most(frames * 4 * width, frames * (hidden + (size_t)config->codebook_size));
    size = most(size, sm_conv_padding(&codec->encoder.first, n));
    for (int i = 0; i < config->ratios_count; i++) {
        const sm_stage *stage = &codec->encoder.stages[i];
        size = most(size, residual_size(codec, stage, n));
        size = most(size, most(n * (size_t)stage->down.in, sm_conv_padding(&stage->down, n)));
        n = sm_conv_frames(&stage->down, n);
    }
    size = most(size, most(sm_conv_padding(&codec->encoder.last, n),
                           sm_conv_padding(&codec->decoder.first, n)));
    for (int i = 0; i < config->ratios_count; i++) {
        const sm_stage *stage = &codec->decoder.stages[i];
        size = most(size, (n + 2) * (size_t)stage->up.in);
        size = most(size, (n + 1) * (size_t)stage->up.stride * (size_t)stage->up.out);
        n *= (size_t)stage->up.stride;
        size = most(size, residual_size(codec, stage, n));
    }
    return most(size, sm_conv_padding(&codec->decoder.last, n));
}

size_t sm_codec_scratch(const sm_codec *codec, size_t frames)
{
    return 3 * signal_size(codec, frames) + 6 * (size_t)codec->width;
}

static buffers lay_out(const sm_codec *codec, size_t frames, float *scratch)
{
    const size_t size = signal_size(codec, frames);
    return (buffers){.base = {scratch, scratch + size, scratch + 2 * size},
                     .now = scratch,
                     .cell = scratch + 3 * size};
}

/* ---- Passes
 * ------------------------------------------------------------------------------------------------
 */

/* x = shortcut(x) + second(elu(first(elu(x)))), block after block. */
static void residuals(const sm_codec *codec, const sm_crew *crew, const sm_stage *stage,
                      size_t frames, buffers *b)
{
    const bool reflect = codec->config.reflect;
    for (int j = 0; j < codec->config.residual_layers; j++) {
        const sm_residual *r = &stage->residuals[j];
        const size_t wide = frames * (size_t)r->first.in;
        float *sum = spare(b, 1), *narrow = spare(b, 2);
        sm_conv_run(crew, &r->first, narrow, b->now, frames, true, reflect, sum);
        sm_conv_run(crew, &r->second, sum, narrow, frames, true, reflect, narrow);
        const float *shortcut = b->now;
        if (r->has_shortcut) {
            sm_conv_run(crew, &r->shortcut, narrow, b->now, frames, false, reflect, NULL);
            shortcut = narrow;
        }
        sm_add_run(crew, sum, shortcut, wide);
        move_to(b, 1);
    }
}

static void lstm(const sm_codec *codec, const sm_crew *crew, const sm_half *half, size_t frames,
                 buffers *b)
{
    sm_lstm_run(crew, half->lstm, codec->config.lstm_layers, codec->width, spare(b, 1), b->now,
                frames, spare(b, 2), b->cell);
    move_to(b, 1);
}

void sm_codec_analyse(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                      const float *samples, size_t count, float *latents, float *scratch)
{
    if (count == 0) return;
    const sm_crew crew = {kernels, pool};
    const sm_half *half = &codec->encoder;
    const bool reflect = codec->config.reflect;
    buffers b = lay_out(codec, sm_codec_frames(codec, count), scratch);
    size_t n = count;
    sm_conv_run(&crew, &half->first, b.now, samples, n, false, reflect, spare(&b, 1));
    for (int i = 0; i < codec->config.ratios_count; i++) {
        const sm_stage *stage = &half->stages[i];
        residuals(codec, &crew, stage, n, &b);
        sm_conv_run(&crew, &stage->down, spare(&b, 1), b.now, n, true, reflect, spare(&b, 2));
        n = sm_conv_frames(&stage->down, n);
        move_to(&b, 1);
    }
    lstm(codec, &crew, half, n, &b);
    sm_conv_run(&crew, &half->last, latents, b.now, n, true, reflect, spare(&b, 1));
}

/* latents [frames, hidden] = sum over codebooks of the codes' vectors, codebook 0 first */
static void dequantize(const sm_codec *codec, const int32_t *codes, size_t stride, size_t frames,
                       float *latents)
{
    const size_t hidden = (size_t)codec->config.hidden;
    for (size_t t = 0; t < frames; t++, latents += hidden) {
        memset(latents, 0, hidden * sizeof *latents);
        for (int q = 0; q < codec->config.codebooks; q++) {
            const int32_t code = codes[(size_t)q * stride + t];
            assert(code >= 0 && code < codec->config.codebook_size);
            const float *e = codec->books[q].embed + (size_t)code * hidden;
            for (size_t i = 0; i < hidden; i++) latents[i] += e[i];
        }
    }
}

void sm_codec_decode(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                     const int32_t *codes, size_t stride, size_t frames, float *samples,
                     float *scratch)
{
    if (frames == 0) return;
    const sm_crew crew = {kernels, pool};
    const sm_half *half = &codec->decoder;
    const bool reflect = codec->config.reflect;
    buffers b = lay_out(codec, frames, scratch);
    size_t n = frames;
    dequantize(codec, codes, stride, n, b.now);
    sm_conv_run(&crew, &half->first, spare(&b, 1), b.now, n, false, reflect, spare(&b, 2));
    move_to(&b, 1);
    lstm(codec, &crew, half, n, &b);
    for (int i = 0; i < codec->config.ratios_count; i++) {
        const sm_stage *stage = &half->stages[i];
        float *start = sm_upsample_run(&crew, &stage->up, spare(&b, 1), b.now, n, spare(&b, 2));
        n *= (size_t)stage->up.stride;
        move_to(&b, 1);
        b.now = start;
        residuals(codec, &crew, stage, n, &b);
    }
    sm_conv_run(&crew, &half->last, samples, b.now, n, true, reflect, spare(&b, 1));
}

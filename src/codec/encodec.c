/* SPDX-License-Identifier: MIT */
/* EnCodec: the order of its layers, what it refuses, and the scratch it needs. */
#include "encodec.h"

#include <string.h>

#include "../base/arena.h"
#include "model.h"

static smitin_status check(const sm_codec_config *config, smitin_error *error)
{
    if (config->causal) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "the codec is causal (use_causal_conv true in \"audio_encoder\" of "
                       "config.json), which is not "
                       "supported; use a model with MusicGen's 32 kHz codec");
    }
    if (config->residual_layers < 1 || config->residual_layers > SM_MAX_RESIDUALS) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "num_residual_layers %d in \"audio_encoder\" of config.json is not 1..%d; "
                       "use a model with "
                       "MusicGen's 32 kHz codec",
                       config->residual_layers, SM_MAX_RESIDUALS);
    }
    if (config->channels != 1) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "the codec has %d audio channels; only codecs with 1 are supported (audio_channels in "
            "\"audio_encoder\" of config.json); use a model with MusicGen's 32 kHz codec",
            config->channels);
    }
    if (config->lstm_layers < 1) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "the codec has no LSTM (num_lstm_layers 0 in \"audio_encoder\" of "
            "config.json), which is not supported; use a model with MusicGen's 32 kHz codec");
    }
    for (int i = 0; i < config->ratios_count; i++) {
        if (config->ratios[i] >= 1) continue;
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "upsampling_ratios in \"audio_encoder\" of config.json holds %d; "
                       "every ratio must be at least 1",
                       config->ratios[i]);
    }
    return SMITIN_OK;
}

static void push(sm_stack *stack, sm_op op)
{
    stack->ops[stack->count++] = op;
}

/* The order of the layers on both sides of the LSTM. */
static void stack_layers(sm_codec *codec)
{
    const sm_codec_config *config = &codec->config;
    sm_stack *encoder = &codec->encoder.stack, *decoder = &codec->decoder.stack;
    push(encoder, (sm_op){.conv = &codec->encoder.first});
    for (int i = 0; i < config->ratios_count; i++) {
        const sm_stage *in = &codec->encoder.stages[i], *out = &codec->decoder.stages[i];
        push(decoder, (sm_op){.up = &out->up});
        for (int j = 0; j < config->residual_layers; j++) {
            push(encoder, (sm_op){.residual = &in->residuals[j]});
            push(decoder, (sm_op){.residual = &out->residuals[j]});
        }
        push(encoder, (sm_op){.conv = &in->down, .elu = true});
    }
    push(decoder, (sm_op){.conv = &codec->decoder.last, .elu = true});
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for what a convolution between LSTM and latents meets to make one tile. */
static size_t tile_input(const sm_conv *conv)
{
    return (SM_TILE_FRAMES + 2 * ((size_t)conv->kernel + 1)) * (size_t)conv->in;
}

void sm_codec_measure(sm_codec *codec)
{
    const size_t hop = (size_t)codec->config.hop;
    const size_t size = most(sm_stack_scratch(&codec->encoder.stack, SM_TILE_FRAMES),
                             sm_stack_scratch(&codec->decoder.stack, SM_TILE_FRAMES * hop));
    codec->area =
        most(size, most(tile_input(&codec->encoder.last), 2 * tile_input(&codec->decoder.first)));
}

static smitin_status new_codec(sm_codec **out, const sm_codec_config *config, sm_binder *binder,
                               bool encoder, smitin_error *error)
{
    *out = NULL;
    SM_TRY(check(config, error));
    sm_codec *codec = SM_TAKE(binder->arena, 1, sm_codec);
    if (codec == NULL) return sm_fail_memory(error, "the codec", sizeof *codec);
    codec->config = *config;
    codec->width = config->filters;
    for (int i = 0; i < config->ratios_count; i++) codec->width *= 2;
    sm_codec_bind(codec, binder, encoder);
    stack_layers(codec);
    if (!binder->out_of_memory) sm_codec_measure(codec);
    *out = codec;
    return SMITIN_OK;
}

smitin_status sm_codec_new(sm_codec **out, const sm_codec_config *config, sm_binder *binder,
                           smitin_error *error)
{
    return new_codec(out, config, binder, true, error);
}

smitin_status sm_codec_new_decoder(sm_codec **out, const sm_codec_config *config, sm_binder *binder,
                                   smitin_error *error)
{
    return new_codec(out, config, binder, false, error);
}

size_t sm_codec_frames(const sm_codec *codec, size_t samples)
{
    const size_t hop = (size_t)codec->config.hop;
    return samples / hop + (samples % hop != 0);
}

/* ---- Scratch
 * -----------------------------------------------------------------------------------------------
 */

static size_t state_size(const sm_codec *codec)
{
    return 2 * (size_t)codec->config.lstm_layers * (size_t)codec->width;
}

/* All but the features, the quantizer and the stacks. */
typedef struct room {
    float *features; /* [frames, width]: what goes into the LSTM, then what comes out */
    float *state;    /* of the LSTM */
    float *hidden;   /* [SM_TILE_FRAMES, width] */
    float *gates;    /* [SM_TILE_FRAMES + 1, 4 width] */
    float *area;     /* the rest, one layer after the other */
} room;

static size_t area_size(const sm_codec *codec, size_t frames)
{
    const sm_codec_config *config = &codec->config;
    return most(frames * ((size_t)config->hidden + (size_t)config->codebook_size), codec->area);
}

static room lay_out(const sm_codec *codec, size_t frames, float *scratch)
{
    const size_t width = (size_t)codec->width;
    room r = {.features = scratch};
    r.state = r.features + frames * width;
    r.hidden = r.state + state_size(codec);
    r.gates = r.hidden + SM_TILE_FRAMES * width;
    r.area = r.gates + (SM_TILE_FRAMES + 1) * 4 * width;
    return r;
}

size_t sm_codec_scratch(const sm_codec *codec, size_t frames)
{
    const size_t width = (size_t)codec->width;
    return frames * width + state_size(codec) + SM_TILE_FRAMES * width +
           (SM_TILE_FRAMES + 1) * 4 * width + area_size(codec, frames);
}

/* ---- Analysis
 * ---------------------------------------------------------------------------------------------- */

void sm_codec_analyse(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                      const float *samples, size_t count, float *latents, float *scratch)
{
    if (count == 0) return;
    const sm_crew crew = {kernels, pool, NULL};
    const sm_half *half = &codec->encoder;
    const bool reflect = codec->config.reflect;
    const size_t frames = sm_codec_frames(codec, count), width = (size_t)codec->width;
    const room r = lay_out(codec, frames, scratch);
    memset(r.state, 0, state_size(codec) * sizeof *r.state);
    for (size_t t = 0; t < frames; t += SM_TILE_FRAMES) {
        const size_t end = frames - t < SM_TILE_FRAMES ? frames : t + SM_TILE_FRAMES;
        float *x = r.features + t * width;
        sm_stack_run(&crew, &half->stack, reflect, x, samples, count,
                     (sm_range){(ptrdiff_t)t, (ptrdiff_t)end}, r.area);
        sm_lstm_run(&crew, half->lstm, codec->config.lstm_layers, codec->width, x, end - t, r.state,
                    r.hidden, r.gates);
    }
    const sm_span features = {r.features, 0, (ptrdiff_t)frames};
    for (size_t t = 0; t < frames; t += SM_TILE_FRAMES) {
        const size_t end = frames - t < SM_TILE_FRAMES ? frames : t + SM_TILE_FRAMES;
        sm_conv_run(&crew, &half->last, latents + t * (size_t)codec->config.hidden, features,
                    (sm_range){(ptrdiff_t)t, (ptrdiff_t)end}, true, reflect, r.area);
    }
}

/* ---- Decoding
 * ---------------------------------------------------------------------------------------------- */

/* Features of all frames: the first convolution, then the LSTM. */
static void listen(const sm_codec *codec, const sm_crew *crew, const room *r, const int32_t *codes,
                   size_t stride, size_t frames)
{
    const sm_half *half = &codec->decoder;
    const bool reflect = codec->config.reflect;
    memset(r->state, 0, state_size(codec) * sizeof *r->state);
    for (size_t t = 0; t < frames; t += SM_TILE_FRAMES) {
        const size_t end = frames - t < SM_TILE_FRAMES ? frames : t + SM_TILE_FRAMES;
        const sm_range out = {(ptrdiff_t)t, (ptrdiff_t)end};
        const sm_range need = sm_conv_need(&half->first, (ptrdiff_t)frames, out, reflect);
        float *x = r->features + t * (size_t)codec->width;
        sm_dequantize(codec, codes, stride, need, r->area);
        sm_conv_run(crew, &half->first, x, (sm_span){r->area, need.lo, (ptrdiff_t)frames}, out,
                    false, reflect, r->area + tile_input(&half->first));
        sm_lstm_run(crew, half->lstm, codec->config.lstm_layers, codec->width, x, end - t, r->state,
                    r->hidden, r->gates);
    }
}

void sm_codec_decode(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                     const int32_t *codes, size_t stride, size_t frames, float *samples,
                     float *scratch)
{
    if (frames == 0) return;
    const sm_crew crew = {kernels, pool, NULL};
    const room r = lay_out(codec, frames, scratch);
    const size_t hop = (size_t)codec->config.hop, count = frames * hop;
    listen(codec, &crew, &r, codes, stride, frames);
    for (size_t s = 0; s < count; s += SM_TILE_FRAMES * hop) {
        const size_t end = count - s < SM_TILE_FRAMES * hop ? count : s + SM_TILE_FRAMES * hop;
        sm_stack_run(&crew, &codec->decoder.stack, codec->config.reflect, samples + s, r.features,
                     frames, (sm_range){(ptrdiff_t)s, (ptrdiff_t)end}, r.area);
    }
}

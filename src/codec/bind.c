/* SPDX-License-Identifier: MIT */
/* The codec's weights: names, shapes, weight norm folded, layouts turned channels-last. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/arena.h"
#include "model.h"

typedef struct binding {
    const sm_codec_config *config;
    sm_binder *binder;
    const char *prefix; /* "audio_encoder." or "" */
    sm_arena *spare;    /* for the time of binding */
} binding;

/* w = g v / |v| per index of dimension 0, the norm over all others: [rows, columns] in place.
 * Dimension 0 is the outputs of a convolution but the INPUTS of a transposed one. */
static void fold(const binding *b, float *v, const float *g, size_t rows, size_t columns,
                 const char *module)
{
    for (size_t r = 0; r < rows; r++) {
        float *row = v + r * columns;
        double sum = 0.0;
        for (size_t i = 0; i < columns; i++) sum += (double)row[i] * (double)row[i];
        if (!(sum > 0.0)) {
            sm_binder_miss(b->binder, "the weight norm of %s%s has an empty direction in row %zu",
                           b->prefix, module, r);
            return;
        }
        const double scale = (double)g[r] / sqrt(sum);
        for (size_t i = 0; i < columns; i++) row[i] = (float)((double)row[i] * scale);
    }
}

/* The weight [d0, d1, d2] of a module in whichever spelling the file has; folded. */
static float *bind_weight(const binding *b, int d0, int d1, int d2, const char *module)
{
    static const char *const spellings[2][2] = {
        {"weight_g", "weight_v"},
        {"parametrizations.weight.original0", "parametrizations.weight.original1"}};
    const int64_t shape[3] = {d0, d1, d2}, magnitude[3] = {d0, 1, 1};
    if (sm_binder_has(b->binder, "%s%s.weight", b->prefix, module)) {
        return sm_bind(b->binder, 3, shape, "%s%s.weight", b->prefix, module);
    }
    const int newer = sm_binder_has(b->binder, "%s%s.%s", b->prefix, module, spellings[1][1]);
    const float *g =
        sm_bind(b->binder, 3, magnitude, "%s%s.%s", b->prefix, module, spellings[newer][0]);
    float *v = sm_bind(b->binder, 3, shape, "%s%s.%s", b->prefix, module, spellings[newer][1]);
    if (g == NULL || v == NULL) return NULL;
    fold(b, v, g, (size_t)d0, (size_t)d1 * (size_t)d2, module);
    return v;
}

/* A copy of `count` floats that lives as long as the binding. */
static const float *spare_copy(const binding *b, const float *w, size_t count)
{
    float *copy = SM_TAKE(b->spare, count, float);
    if (copy == NULL) {
        sm_binder_miss(b->binder, "memory is short for turning the codec's weights");
        return NULL;
    }
    memcpy(copy, w, count * sizeof *copy);
    return copy;
}

static sm_matrix matrix_of(const float *w, int N, int M)
{
    return (sm_matrix){SM_FORMAT_F32, N, M, w, NULL};
}

/* [out, in, kernel] -> [out, kernel, in] */
static void bind_conv(const binding *b, sm_conv *conv, int in, int out, int kernel,
                      const char *module)
{
    const int64_t shape[1] = {out};
    const size_t I = (size_t)in, K = (size_t)kernel, row = I * K;
    conv->in = in;
    conv->out = out;
    conv->kernel = kernel;
    conv->stride = conv->dilation = 1;
    conv->bias = sm_bind(b->binder, 1, shape, "%s%s.bias", b->prefix, module);
    float *w = bind_weight(b, out, in, kernel, module);
    conv->w = matrix_of(w, out, kernel * in);
    if (w == NULL || in == 1 || kernel == 1) return;
    const float *from = spare_copy(b, w, (size_t)out * row);
    if (from == NULL) return;
    for (size_t o = 0; o < (size_t)out; o++) {
        for (size_t i = 0; i < I; i++) {
            for (size_t k = 0; k < K; k++) w[o * row + k * I + i] = from[o * row + i * K + k];
        }
    }
}

/* [in, out, 2 stride] -> [stride, out, 2, in], x[m - 1] before x[m] */
static void bind_upsample(const binding *b, sm_upsample *up, int in, int out, int stride,
                          const char *module)
{
    const int64_t shape[1] = {out};
    const size_t I = (size_t)in, O = (size_t)out, S = (size_t)stride;
    up->in = in;
    up->out = out;
    up->stride = stride;
    const float *bias = sm_bind(b->binder, 1, shape, "%s%s.bias", b->prefix, module);
    float *w = bind_weight(b, in, out, 2 * stride, module);
    float *biases = SM_TAKE(b->binder->arena, S * O, float);
    up->w = matrix_of(w, stride * out, 2 * in);
    up->bias = biases;
    if (biases == NULL) sm_binder_miss(b->binder, "memory is short for the codec's biases");
    if (w == NULL || bias == NULL || biases == NULL) return;
    const float *from = spare_copy(b, w, I * O * 2 * S);
    if (from == NULL) return;
    for (size_t s = 0; s < S; s++) {
        for (size_t o = 0; o < O; o++) {
            float *to = w + (s * O + o) * 2 * I;
            for (size_t i = 0; i < I; i++) {
                to[i] = from[(i * O + o) * 2 * S + S + s];
                to[I + i] = from[(i * O + o) * 2 * S + s];
            }
            biases[s * O + o] = bias[o];
        }
    }
}

static void bind_residuals(const binding *b, sm_stage *stage, int channels, const char *half,
                           int *index)
{
    const sm_codec_config *config = b->config;
    const int narrow = channels / config->compress;
    char module[96];
    int dilation = 1;
    stage->residuals = SM_TAKE(b->binder->arena, config->residual_layers, sm_residual);
    if (stage->residuals == NULL) {
        sm_binder_miss(b->binder, "memory is short for the codec's layers");
        return;
    }
    for (int j = 0; j < config->residual_layers; j++, dilation *= config->dilation_growth) {
        sm_residual *residual = &stage->residuals[j];
        const int at = (*index)++;
        snprintf(module, sizeof module, "%s.layers.%d.block.1.conv", half, at);
        bind_conv(b, &residual->first, channels, narrow, config->residual_kernel, module);
        residual->first.dilation = dilation;
        snprintf(module, sizeof module, "%s.layers.%d.block.3.conv", half, at);
        bind_conv(b, &residual->second, narrow, channels, 1, module);
        snprintf(module, sizeof module, "%s.layers.%d.shortcut.conv", half, at);
        residual->has_shortcut = config->conv_shortcut;
        if (config->conv_shortcut) bind_conv(b, &residual->shortcut, channels, channels, 1, module);
    }
}

static void bind_lstm(const binding *b, sm_half *half, int width, const char *name, int index)
{
    const int64_t matrix[2] = {4 * (int64_t)width, width}, vector[1] = {4 * (int64_t)width};
    half->lstm = SM_TAKE(b->binder->arena, b->config->lstm_layers, sm_lstm);
    if (half->lstm == NULL) {
        sm_binder_miss(b->binder, "memory is short for the codec's layers");
        return;
    }
    for (int l = 0; l < b->config->lstm_layers; l++) {
        sm_lstm *lstm = &half->lstm[l];
        const float *in = sm_bind(b->binder, 2, matrix, "%s%s.layers.%d.lstm.weight_ih_l%d",
                                  b->prefix, name, index, l);
        const float *of_state = sm_bind(b->binder, 2, matrix, "%s%s.layers.%d.lstm.weight_hh_l%d",
                                        b->prefix, name, index, l);
        lstm->w_in = matrix_of(in, 4 * width, width);
        lstm->w_state = matrix_of(of_state, 4 * width, width);
        float *bias = sm_bind(b->binder, 1, vector, "%s%s.layers.%d.lstm.bias_ih_l%d", b->prefix,
                              name, index, l);
        const float *state = sm_bind(b->binder, 1, vector, "%s%s.layers.%d.lstm.bias_hh_l%d",
                                     b->prefix, name, index, l);
        lstm->bias = bias;
        if (bias == NULL || state == NULL) continue;
        for (int i = 0; i < 4 * width; i++) bias[i] += state[i];
    }
}

static void bind_encoder(const binding *b, sm_codec *codec)
{
    const sm_codec_config *config = b->config;
    sm_half *half = &codec->encoder;
    char module[96];
    int index = 1, channels = config->filters;
    bind_conv(b, &half->first, config->channels, channels, config->kernel, "encoder.layers.0.conv");
    for (int i = 0; i < config->ratios_count; i++, channels *= 2) {
        const int ratio = config->ratios[config->ratios_count - 1 - i];
        bind_residuals(b, &half->stages[i], channels, "encoder", &index);
        index++; /* ELU */
        snprintf(module, sizeof module, "encoder.layers.%d.conv", index++);
        bind_conv(b, &half->stages[i].down, channels, 2 * channels, 2 * ratio, module);
        half->stages[i].down.stride = ratio;
    }
    bind_lstm(b, half, channels, "encoder", index);
    snprintf(module, sizeof module, "encoder.layers.%d.conv", index + 2); /* after LSTM and ELU */
    bind_conv(b, &half->last, channels, config->hidden, config->last_kernel, module);
}

static void bind_decoder(const binding *b, sm_codec *codec)
{
    const sm_codec_config *config = b->config;
    sm_half *half = &codec->decoder;
    char module[96];
    int index = 2, channels = codec->width;
    bind_conv(b, &half->first, config->hidden, channels, config->kernel, "decoder.layers.0.conv");
    bind_lstm(b, half, channels, "decoder", 1);
    for (int i = 0; i < config->ratios_count; i++, channels /= 2) {
        index++; /* ELU */
        snprintf(module, sizeof module, "decoder.layers.%d.conv", index++);
        bind_upsample(b, &half->stages[i].up, channels, channels / 2, config->ratios[i], module);
        bind_residuals(b, &half->stages[i], channels / 2, "decoder", &index);
    }
    snprintf(module, sizeof module, "decoder.layers.%d.conv", index + 1); /* after ELU */
    bind_conv(b, &half->last, channels, config->channels, config->last_kernel, module);
}

static void bind_books(const binding *b, sm_codec *codec)
{
    const int size = b->config->codebook_size, hidden = b->config->hidden;
    const int64_t shape[2] = {size, hidden};
    for (int q = 0; q < b->config->codebooks; q++) {
        sm_codebook *book = &codec->books[q];
        book->embed =
            sm_bind(b->binder, 2, shape, "%squantizer.layers.%d.codebook.embed", b->prefix, q);
        book->half_norm = SM_TAKE(b->binder->arena, size, float);
        if (book->half_norm == NULL)
            sm_binder_miss(b->binder, "memory is short for the codec's codebooks");
        if (book->embed == NULL || book->half_norm == NULL) continue;
        for (int j = 0; j < size; j++) {
            const float *e = book->embed + (size_t)j * (size_t)hidden;
            double sum = 0.0;
            for (int i = 0; i < hidden; i++) sum += (double)e[i] * (double)e[i];
            book->half_norm[j] = (float)(-0.5 * sum);
            if (sqrt(sum) > (double)book->largest) book->largest = (float)sqrt(sum);
        }
    }
}

smitin_status sm_codec_bind(sm_codec *codec, sm_binder *binder, smitin_error *error)
{
    binding b = {.config = &codec->config,
                 .binder = binder,
                 .prefix = "audio_encoder.",
                 .spare = sm_arena_new()};
    if (b.spare == NULL) return sm_fail_memory(error, "turning the codec's weights", 0);
    if (!sm_binder_has(binder, "audio_encoder.encoder.layers.0.conv.bias") &&
        sm_binder_has(binder, "encoder.layers.0.conv.bias")) {
        b.prefix = "";
    }
    bind_encoder(&b, codec);
    bind_decoder(&b, codec);
    bind_books(&b, codec);
    sm_arena_free(b.spare);
    return SMITIN_OK;
}

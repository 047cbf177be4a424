/* SPDX-License-Identifier: MIT */
/* The codec's weights: names, shapes, weight norm folded, layouts turned channels-last. What they
 * are turned from lives in a spare arena for as long as one layer is bound. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/arena.h"
#include "model.h"

typedef struct binding {
    const sm_codec_config *config;
    sm_binder *binder;
    const char *prefix; /* "audio_encoder." or "" */
    sm_arena *arena;    /* the binder's own */
    sm_format format;   /* of every layer: f32 or f16 */
} binding;

/* The weight [d0, d1, d2] of a module. Dimension 0, over which a weight norm runs, is the outputs
 * of a convolution but the INPUTS of a transposed one. */
static float *bind_weight(const binding *b, int d0, int d1, int d2, const char *module)
{
    const int64_t shape[3] = {d0, d1, d2};
    return sm_bind_normed(b->binder, shape, "%s%s", b->prefix, module);
}

/* A layer whose weights stand in another order in the file. */
typedef struct turned {
    const float *w;
    size_t in, out, taps; /* taps: kernel, or stride */
    void (*row)(const struct turned *from, size_t n, float *row);
} turned;

/* [out, in, kernel] -> [out, kernel * in] */
static void conv_row(const turned *from, size_t n, float *row)
{
    const size_t I = from->in, K = from->taps;
    for (size_t i = 0; i < I; i++) {
        for (size_t k = 0; k < K; k++) row[k * I + i] = from->w[(n * I + i) * K + k];
    }
}

/* [in, out, 2 stride] -> [stride * out, 2 * in], x[m - 1] before x[m] */
static void upsample_row(const turned *from, size_t n, float *row)
{
    const size_t I = from->in, O = from->out, S = from->taps, s = n / O, o = n % O;
    for (size_t i = 0; i < I; i++) {
        row[i] = from->w[(i * O + o) * 2 * S + S + s];
        row[I + i] = from->w[(i * O + o) * 2 * S + s];
    }
}

/* The weights [N, M] of a layer in the codec's format and the arena that stays. */
static sm_matrix turn(const binding *b, const turned *from, int N, int M, const char *module)
{
    sm_packed_size size;
    sm_matrix w = {0};
    void *values = NULL;
    float *row = SM_TAKE(b->binder->arena, M, float);
    if (sm_matrix_size(&size, b->format, N, M, NULL) == SMITIN_OK)
        values = sm_arena_take(b->arena, size.codes, 1);
    if (row == NULL || values == NULL) {
        sm_binder_short(b->binder, "turning the codec's weights");
        return w;
    }
    for (int n = 0; n < N; n++) {
        from->row(from, (size_t)n, row);
        if (sm_matrix_store(values, NULL, b->format, row, M, n, n + 1, NULL) == SMITIN_OK) continue;
        sm_binder_miss(b->binder, "a weight of %s%s is not finite, or too large for %s", b->prefix,
                       module, sm_format_name(b->format));
        return w;
    }
    w = (sm_matrix){b->format, N, M, values, NULL};
    return w;
}

/* Bind into an arena for what is needed only while a layer is turned; NULL when memory is short. */
static sm_arena *spare_begin(const binding *b)
{
    sm_arena *spare = sm_arena_new();
    if (spare == NULL)
        sm_binder_short(b->binder, "turning the codec's weights");
    else
        b->binder->arena = spare;
    return spare;
}

static void spare_end(const binding *b, sm_arena *spare)
{
    b->binder->arena = b->arena;
    sm_arena_free(spare);
}

static void bind_conv(const binding *b, sm_conv *conv, int in, int out, int kernel,
                      const char *module)
{
    const int64_t shape[1] = {out};
    conv->in = in;
    conv->out = out;
    conv->kernel = kernel;
    conv->stride = conv->dilation = 1;
    conv->bias = sm_bind(b->binder, 1, shape, "%s%s.bias", b->prefix, module);
    sm_arena *spare = spare_begin(b);
    if (spare == NULL) return;
    const turned from = {bind_weight(b, out, in, kernel, module), (size_t)in, (size_t)out,
                         (size_t)kernel, conv_row};
    if (from.w != NULL) conv->w = turn(b, &from, out, kernel * in, module);
    spare_end(b, spare);
}

static void bind_upsample(const binding *b, sm_upsample *up, int in, int out, int stride,
                          const char *module)
{
    const int64_t shape[1] = {out};
    const size_t O = (size_t)out, S = (size_t)stride;
    up->in = in;
    up->out = out;
    up->stride = stride;
    float *biases = SM_TAKE(b->arena, S * O, float);
    up->bias = biases;
    if (biases == NULL) sm_binder_short(b->binder, "the codec's biases");
    sm_arena *spare = spare_begin(b);
    if (spare == NULL) return;
    const float *bias = sm_bind(b->binder, 1, shape, "%s%s.bias", b->prefix, module);
    const turned from = {bind_weight(b, in, out, 2 * stride, module), (size_t)in, O, S,
                         upsample_row};
    if (from.w != NULL) up->w = turn(b, &from, stride * out, 2 * in, module);
    for (size_t i = 0; bias != NULL && biases != NULL && i < S * O; i++) biases[i] = bias[i % O];
    spare_end(b, spare);
}

static void bind_residuals(const binding *b, sm_stage *stage, int channels, const char *half,
                           int *index)
{
    const sm_codec_config *config = b->config;
    const int narrow = channels / config->compress;
    char module[96];
    int dilation = 1;
    /* They stay where they are when their weights are bound later: stacks point to them. */
    if (stage->residuals == NULL)
        stage->residuals = SM_TAKE(b->binder->arena, config->residual_layers, sm_residual);
    if (stage->residuals == NULL) {
        sm_binder_short(b->binder, "the codec's layers");
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
    const int64_t vector[1] = {4 * (int64_t)width};
    half->lstm = SM_TAKE(b->binder->arena, b->config->lstm_layers, sm_lstm);
    if (half->lstm == NULL) {
        sm_binder_short(b->binder, "the codec's layers");
        return;
    }
    for (int l = 0; l < b->config->lstm_layers; l++) {
        sm_lstm *lstm = &half->lstm[l];
        sm_bind_matrix(b->binder, &lstm->w_in, 4 * width, width,
                       "%s%s.layers.%d.lstm.weight_ih_l%d", b->prefix, name, index, l);
        sm_bind_matrix(b->binder, &lstm->w_state, 4 * width, width,
                       "%s%s.layers.%d.lstm.weight_hh_l%d", b->prefix, name, index, l);
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
        if (book->half_norm == NULL) sm_binder_short(b->binder, "the codec's codebooks");
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

/* Run `part` with the binder in the codec's format. */
static void bind_with(sm_codec *codec, sm_binder *binder,
                      void (*part)(const binding *b, sm_codec *codec))
{
    const bool as_file = binder->as_file, exact = as_file || binder->format == SM_FORMAT_F32;
    const sm_format format = binder->format;
    binding b = {.config = &codec->config,
                 .binder = binder,
                 .prefix = "audio_encoder.",
                 .arena = binder->arena,
                 .format = exact ? SM_FORMAT_F32 : SM_FORMAT_F16};
    if (!sm_binder_has(binder, "audio_encoder.encoder.layers.0.conv.bias") &&
        sm_binder_has(binder, "encoder.layers.0.conv.bias")) {
        b.prefix = "";
    }
    binder->as_file = false;
    binder->format = b.format;
    part(&b, codec);
    binder->as_file = as_file;
    binder->format = format;
}

static void bind_decoding(const binding *b, sm_codec *codec)
{
    bind_decoder(b, codec);
    bind_books(b, codec);
}

static void tell_nobody(void *lister, const sm_bound *bound)
{
    (void)lister;
    (void)bound;
}

void sm_codec_bind(sm_codec *codec, sm_binder *binder, bool encoder)
{
    const bool look = !encoder && binder->list == NULL;
    if (look) binder->list = tell_nobody;
    bind_with(codec, binder, bind_encoder);
    if (look) binder->list = NULL;
    bind_with(codec, binder, bind_decoding);
}

void sm_codec_bind_encoder(sm_codec *codec, sm_binder *binder)
{
    bind_with(codec, binder, bind_encoder);
}

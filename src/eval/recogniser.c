/* SPDX-License-Identifier: MIT */
/* Owns the recogniser's weights and its forward pass. Two seconds are some 20 million
 * multiply-adds, so plain loops over time do. */
#include "recogniser.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/arena.h"
#include "../format/weights.h"
#include "spectrum.h"

enum {
    BANDS = 64,
    FFT = 2048,
    HOP = 640,
    FRAMES = SM_RECOGNISER_WINDOW / HOP,
    PAD = (FFT - HOP) / 2,
    BLOCKS_MAX = 5, /* leaves two bands */
    CHANNELS_MAX = 512,
    FEATURES_MAX = 4096,
    NAME_MAX_BYTES = 32,
};

typedef struct block {
    int in, out, bands, frames; /* channels; of its input */
    int pool;                   /* frames of which the maximum is taken */
    float *weight;              /* [out, in, 3, 3], batch norm folded in */
    float *bias;                /* [out] */
} block;

struct sm_recogniser {
    sm_arena *arena;
    sm_spectrum *spectrum;
    float *filters; /* [BANDS, FFT / 2 + 1] */
    int blocks, features, classes;
    block block[BLOCKS_MAX];
    float *mix, *mix_bias; /* [features, 2 * channels * bands], [features] */
    float *out, *out_bias; /* [classes, features], [classes] */
    char names[SM_RECOGNISER_CLASSES][NAME_MAX_BYTES];
    /* working arrays */
    float *padded, *magnitude, *mel; /* [PAD + window + PAD], [FFT / 2 + 1], [BANDS] */
    float *from, *to;          /* signals with a border of zeros, [C, bands + 2, frames + 2] */
    float *plane;              /* one channel before pooling, [bands, frames] */
    float *pooled, *embedding; /* [2 * channels * bands], [features] */
};

void sm_recogniser_free(sm_recogniser *r)
{
    if (r == NULL) return;
    sm_spectrum_free(r->spectrum);
    sm_arena_free(r->arena);
    free(r);
}

int sm_recogniser_features(const sm_recogniser *r)
{
    return r->features;
}

int sm_recogniser_classes(const sm_recogniser *r)
{
    return r->classes;
}

const char *sm_recogniser_class(const sm_recogniser *r, int index)
{
    return r->names[index];
}

/* ---- Loading ---- */

/* A dimension of a tensor, 0 when there is no such tensor or dimension or it is out of range. */
static int size_of(const sm_safetensors *file, const char *name, int dim, int most)
{
    const sm_tensor *tensor = sm_safetensors_find(file, name);
    if (tensor == NULL || dim >= tensor->dims) return 0;
    return tensor->shape[dim] >= 1 && tensor->shape[dim] <= most ? (int)tensor->shape[dim] : 0;
}

static void find_shape(sm_recogniser *r, const sm_safetensors *file)
{
    int in = 1, bands = BANDS, frames = FRAMES;
    for (; r->blocks < BLOCKS_MAX; r->blocks++) {
        char name[32];
        snprintf(name, sizeof name, "convs.%d.weight", r->blocks);
        const int out = size_of(file, name, 0, CHANNELS_MAX);
        if (out == 0) break;
        r->block[r->blocks] = (block){.in = in, .out = out, .bands = bands, .frames = frames};
        in = out;
        bands /= 2;
        frames /= 2;
    }
    for (int i = 0; i < r->blocks; i++) r->block[i].pool = i + 1 < r->blocks ? 2 : 1;
    r->features = size_of(file, "mix.weight", 0, FEATURES_MAX);
    r->classes = size_of(file, "out.weight", 0, SM_RECOGNISER_CLASSES);
}

/* norm(conv(x)) = (weight s) * x + (bias - mean s), s = norm weight / sqrt(variance + eps). */
static void bind_block(block *b, int index, sm_binder *binder)
{
    const int64_t shape[4] = {b->out, b->in, 3, 3}, channels[1] = {b->out};
    b->weight = sm_bind(binder, 4, shape, "convs.%d.weight", index);
    float *scale = sm_bind(binder, 1, channels, "norms.%d.weight", index);
    b->bias = sm_bind(binder, 1, channels, "norms.%d.bias", index);
    const float *mean = sm_bind(binder, 1, channels, "norms.%d.running_mean", index);
    const float *variance = sm_bind(binder, 1, channels, "norms.%d.running_var", index);
    if (b->weight == NULL || scale == NULL || b->bias == NULL || mean == NULL || variance == NULL)
        return;
    for (int o = 0; o < b->out; o++) {
        if (variance[o] < 0.0f) sm_binder_miss(binder, "norms.%d has a negative variance", index);
        const double s = (double)scale[o] / sqrt(fmax(0.0, (double)variance[o]) + 1e-5);
        for (int i = 0; i < b->in * 9; i++)
            b->weight[o * b->in * 9 + i] = (float)((double)b->weight[o * b->in * 9 + i] * s);
        b->bias[o] = (float)((double)b->bias[o] - (double)mean[o] * s);
    }
}

/* Channels and bands behind the last block. */
static int pooled_size(const sm_recogniser *r)
{
    const block *last = &r->block[r->blocks - 1];
    return last->out * (last->bands / 2);
}

static smitin_status bind(sm_recogniser *r, const sm_safetensors *file, smitin_error *error)
{
    find_shape(r, file);
    if (r->blocks == 0 || r->features == 0 || r->classes == 0)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "'%s' is no recogniser: it lacks convs.0.weight, mix.weight or out.weight, "
                       "or they have impossible shapes; training/floors/recogniser.py makes one",
                       sm_safetensors_path(file));
    sm_binder binder;
    sm_binder_init(&binder, file, r->arena);
    for (int i = 0; i < r->blocks; i++) bind_block(&r->block[i], i, &binder);
    const int64_t mix[2] = {r->features, 2 * pooled_size(r)}, out[2] = {r->classes, r->features};
    r->mix = sm_bind(&binder, 2, mix, "mix.weight");
    r->mix_bias = sm_bind(&binder, 1, mix, "mix.bias");
    r->out = sm_bind(&binder, 2, out, "out.weight");
    r->out_bias = sm_bind(&binder, 1, out, "out.bias");
    return sm_binder_finish(&binder, "the recogniser", error);
}

static smitin_status name_classes(sm_recogniser *r, const sm_safetensors *file, smitin_error *error)
{
    const char *text = sm_safetensors_meta(file, "classes");
    if (text == NULL && r->classes == 4) text = "drums,bass,guitar,piano";
    int count = 0;
    for (const char *at = text; at != NULL && count < r->classes; count++) {
        const size_t length = strcspn(at, ",");
        if (length == 0 || length >= NAME_MAX_BYTES) break;
        memcpy(r->names[count], at, length);
        at = at[length] == ',' ? at + length + 1 : NULL;
        if ((at == NULL) != (count + 1 == r->classes)) break;
    }
    if (count == r->classes) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "'%s' tells %d classes apart, and its metadata does not name them; store "
                   "\"classes\" with as many names and commas between them",
                   sm_safetensors_path(file), r->classes);
}

static smitin_status take_room(sm_recogniser *r, smitin_error *error)
{
    size_t signal = (size_t)(BANDS + 2) * (FRAMES + 2);
    for (int i = 0; i < r->blocks; i++) {
        const block *b = &r->block[i];
        const size_t size =
            (size_t)b->out * (size_t)(b->bands / 2 + 2) * (size_t)(b->frames / b->pool + 2);
        if (size > signal) signal = size;
    }
    r->filters = SM_TAKE(r->arena, BANDS * (FFT / 2 + 1), float);
    r->padded = SM_TAKE(r->arena, SM_RECOGNISER_WINDOW + 2 * PAD, float);
    r->magnitude = SM_TAKE(r->arena, FFT / 2 + 1, float);
    r->mel = SM_TAKE(r->arena, BANDS, float);
    r->from = SM_TAKE(r->arena, signal, float);
    r->to = SM_TAKE(r->arena, signal, float);
    r->plane = SM_TAKE(r->arena, BANDS * FRAMES, float);
    r->pooled = SM_TAKE(r->arena, 2 * pooled_size(r), float);
    r->embedding = SM_TAKE(r->arena, r->features, float);
    if (r->filters == NULL || r->padded == NULL || r->magnitude == NULL || r->mel == NULL ||
        r->from == NULL || r->to == NULL || r->plane == NULL || r->pooled == NULL ||
        r->embedding == NULL)
        return sm_fail_memory(error, "the recogniser", signal * sizeof(float));
    sm_mel_filters(r->filters, BANDS, FFT, SM_RECOGNISER_RATE, 30.0);
    return sm_spectrum_new(&r->spectrum, FFT, error);
}

/* From an open file, or from `status` when it could not be opened; closes it. */
static smitin_status load(sm_recogniser **out, sm_safetensors *file, smitin_status status,
                          smitin_error *error)
{
    *out = NULL;
    if (status == SMITIN_ERROR_FORMAT) { /* a damaged file of weights is a refusal of them */
        status = SMITIN_ERROR_MODEL;
        if (error != NULL) error->status = status;
    }
    if (status != SMITIN_OK) return status;
    sm_recogniser *r = calloc(1, sizeof *r);
    if (r != NULL) r->arena = sm_arena_new();
    if (r == NULL || r->arena == NULL) status = sm_fail_memory(error, "the recogniser", sizeof *r);
    if (status == SMITIN_OK) status = bind(r, file, error);
    if (status == SMITIN_OK) status = name_classes(r, file, error);
    if (status == SMITIN_OK) status = take_room(r, error);
    sm_safetensors_close(file);
    if (status == SMITIN_OK)
        *out = r;
    else
        sm_recogniser_free(r);
    return status;
}

smitin_status sm_recogniser_open(sm_recogniser **out, const char *path, smitin_error *error)
{
    sm_safetensors *file = NULL;
    const smitin_status status = sm_safetensors_open(&file, path, error);
    return load(out, file, status, error);
}

smitin_status sm_recogniser_parse(sm_recogniser **out, const void *data, size_t size,
                                  const char *name, smitin_error *error)
{
    sm_safetensors *file = NULL;
    const smitin_status status = sm_safetensors_parse(&file, data, size, name, error);
    return load(out, file, status, error);
}

/* ---- Hearing ---- */

/* Log-mel spectra into a signal of one channel with a border of zeros. */
static void features_of(sm_recogniser *r, const float *samples)
{
    const size_t stride = FRAMES + 2;
    memcpy(r->padded + PAD, samples, SM_RECOGNISER_WINDOW * sizeof *samples);
    memset(r->from, 0, (BANDS + 2) * stride * sizeof *r->from);
    for (size_t t = 0; t < FRAMES; t++) {
        sm_spectrum_run(r->spectrum, r->padded + t * HOP, r->magnitude);
        sm_mel_apply(r->mel, r->filters, r->magnitude, BANDS, FFT);
        for (size_t b = 0; b < BANDS; b++) r->from[(b + 1) * stride + t + 1] = r->mel[b];
    }
}

/* plane [bands, frames] = ReLU(convolution) of output channel o. */
static void convolve(const block *b, int o, const float *from, float *plane)
{
    const size_t frames = (size_t)b->frames, stride = frames + 2, bands = (size_t)b->bands;
    for (size_t i = 0; i < bands * frames; i++) plane[i] = b->bias[o];
    for (int c = 0; c < b->in; c++) {
        const float *x = from + (size_t)c * (bands + 2) * stride;
        const float *w = b->weight + ((size_t)o * (size_t)b->in + (size_t)c) * 9;
        for (size_t y = 0; y < bands; y++)
            for (size_t k = 0; k < 9; k++) {
                const float *row = x + (y + k / 3) * stride + k % 3;
                for (size_t t = 0; t < frames; t++) plane[y * frames + t] += w[k] * row[t];
            }
    }
    for (size_t i = 0; i < bands * frames; i++) plane[i] = fmaxf(plane[i], 0.0f);
}

/* The maximum over 2 bands and `pool` frames into channel o of a signal with a border. */
static void pool_channel(const block *b, int o, const float *plane, float *to)
{
    const size_t frames = (size_t)(b->frames / b->pool), bands = (size_t)b->bands / 2;
    const size_t stride = frames + 2, wide = (size_t)b->frames, pool = (size_t)b->pool;
    float *out = to + (size_t)o * (bands + 2) * stride;
    memset(out, 0, (bands + 2) * stride * sizeof *out);
    for (size_t y = 0; y < bands; y++)
        for (size_t t = 0; t < frames; t++) {
            const float *at = plane + 2 * y * wide + t * pool;
            float most = fmaxf(at[0], at[wide]);
            if (pool == 2) most = fmaxf(most, fmaxf(at[1], at[wide + 1]));
            out[(y + 1) * stride + t + 1] = most;
        }
}

/* y [n] = W [n, m] x + bias */
static void layer(float *y, const float *w, const float *bias, const float *x, int n, int m)
{
    for (int i = 0; i < n; i++) {
        double sum = (double)bias[i];
        for (int j = 0; j < m; j++)
            sum += (double)w[(size_t)i * (size_t)m + (size_t)j] * (double)x[j];
        y[i] = (float)sum;
    }
}

static void pool_time(sm_recogniser *r)
{
    const block *last = &r->block[r->blocks - 1];
    const size_t bands = (size_t)last->bands / 2, frames = (size_t)(last->frames / last->pool);
    const size_t stride = frames + 2, size = (size_t)pooled_size(r);
    for (size_t i = 0; i < size; i++) {
        const size_t channel = i / bands, band = i % bands;
        const float *row = r->from + (channel * (bands + 2) + band + 1) * stride + 1;
        double sum = 0.0;
        float most = 0.0f; /* behind a ReLU */
        for (size_t t = 0; t < frames; t++) {
            sum += (double)row[t];
            most = fmaxf(most, row[t]);
        }
        r->pooled[i] = (float)(sum / (double)frames);
        r->pooled[size + i] = most;
    }
}

void sm_recogniser_hear(sm_recogniser *r, const float samples[SM_RECOGNISER_WINDOW],
                        float *features, float *probability)
{
    features_of(r, samples);
    for (int i = 0; i < r->blocks; i++) {
        const block *b = &r->block[i];
        for (int o = 0; o < b->out; o++) {
            convolve(b, o, r->from, r->plane);
            pool_channel(b, o, r->plane, r->to);
        }
        float *kept = r->from;
        r->from = r->to;
        r->to = kept;
    }
    pool_time(r);
    layer(r->embedding, r->mix, r->mix_bias, r->pooled, r->features, 2 * pooled_size(r));
    for (int i = 0; i < r->features; i++) r->embedding[i] = fmaxf(r->embedding[i], 0.0f);
    if (features != NULL) memcpy(features, r->embedding, (size_t)r->features * sizeof *features);
    if (probability == NULL) return;
    layer(probability, r->out, r->out_bias, r->embedding, r->classes, r->features);
    for (int i = 0; i < r->classes; i++)
        probability[i] = (float)(1.0 / (1.0 + exp(-(double)probability[i])));
}

size_t sm_recogniser_windows(size_t count, size_t hop)
{
    return count < SM_RECOGNISER_WINDOW ? 0 : (count - SM_RECOGNISER_WINDOW) / hop + 1;
}

static smitin_status encode(void *context, const float *samples, size_t count, float **rows,
                            size_t *n, smitin_error *error)
{
    sm_recogniser *r = context;
    *n = sm_recogniser_windows(count, SM_RECOGNISER_RATE);
    *rows = NULL;
    if (*n == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "it has %.2f s of audio here; the recogniser hears windows of 2 s",
                       (double)count / SM_RECOGNISER_RATE);
    *rows = malloc(*n * (size_t)r->features * sizeof **rows);
    if (*rows == NULL) return sm_fail_memory(error, "embeddings", *n * (size_t)r->features);
    for (size_t i = 0; i < *n; i++)
        sm_recogniser_hear(r, samples + i * SM_RECOGNISER_RATE, *rows + i * (size_t)r->features,
                           NULL);
    return SMITIN_OK;
}

sm_encoder sm_recogniser_encoder(sm_recogniser *r)
{
    return (sm_encoder){.name = "smitin-recogniser",
                        .rate = SM_RECOGNISER_RATE,
                        .d = r->features,
                        .run = encode,
                        .context = r};
}

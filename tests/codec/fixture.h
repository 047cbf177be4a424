/* SPDX-License-Identifier: MIT */
/* The tiny golden model's codec, bound; its golden tensors; one signal through it and back. */
#ifndef SMITIN_TESTS_CODEC_FIXTURE_H
#define SMITIN_TESTS_CODEC_FIXTURE_H

#include "../../src/codec/encodec.h"
#include "../common.h"

typedef struct fixture {
    sm_model_config config;
    sm_safetensors *file, *golden;
    sm_arena *arena;
    sm_codec *codec;
    sm_pool *pool;
    const sm_kernels *kernels;
} fixture;

static inline void fixture_open_in(fixture *f, int threads, sm_format format)
{
    smitin_error error;
    sm_binder binder;
    memset(f, 0, sizeof *f);
    ASSERT_OK(sm_config_read(&f->config, GOLDEN "/tiny", &error));
    ASSERT_OK(sm_safetensors_open(&f->file, GOLDEN "/tiny/model.safetensors", &error));
    ASSERT_OK(sm_safetensors_open(&f->golden, GOLDEN "/tiny/codec_golden.safetensors", &error));
    f->arena = sm_arena_new();
    assert_non_null(f->arena);
    sm_binder_init(&binder, f->file, f->arena);
    binder.format = format;
    ASSERT_OK(sm_codec_new(&f->codec, &f->config.codec, &binder, &error));
    ASSERT_OK(sm_binder_finish(&binder, "the tiny model", &error));
    ASSERT_OK(sm_pool_new(&f->pool, threads, &error));
    f->kernels = sm_kernels_get(sm_cpu_detect());
}

static inline void fixture_open(fixture *f, int threads)
{
    fixture_open_in(f, threads, SM_FORMAT_F32);
}

static inline void fixture_close(fixture *f)
{
    sm_pool_free(f->pool);
    sm_arena_free(f->arena);
    sm_safetensors_close(f->golden);
    sm_safetensors_close(f->file);
}

static inline float *floats(size_t n)
{
    float *memory = calloc(n, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

/* A copy to free() of the golden "samples", "latents", "codes" or "audio" of one length: f32 or
 * i32. */
static inline void *golden_copy(const fixture *f, const char *what, int length)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%d", what, length);
    const sm_tensor *tensor = sm_safetensors_find(f->golden, name);
    if (tensor == NULL) fail_msg("no golden tensor '%s'", name);
    const size_t bytes = tensor->count * sm_dtype_size(tensor->dtype);
    void *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, tensor->data, bytes);
    return copy;
}

typedef struct result {
    size_t frames;
    float *latents; /* [frames, hidden] */
    int32_t *codes; /* [K, frames] */
    float *audio;   /* [frames * hop] */
} result;

static inline result both_ways(const fixture *f, const sm_codec *codec, const float *samples,
                               size_t count)
{
    const size_t frames = sm_codec_frames(codec, count);
    result r = {.frames = frames,
                .latents = floats(frames * (size_t)f->config.codec.hidden),
                .codes = calloc(frames * (size_t)f->config.codec.codebooks, sizeof(int32_t)),
                .audio = floats(frames * (size_t)f->config.codec.hop)};
    float *scratch =
        floats(sm_codec_scratch(codec, frames)); /* exactly: sanitizers see one float too many */
    assert_non_null(r.codes);
    sm_codec_analyse(codec, f->kernels, f->pool, samples, count, r.latents, scratch);
    sm_codec_quantize(codec, f->kernels, f->pool, r.latents, frames, r.codes, scratch);
    sm_codec_decode(codec, f->kernels, f->pool, r.codes, frames, frames, r.audio, scratch);
    free(scratch);
    return r;
}

static inline void result_free(result *r)
{
    free(r->latents);
    free(r->codes);
    free(r->audio);
}

static inline double largest_difference(const float *a, const float *b, size_t n)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= largest)) largest = difference; /* NaN stays */
    }
    return largest;
}

#endif

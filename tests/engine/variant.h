/* SPDX-License-Identifier: MIT */
/* A tiny variant of MusicGen (tests/golden/NAME, made by tests/golden/make_variants.py) with what
 * transformers made of it. */
#ifndef SMITIN_TESTS_ENGINE_VARIANT_H
#define SMITIN_TESTS_ENGINE_VARIANT_H

#include "../../src/format/safetensors.h"
#include "../common.h"

/* Sums of some hundred products in f32, in another order; values are around 1. */
#define AUDIO_TOLERANCE 2e-4

typedef struct variant {
    smitin_engine *engine;
    smitin_model_info info;
    sm_safetensors *golden;
} variant;

static inline void variant_open(variant *v, const char *name, const char *level)
{
    char path[1024];
    smitin_error error;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = 1;
    options.cpu_level = level;
    snprintf(path, sizeof path, GOLDEN "/%s", name);
    ASSERT_OK(smitin_engine_open(&v->engine, path, &options, &error));
    smitin_engine_info(v->engine, &v->info);
    snprintf(path, sizeof path, GOLDEN "/%s/golden.safetensors", name);
    ASSERT_OK(sm_safetensors_open(&v->golden, path, &error));
}

static inline void variant_close(variant *v)
{
    sm_safetensors_close(v->golden);
    smitin_engine_free(v->engine);
}

/* A copy to free(): f32 or i32, 4 bytes a value. */
static inline void *variant_copy(const variant *v, const char *name, size_t *count)
{
    const sm_tensor *tensor = sm_safetensors_find(v->golden, name);
    if (tensor == NULL) fail_msg("no golden tensor '%s'", name);
    void *copy = malloc(tensor->count * 4);
    assert_non_null(copy);
    memcpy(copy, tensor->data, tensor->count * 4);
    if (count != NULL) *count = tensor->count;
    return copy;
}

/* A session that makes `frames` frames greedily, guided as transformers was. */
static inline smitin_session *variant_session(const variant *v, int frames, int pieces)
{
    smitin_error error;
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = frames / v->info.frame_rate;
    options.pieces = pieces;
    options.temperature = 0.0;
    ASSERT_OK(smitin_session_new(&session, v->engine, &options, &error));
    return session;
}

/* Piece `piece` of a session that has ended has the codes of the golden tensor. */
static inline void variant_assert_codes(const variant *v, const smitin_session *session, int piece,
                                        const char *name)
{
    smitin_error error;
    size_t count = 0, frames = 0, stride = 0;
    const int32_t *codes = NULL;
    int32_t *expected = variant_copy(v, name, &count);
    ASSERT_OK(smitin_session_codes(session, piece, &codes, &frames, &stride, &error));
    assert_int_equal(frames * (size_t)v->info.codebooks, count);
    for (size_t k = 0; k < (size_t)v->info.codebooks; k++) {
        for (size_t t = 0; t < frames; t++) {
            if (codes[k * stride + t] != expected[k * frames + t])
                fail_msg("%s: codebook %zu, frame %zu is %d, expected %d", name, k, t,
                         codes[k * stride + t], expected[k * frames + t]);
        }
    }
    free(expected);
}

#endif

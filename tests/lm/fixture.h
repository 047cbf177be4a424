/* SPDX-License-Identifier: MIT */
/* The tiny golden model's decoder, bound; and its golden tensors. */
#ifndef SMITIN_TESTS_LM_FIXTURE_H
#define SMITIN_TESTS_LM_FIXTURE_H

#include "../../src/lm/lm.h"
#include "../common.h"

typedef struct fixture {
    sm_model_config config;
    sm_safetensors *file, *golden;
    sm_arena *arena;
    sm_lm *lm;
    sm_pool *pool; /* of `threads` threads */
    const sm_kernels *kernels;
    sm_format cache; /* of the states made */
    int L, H, D, d, K, V;
} fixture;

/* The files are f16; `format` NULL: as the file. */
static inline void fixture_open_model(fixture *f, int threads, const sm_format *format,
                                      const char *folder, const char *model, const char *tensors)
{
    smitin_error error;
    sm_binder binder;
    memset(f, 0, sizeof *f);
    ASSERT_OK(sm_config_read(&f->config, folder, &error));
    ASSERT_OK(sm_safetensors_open(&f->file, model, &error));
    ASSERT_OK(sm_safetensors_open(&f->golden, tensors, &error));
    f->arena = sm_arena_new();
    assert_non_null(f->arena);
    ASSERT_OK(sm_pool_new(&f->pool, threads, &error));
    sm_binder_init(&binder, f->file, f->arena);
    binder.pool = f->pool;
    binder.as_file = format == NULL;
    if (format != NULL) binder.format = *format;
    ASSERT_OK(sm_lm_new(&f->lm, &f->config.lm, f->config.text.hidden, &binder, &error));
    ASSERT_OK(sm_binder_finish(&binder, "the tiny model", &error));
    f->kernels = sm_kernels_get(sm_cpu_detect());
    f->L = f->config.lm.layers;
    f->H = f->config.lm.heads;
    f->d = f->config.lm.hidden;
    f->D = f->d / f->H;
    f->K = f->config.lm.codebooks;
    f->V = f->config.lm.vocab;
}

static inline void fixture_open_in(fixture *f, int threads, const sm_format *format)
{
    fixture_open_model(f, threads, format, GOLDEN "/tiny", GOLDEN "/tiny/model.safetensors",
                       GOLDEN "/tiny/lm_golden.safetensors");
}

static inline void fixture_open(fixture *f, int threads)
{
    const sm_format format = SM_FORMAT_F32;
    fixture_open_in(f, threads, &format);
}

static inline void fixture_close(fixture *f)
{
    sm_pool_free(f->pool);
    sm_arena_free(f->arena);
    sm_safetensors_close(f->golden);
    sm_safetensors_close(f->file);
}

static inline const sm_tensor *golden(const fixture *f, const char *name)
{
    const sm_tensor *tensor = sm_safetensors_find(f->golden, name);
    if (tensor == NULL) fail_msg("no golden tensor '%s'", name);
    return tensor;
}

/* A copy to free(): f32 or i32 tensors. */
static inline void *golden_copy(const fixture *f, const char *name)
{
    const sm_tensor *tensor = golden(f, name);
    const size_t bytes = tensor->count * sm_dtype_size(tensor->dtype);
    void *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, tensor->data, bytes);
    return copy;
}

static inline float *floats(size_t n)
{
    float *memory = calloc(n, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

/* A state of `rows` rows; row r is conditioned on the golden text when bit r of `conditioned` is
 * set. */
static inline sm_lm_state *state_new(const fixture *f, int rows, int columns, int batch,
                                     unsigned conditioned)
{
    smitin_error error;
    sm_lm_state *state = NULL;
    const sm_tensor *text = golden(f, "text");
    const int tokens = (int)text->shape[0];
    const sm_lm_state_options options = {rows, columns, batch, tokens, f->cache};
    ASSERT_OK(sm_lm_state_new(&state, f->lm, &options, &error));
    float *hidden = golden_copy(f, "text");
    for (int r = 0; r < rows; r++) {
        sm_lm_condition(state, f->kernels, f->pool, r, hidden, conditioned >> r & 1 ? tokens : 0);
    }
    free(hidden);
    return state;
}

/* The same columns [S, K] for `rows` rows: [rows, S, K]. */
static inline int32_t *repeat_rows(const int32_t *columns, int rows, int S, int K)
{
    const size_t n = (size_t)S * (size_t)K;
    int32_t *tokens = malloc((size_t)rows * n * sizeof *tokens);
    assert_non_null(tokens);
    for (int r = 0; r < rows; r++) memcpy(tokens + (size_t)r * n, columns, n * sizeof *tokens);
    return tokens;
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

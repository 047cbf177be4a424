/* SPDX-License-Identifier: MIT */
/* Decoder steps per second of a folder's model for several numbers of rows: speed FOLDER [THREADS].
 * Every other row is conditioned on text, as under guidance; the timeline is at 5 s when the timing
 * starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/lm/lm.h"

#define START  250 /* columns fed before the timing */
#define TOKENS 16  /* of the text */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static smitin_status measure(const sm_lm *lm, const sm_model_config *config,
                             const sm_kernels *kernels, sm_pool *pool, int rows,
                             smitin_error *error)
{
    const size_t K = (size_t)config->lm.codebooks, R = (size_t)rows;
    sm_lm_state *state = NULL;
    const sm_lm_state_options options = {rows, START + 1000, START, TOKENS, SM_FORMAT_F32};
    SM_TRY(sm_lm_state_new(&state, lm, &options, error));
    float *hidden = calloc((size_t)(TOKENS * config->text.hidden), sizeof *hidden);
    float *logits = malloc(R * K * (size_t)config->lm.vocab * sizeof *logits);
    int32_t *tokens = malloc(R * START * K * sizeof *tokens);
    smitin_status status = SMITIN_OK;
    if (hidden == NULL || logits == NULL || tokens == NULL) {
        status = sm_fail_memory(error, "timing", 0);
        goto done;
    }
    for (int i = 0; i < TOKENS * config->text.hidden; i++) hidden[i] = (float)(i % 17) * 0.1f;
    for (size_t i = 0; i < R * START * K; i++)
        tokens[i] = (int32_t)(i * 37 % (size_t)config->lm.vocab);
    for (int r = 0; r < rows; r += 2) sm_lm_condition(state, kernels, pool, r, hidden, TOKENS);

    double t0 = now();
    sm_lm_forward(state, kernels, pool, tokens, START, NULL, 0, logits, NULL);
    const double prefill = now() - t0;
    int steps = 0;
    double best = 1e9,
           total = 0.0; /* the fastest step is the machine's; the mean has its other guests in it */
    while (steps < 900 && (total < 4.0 || steps < 8)) {
        t0 = now();
        sm_lm_forward(state, kernels, pool, tokens, 1, NULL, 0, logits, NULL);
        const double step = now() - t0;
        total += step;
        if (step < best) best = step;
        steps++;
    }
    printf("%2d rows: %7.1f steps/s in the mean, %7.1f at best, %8.1f rows x steps/s; prefill %.0f "
           "columns/s\n",
           rows, steps / total, 1.0 / best, rows * steps / total, START / prefill);
done:
    sm_lm_state_free(state);
    free(hidden), free(logits), free(tokens);
    return status;
}

static smitin_status run(const char *folder, int threads, smitin_error *error)
{
    static const int rows[] = {1, 2, 4, 16};
    char path[1024];
    sm_model_config config;
    sm_safetensors *file = NULL;
    sm_pool *pool = NULL;
    sm_binder binder;
    sm_lm *lm = NULL;
    sm_arena *arena = sm_arena_new();
    const sm_kernels *kernels = sm_kernels_get(sm_cpu_detect());
    smitin_status status;
    if (arena == NULL) return sm_fail_memory(error, "the model", 0);
    SM_TRY_OR(sm_config_read(&config, folder, error), status, done);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    SM_TRY_OR(sm_safetensors_open(&file, path, error), status, done);
    sm_binder_init(&binder, file, arena);
    SM_TRY_OR(sm_lm_new(&lm, &config.lm, config.text.hidden, &binder, error), status, done);
    SM_TRY_OR(sm_binder_finish(&binder, folder, error), status, done);
    SM_TRY_OR(sm_pool_new(&pool, threads, error), status, done);
    printf("%s: %d layers x %d, %s kernels, %d threads\n", folder, config.lm.layers,
           config.lm.hidden, kernels->name, sm_pool_threads(pool));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        SM_TRY_OR(measure(lm, &config, kernels, pool, rows[i], error), status, done);
done:
    sm_pool_free(pool);
    sm_safetensors_close(file);
    sm_arena_free(arena);
    return status;
}

int main(int argc, char **argv)
{
    smitin_error error;
    if (argc < 2) {
        fprintf(stderr, "usage: speed FOLDER [THREADS]\n");
        return 2;
    }
    if (run(argv[1], argc > 2 ? atoi(argv[2]) : 0, &error) == SMITIN_OK) return 0;
    fprintf(stderr, "%s\n", error.message);
    return 1;
}

/* SPDX-License-Identifier: MIT */
/* Owns the state and the codes of a teacher-forced pass. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

enum { PASS_ROWS = 8, PASS_COLUMNS = 1600 };

smitin_status sm_pass_check(const struct smitin_engine *engine, size_t frames, smitin_error *error)
{
    if (frames > (size_t)engine->config.max_frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "clips of %zu frames are longer than the model's %d; cut them", frames,
                       engine->config.max_frames);
    return SMITIN_OK;
}

int sm_pass_rows(size_t N, int columns)
{
    size_t most = PASS_COLUMNS / (size_t)columns;
    most = most < 1 ? 1 : most > PASS_ROWS ? PASS_ROWS : most;
    return (int)(N < most ? N : most);
}

/* Conditions are kept when the state is reset. */
static void condition(sm_pass *p, const sm_pass_text *text)
{
    const struct smitin_engine *engine = p->engine;
    const bool melody = engine->config.lm.chroma_length > 0;
    for (int row = 0; row < p->rows; row++) {
        if (melody) /* without a melody, and a row of zeros where there is no text */
            sm_lm_prefix(p->state, engine->kernels, engine->pool, row, NULL,
                         text->tokens > 0 ? text->hidden : NULL,
                         text->tokens > 0 ? text->tokens : 1);
        else
            sm_lm_condition(p->state, engine->kernels, engine->pool, row, text->hidden,
                            text->tokens);
    }
}

smitin_status sm_pass_fit(sm_pass *p, const struct smitin_engine *engine, size_t N, int frames,
                          int columns, const sm_pass_text *text, smitin_error *error)
{
    const sm_lm_config *lm = &engine->config.lm;
    const int rows = sm_pass_rows(N, columns);
    if (rows == p->rows) return SMITIN_OK;
    sm_pass_free(p);
    const size_t K = (size_t)lm->codebooks;
    const size_t cells = K * (size_t)sm_delay_columns(frames, lm->codebooks, lm->channels);
    const size_t tokens = (size_t)rows * K * (size_t)columns;
    *p = (sm_pass){.engine = engine, .rows = rows, .frames = frames, .columns = columns};
    p->cells = malloc(cells * sizeof(int32_t));
    p->tokens = malloc(tokens * sizeof(int32_t));
    if (p->cells == NULL || p->tokens == NULL)
        return sm_fail_memory(error, "the codes of the clips", (cells + tokens) * sizeof(int32_t));
    const bool melody = lm->chroma_length > 0;
    const sm_lm_state_options options = {.rows = rows,
                                         .max_columns = columns,
                                         .max_batch = columns,
                                         .max_text = melody && text->tokens < 1 ? 1 : text->tokens,
                                         .cache = sm_engine_cache(engine)};
    SM_TRY(sm_lm_state_new(&p->state, engine->lm, &options, error));
    condition(p, text);
    return SMITIN_OK;
}

void sm_pass_free(sm_pass *p)
{
    sm_lm_state_free(p->state);
    free(p->cells);
    free(p->tokens);
    memset(p, 0, sizeof *p);
}

void sm_pass_load(sm_pass *p, int row, const int32_t *codes)
{
    const sm_lm_config *lm = &p->engine->config.lm;
    const size_t used = (size_t)lm->codebooks * (size_t)p->columns;
    sm_delay grid;
    sm_delay_init(&grid, p->frames, lm->codebooks, lm->channels, lm->vocab, p->cells);
    sm_delay_prompt(&grid, codes, p->frames, p->frames);
    memcpy(p->tokens + (size_t)row * used, p->cells, used * sizeof(int32_t));
}

void sm_pass_run(sm_pass *p, const sm_tap *tap, float *logits)
{
    sm_lm_state_reset(p->state);
    sm_lm_forward(p->state, p->engine->kernels, p->engine->pool, p->tokens, p->columns, tap,
                  tap != NULL ? 1 : 0, NULL, logits);
}

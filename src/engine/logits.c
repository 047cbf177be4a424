/* SPDX-License-Identifier: MIT */
/* Reading the model: what it says of every code of clips that are known, teacher-forced. */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

enum { MAX_TEXT = 4096 }; /* tokens: as many as a session takes at most */

static smitin_status check(const smitin_engine *engine, const int32_t *codes, size_t N,
                           size_t frames, const float *logits, smitin_error *error)
{
    const sm_lm_config *lm = &engine->config.lm;
    if (codes == NULL || logits == NULL || N == 0 || frames == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "reading logits needs at least one clip of one frame");
    SM_TRY(sm_pass_check(engine, frames, error));
    for (size_t i = 0; i < N * frames * (size_t)lm->codebooks; i++)
        if (codes[i] < 0 || codes[i] >= lm->vocab)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "code %d at position %zu is outside 0..%d",
                           codes[i], i, lm->vocab - 1);
    return SMITIN_OK;
}

/* T5's output of a text; none gives NULL. Free it. */
static smitin_status read_text(const smitin_engine *engine, const char *text, float **hidden,
                               int *tokens, smitin_error *error)
{
    int32_t *ids = NULL;
    *hidden = NULL;
    *tokens = 0;
    if (text == NULL || text[0] == '\0') return SMITIN_OK;
    SM_TRY(sm_engine_tokenize(engine, text, MAX_TEXT, &ids, tokens, error));
    const size_t size = (size_t)*tokens * (size_t)engine->config.text.hidden;
    *hidden = malloc(size * sizeof **hidden);
    const smitin_status status = *hidden != NULL
                                     ? sm_engine_read_text(engine, ids, *tokens, *hidden, error)
                                     : sm_fail_memory(error, "the text", size * sizeof **hidden);
    free(ids);
    return status;
}

/* Column t + k / C says frame t of codebook k: from all [rows, columns, K, V] to [rows, P, K, V].
 */
static void undo_delay(const sm_pass *p, const float *all, float *logits)
{
    const sm_lm_config *lm = &p->engine->config.lm;
    const size_t K = (size_t)lm->codebooks, V = (size_t)lm->vocab, C = (size_t)lm->channels;
    const size_t frames = (size_t)p->frames, columns = (size_t)p->columns;
    for (size_t row = 0; row < (size_t)p->rows; row++)
        for (size_t t = 0; t < frames; t++)
            for (size_t k = 0; k < K; k++)
                memcpy(logits + ((row * frames + t) * K + k) * V,
                       all + ((row * columns + t + k / C) * K + k) * V, V * sizeof *logits);
}

static smitin_status run(const smitin_engine *engine, const int32_t *codes, size_t N, int frames,
                         const sm_pass_text *text, float *logits, smitin_error *error)
{
    const sm_lm_config *lm = &engine->config.lm;
    const size_t K = (size_t)lm->codebooks, V = (size_t)lm->vocab;
    const int columns = sm_delay_columns(frames, lm->codebooks, lm->channels) - 1;
    const int most = sm_pass_rows(N, columns);
    const size_t size = (size_t)most * (size_t)columns * K * V;
    smitin_status status = SMITIN_OK;
    sm_pass p = {0};
    float *all = malloc(size * sizeof *all);
    if (all == NULL) return sm_fail_memory(error, "the logits of a pass", size * sizeof *all);
    for (size_t first = 0; first < N && status == SMITIN_OK; first += (size_t)p.rows) {
        SM_TRY_OR(sm_pass_fit(&p, engine, N - first, frames, columns, text, error), status, done);
        for (int row = 0; row < p.rows; row++)
            sm_pass_load(&p, row, codes + (first + (size_t)row) * K * (size_t)frames);
        sm_pass_run(&p, NULL, all);
        undo_delay(&p, all, logits + first * (size_t)frames * K * V);
    }
done:
    sm_pass_free(&p);
    free(all);
    return status;
}

smitin_status smitin_engine_logits(const smitin_engine *engine, const int32_t *codes, size_t N,
                                   size_t frames, const char *text, float *logits,
                                   smitin_error *error)
{
    float *hidden = NULL;
    int tokens = 0;
    SM_TRY(check(engine, codes, N, frames, logits, error));
    smitin_status status = read_text(engine, text, &hidden, &tokens, error);
    const sm_pass_text condition = {hidden, tokens};
    if (status == SMITIN_OK) status = run(engine, codes, N, (int)frames, &condition, logits, error);
    free(hidden);
    return status;
}

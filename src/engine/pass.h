/* SPDX-License-Identifier: MIT */
/* A teacher-forced pass: clips of one length side by side, each in its own row, whose codes are
 * known. What is read of it, heads or logits, is its users' business. */
#ifndef SMITIN_ENGINE_PASS_H
#define SMITIN_ENGINE_PASS_H

#include "engine.h"

typedef struct sm_pass {
    const struct smitin_engine *engine;
    sm_lm_state *state;
    int32_t *cells;  /* [S, K] of one clip */
    int32_t *tokens; /* [rows, columns, K] */
    int rows, frames, columns;
} sm_pass;

/* A condition of all rows: T5's output [tokens, text hidden]; tokens 0 is none. */
typedef struct sm_pass_text {
    const float *hidden;
    int tokens;
} sm_pass_text;

/* Whether the model can hear clips of so many frames at once: SMITIN_ERROR_ARGUMENT says it cannot.
 */
smitin_status sm_pass_check(const struct smitin_engine *engine, size_t frames, smitin_error *error);
/* Rows that share a pass of N clips with `columns` columns each: enough to share each weight among
 * many columns, few enough to stay in memory. */
int sm_pass_rows(size_t N, int columns);

/* Room for as many rows as share a pass when N clips are left, of P frames each, of whose delay
 * grid the first `columns` are fed; what the pass held before stays when it fits. *pass is zeroed
 * at first. After a failure, too, sm_pass_free frees it. */
smitin_status sm_pass_fit(sm_pass *pass, const struct smitin_engine *engine, size_t N, int frames,
                          int columns, const sm_pass_text *text, smitin_error *error);
void sm_pass_free(sm_pass *pass); /* safe on a zeroed struct */
/* Row `row` becomes codes [K, P]. */
void sm_pass_load(sm_pass *pass, int row, const int32_t *codes);
/* All columns of all rows, from the first. tap: NULL for none; logits [rows, columns, K, V], or
 * NULL. */
void sm_pass_run(sm_pass *pass, const sm_tap *tap, float *logits);

#endif

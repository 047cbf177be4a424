/* SPDX-License-Identifier: MIT */
/* The decoder's state: key/value caches and all scratch, taken once; and the text conditions of its
 * rows. */
#include "lm.h"

#include <assert.h>
#include <string.h>

#include "model.h"

/* Bounds that keep every size below 2^63 with any model a config may describe. */
#define MAX_ROWS    4096
#define MAX_COLUMNS (1 << 20)
#define MAX_TEXT    (1 << 16)

/* Columns of one head attended to side by side during a long pass: enough to keep the threads of a
 * small model busy, few enough that their score buffers stay a few percent of the cache. */
#define SLOTS 4

static int least(int a, int b)
{
    return a < b ? a : b;
}

static smitin_status check(const sm_lm_state_options *o, smitin_error *error)
{
    if (o->rows >= 1 && o->rows <= MAX_ROWS && o->max_columns >= 1 &&
        o->max_columns <= MAX_COLUMNS && o->max_batch >= 1 && o->max_batch <= o->max_columns &&
        o->max_text >= 0 && o->max_text <= MAX_TEXT) {
        return SMITIN_OK;
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "a decoder state of %d rows, %d columns, %d columns a pass and %d text tokens "
                   "is out of range; "
                   "use 1..%d rows, 1..%d columns, no more a pass than in all, and 0..%d tokens",
                   o->rows, o->max_columns, o->max_batch, o->max_text, MAX_ROWS, MAX_COLUMNS,
                   MAX_TEXT);
}

static int take_all(sm_lm_state *s)
{
    const sm_lm_config *config = &s->lm->config;
    const size_t d = (size_t)config->hidden, R = (size_t)s->options.rows;
    const size_t cache = (size_t)config->layers * R * d * (size_t)s->options.max_columns;
    const size_t cross = (size_t)config->layers * R * d * (size_t)s->options.max_text;
    const size_t batch = R * (size_t)s->options.max_batch;
    s->slots = least(SLOTS, s->options.max_batch);
    s->scores_length =
        s->options.max_columns > s->options.max_text ? s->options.max_columns : s->options.max_text;
    s->k = SM_TAKE(s->arena, cache, float);
    s->v = SM_TAKE(s->arena, cache, float);
    s->cross_k = SM_TAKE(s->arena, cross, float);
    s->cross_v = SM_TAKE(s->arena, cross, float);
    s->text = SM_TAKE(s->arena, R, int);
    s->x = SM_TAKE(s->arena, batch * d, float);
    s->y = SM_TAKE(s->arena, batch * d, float);
    s->z = SM_TAKE(s->arena, batch * d, float);
    s->a = SM_TAKE(s->arena, batch * d, float);
    s->f = SM_TAKE(s->arena, batch * (size_t)config->ffn, float);
    s->scores = SM_TAKE(
        s->arena, R * (size_t)config->heads * (size_t)s->slots * (size_t)s->scores_length, float);
    s->text_states = SM_TAKE(s->arena, (size_t)s->options.max_text * d, float);
    return s->k && s->v && s->cross_k && s->cross_v && s->text && s->x && s->y && s->z && s->a &&
           s->f && s->scores && s->text_states;
}

smitin_status sm_lm_state_new(sm_lm_state **out, const sm_lm *lm,
                              const sm_lm_state_options *options, smitin_error *error)
{
    *out = NULL;
    SM_TRY(check(options, error));
    sm_arena *arena = sm_arena_new();
    sm_lm_state *state = arena != NULL ? SM_TAKE(arena, 1, sm_lm_state) : NULL;
    if (state != NULL) {
        state->lm = lm;
        state->arena = arena;
        state->options = *options;
        if (take_all(state)) {
            *out = state;
            return SMITIN_OK;
        }
    }
    sm_arena_free(arena);
    const size_t cache = 2 * sizeof(float) * (size_t)lm->config.layers * (size_t)lm->config.hidden *
                         (size_t)options->rows * (size_t)options->max_columns;
    return sm_fail_memory(error, "the decoder's key/value cache", cache);
}

void sm_lm_state_free(sm_lm_state *state)
{
    if (state != NULL) sm_arena_free(state->arena);
}

void sm_lm_state_reset(sm_lm_state *state)
{
    state->column = 0;
}

int sm_lm_state_column(const sm_lm_state *state)
{
    return state->column;
}

typedef struct text_job {
    const sm_kernels *kernels;
    const sm_lm_state *state;
    int row, tokens;
} text_job;

/* One item: keys and values of one head of one layer, written where attention will read them. */
static void text_task(void *context, int worker, int first, int last)
{
    const text_job *job = context;
    const sm_lm_state *s = job->state;
    const int H = s->lm->config.heads, D = s->lm->head_size, d = s->lm->config.hidden;
    (void)worker;
    for (int item = first; item < last; item++) {
        const int layer = item / H, head = item % H;
        const sm_attention_weights *w = &s->lm->layers[layer].cross;
        const size_t run =
            ((size_t)layer * (size_t)s->options.rows + (size_t)job->row) * (size_t)H + (size_t)head;
        const size_t to = run * (size_t)s->options.max_text * (size_t)D;
        const size_t from = (size_t)head * (size_t)D * (size_t)d;
        job->kernels->matmul(s->cross_k + to, (size_t)D, s->text_states, (size_t)d, w->k + from,
                             NULL, job->tokens, d, 0, D);
        job->kernels->matmul(s->cross_v + to, (size_t)D, s->text_states, (size_t)d, w->v + from,
                             NULL, job->tokens, d, 0, D);
    }
}

void sm_lm_condition(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool, int row,
                     const float *hidden, int tokens)
{
    const sm_lm *lm = state->lm;
    const int d = lm->config.hidden;
    assert(row >= 0 && row < state->options.rows && tokens >= 0 &&
           tokens <= state->options.max_text);
    state->text[row] = tokens;
    if (tokens == 0) return;
    if (lm->project != NULL) {
        const sm_crew crew = {kernels, pool};
        const sm_linear project = {.y = state->text_states,
                                   .ldy = (size_t)d,
                                   .x = hidden,
                                   .ldx = (size_t)lm->text_hidden,
                                   .w = lm->project,
                                   .bias = lm->project_bias,
                                   .rows = tokens,
                                   .M = lm->text_hidden,
                                   .N = d};
        sm_linear_run(&crew, &project);
    } else {
        memcpy(state->text_states, hidden, (size_t)tokens * (size_t)d * sizeof *hidden);
    }
    text_job job = {kernels, state, row, tokens};
    sm_pool_run(pool, text_task, &job, lm->config.layers * lm->config.heads,
                sm_grain(2.0 * tokens * d * lm->head_size));
}

/* SPDX-License-Identifier: MIT */
/* The decoder's state: key/value caches and all scratch, taken once; and the text conditions of its
 * rows (those of melody models are in forward.c). */
#include "lm.h"

#include <assert.h>
#include <string.h>

#include "model.h"

/* Bounds that keep every size below 2^63 with any model a config may describe. */
#define MAX_ROWS    4096
#define MAX_COLUMNS (1 << 20)
#define MAX_TEXT    (1 << 16)

/* Positions of a melody's prefix in one pass: enough to share each weight among many. */
#define PREFIX_BATCH 64

/* Columns of one head attended to side by side during a long pass: enough to keep the threads of a
 * small model busy, few enough that their score buffers stay a few percent of the cache. */
#define SLOTS 4

static int least(int a, int b)
{
    return a < b ? a : b;
}

static bool cache_format(sm_format format)
{
    return format == SM_FORMAT_F32 || format == SM_FORMAT_F16 || format == SM_FORMAT_Q8;
}

static smitin_status check(const sm_lm_state_options *o, smitin_error *error)
{
    if (!cache_format(o->cache))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "keys and values cannot be kept in %s; use f32, f16 or q8",
                       sm_format_name(o->cache));
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

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool take_caches(sm_lm_state *s)
{
    const sm_lm_state_options *o = &s->options;
    const size_t runs =
        (size_t)s->lm->config.layers * (size_t)o->rows * (size_t)s->lm->config.heads;
    const int cross = s->lm->chroma != NULL ? 0 : o->max_text;
    return sm_cache_take(&s->cache, s->arena, o->cache, runs, s->max_prefix + o->max_columns,
                         s->lm->head_size) &&
           sm_cache_take(&s->cross, s->arena, o->cache, runs, cross, s->lm->head_size);
}

/* Room for the rows of every product: those of a pass and those of a text. */
static bool take_blocks(sm_lm_state *s)
{
    const sm_lm_config *config = &s->lm->config;
    const size_t rows = s->rows;
    const size_t pass =
        rows * sm_blocks(config->ffn > config->hidden ? config->ffn : config->hidden);
    const int text = s->lm->text_hidden > config->hidden ? s->lm->text_hidden : config->hidden;
    if (!s->lm->packed) return true;
    s->blocks =
        SM_TAKE(s->arena, most(pass, (size_t)s->options.max_text * sm_blocks(text)), sm_block);
    return s->blocks != NULL;
}

static bool take_all(sm_lm_state *s)
{
    const sm_lm_config *config = &s->lm->config;
    const size_t d = (size_t)config->hidden, R = (size_t)s->options.rows;
    const bool melody = s->lm->chroma != NULL;
    s->max_prefix = melody ? config->chroma_length + s->options.max_text : 0;
    const size_t text = (size_t)(melody ? s->max_prefix : s->options.max_text);
    s->rows = most(R * (size_t)s->options.max_batch, (size_t)least(PREFIX_BATCH, s->max_prefix));
    const size_t batch = s->rows;
    s->slots = least(SLOTS, s->options.max_batch);
    s->scores_length = s->max_prefix + s->options.max_columns;
    if (s->scores_length < s->options.max_text) s->scores_length = s->options.max_text;
    s->prefix = SM_TAKE(s->arena, R, int);
    s->text = SM_TAKE(s->arena, R, int);
    s->x = SM_TAKE(s->arena, batch * d, float);
    s->y = SM_TAKE(s->arena, batch * d, float);
    s->z = SM_TAKE(s->arena, batch * d, float);
    s->a = SM_TAKE(s->arena, 3 * batch * d, float);
    s->f = SM_TAKE(s->arena, batch * (size_t)config->ffn, float);
    s->scores = SM_TAKE(
        s->arena, R * (size_t)config->heads * (size_t)s->slots * (size_t)s->scores_length, float);
    s->text_states = SM_TAKE(s->arena, text * d, float);
    s->text_kv = SM_TAKE(s->arena, melody ? 0 : 2 * text * d, float);
    return take_caches(s) && take_blocks(s) && s->prefix && s->text && s->x && s->y && s->z &&
           s->a && s->f && s->scores && s->text_states && s->text_kv;
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
    const size_t runs =
        (size_t)lm->config.layers * (size_t)options->rows * (size_t)lm->config.heads;
    const int prefix = lm->chroma != NULL ? lm->config.chroma_length + options->max_text : 0;
    const size_t cache =
        sm_cache_bytes(options->cache, runs, prefix + options->max_columns, lm->head_size);
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

void sm_lm_state_profile(sm_lm_state *state, sm_profiler *profiler)
{
    state->profiler = profiler;
}

typedef struct text_job {
    const sm_kernels *kernels;
    const sm_lm_state *state;
    int layer, row;
} text_job;

/* Tokens first..last-1: keys and values of one layer, from scratch to where attention reads them.
 */
static void text_task(void *context, int worker, int first, int last)
{
    const text_job *job = context;
    const sm_lm_state *s = job->state;
    const size_t H = (size_t)s->lm->config.heads, D = (size_t)s->lm->head_size, d = H * D;
    const size_t runs = ((size_t)job->layer * (size_t)s->options.rows + (size_t)job->row) * H;
    (void)worker;
    for (int token = first; token < last; token++) {
        const float *k = s->text_kv + (size_t)token * 2 * d;
        for (size_t h = 0; h < H; h++)
            sm_cache_store(&s->cross, job->kernels, runs + h, token, k + h * D, k + d + h * D);
    }
}

void sm_lm_project_text(const sm_lm *lm, const sm_crew *crew, const float *hidden, int tokens,
                        float *states)
{
    const size_t d = (size_t)lm->config.hidden;
    if (lm->project.values == NULL) {
        memcpy(states, hidden, (size_t)tokens * d * sizeof *hidden);
        return;
    }
    const sm_linear project = {.y = states,
                               .ldy = d,
                               .x = hidden,
                               .ldx = (size_t)lm->text_hidden,
                               .w = &lm->project,
                               .bias = lm->project_bias,
                               .rows = tokens};
    sm_linear_run(crew, &project);
}

void sm_lm_condition(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool, int row,
                     const float *hidden, int tokens)
{
    const sm_lm *lm = state->lm;
    const size_t d = (size_t)lm->config.hidden;
    const sm_crew crew = {kernels, pool, state->blocks};
    assert(row >= 0 && row < state->options.rows && tokens >= 0 &&
           tokens <= state->options.max_text && lm->chroma == NULL);
    state->text[row] = tokens;
    if (tokens == 0) return;
    sm_lm_project_text(lm, &crew, hidden, tokens, state->text_states);
    for (int layer = 0; layer < lm->config.layers; layer++) {
        const sm_linear kv = {.y = state->text_kv,
                              .ldy = 2 * d,
                              .x = state->text_states,
                              .ldx = d,
                              .w = &lm->layers[layer].cross_kv,
                              .rows = tokens};
        text_job job = {kernels, state, layer, row};
        sm_linear_run(&crew, &kv);
        sm_pool_run(pool, text_task, &job, tokens, sm_grain(8.0 * (double)d));
    }
}

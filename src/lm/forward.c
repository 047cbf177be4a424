/* SPDX-License-Identifier: MIT */
/* The decoder's forward pass over R rows x T columns, and over the prefix that is the condition of
 * a melody model. Owns no memory: everything stands in the state. */
#include "lm.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "model.h"

/* One pass. Rows of the scratch buffers are (row, column) pairs: index row * T + t. */
typedef struct pass {
    sm_crew crew;
    sm_lm_state *state;
    const sm_lm *lm;
    int R, T, start; /* start: column of the timeline where this pass begins */
    int row;         /* of the state that is row 0 here */
    /* [R] positions in front of column 0; NULL: the columns are themselves such positions */
    const int *prefix;
    int d, H, D;
    float scale; /* D^-1/2 of the scores */
    const sm_tap *taps;
    int taps_count;
} pass;

/* The time since the last lap was that of `part`, which read `bytes`. */
static void lap(const pass *p, smitin_part part, size_t bytes)
{
    if (p->state->profiler != NULL) sm_profile_lap(p->state->profiler, part, bytes);
}

/* The same of a product with `w`. */
static void lap_product(const pass *p, smitin_part part, const sm_matrix *w)
{
    if (p->state->profiler != NULL) sm_profile_lap(p->state->profiler, part, sm_matrix_bytes(w));
}

/* Where column t of row r stands in the sequence that the row attends to. */
static int place(const pass *p, int r, int t)
{
    return (p->prefix != NULL ? p->prefix[r] : 0) + p->start + t;
}

/* The run of the cache that holds the first head of row 0. */
static size_t first_run(const pass *p, int layer)
{
    return ((size_t)layer * (size_t)p->state->options.rows + (size_t)p->row) * (size_t)p->H;
}

/* Place p as a vector [d]: cos(p f_i) in the first half, sin(p f_i) in the second, in double and
 * rounded once. */
static void encode_place(const pass *p, int at, float *position)
{
    const int half = p->d / 2;
    for (int i = 0; i < half; i++) {
        const double phase = at * p->lm->frequencies[i];
        position[i] = (float)cos(phase);
        position[half + i] = (float)sin(phase);
    }
}

/* x = sum_k embed[k][token_k] + position */
static void embed_cell(const pass *p, const int32_t *cell, const float *position, float *x)
{
    float *row = p->state->z; /* [d], free until the first attention */
    for (int k = 0; k < p->lm->config.codebooks; k++) {
        assert(cell[k] >= 0 && cell[k] <= p->lm->config.vocab);
        sm_matrix_read(row, &p->lm->embed[k], cell[k], 0, p->d);
        for (int i = 0; i < p->d; i++) x[i] = k == 0 ? row[i] : x[i] + row[i];
    }
    for (int i = 0; i < p->d; i++) x[i] += position[i];
}

static void embed(const pass *p, const int32_t *tokens)
{
    const size_t K = (size_t)p->lm->config.codebooks, T = (size_t)p->T, d = (size_t)p->d;
    float *position = p->state->y; /* [d], free until the first norm */
    for (int t = 0; t < p->T; t++) {
        for (int r = 0; r < p->R; r++) {
            const size_t at = (size_t)r * T + (size_t)t;
            const int32_t *cell = tokens + at * K;
            float *x = p->state->x + at * d;
            const bool moved = r == 0 || place(p, r, t) != place(p, r - 1, t);
            if (moved) encode_place(p, place(p, r, t), position);
            /* The rows of one piece differ in nothing but their text. */
            if (!moved && memcmp(cell, cell - T * K, K * sizeof *cell) == 0)
                memcpy(x, x - T * d, d * sizeof *x);
            else
                embed_cell(p, cell, position, x);
        }
    }
}

/* y = x . w^T over `rows` rows of d. */
static void project(const pass *p, float *y, const float *x, const sm_matrix *w, int rows)
{
    const sm_linear linear = {
        .y = y, .ldy = (size_t)w->N, .x = x, .ldx = (size_t)w->M, .w = w, .rows = rows};
    sm_linear_run(&p->crew, &linear);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void add_rows(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

typedef struct store_job {
    const pass *pass;
    size_t first; /* run of this layer's first head */
} store_job;

/* One item: keys and values of one row and column, from scratch into the cache. */
static void store_task(void *context, int worker, int first, int last)
{
    const store_job *job = context;
    const pass *p = job->pass;
    const sm_lm_state *s = p->state;
    const size_t D = (size_t)p->D, d = (size_t)p->d;
    (void)worker;
    for (int item = first; item < last; item++) {
        const int r = item / p->T, t = item % p->T;
        const float *k = s->a + (size_t)item * 3 * d + d, *v = k + d;
        const size_t run = job->first + (size_t)r * (size_t)p->H;
        for (size_t h = 0; h < (size_t)p->H; h++)
            sm_cache_store(&s->cache, p->crew.kernels, run + h, place(p, r, t), k + h * D,
                           v + h * D);
    }
}

typedef struct attend_job {
    const pass *pass;
    const sm_cache *cache;
    size_t run;      /* of this layer's first head */
    size_t ldq;      /* queries of neighbouring columns in a */
    const int *text; /* [R] positions of each row (cross-attention); NULL: all columns up to the
                        query's own */
    int slots;       /* every slots-th column is one item */
    int first;       /* row of the first item */
} attend_job;

/* One item: one head of one row, every slots-th column: queries from a, head outputs to z. */
static void attend_task(void *context, int worker, int first, int last)
{
    const attend_job *job = context;
    const pass *p = job->pass;
    sm_lm_state *s = p->state;
    const size_t D = (size_t)p->D;
    (void)worker;
    for (int item = first; item < last; item++) {
        const int slot = item % job->slots, rh = item / job->slots + job->first * p->H;
        const int r = rh / p->H, h = rh % p->H;
        float *scores = s->scores + (size_t)item * (size_t)s->scores_length;
        for (int t = slot; t < p->T; t += job->slots) {
            const size_t at = (size_t)r * (size_t)p->T + (size_t)t, head = (size_t)h * D;
            const int reach = job->text != NULL ? job->text[r] : place(p, r, t) + 1;
            sm_cache_attend(job->cache, p->crew.kernels, job->run + (size_t)rh,
                            s->z + at * (size_t)p->d + head, s->a + at * job->ldq + head, p->scale,
                            reach, scores);
        }
    }
}

/* The same of attention in rows first..last-1: every key and value once. */
static void lap_attention(const pass *p, smitin_part part, const attend_job *job, int first,
                          int last)
{
    const sm_cache *cache = job->cache;
    size_t bytes = 0;
    if (p->state->profiler == NULL) return;
    for (int r = first; r < last; r++) {
        const int reach = job->text != NULL ? job->text[r] : place(p, r, p->T - 1) + 1;
        bytes += sm_cache_bytes(cache->format, (size_t)p->H, reach, p->D);
    }
    sm_profile_lap(p->state->profiler, part, bytes);
}

/* Heads that make a chunk, of items with `positions` to attend to. A number of the cache is read
 * for one row alone and comes from memory: it takes as long as some four products of a matrix. */
static int heads_grain(const pass *p, double positions)
{
    return sm_grain(4.0 * 2.0 * p->D * positions);
}

static void visit_taps(const pass *p, int layer)
{
    const sm_tap_site site = {.layer = layer, .column = p->start, .columns = p->T, .rows = p->R};
    for (int i = 0; i < p->taps_count; i++) {
        const sm_tap *tap = &p->taps[i];
        if (tap->wants != NULL && tap->visit != NULL && tap->wants(tap->user, &site)) {
            tap->visit(tap->user, &site, p->state->z);
        }
    }
}

static void push_taps(const pass *p, int layer)
{
    for (int i = 0; i < p->taps_count; i++) {
        const sm_tap *tap = &p->taps[i];
        if (tap->push == NULL) continue;
        for (int r = 0; r < p->R; r++) {
            for (int t = 0; t < p->T; t++) {
                float gain = 1.0f;
                const float *push = tap->push(tap->user, layer, r, p->start + t, &gain);
                float *a = p->state->a + ((size_t)r * (size_t)p->T + (size_t)t) * (size_t)p->d;
                /* Gain 0 is "no push" to the bit, also for a zero of either sign. */
                if (push != NULL && gain != 0.0f) p->crew.kernels->axpy(a, gain, push, p->d);
            }
        }
    }
}

/* x += W_O attend(q, k, v), q, k, v from LN(x) */
static void self_attention(const pass *p, int layer)
{
    sm_lm_state *s = p->state;
    const sm_lm_layer *w = &p->lm->layers[layer];
    const int rows = p->R * p->T;
    const size_t d = (size_t)p->d, run = first_run(p, layer);
    sm_norm_run(&p->crew, s->y, d, s->x, d, w->self_norm.weight, w->self_norm.bias, rows, p->d);
    lap(p, SMITIN_PART_NORMS, 0);
    project(p, s->a, s->y, &w->qkv, rows);
    lap_product(p, SMITIN_PART_QKV, &w->qkv);
    store_job store = {p, run};
    sm_pool_run(p->crew.pool, store_task, &store, rows, sm_grain(8.0 * p->d));
    lap(p, SMITIN_PART_STORE, 0);

    const int slots = least(p->T, s->slots);
    attend_job attend = {p, &s->cache, run, 3 * d, NULL, slots, 0};
    const double columns = (double)p->T / slots; /* of one item */
    sm_pool_run(p->crew.pool, attend_task, &attend, p->R * p->H * slots,
                heads_grain(p, (place(p, 0, 0) + 0.5 * p->T) * columns));
    lap_attention(p, SMITIN_PART_ATTENTION, &attend, 0, p->R);
    if (p->taps_count > 0) {
        visit_taps(p, layer);
        lap(p, SMITIN_PART_KNOBS, 0);
    }
    project(p, s->a, s->z, &w->out, rows);
    lap_product(p, SMITIN_PART_OUT, &w->out);
    if (p->taps_count > 0) {
        push_taps(p, layer);
        lap(p, SMITIN_PART_KNOBS, 0);
    }
    add_rows(s->x, s->a, (size_t)rows * d);
    lap(p, SMITIN_PART_SUMS, 0);
}

/* Rows first..last-1, all with a condition: x += W_O attend(q from LN(x), keys and values of the
 * text). Without a condition keys and values are zero, so the sum would be exactly zero and the
 * layer is skipped. */
static void cross_rows(const pass *p, int layer, int first, int last)
{
    sm_lm_state *s = p->state;
    const sm_lm_layer *w = &p->lm->layers[layer];
    const size_t d = (size_t)p->d, at = (size_t)first * (size_t)p->T * d;
    const int rows = (last - first) * p->T, slots = least(p->T, s->slots);
    sm_norm_run(&p->crew, s->y + at, d, s->x + at, d, w->cross_norm.weight, w->cross_norm.bias,
                rows, p->d);
    lap(p, SMITIN_PART_NORMS, 0);
    project(p, s->a + at, s->y + at, &w->cross_q, rows);
    lap_product(p, SMITIN_PART_CROSS_Q, &w->cross_q);
    attend_job attend = {p, &s->cross, first_run(p, layer), d, s->text, slots, first};
    double positions = 0.0; /* of one item of every row */
    for (int r = first; r < last; r++) positions += (double)s->text[r] * p->T / slots;
    sm_pool_run(p->crew.pool, attend_task, &attend, (last - first) * p->H * slots,
                heads_grain(p, positions / (last - first)));
    lap_attention(p, SMITIN_PART_CROSS_ATTENTION, &attend, first, last);
    project(p, s->a + at, s->z + at, &w->cross_out, rows);
    lap_product(p, SMITIN_PART_CROSS_OUT, &w->cross_out);
    add_rows(s->x + at, s->a + at, (size_t)rows * d);
    lap(p, SMITIN_PART_SUMS, 0);
}

static void cross_attention(const pass *p, int layer)
{
    const int *text = p->state->text;
    for (int r = 0; r < p->R; r++) {
        if (text[r] == 0) continue;
        int first = r;
        while (r < p->R && text[r] > 0) r++;
        cross_rows(p, layer, first, r);
    }
}

/* x += fc2 gelu(fc1 LN(x)) */
static void feed_forward(const pass *p, int layer)
{
    sm_lm_state *s = p->state;
    const sm_lm_layer *w = &p->lm->layers[layer];
    const size_t d = (size_t)p->d, ffn = (size_t)p->lm->config.ffn;
    const int rows = p->R * p->T;
    sm_norm_run(&p->crew, s->y, d, s->x, d, w->norm.weight, w->norm.bias, rows, p->d);
    lap(p, SMITIN_PART_NORMS, 0);
    const sm_linear up = {
        .y = s->f, .ldy = ffn, .x = s->y, .ldx = d, .w = &w->fc1, .rows = rows, .after = SM_GELU};
    sm_linear_run(&p->crew, &up);
    lap_product(p, SMITIN_PART_FC1, &w->fc1);
    project(p, s->a, s->f, &w->fc2, rows);
    lap_product(p, SMITIN_PART_FC2, &w->fc2);
    add_rows(s->x, s->a, (size_t)rows * d);
    lap(p, SMITIN_PART_SUMS, 0);
}

/* Logits [rows, K, V] of rows of x that lie `ldx` apart. */
static void predict(const pass *p, const float *x, size_t ldx, int rows, float *logits)
{
    const sm_norm *norm = &p->lm->norm;
    sm_norm_run(&p->crew, p->state->y, (size_t)p->d, x, ldx, norm->weight, norm->bias, rows, p->d);
    lap(p, SMITIN_PART_NORMS, 0);
    project(p, logits, p->state->y, &p->lm->heads, rows);
    lap_product(p, SMITIN_PART_LOGITS, &p->lm->heads);
}

static pass new_pass(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool)
{
    const sm_lm *lm = state->lm;
    return (pass){.crew = {kernels, pool, state->blocks},
                  .state = state,
                  .lm = lm,
                  .d = lm->config.hidden,
                  .H = lm->config.heads,
                  .D = lm->head_size,
                  .scale = (float)(1.0 / sqrt((double)lm->head_size))};
}

/* states [chroma_length + tokens, d]: projected chroma, then projected text or zeros. */
static void lay_out_prefix(const sm_lm *lm, const sm_crew *crew, const int32_t *classes,
                           const float *hidden, int tokens, float *states)
{
    const size_t d = (size_t)lm->config.hidden;
    for (int i = 0; i < lm->config.chroma_length; i++, states += d) {
        const int32_t class = classes != NULL ? classes[i] : 0;
        assert(class >= 0 && class < SM_CHROMA);
        memcpy(states, lm->chroma + (size_t) class * d, d * sizeof *states);
    }
    if (hidden != NULL)
        sm_lm_project_text(lm, crew, hidden, tokens, states);
    else
        memset(states, 0, (size_t)tokens * d * sizeof *states);
}

void sm_lm_prefix(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool, int row,
                  const int32_t *classes, const float *hidden, int tokens)
{
    const sm_lm *lm = state->lm;
    pass p = new_pass(state, kernels, pool);
    const size_t d = (size_t)p.d;
    const int length = lm->config.chroma_length + tokens;
    assert(lm->chroma != NULL && row >= 0 && row < state->options.rows && tokens >= 1 &&
           length <= state->max_prefix);
    lay_out_prefix(lm, &p.crew, classes, hidden, tokens, state->text_states);
    state->prefix[row] = length;
    p.R = 1;
    p.row = row;
    for (p.start = 0; p.start < length; p.start += p.T) {
        const int left = length - p.start;
        p.T = (size_t)left < state->rows ? left : (int)state->rows;
        for (int t = 0; t < p.T; t++) {
            float *x = state->x + (size_t)t * d;
            const float *from = state->text_states + (size_t)(p.start + t) * d;
            encode_place(&p, p.start + t, state->y);
            for (size_t i = 0; i < d; i++) x[i] = from[i] + state->y[i];
        }
        for (int layer = 0; layer < lm->config.layers; layer++) {
            self_attention(&p, layer);
            feed_forward(&p, layer);
        }
    }
}

void sm_lm_forward(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool,
                   const int32_t *tokens, int T, const sm_tap *taps, int taps_count, float *logits,
                   float *all_logits)
{
    const sm_lm *lm = state->lm;
    assert(T >= 1 && T <= state->options.max_batch &&
           state->column + T <= state->options.max_columns);
    pass p = new_pass(state, kernels, pool);
    p.R = state->options.rows;
    p.T = T;
    p.start = state->column;
    p.prefix = state->prefix;
    p.taps = taps;
    p.taps_count = taps_count;
    embed(&p, tokens);
    lap(&p, SMITIN_PART_EMBED, 0);
    for (int layer = 0; layer < lm->config.layers; layer++) {
        self_attention(&p, layer);
        cross_attention(&p, layer);
        feed_forward(&p, layer);
    }
    state->column += T;

    const size_t d = (size_t)p.d;
    if (all_logits != NULL) predict(&p, state->x, d, p.R * T, all_logits);
    if (logits != NULL) predict(&p, state->x + (size_t)(T - 1) * d, (size_t)T * d, p.R, logits);
}

/* SPDX-License-Identifier: MIT */
/* The decoder's forward pass over R rows x T columns. Owns no memory: everything stands in the
 * state. */
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
    int d, H, D;
    float scale; /* D^-1/2 of the scores */
    const sm_tap *taps;
    int taps_count;
} pass;

/* x = sum_k embed[k][token_k] + position; position p: cos(p f_i) in the first half, sin(p f_i) in
 * the second, in double and rounded once. */
static void embed(const pass *p, const int32_t *tokens)
{
    const int K = p->lm->config.codebooks, half = p->d / 2;
    float *position = p->state->y; /* [d], free until the first norm */
    for (int t = 0; t < p->T; t++) {
        for (int i = 0; i < half; i++) {
            double phase = (p->start + t) * p->lm->frequencies[i];
            position[i] = (float)cos(phase);
            position[half + i] = (float)sin(phase);
        }
        for (int r = 0; r < p->R; r++) {
            const size_t at = (size_t)r * (size_t)p->T + (size_t)t;
            const int32_t *cell = tokens + at * (size_t)K;
            float *x = p->state->x + at * (size_t)p->d;
            for (int k = 0; k < K; k++) {
                assert(cell[k] >= 0 && cell[k] <= p->lm->config.vocab);
                const float *row = p->lm->embed[k] + (size_t)cell[k] * (size_t)p->d;
                for (int i = 0; i < p->d; i++) x[i] = k == 0 ? row[i] : x[i] + row[i];
            }
            for (int i = 0; i < p->d; i++) x[i] += position[i];
        }
    }
}

/* A square product y = x . w^T over `rows` rows of d. */
static void project(const pass *p, float *y, const float *x, const float *w, int rows)
{
    const size_t d = (size_t)p->d;
    const sm_linear linear = {
        .y = y, .ldy = d, .x = x, .ldx = d, .w = w, .rows = rows, .M = p->d, .N = p->d};
    sm_linear_run(&p->crew, &linear);
}

static void add_rows(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

typedef struct heads_job {
    const pass *pass;
    int layer;
    int tile; /* outputs of one item; divides D */
} heads_job;

/* One item: `tile` outputs of q, k or v of one head for every row and column. Keys and values go
 * straight into the cache, [R, H, max_columns, D] of this layer. */
static void qkv_task(void *context, int worker, int first, int last)
{
    const heads_job *job = context;
    const pass *p = job->pass;
    sm_lm_state *s = p->state;
    const sm_attention_weights *w = &p->lm->layers[job->layer].self;
    const int tiles = p->D / job->tile; /* of a head */
    const size_t d = (size_t)p->d, D = (size_t)p->D, H = (size_t)p->H, T = (size_t)p->T;
    const size_t run = (size_t)s->options.max_columns * D; /* one head's positions in the cache */
    (void)worker;
    for (int item = first; item < last;) {
        const int which = item / (tiles * p->H), h = item / tiles % p->H, n0 = item % tiles;
        int n1 = n0 + last - item; /* neighbouring tiles of a head are one product */
        if (n1 > tiles) n1 = tiles;
        const size_t head = (size_t)h;
        const float *weight = (which == 0 ? w->q : which == 1 ? w->k : w->v) + head * D * d;
        const int from = n0 * job->tile, to = n1 * job->tile;
        item += n1 - n0;
        if (which == 0) {
            p->crew.kernels->matmul(s->a + head * D, d, s->y, d, weight, NULL, p->R * p->T, p->d,
                                    from, to);
            continue;
        }
        float *cache = (which == 1 ? s->k : s->v) +
                       ((size_t)job->layer * (size_t)p->R * H + head) * run + (size_t)p->start * D;
        if (p->T == 1) { /* rows lie one cache row apart: one product for all of them */
            p->crew.kernels->matmul(cache, H * run, s->y, d, weight, NULL, p->R, p->d, from, to);
            continue;
        }
        for (size_t r = 0; r < (size_t)p->R; r++) {
            p->crew.kernels->matmul(cache + r * H * run, D, s->y + r * T * d, d, weight, NULL, p->T,
                                    p->d, from, to);
        }
    }
}

typedef struct attend_job {
    const pass *pass;
    const float *k, *v; /* [R, H, run / D positions, D] of this layer */
    size_t run;         /* floats of one head of one row */
    const int *text;    /* [R] positions of each row (cross-attention); NULL: all columns up to the
                           query's own */
    int slots;          /* every slots-th column is one item */
    int first;          /* row of the first item */
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
        const float *k = job->k + (size_t)rh * job->run, *v = job->v + (size_t)rh * job->run;
        float *scores = s->scores + (size_t)item * (size_t)s->scores_length;
        for (int t = slot; t < p->T; t += job->slots) {
            const size_t at = ((size_t)r * (size_t)p->T + (size_t)t) * (size_t)p->d + (size_t)h * D;
            const int reach = job->text != NULL ? job->text[r] : p->start + t + 1;
            p->crew.kernels->attend(s->z + at, s->a + at, k, v, D, NULL, p->scale, reach, p->D,
                                    scores);
        }
    }
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
    const sm_attention_weights *w = &p->lm->layers[layer].self;
    const int rows = p->R * p->T;
    const size_t d = (size_t)p->d;
    sm_norm_run(&p->crew, s->y, d, s->x, d, w->norm, w->norm_bias, rows, p->d);

    heads_job job = {p, layer, p->D % 16 == 0 ? 16 : p->D};
    sm_pool_run(p->crew.pool, qkv_task, &job, 3 * p->d / job.tile,
                sm_grain((double)job.tile * p->d * rows));
    const size_t run = (size_t)s->options.max_columns * (size_t)p->D;
    const size_t at = (size_t)layer * (size_t)(p->R * p->H) * run;
    attend_job attend = {p, s->k + at, s->v + at, run, NULL, p->T < s->slots ? p->T : s->slots, 0};
    const double columns = (double)p->T / attend.slots; /* of one item */
    sm_pool_run(p->crew.pool, attend_task, &attend, p->R * p->H * attend.slots,
                sm_grain(2.0 * p->D * (p->start + 0.5 * p->T) * columns));
    visit_taps(p, layer);
    project(p, s->a, s->z, w->out, rows);
    push_taps(p, layer);
    add_rows(s->x, s->a, (size_t)rows * d);
}

/* Rows first..last-1, all with a condition: x += W_O attend(q from LN(x), keys and values of the
 * text). Without a condition keys and values are zero, so the sum would be exactly zero and the
 * layer is skipped. */
static void cross_rows(const pass *p, int layer, int first, int last)
{
    sm_lm_state *s = p->state;
    const sm_attention_weights *w = &p->lm->layers[layer].cross;
    const size_t d = (size_t)p->d, at = (size_t)first * (size_t)p->T * d;
    const int rows = (last - first) * p->T;
    sm_norm_run(&p->crew, s->y + at, d, s->x + at, d, w->norm, w->norm_bias, rows, p->d);
    project(p, s->a + at, s->y + at, w->q, rows);
    const size_t run = (size_t)s->options.max_text * (size_t)p->D;
    const size_t heads = (size_t)layer * (size_t)(p->R * p->H) * run;
    attend_job attend = {p,
                         s->cross_k + heads,
                         s->cross_v + heads,
                         run,
                         s->text,
                         p->T < s->slots ? p->T : s->slots,
                         first};
    double cost = 0.0; /* of one item, on average */
    for (int r = first; r < last; r++) cost += 2.0 * p->D * s->text[r] * p->T / attend.slots;
    sm_pool_run(p->crew.pool, attend_task, &attend, (last - first) * p->H * attend.slots,
                sm_grain(cost / (last - first)));
    project(p, s->a + at, s->z + at, w->out, rows);
    add_rows(s->x + at, s->a + at, (size_t)rows * d);
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
    sm_norm_run(&p->crew, s->y, d, s->x, d, w->norm, w->norm_bias, rows, p->d);
    const sm_linear up = {.y = s->f,
                          .ldy = ffn,
                          .x = s->y,
                          .ldx = d,
                          .w = w->fc1,
                          .rows = rows,
                          .M = p->d,
                          .N = p->lm->config.ffn,
                          .gelu = 1};
    const sm_linear down = {.y = s->a,
                            .ldy = d,
                            .x = s->f,
                            .ldx = ffn,
                            .w = w->fc2,
                            .rows = rows,
                            .M = p->lm->config.ffn,
                            .N = p->d};
    sm_linear_run(&p->crew, &up);
    sm_linear_run(&p->crew, &down);
    add_rows(s->x, s->a, (size_t)rows * d);
}

/* Logits [rows, K, V] of rows of x that lie `ldx` apart. */
static void predict(const pass *p, const float *x, size_t ldx, int rows, float *logits)
{
    const sm_lm_config *config = &p->lm->config;
    const size_t V = (size_t)config->vocab, K = (size_t)config->codebooks, d = (size_t)p->d;
    sm_norm_run(&p->crew, p->state->y, d, x, ldx, p->lm->norm, p->lm->norm_bias, rows, p->d);
    for (size_t k = 0; k < K; k++) {
        const sm_linear head = {.y = logits + k * V,
                                .ldy = K * V,
                                .x = p->state->y,
                                .ldx = d,
                                .w = p->lm->heads[k],
                                .rows = rows,
                                .M = p->d,
                                .N = config->vocab};
        sm_linear_run(&p->crew, &head);
    }
}

void sm_lm_forward(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool,
                   const int32_t *tokens, int T, const sm_tap *taps, int taps_count, float *logits,
                   float *all_logits)
{
    const sm_lm *lm = state->lm;
    assert(T >= 1 && T <= state->options.max_batch &&
           state->column + T <= state->options.max_columns);
    const pass p = {.crew = {kernels, pool},
                    .state = state,
                    .lm = lm,
                    .R = state->options.rows,
                    .T = T,
                    .start = state->column,
                    .d = lm->config.hidden,
                    .H = lm->config.heads,
                    .D = lm->head_size,
                    .scale = (float)(1.0 / sqrt((double)lm->head_size)),
                    .taps = taps,
                    .taps_count = taps_count};
    embed(&p, tokens);
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

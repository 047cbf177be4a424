/* SPDX-License-Identifier: MIT */
/* Owns the T5 encoder: token ids to hidden states. Owns neither its weights' memory (the binder's
 * arena) nor its scratch (the caller's).
 *
 * Letters: T tokens, C hidden size, H heads, D head size, A = H D, F feed-forward size.
 * A block: x += o(attention(rms(x))), x += wo(relu(wi(rms(x)))). Scores are not scaled by
 * 1/sqrt(D); a bias that depends on the distance of query and key, read from a table of block 0, is
 * added in every block. */
#include "t5.h"

#include <math.h>
#include <stdalign.h>
#include <string.h>

#include "../kernels/linear.h"

typedef struct block {
    const float *norm1; /* [C] */
    sm_matrix qkv;      /* [3 A, C]: queries, keys, values */
    sm_matrix o;        /* [C, A] */
    const float *norm2; /* [C] */
    sm_matrix wi;       /* [F, C] */
    sm_matrix wo;       /* [C, F] */
} block;

struct sm_t5 {
    sm_text_config config;
    sm_matrix embedding;   /* [vocab, C] */
    const float *relative; /* [buckets, H] */
    const float *norm;     /* [C] */
    block *blocks;
};

static void bind_block(block *b, const sm_text_config *c, sm_binder *binder, int i)
{
    const int C = c->hidden, A = c->heads * c->head_size, F = c->ffn;
    const int64_t vector[] = {C};
#define PREFIX    "text_encoder.encoder.block.%d.layer."
#define ATTENTION PREFIX "0.SelfAttention."
    b->norm1 = sm_bind(binder, 1, vector, PREFIX "0.layer_norm.weight", i);
    sm_bind_matrix(binder, &b->qkv, 3 * A, C,
                   ATTENTION "q.weight " ATTENTION "k.weight " ATTENTION "v.weight", i, i, i);
    sm_bind_matrix(binder, &b->o, C, A, ATTENTION "o.weight", i);
    b->norm2 = sm_bind(binder, 1, vector, PREFIX "1.layer_norm.weight", i);
    sm_bind_matrix(binder, &b->wi, F, C, PREFIX "1.DenseReluDense.wi.weight", i);
    sm_bind_matrix(binder, &b->wo, C, F, PREFIX "1.DenseReluDense.wo.weight", i);
#undef ATTENTION
#undef PREFIX
}

smitin_status sm_t5_new(sm_t5 **t5, const sm_text_config *config, sm_binder *binder,
                        smitin_error *error)
{
    *t5 = NULL;
    sm_t5 *made = SM_TAKE(binder->arena, 1, sm_t5);
    block *blocks = SM_TAKE(binder->arena, config->layers, block);
    if (made == NULL || blocks == NULL) {
        return sm_fail_memory(error, "the text encoder", (size_t)config->layers * sizeof(block));
    }
    made->config = *config;
    made->blocks = blocks;
    const int64_t relative[] = {config->buckets, config->heads};
    const int64_t vector[] = {config->hidden};
    /* The two names are tied; a file keeps one of them or both. */
    const char *name = "text_encoder.shared.weight",
               *tied = "text_encoder.encoder.embed_tokens.weight";
    if (!sm_binder_has(binder, "%s", name) && sm_binder_has(binder, "%s", tied)) name = tied;
    sm_bind_table(binder, &made->embedding, config->vocab, config->hidden, "%s", name);
    made->relative =
        sm_bind(binder, 2, relative,
                "text_encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias."
                "weight");
    made->norm = sm_bind(binder, 1, vector, "text_encoder.encoder.final_layer_norm.weight");
    for (int i = 0; i < config->layers; i++) bind_block(&blocks[i], config, binder, i);
    *t5 = made;
    return SMITIN_OK;
}

/* Where the parts of the scratch lie. */
typedef struct buffers {
    float *x, *y;     /* [T, C] residual stream, and what is fed to or comes from a sublayer */
    float *qkv;       /* [T, 3 A] */
    float *z;         /* [T, A] */
    float *f;         /* [T, F] */
    float *bias;      /* [H, 2T-1] by distance: entry j - i + T - 1 */
    float *scores;    /* [H, T] */
    sm_block *blocks; /* of sm_crew: [T] rows of the longest input */
    size_t total;
} buffers;

_Static_assert(sizeof(sm_block) % sizeof(float) == 0 && alignof(sm_block) == alignof(float),
               "blocks lie in the scratch of floats");

static buffers lay_out(const sm_text_config *config, int tokens, float *base)
{
    const size_t T = (size_t)tokens, C = (size_t)config->hidden, H = (size_t)config->heads;
    const size_t A = H * (size_t)config->head_size, F = (size_t)config->ffn;
    const size_t longest = A > F ? (A > C ? A : C) : (F > C ? F : C);
    const size_t blocks = T * sm_blocks((int)longest) * (sizeof(sm_block) / sizeof(float));
    const size_t sizes[] = {T * C, T * C, 3 * T * A, T * A, T * F, H * (2 * T - 1), H * T, blocks};
    buffers b = {0};
    float *room = NULL;
    float **const parts[] = {&b.x, &b.y, &b.qkv, &b.z, &b.f, &b.bias, &b.scores, &room};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (base != NULL) *parts[i] = base + b.total;
        b.total += sizes[i];
    }
    b.blocks = (sm_block *)(void *)room;
    return b;
}

size_t sm_t5_scratch(const sm_text_config *config, int tokens)
{
    return tokens > 0 ? lay_out(config, tokens, NULL).total : 0;
}

int sm_t5_bucket(int distance, int buckets, int max_distance)
{
    /* Half of the buckets for each side; of these, half exact, half logarithmic up to max_distance.
     */
    const int half = buckets / 2, exact = half / 2;
    const int base = distance > 0 ? half : 0, far = distance < 0 ? -distance : distance;
    if (far < exact) return base + far;
    /* In f32 and in this order, as the tables of trained models were made. */
    float ratio = logf((float)far / (float)exact) / (float)log((double)max_distance / exact);
    int bucket = exact + (int)(ratio * (float)(half - exact));
    return base + (bucket < half - 1 ? bucket : half - 1);
}

/* bias [H, 2T-1] */
static void fill_bias(const sm_t5 *t5, int T, float *bias)
{
    const sm_text_config *c = &t5->config;
    for (int distance = 1 - T; distance < T; distance++) {
        const float *row =
            t5->relative + sm_t5_bucket(distance, c->buckets, c->max_distance) * c->heads;
        for (int h = 0; h < c->heads; h++) {
            bias[(size_t)h * (size_t)(2 * T - 1) + (size_t)(distance + T - 1)] = row[h];
        }
    }
}

/* y [T, w.N] = after(x [T, w.M] . w^T) */
static void multiply(const sm_crew *crew, float *y, const float *x, const sm_matrix *w, int T,
                     sm_activation after)
{
    const sm_linear linear = {.y = y,
                              .ldy = (size_t)w->N,
                              .x = x,
                              .ldx = (size_t)w->M,
                              .w = w,
                              .rows = T,
                              .after = after};
    sm_linear_run(crew, &linear);
}

typedef struct attention {
    const sm_kernels *kernels;
    const buffers *b;
    int T, H, D;
} attention;

/* Heads first..last-1, all queries. */
static void run_attention(void *context, int worker, int first, int last)
{
    const attention *a = context;
    const size_t T = (size_t)a->T, D = (size_t)a->D, A = (size_t)a->H * D;
    (void)worker;
    for (int h = first; h < last; h++) {
        const size_t offset = (size_t)h * D;
        const float *q = a->b->qkv + offset;
        for (size_t i = 0; i < T; i++) {
            const float *bias = a->b->bias + (size_t)h * (2 * T - 1) + (T - 1 - i);
            a->kernels->attend(a->b->z + i * A + offset, q + i * 3 * A, q + A, q + 2 * A, 3 * A,
                               bias, 1.0f, a->T, a->D, a->b->scores + (size_t)h * T);
        }
    }
}

static void norm_rows(const sm_t5 *t5, const sm_kernels *kernels, float *y, const float *x,
                      const float *weight, int T)
{
    const int C = t5->config.hidden;
    for (int t = 0; t < T; t++) {
        const size_t at = (size_t)t * (size_t)C;
        kernels->rms_norm(y + at, x + at, weight, C, t5->config.eps);
    }
}

static void run_block(const sm_t5 *t5, const block *w, const sm_crew *crew, const buffers *b, int T)
{
    const sm_text_config *c = &t5->config;
    const sm_kernels *kernels = crew->kernels;
    norm_rows(t5, kernels, b->y, b->x, w->norm1, T);
    multiply(crew, b->qkv, b->y, &w->qkv, T, SM_PLAIN);
    attention a = {kernels, b, T, c->heads, c->head_size};
    sm_pool_run(crew->pool, run_attention, &a, c->heads, 1);
    multiply(crew, b->y, b->z, &w->o, T, SM_PLAIN);
    kernels->axpy(b->x, 1.0f, b->y, T * c->hidden);

    norm_rows(t5, kernels, b->y, b->x, w->norm2, T);
    multiply(crew, b->f, b->y, &w->wi, T, SM_RELU);
    multiply(crew, b->y, b->f, &w->wo, T, SM_PLAIN);
    kernels->axpy(b->x, 1.0f, b->y, T * c->hidden);
}

smitin_status sm_t5_encode(const sm_t5 *t5, const sm_kernels *kernels, sm_pool *pool,
                           const int32_t *ids, int tokens, float *out, float *scratch,
                           smitin_error *error)
{
    const sm_text_config *c = &t5->config;
    const size_t C = (size_t)c->hidden;
    if (tokens < 1)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a text needs at least its end mark");
    for (int t = 0; t < tokens; t++) {
        if (ids[t] >= 0 && ids[t] < c->vocab) continue;
        return sm_fail(
            error, SMITIN_ERROR_ARGUMENT,
            "token %d of the text is %d, but this model knows 0 to %d; leave special tokens out", t,
            (int)ids[t], c->vocab - 1);
    }
    buffers b = lay_out(c, tokens, scratch);
    for (int t = 0; t < tokens; t++) {
        sm_matrix_read(b.x + (size_t)t * C, &t5->embedding, ids[t], 0, c->hidden);
    }
    fill_bias(t5, tokens, b.bias);
    const sm_crew crew = {kernels, pool, b.blocks};
    for (int i = 0; i < c->layers; i++) run_block(t5, &t5->blocks[i], &crew, &b, tokens);
    norm_rows(t5, kernels, out, b.x, t5->norm, tokens);
    for (size_t i = 0; i < (size_t)tokens * C; i++) {
        if (isfinite(out[i])) continue;
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "the text encoder's output is not finite at token %zu; its weights are damaged", i / C);
    }
    return SMITIN_OK;
}

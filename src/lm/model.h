/* SPDX-License-Identifier: MIT */
/* Inside the language model: bound weights and the state. For src/lm only. */
#ifndef SMITIN_LM_MODEL_H
#define SMITIN_LM_MODEL_H

#include "../base/arena.h"
#include "linear.h"
#include "lm.h"

typedef struct sm_attention_weights {
    const float *q, *k, *v, *out;  /* [d, d] each */
    const float *norm, *norm_bias; /* [d]: the LayerNorm before it */
} sm_attention_weights;

typedef struct sm_lm_layer {
    sm_attention_weights self, cross;
    const float *norm, *norm_bias; /* [d]: before the feed-forward */
    const float *fc1;              /* [ffn, d] */
    const float *fc2;              /* [d, ffn] */
} sm_lm_layer;

struct sm_lm {
    sm_lm_config config;
    int head_size; /* D = d / H */
    int text_hidden;
    const float *embed[SM_MAX_CODEBOOKS]; /* [V + 1, d]; row V is the special token */
    const float *heads[SM_MAX_CODEBOOKS]; /* [V, d] */
    const float *project,
        *project_bias; /* [d, text_hidden], [d]; NULL = the text has d features already */
    const float *norm, *norm_bias; /* [d]: after the last layer */
    const double *frequencies;     /* [d / 2] of the position embedding */
    sm_lm_layer *layers;           /* [L] */
};

struct sm_lm_state {
    const sm_lm *lm;
    sm_arena *arena; /* owns this struct and all that follows */
    sm_lm_state_options options;
    int column; /* columns fed so far */
    int slots;  /* columns of one (row, head) that can be attended to at once */
    /* Caches. One head of one row is one run of positions, so that attention reads memory straight
     * on. */
    float *k, *v;             /* [L, R, H, max_columns, D] */
    float *cross_k, *cross_v; /* [L, R, H, max_text, D] */
    int *text;                /* [R] tokens of each row's condition; 0 = none */
    /* Scratch of a pass; rows of these are columns of the pass: [R * max_batch, ...] */
    float *x, *y, *z,
        *a;   /* d each: residual stream; normed; head outputs; queries, then attention output */
    float *f; /* ffn */
    float *scores; /* [R, H, slots, longest of max_columns and max_text] */
    int scores_length;
    float *text_states; /* [max_text, d]: a condition after the projection */
};

#endif

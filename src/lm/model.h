/* SPDX-License-Identifier: MIT */
/* Inside the language model: bound weights and the state. For src/lm only. */
#ifndef SMITIN_LM_MODEL_H
#define SMITIN_LM_MODEL_H

#include "../base/arena.h"
#include "../kernels/linear.h"
#include "cache.h"
#include "lm.h"

typedef struct sm_norm {
    const float *weight, *bias; /* [d] */
} sm_norm;

/* Matrices are [outputs, inputs]; those with the same input stand above each other in one. */
typedef struct sm_lm_layer {
    sm_norm self_norm;
    sm_matrix qkv; /* [3 d, d]: queries, keys, values */
    sm_matrix out; /* [d, d] */
    sm_norm cross_norm;
    sm_matrix cross_q, cross_kv, cross_out; /* [d, d], [2 d, d], [d, d] */
    sm_norm norm;                           /* before the feed-forward */
    sm_matrix fc1, fc2;                     /* [ffn, d], [d, ffn] */
} sm_lm_layer;

struct sm_lm {
    sm_lm_config config;
    int head_size; /* D = d / H */
    int text_hidden;
    bool packed;                       /* some matrix is q8 or q4 */
    sm_matrix embed[SM_MAX_CODEBOOKS]; /* [V + 1, d]; row V is the special token */
    sm_matrix heads;                   /* [K V, d] */
    sm_matrix project;                 /* [d, text_hidden]; none: the text has d features already */
    const float *project_bias;         /* [d] */
    float *chroma;                     /* [SM_CHROMA, d]: projected classes; NULL: a text model */
    sm_norm norm;                      /* after the last layer */
    const double *frequencies;         /* [d / 2] of the position embedding */
    sm_lm_layer *layers;               /* [L] */
    char fingerprint[65];
};

struct sm_lm_state {
    const sm_lm *lm;
    sm_arena *arena; /* owns this struct and all that follows */
    sm_lm_state_options options;
    int column;            /* columns fed so far */
    int max_prefix;        /* positions in front of column 0, at most */
    int *prefix;           /* [R] positions in front of column 0 */
    size_t rows;           /* of the scratch below */
    int slots;             /* columns of one (row, head) that can be attended to at once */
    sm_cache cache, cross; /* runs [L, R, H] of max_prefix + max_columns positions, and
                            * of max_text */
    int *text;             /* [R] tokens of each row's condition; 0 = none */
    /* Scratch of a pass; rows of these are columns of the pass: [rows, ...] */
    float *x, *y, *z; /* d each: residual stream; normed; head outputs */
    float *a;         /* 3 d: queries, keys and values; then [.., d] the attention output */
    float *f;         /* ffn */
    float *scores;    /* [R, H, slots, longest run of either cache] */
    int scores_length;
    float *text_states;    /* [max_text, d], or [max_prefix, d]: a condition after the projection */
    float *text_kv;        /* [max_text, 2 d]: its keys and values in one layer */
    sm_profiler *profiler; /* NULL: none */
    sm_block *blocks;      /* of sm_crew; NULL when no matrix is packed */
};

/* T5's output [tokens, text_hidden] -> states [tokens, d] (state.c). */
void sm_lm_project_text(const sm_lm *lm, const sm_crew *crew, const float *hidden, int tokens,
                        float *states);

/* The fingerprint is taken while the tensors are bound, for they do not stay as they are in the
 * file. */
typedef struct sm_fingerprint sm_fingerprint;

/* Listen to `binder` from here on. NULL, with the error filled, when that fails. */
sm_fingerprint *sm_fingerprint_begin(const sm_lm_config *config, sm_binder *binder,
                                     smitin_error *error);
/* Stop listening, write the digest and free. */
smitin_status sm_fingerprint_end(sm_fingerprint *fingerprint, sm_binder *binder, char hex[65],
                                 smitin_error *error);

#endif

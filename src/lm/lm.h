/* SPDX-License-Identifier: MIT */
/* The MusicGen decoder. Weights are immutable and shared; a state is the key/value cache of R rows
 * that move on together. Letters: R rows, T columns, K codebooks, V codes, L layers, H heads, D
 * head size, d = H D hidden. */
#ifndef SMITIN_LM_LM_H
#define SMITIN_LM_LM_H

#include "../base/pool.h"
#include "../format/config.h"
#include "../format/weights.h"
#include "../kernels/kernels.h"
#include "profile.h"
#include "tap.h"

typedef struct sm_lm sm_lm;
typedef struct sm_lm_state sm_lm_state;

/* Bind "decoder.*" and "enc_to_dec_proj.*" (which may be missing where the text has d features
 * already), of a melody model "audio_enc_to_dec_proj.*" (likewise) and no cross-attention; linear
 * layers in the binder's format; everything lives in the binder's arena. Missing or wrong tensors
 * are noted in the binder: the model may be used only once sm_binder_finish has said SMITIN_OK. */
smitin_status sm_lm_new(sm_lm **lm, const sm_lm_config *config, int text_hidden, sm_binder *binder,
                        smitin_error *error);
const sm_lm_config *sm_lm_get_config(const sm_lm *lm);

/* displacement [d] = W_O(layer) . v[H, D]: what adding v to the heads does to the attention output,
 * up to rounding; with q8 and q4 weights, whose products round the heads to 8 bits, up to that. */
void sm_lm_project_heads(const sm_lm *lm, const sm_kernels *kernels, int layer, const float *v,
                         float *displacement);

/* SHA-256 (hex, static as long as the model) of the decoder's weights in the file rounded to f16,
 * so that f32 and f16 files of one model agree, whatever format they are loaded in. Hashed are, in
 * this order: the text "smitin-lm-1"; L, H and K; then the tensors embed_tokens 0..K-1; of every
 * layer the self-attention (norm weight, norm bias, q, k, v, out), the cross-attention (likewise,
 * where there is one),
 * the norm before the feed-forward (weight, bias), fc1, fc2; the final norm (weight, bias);
 * lm_heads 0..K-1; enc_to_dec_proj and audio_enc_to_dec_proj (weight, bias) when there are. A
 * tensor is its rows (1 for a vector) and columns, then its values row by row. Numbers are
 * little-endian, 32 bits for sizes. */
const char *sm_lm_fingerprint(const sm_lm *lm);

/* Bytes of weights that a pass over one column with a text reads: every linear layer but those that
 * make a text's keys and values. */
size_t sm_lm_step_bytes(const sm_lm *lm);

typedef struct sm_lm_state_options {
    int rows;        /* R */
    int max_columns; /* of the whole timeline */
    int max_batch;   /* T: most columns of one pass */
    int max_text; /* longest text condition in tokens; 0 = none ever (a melody model: 1 or more) */
    sm_format cache; /* of keys and values: f32, f16 or q8 */
} sm_lm_state_options;

/* A state with all memory it will ever need. Free with sm_lm_state_free. */
smitin_status sm_lm_state_new(sm_lm_state **state, const sm_lm *lm,
                              const sm_lm_state_options *options, smitin_error *error);
void sm_lm_state_free(sm_lm_state *state); /* NULL is allowed */
/* Back to column 0; conditions are kept. */
void sm_lm_state_reset(sm_lm_state *state);
int sm_lm_state_column(const sm_lm_state *state);

/* The stopwatch of the passes of sm_lm_forward from here on; NULL, as in a new state: none. Its
 * owner outlives the state's passes. */
void sm_lm_state_profile(sm_lm_state *state, sm_profiler *profiler);

/* Condition `row` on T5's output [tokens, text_hidden]; tokens 0 = none (cross-attention is then
 * skipped, which is exact for the null condition). tokens <= max_text. The condition is kept until
 * the next call for this row. */
void sm_lm_condition(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool, int row,
                     const float *hidden, int tokens);

/* Of a melody model, instead: its condition stands in front of the columns as positions of its own,
 * the chroma_length classes of a melody (NULL: none, which is class 0 throughout), then the text:
 * T5's output [tokens, text_hidden], or with NULL `tokens` rows of zeros. Positions count from the
 * first of them. 1 <= tokens <= max_text: one row of zeros is the absence of a text. Every row is
 * given one before the first column; it is kept until the next call for this row. No tap hears it.
 */
void sm_lm_prefix(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool, int row,
                  const int32_t *classes, const float *hidden, int tokens);

/* Feed T columns to all rows: tokens [R, T, K], each in 0..V. Moves the state on by T. When
 * `logits` is not NULL it receives the logits of the LAST column, [R, K, V]; when `all_logits` is
 * not NULL those of every column, [R, T, K, V]. Taps are asked in order. Does not allocate. T <=
 * max_batch, and the timeline ends at max_columns. The same columns give the same bits whether fed
 * in one pass or several, alone or beside other rows, on any number of threads. */
void sm_lm_forward(sm_lm_state *state, const sm_kernels *kernels, sm_pool *pool,
                   const int32_t *tokens, int T, const sm_tap *taps, int taps_count, float *logits,
                   float *all_logits);

#endif

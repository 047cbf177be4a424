/* SPDX-License-Identifier: MIT */
/* Text conditioning: the SentencePiece tokenizer and the T5 encoder. */
#ifndef SMITIN_TEXT_T5_H
#define SMITIN_TEXT_T5_H

#include "../base/pool.h"
#include "../format/config.h"
#include "../format/weights.h"
#include "../kernels/kernels.h"

/* ---- Tokenizer ---- */

typedef struct sm_tokenizer sm_tokenizer;

smitin_status sm_tokenizer_open(sm_tokenizer **tokenizer, const char *path, smitin_error *error);
/* The same from the bytes of a spiece.model, which are copied. `name` is used in messages. */
smitin_status sm_tokenizer_parse(sm_tokenizer **tokenizer, const void *data, size_t size,
                                 const char *name, smitin_error *error);
void sm_tokenizer_free(sm_tokenizer *tokenizer); /* NULL is allowed */

/* Tell how many rows the encoder's embedding has: where it has none for "<extra_id_N>", these are
 * plain text, as they are to a reference that was told extra_ids = 0. Without this call they are
 * special. */
void sm_tokenizer_set_rows(sm_tokenizer *tokenizer, int rows);

/* Ids of `text` (UTF-8) with T5's end mark (1) appended; at most `capacity`. *count receives the
 * number. Text that needs more than `capacity` ids is SMITIN_ERROR_ARGUMENT. "<pad>", "</s>",
 * "<unk>" and "<extra_id_N>" in the text are special tokens, as in the reference. */
smitin_status sm_tokenizer_encode(const sm_tokenizer *tokenizer, const char *text, int32_t *ids,
                                  int capacity, int *count, smitin_error *error);

/* ---- Encoder ---- */

typedef struct sm_t5 sm_t5;

/* Bind "text_encoder.*" of the binder's file, linear layers in its format; everything lives in its
 * arena. Misses are noted in the binder. */
smitin_status sm_t5_new(sm_t5 **t5, const sm_text_config *config, sm_binder *binder,
                        smitin_error *error);

/* Floats of scratch that sm_t5_encode needs for `tokens` tokens. */
size_t sm_t5_scratch(const sm_text_config *config, int tokens);

/* Last hidden state [tokens, hidden] of ids [tokens]. */
smitin_status sm_t5_encode(const sm_t5 *t5, const sm_kernels *kernels, sm_pool *pool,
                           const int32_t *ids, int tokens, float *out, float *scratch,
                           smitin_error *error);

/* Row of the relative position table for distance = key - query. */
int sm_t5_bucket(int distance, int buckets, int max_distance);

#endif

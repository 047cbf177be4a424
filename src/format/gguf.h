/* SPDX-License-Identifier: MIT */
/* GGUF files, version 3, little-endian: a head of counts, typed metadata, a table of tensors, then
 * the tensors' data, each at a multiple of the alignment. Reading believes no number before it is
 * checked against the file; writing puts the head first, so that data can follow part by part. */
#ifndef SMITIN_FORMAT_GGUF_H
#define SMITIN_FORMAT_GGUF_H

#include "../base/outfile.h"
#include "safetensors.h"

/* GGUF's own numbers. Those not listed here are refused (tensors) or passed over (metadata). */
typedef enum sm_gguf_kind {
    SM_GGUF_U8 = 0,
    SM_GGUF_U32 = 4,
    SM_GGUF_BOOL = 7,
    SM_GGUF_TEXT = 8,
    SM_GGUF_ARRAY = 9,
    SM_GGUF_KINDS = 13
} sm_gguf_kind;

/* One metadata value, a view of the file. */
typedef struct sm_gguf_value {
    const char *key;
    int kind, items;           /* sm_gguf_kind of it and, of an array, of its items */
    const unsigned char *data; /* the number, the text (without an end mark), or the items */
    size_t size;               /* bytes of data */
} sm_gguf_value;

typedef struct sm_gguf sm_gguf;

/* Map `path` and check it: sizes within the file, alignment, known tensor types, tensors one behind
 * the other, no name twice (all that are, are named). */
smitin_status sm_gguf_open(sm_gguf **file, const char *path, smitin_error *error);
/* The same from memory, borrowed until close. `name` is used in messages. */
smitin_status sm_gguf_parse(sm_gguf **file, const void *data, size_t size, const char *name,
                            smitin_error *error);
void sm_gguf_close(sm_gguf *file); /* NULL is allowed */

const char *sm_gguf_path(const sm_gguf *file);
size_t sm_gguf_count(const sm_gguf *file);
const sm_tensor *sm_gguf_at(const sm_gguf *file, size_t index); /* sorted by name */
const sm_tensor *sm_gguf_find(const sm_gguf *file, const char *name);
/* NULL when absent. */
const sm_gguf_value *sm_gguf_meta(const sm_gguf *file, const char *key);

/* ---- Writing ---- */

typedef struct sm_gguf_meta_out {
    const char *key;
    sm_gguf_kind kind; /* U32, TEXT, or U8 for an array of bytes */
    uint32_t number;   /* of U32 */
    const void *data;  /* of the others: [size] */
    size_t size;
} sm_gguf_meta_out;

/* A tensor's bytes in the file. */
size_t sm_gguf_bytes(const sm_tensor_out *tensor);
/* Write the head for these tensors, whose data are not looked at; places [tensors_count] receives
 * where in the file each one's data belong, and *end the size of the whole file. Fails for names
 * longer than GGUF's 64 bytes and for memory; failures to write are the file's own. */
smitin_status sm_gguf_write_head(sm_outfile *file, const sm_tensor_out *tensors,
                                 size_t tensors_count, const sm_gguf_meta_out *meta,
                                 size_t meta_count, size_t *places, size_t *end,
                                 smitin_error *error);

#endif

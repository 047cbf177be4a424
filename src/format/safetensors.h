/* SPDX-License-Identifier: MIT */
/* safetensors files: an 8-byte little-endian header length, a JSON header, raw little-endian data.
 * Every number read from a file is bounded before it is used. */
#ifndef SMITIN_FORMAT_SAFETENSORS_H
#define SMITIN_FORMAT_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>
#include "../base/error.h"

#define SM_MAX_DIMS 8

typedef enum sm_dtype {
    SM_F32 = 0,
    SM_F16,
    SM_BF16,
    SM_F64,
    SM_I64,
    SM_I32,
    SM_U8,
    SM_DTYPES, /* of the plain types */
    /* GGUF's blocks of 32 elements along the last dimension, rows of sm_row_bytes. */
    SM_Q8_0 = SM_DTYPES,
    SM_IQ4_NL
} sm_dtype;

/* Bytes of one element; 0 for the types in blocks. */
size_t sm_dtype_size(sm_dtype dtype);
/* As safetensors and GGUF spell it: "F32", "Q8_0". */
const char *sm_dtype_name(sm_dtype dtype);

typedef struct sm_tensor {
    const char *name;
    sm_dtype dtype;
    int dims;
    int64_t shape[SM_MAX_DIMS];
    const void *data; /* little-endian, row-major; need not be aligned */
    size_t count;     /* elements */
} sm_tensor;

typedef struct sm_safetensors sm_safetensors;

/* Map `path` and check its header: sizes within the file, no overlap, no duplicate name, known
 * types. */
smitin_status sm_safetensors_open(sm_safetensors **file, const char *path, smitin_error *error);
/* The same from memory, borrowed until close. `name` is used in messages. */
smitin_status sm_safetensors_parse(sm_safetensors **file, const void *data, size_t size,
                                   const char *name, smitin_error *error);
void sm_safetensors_close(sm_safetensors *file); /* NULL is allowed */

const char *sm_safetensors_path(const sm_safetensors *file);
size_t sm_safetensors_count(const sm_safetensors *file);
const sm_tensor *sm_safetensors_at(const sm_safetensors *file, size_t index);
/* NULL when absent. */
const sm_tensor *sm_safetensors_find(const sm_safetensors *file, const char *name);
/* A string of "__metadata__", or NULL. */
const char *sm_safetensors_meta(const sm_safetensors *file, const char *key);

/* Copy count elements from `first` as f32 (F32, F16, BF16 and F64 only; other types give an error).
 */
smitin_status sm_tensor_to_f32(const sm_tensor *tensor, size_t first, size_t count, float *out,
                               smitin_error *error);

typedef struct sm_tensor_out {
    const char *name;
    sm_dtype dtype;
    int dims;
    int64_t shape[SM_MAX_DIMS];
    const void *data;
} sm_tensor_out;

typedef struct sm_meta_out {
    const char *key, *value;
} sm_meta_out;

/* Write a file under a temporary name beside `path`, flush it, then rename: nothing half-written
 * stays. */
smitin_status sm_safetensors_write(const char *path, const sm_tensor_out *tensors,
                                   size_t tensors_count, const sm_meta_out *meta, size_t meta_count,
                                   smitin_error *error);

#endif

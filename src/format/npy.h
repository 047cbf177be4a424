/* SPDX-License-Identifier: MIT */
/* numpy's .npy arrays, format 1.0 and 2.0, C order, little-endian. */
#ifndef SMITIN_FORMAT_NPY_H
#define SMITIN_FORMAT_NPY_H

#include "safetensors.h"

typedef struct sm_npy {
    sm_dtype dtype;
    int dims;
    int64_t shape[SM_MAX_DIMS];
    size_t count;
    void *data; /* owned; freed by sm_npy_free */
} sm_npy;

/* On failure `array` is left zeroed. F32, F16, F64, I64, I32 and U8 only: numpy has no BF16. */
smitin_status sm_npy_read(sm_npy *array, const char *path, smitin_error *error);
/* The same from memory, copied. `name` is used in messages. */
smitin_status sm_npy_parse(sm_npy *array, const void *data, size_t size, const char *name,
                           smitin_error *error);
/* The same without a copy: `array->data` stays NULL, the elements lie `*offset` bytes into the
 * data, not aligned. */
smitin_status sm_npy_locate(sm_npy *array, const void *data, size_t size, const char *name,
                            size_t *offset, smitin_error *error);
/* Format 1.0, all or nothing. */
smitin_status sm_npy_write(const char *path, sm_dtype dtype, int dims, const int64_t *shape,
                           const void *data, smitin_error *error);
void sm_npy_free(sm_npy *array); /* safe on a zeroed struct */

#endif

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

smitin_status sm_npy_read(sm_npy *array, const char *path, smitin_error *error);
smitin_status sm_npy_write(const char *path, sm_dtype dtype, int dims, const int64_t *shape,
                           const void *data, smitin_error *error);
void sm_npy_free(sm_npy *array); /* safe on a zeroed struct */

#endif

/* SPDX-License-Identifier: MIT */
/* A weight matrix in any format: the one struct behind every linear layer and every table of
 * vectors. Owns sizes, storing and reading; products are in linear.h. Owns no memory. */
#ifndef SMITIN_KERNELS_MATRIX_H
#define SMITIN_KERNELS_MATRIX_H

#include "quant.h"

/* w [N, M]. All zero: there is none. */
typedef struct sm_matrix {
    sm_format format;
    int N, M;               /* outputs, inputs */
    const void *values;     /* f32 [N, M]; f16 and bf16 [N, M]; q8 and q4: codes of sm_packed */
    const uint16_t *scales; /* q8 and q4: scales of sm_packed; NULL for the others */
} sm_matrix;

/* q8 or q4. */
static inline bool sm_format_packed(sm_format format)
{
    return format == SM_FORMAT_Q8 || format == SM_FORMAT_Q4;
}

static inline sm_packed sm_matrix_packed(const sm_matrix *w)
{
    const sm_packed packed = {w->format, w->N, w->M, (const uint8_t *)w->values, w->scales};
    return packed;
}

/* Room for w [N, M] in `format`: `codes` bytes of values, and scales. Fails with
 * SMITIN_ERROR_ARGUMENT for N or M below 1 and for a size beyond this machine's memory. */
smitin_status sm_matrix_size(sm_packed_size *size, sm_format format, int N, int M,
                             smitin_error *error);

/* Bytes of a matrix that a product with it reads; 0 where there is none. */
size_t sm_matrix_bytes(const sm_matrix *w);

/* Store rows n0..n1-1, given as f32 [n1 - n0, M], into the arrays of a whole matrix [N, M]; n0 is a
 * multiple of 16, and n1 too or N, so that threads may share the work. Fails with
 * SMITIN_ERROR_MODEL for a weight that is not finite or too large for the format. */
smitin_status sm_matrix_store(void *values, uint16_t *scales, sm_format format, const float *rows,
                              int M, int n0, int n1, smitin_error *error);

/* out [count] = w[n][first .. first + count - 1] */
void sm_matrix_read(float *out, const sm_matrix *w, int n, int first, int count);

#endif

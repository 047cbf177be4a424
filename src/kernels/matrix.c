/* SPDX-License-Identifier: MIT */
/* Owns the storing and reading of weight matrices in every format. */
#include "matrix.h"

#include <math.h>
#include <string.h>

smitin_status sm_matrix_size(sm_packed_size *size, sm_format format, int N, int M,
                             smitin_error *error)
{
    if (sm_format_packed(format)) return sm_packed_size_of(size, format, N, M, error);
    const size_t each = format == SM_FORMAT_F32 ? sizeof(float) : sizeof(uint16_t);
    if (N < 1 || M < 1 || (size_t)N > SIZE_MAX / 2 / each / (size_t)M)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a matrix of %d outputs and %d inputs; use at least 1 of each and no more "
                       "than memory holds",
                       N, M);
    size->codes = (size_t)N * (size_t)M * each;
    size->scales = 0;
    return SMITIN_OK;
}

size_t sm_matrix_bytes(const sm_matrix *w)
{
    sm_packed_size size = {0, 0};
    (void)sm_matrix_size(&size, w->format, w->N, w->M, NULL); /* it has been taken before */
    return size.codes + 2 * size.scales;
}

static smitin_status refuse(sm_format format, int n, int m, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "output %d, input %d: a weight is not finite or too large for %s; use f32", n, m,
                   sm_format_name(format));
}

static smitin_status store_f32(float *out, const float *rows, int M, int n0, int n1,
                               smitin_error *error)
{
    const size_t count = (size_t)(n1 - n0) * (size_t)M;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(rows[i]))
            return refuse(SM_FORMAT_F32, n0 + (int)(i / (size_t)M), (int)(i % (size_t)M), error);
    }
    memcpy(out, rows, count * sizeof *out);
    return SMITIN_OK;
}

static smitin_status store_16(uint16_t *out, sm_format format, const float *rows, int M, int n0,
                              int n1, smitin_error *error)
{
    const bool half = format == SM_FORMAT_F16;
    const uint16_t infinite = half ? 0x7C00u : 0x7F80u; /* exponent bits of infinity and NaN */
    const size_t count = (size_t)(n1 - n0) * (size_t)M;
    for (size_t i = 0; i < count; i++) {
        out[i] = half ? sm_f16_from_f32(rows[i]) : sm_bf16_from_f32(rows[i]);
        if ((out[i] & infinite) == infinite)
            return refuse(format, n0 + (int)(i / (size_t)M), (int)(i % (size_t)M), error);
    }
    return SMITIN_OK;
}

smitin_status sm_matrix_store(void *values, uint16_t *scales, sm_format format, const float *rows,
                              int M, int n0, int n1, smitin_error *error)
{
    const size_t at = (size_t)n0 * (size_t)M;
    if (format == SM_FORMAT_F32) return store_f32((float *)values + at, rows, M, n0, n1, error);
    if (!sm_format_packed(format))
        return store_16((uint16_t *)values + at, format, rows, M, n0, n1, error);
    sm_packed_size tile;
    SM_TRY(sm_packed_size_of(&tile, format, SM_TILE, M, error));
    const size_t first = (size_t)n0 / SM_TILE;
    return sm_pack((uint8_t *)values + first * tile.codes, scales + first * tile.scales, format,
                   rows, n1 - n0, M, 0, n1 - n0, error);
}

void sm_matrix_read(float *out, const sm_matrix *w, int n, int first, int count)
{
    const size_t at = (size_t)n * (size_t)w->M + (size_t)first;
    const sm_packed packed = sm_matrix_packed(w);
    switch (w->format) {
    case SM_FORMAT_F32:
        memcpy(out, (const float *)w->values + at, (size_t)count * sizeof *out);
        return;
    case SM_FORMAT_F16:
        for (int i = 0; i < count; i++)
            out[i] = sm_f16_to_f32(((const uint16_t *)w->values)[at + (size_t)i]);
        return;
    case SM_FORMAT_BF16:
        for (int i = 0; i < count; i++)
            out[i] = sm_bf16_to_f32(((const uint16_t *)w->values)[at + (size_t)i]);
        return;
    case SM_FORMAT_Q8:
    case SM_FORMAT_Q4:
        sm_packed_read(out, &packed, n, first, count);
        return;
    }
}

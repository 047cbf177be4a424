/* SPDX-License-Identifier: MIT */
/* The product with weights in bf16 at LEVEL. */
#define WEIGHT   uint16_t
#define w_load   v_load_bf16
#define w_load_n v_load_bf16_n
static inline float w_one(const uint16_t *p)
{
    return sm_bf16_to_f32(*p);
}

#include "matmul.h"

void SM_ENTRY(matmul_bf16)(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                           const float *bias, int R, int M, int n0, int n1)
{
    matmul(y, ldy, x, ldx, w, bias, R, M, n0, n1);
}

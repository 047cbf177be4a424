/* SPDX-License-Identifier: MIT */
/* The product with weights in f16 at LEVEL. */
#define WEIGHT   uint16_t
#define w_load   v_load_f16
#define w_load_n v_load_f16_n
#define w_one    v_one_f16

#include "matmul.h"

void SM_ENTRY(matmul_f16)(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                          const float *bias, int R, int M, int n0, int n1)
{
    matmul(y, ldy, x, ldx, w, bias, R, M, n0, n1);
}

/* SPDX-License-Identifier: MIT */
/* The product with weights in f16 at the avx512 level. */
#include "../levels.h"

#include "avx512_vector.h"

#define WEIGHT   uint16_t
#define w_load   v_load_f16
#define w_load_n v_load_f16_n
static inline float w_one(const uint16_t *p)
{
    return _cvtsh_ss(*p);
}

#include "matmul.h"

void sm_matmul_f16_avx512(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                          const float *bias, int R, int M, int n0, int n1)
{
    matmul(y, ldy, x, ldx, w, bias, R, M, n0, n1);
}

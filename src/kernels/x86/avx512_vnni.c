/* SPDX-License-Identifier: MIT */
/* The q8 and q4 products with AVX-512 VNNI. */
#if !defined(__AVX512VNNI__)
#error "this file is compiled with AVX-512 VNNI"
#endif
#include "../levels.h"

#include "avx512_vector.h"

#define INTEGER_DOT 1
#include "avx512_dot.h"
#include "dot.h"

void sm_matmul_q8_avx512_vnni(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                              const float *bias, int R, int n0, int n1)
{
    product_q8(y, ldy, x, w, bias, R, n0, n1);
}

void sm_matmul_q4_avx512_vnni(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                              const float *bias, int R, int n0, int n1)
{
    product_q4(y, ldy, x, w, bias, R, n0, n1);
}

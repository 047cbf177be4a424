/* SPDX-License-Identifier: MIT */
/* Matrix products spread over the thread pool. Every output element is one kernel dot product
 * whatever the split, so the cut into chunks never shows in the bits. */
#ifndef SMITIN_LM_LINEAR_H
#define SMITIN_LM_LINEAR_H

#include "../base/pool.h"
#include "../kernels/kernels.h"

/* Who computes. */
typedef struct sm_crew {
    const sm_kernels *kernels;
    sm_pool *pool;
} sm_crew;

/* y [rows, ldy] = x [rows, ldx] . w[N, M]^T + bias (NULL: none), then gelu when asked. */
typedef struct sm_linear {
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const float *w, *bias;
    int rows, M, N;
    int gelu;
} sm_linear;

void sm_linear_run(const sm_crew *crew, const sm_linear *linear);

/* y[row] = layer norm of x[row], both [rows, n] with leading dimensions ldy and ldx. */
void sm_norm_run(const sm_crew *crew, float *y, size_t ldy, const float *x, size_t ldx,
                 const float *weight, const float *bias, int rows, int n);

/* Items of `cost` multiply-adds each: how many make a chunk worth handing to another thread. */
int sm_grain(double cost);

#endif

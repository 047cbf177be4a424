/* SPDX-License-Identifier: MIT */
/* Linear layers in any format, and norms, spread over the thread pool: the one place where products
 * are cut. Every output element is one kernel sum whatever the cut, and rows are quantised once
 * before it, so neither threads nor rows nor passes ever show in the bits. */
#ifndef SMITIN_KERNELS_LINEAR_H
#define SMITIN_KERNELS_LINEAR_H

#include "../base/pool.h"
#include "kernels.h"
#include "matrix.h"

/* Who computes. */
typedef struct sm_crew {
    const sm_kernels *kernels;
    sm_pool *pool;
    /* Room for the rows of one product with q8 or q4 weights, rows * sm_blocks(M); NULL where there
     * are no such weights. */
    sm_block *blocks;
} sm_crew;

typedef enum sm_activation { SM_PLAIN = 0, SM_GELU, SM_RELU } sm_activation;

/* y [rows, ldy] = after(x [rows, ldx] . w^T + bias); bias [N] or NULL. Rows of x may overlap unless
 * w is q8 or q4. */
typedef struct sm_linear {
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const sm_matrix *w;
    const float *bias;
    int rows;
    sm_activation after;
} sm_linear;

void sm_linear_run(const sm_crew *crew, const sm_linear *linear);

/* y [N] = w . x [M] with x as it is, not quantised: for what is computed once and lives long. On
 * the caller's thread alone. */
void sm_matrix_times(const sm_kernels *kernels, const sm_matrix *w, const float *x, float *y);

/* y[row] = layer norm of x[row], both [rows, n] with leading dimensions ldy and ldx. */
void sm_norm_run(const sm_crew *crew, float *y, size_t ldy, const float *x, size_t ldx,
                 const float *weight, const float *bias, int rows, int n);

/* Items of `cost` multiply-adds each: how many make a chunk worth handing to another thread. */
int sm_grain(double cost);

#endif

/* SPDX-License-Identifier: MIT */
/* The arithmetic of the models. `ref.c` is the oracle: plain C, short enough to check by eye. Each
 * CPU level overwrites the entries it has a faster version of; the table is filled once.
 *
 * Letters: R rows, N outputs, M inputs, T frames, H heads, D head size, C channels.
 * All arrays are row-major f32. Pointers need no alignment. No kernel allocates. Every output
 * element is computed in an order that depends on the level only, never on how the work was split,
 * so that any number of threads and any number of rows gives the same bits. */
#ifndef SMITIN_KERNELS_KERNELS_H
#define SMITIN_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* CPU levels, each including the ones before it. */
typedef enum sm_cpu_level {
    SM_CPU_REF = 0, /* plain C: the oracle */
    SM_CPU_AVX2,    /* x86-64 with AVX2 and FMA */
    SM_CPU_AVX512,  /* x86-64 with AVX-512 F, BW, DQ and VL */
} sm_cpu_level;

typedef struct sm_kernels {
    sm_cpu_level level;
    const char *name;

    /* y[r][n] = bias[n] + sum_m x[r][m] w[n][m] for n in n0..n1-1; bias may be NULL.
     * y [R, ldy], x [R, ldx], w [N, M]. Rows of x may overlap (ldx < M): a 1-D convolution over
     * channels-last frames is this product with ldx = stride * channels. */
    void (*matmul)(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                   const float *bias, int R, int M, int n0, int n1);

    /* sum_i x[i] y[i] */
    float (*dot)(const float *x, const float *y, int n);
    /* y += a x */
    void (*axpy)(float *y, float a, const float *x, int n);

    /* y = (x - mean) / sqrt(var + eps) * weight + bias over n elements, biased variance
     * (LayerNorm). */
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, int n,
                       float eps);
    /* y = x / sqrt(mean(x^2) + eps) * weight (RMSNorm as in T5). */
    void (*rms_norm)(float *y, const float *x, const float *weight, int n, float eps);
    /* In place: softmax of n scores, maximum subtracted first. */
    void (*softmax)(float *x, int n);
    /* In place: 0.5 x (1 + erf(x / sqrt 2)). */
    void (*gelu)(float *x, size_t n);
    /* y = x > 0 ? x : exp(x) - 1; y may be x. */
    void (*elu)(float *y, const float *x, size_t n);

    /* One head, one query: z[D] = softmax(scale q.k_t + bias_t) . v over T positions.
     * k, v: position t at k + t * stride. bias [T] may be NULL. scratch [T]. */
    void (*attend)(float *z, const float *q, const float *k, const float *v, size_t stride,
                   const float *bias, float scale, int T, int D, float *scratch);

    /* One LSTM cell step, gates in order i, f, g, o: gates [4n] are pre-activations;
     * c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c). c, h [n]. */
    void (*lstm_cell)(float *h, float *c, const float *gates, int n);
} sm_kernels;

/* The best level this CPU has. */
sm_cpu_level sm_cpu_detect(void);
/* "ref", "avx2", "avx512". */
const char *sm_cpu_level_name(sm_cpu_level level);
/* The table of `level`, or of the best the CPU has when `level` is beyond it. Never NULL. */
const sm_kernels *sm_kernels_get(sm_cpu_level level);

#endif

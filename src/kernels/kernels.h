/* SPDX-License-Identifier: MIT */
/* The arithmetic of the models. `ref.c` is the oracle: plain C, short enough to check by eye. Each
 * CPU level overwrites the entries it has a faster version of; the table is filled once.
 *
 * Letters: R rows, N outputs, M inputs, T frames, H heads, D head size, C channels.
 * All arrays are row-major, f32 unless said otherwise. Pointers need no alignment. No kernel
 * allocates. Every output element is computed in an order that depends on the level only, never on
 * how the work was split, so that any number of threads and any number of rows gives the same bits.
 */
#ifndef SMITIN_KERNELS_KERNELS_H
#define SMITIN_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quant.h"

/* CPU levels, slowest first within an architecture. A level does not always include the one before
 * it: processors exist with AVX-512 and without AVX-VNNI. sm_cpu_has tells. Levels of the other
 * architecture have their names, and no kernels in this program. */
typedef enum sm_cpu_level {
    SM_CPU_REF = 0,     /* plain C: the oracle */
    SM_CPU_AVX2,        /* x86-64 with AVX2, FMA and F16C */
    SM_CPU_AVX_VNNI,    /* AVX2 and the integer dot products of AVX-VNNI */
    SM_CPU_AVX512,      /* x86-64 with AVX-512 F, BW, DQ and VL, FMA and F16C */
    SM_CPU_AVX512_VNNI, /* AVX-512 and its integer dot products */
    SM_CPU_NEON,        /* every AArch64 */
    SM_CPU_NEON_DOT,    /* NEON and its integer dot products (Armv8.2) */
} sm_cpu_level;
enum { SM_CPU_LEVELS = 7 };

/* Keys and values of one head in 8 bits: position t is scale[t] * q[t * stride + d], d < D. */
typedef struct sm_cache_q8 {
    const int8_t *k, *v; /* [T, stride] */
    size_t stride;
    const float *k_scale, *v_scale; /* [T] */
} sm_cache_q8;

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

    /* matmul with weights of 16 bits. The same bits as matmul with the weights widened. */
    void (*matmul_f16)(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                       const float *bias, int R, int M, int n0, int n1);
    void (*matmul_bf16)(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                        const float *bias, int R, int M, int n0, int n1);

    /* Rows of activations for matmul_q8 and matmul_q4: out [R, sm_blocks(M)], zeros behind M. Done
     * once for all products of the same rows and all threads. The scale is the largest size of the
     * block / 127, q is rounded to nearest, ties to even; a block below 2^-100 becomes zero. The
     * same bits at every level. */
    void (*quantise)(sm_block *out, const float *x, size_t ldx, int R, int M);
    /* y[r][n] = bias[n] + sum over blocks of x.scale w.scale (x.q . w.q), the dot product of a
     * block in integers without rounding. w is packed in q8, or q4 for the second. Cuts at
     * multiples of SM_TILE outputs lose nothing. */
    void (*matmul_q8)(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                      const float *bias, int R, int n0, int n1);
    void (*matmul_q4)(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                      const float *bias, int R, int n0, int n1);

    /* attend over a compact cache. With f16 the same bits as attend over the numbers widened. */
    void (*attend_f16)(float *z, const float *q, const uint16_t *k, const uint16_t *v,
                       size_t stride, const float *bias, float scale, int T, int D, float *scratch);
    void (*attend_q8)(float *z, const float *q, const sm_cache_q8 *cache, const float *bias,
                      float scale, int T, int D, float *scratch);
    /* Numbers for such a cache: as f16 (sm_f16_from_f32), and as q[n] with the scale returned, as
     * one block of quantise. The same bits at every level. */
    void (*narrow_f16)(uint16_t *out, const float *x, int n);
    float (*narrow_q8)(int8_t *q, const float *x, int n);
} sm_kernels;

/* The best level this CPU has. */
sm_cpu_level sm_cpu_detect(void);
/* This CPU can run the level, and this program has it. */
bool sm_cpu_has(sm_cpu_level level);
/* This program has the level: it is of the architecture we are built for. */
bool sm_cpu_built(sm_cpu_level level);
/* "ref", "avx2", "avx_vnni", "avx512", "avx512_vnni", "neon", "neon_dot"; "unknown" for another
 * number. */
const char *sm_cpu_level_name(sm_cpu_level level);
/* The table of `level`, or of the last before it that the CPU has. Never NULL. f32 kernels
 * are those of the level without integer dot products, to the bit. */
const sm_kernels *sm_kernels_get(sm_cpu_level level);

#endif

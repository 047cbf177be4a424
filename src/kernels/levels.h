/* SPDX-License-Identifier: MIT */
/* The tables of the CPU levels; table.c chooses among them. Kernels on compact formats stand in
 * files of their own and are named here for the tables. */
#ifndef SMITIN_KERNELS_LEVELS_H
#define SMITIN_KERNELS_LEVELS_H

#include "kernels.h"

extern const sm_kernels sm_kernels_ref;
extern const sm_kernels sm_kernels_avx2;
extern const sm_kernels sm_kernels_avx_vnni;
extern const sm_kernels sm_kernels_avx512;
extern const sm_kernels sm_kernels_avx512_vnni;
extern const sm_kernels sm_kernels_neon;
extern const sm_kernels sm_kernels_neon_dot;

#define SM_DECLARE_DOTS(level)                                                                     \
    void sm_matmul_q8_##level(float *y, size_t ldy, const sm_block *x, const sm_packed *w,         \
                              const float *bias, int R, int n0, int n1);                           \
    void sm_matmul_q4_##level(float *y, size_t ldy, const sm_block *x, const sm_packed *w,         \
                              const float *bias, int R, int n0, int n1);

#define SM_DECLARE_COMPACT(level)                                                                  \
    void sm_matmul_f16_##level(float *y, size_t ldy, const float *x, size_t ldx,                   \
                               const uint16_t *w, const float *bias, int R, int M, int n0,         \
                               int n1);                                                            \
    void sm_matmul_bf16_##level(float *y, size_t ldy, const float *x, size_t ldx,                  \
                                const uint16_t *w, const float *bias, int R, int M, int n0,        \
                                int n1);                                                           \
    void sm_quantise_##level(sm_block *out, const float *x, size_t ldx, int R, int M);             \
    void sm_attend_f16_##level(float *z, const float *q, const uint16_t *k, const uint16_t *v,     \
                               size_t stride, const float *bias, float scale, int T, int D,        \
                               float *scratch);                                                    \
    void sm_attend_q8_##level(float *z, const float *q, const sm_cache_q8 *cache,                  \
                              const float *bias, float scale, int T, int D, float *scratch);       \
    void sm_narrow_f16_##level(uint16_t *out, const float *x, int n);                              \
    float sm_narrow_q8_##level(int8_t *q, const float *x, int n);                                  \
    SM_DECLARE_DOTS(level)

SM_DECLARE_COMPACT(ref)
SM_DECLARE_COMPACT(avx2)
SM_DECLARE_COMPACT(avx512)
SM_DECLARE_DOTS(avx_vnni)
SM_DECLARE_DOTS(avx512_vnni)
SM_DECLARE_COMPACT(neon)
SM_DECLARE_DOTS(neon_dot)

/* The name of an entry in a file that defines LEVEL. */
#define SM_JOIN(what, level)  sm_##what##_##level
#define SM_NAMED(what, level) SM_JOIN(what, level)
#define SM_ENTRY(what)        SM_NAMED(what, LEVEL)

/* Entries of a table; `dots` is the level of the integer dot products. */
#define SM_COMPACT_ENTRIES(level, dots)                                                            \
    .matmul_f16 = sm_matmul_f16_##level, .matmul_bf16 = sm_matmul_bf16_##level,                    \
    .quantise = sm_quantise_##level, .matmul_q8 = sm_matmul_q8_##dots,                             \
    .matmul_q4 = sm_matmul_q4_##dots, .attend_f16 = sm_attend_f16_##level,                         \
    .attend_q8 = sm_attend_q8_##level, .narrow_f16 = sm_narrow_f16_##level,                        \
    .narrow_q8 = sm_narrow_q8_##level

#endif

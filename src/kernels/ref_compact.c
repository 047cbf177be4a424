/* SPDX-License-Identifier: MIT */
/* The oracle of the kernels on compact formats: plain C, sums in double. Quantising alone is done
 * in f32, because every level must give its bits. */
#include "levels.h"

#include <math.h>

/* y[r][n] = bias[n] + sum_m x[r][m] w[n][m] with weights widened by `widen` */
static void matmul_16(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                      const float *bias, int R, int M, int n0, int n1, float (*widen)(uint16_t))
{
    for (int r = 0; r < R; r++) {
        for (int n = n0; n < n1; n++) {
            const float *xr = x + (size_t)r * ldx;
            const uint16_t *wn = w + (size_t)n * (size_t)M;
            double sum = bias != NULL ? (double)bias[n] : 0.0;
            for (int m = 0; m < M; m++) sum += (double)xr[m] * (double)widen(wn[m]);
            y[(size_t)r * ldy + (size_t)n] = (float)sum;
        }
    }
}

void sm_matmul_f16_ref(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                       const float *bias, int R, int M, int n0, int n1)
{
    matmul_16(y, ldy, x, ldx, w, bias, R, M, n0, n1, sm_f16_to_f32);
}

void sm_matmul_bf16_ref(float *y, size_t ldy, const float *x, size_t ldx, const uint16_t *w,
                        const float *bias, int R, int M, int n0, int n1)
{
    matmul_16(y, ldy, x, ldx, w, bias, R, M, n0, n1, sm_bf16_to_f32);
}

float sm_narrow_q8_ref(int8_t *q, const float *x, int n)
{
    float most = 0.0f;
    bool finite = true;
    for (int i = 0; i < n; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    const bool flat = !finite || most < 0x1p-100f;
    const float inverse = flat ? 0.0f : 127.0f / most;
    for (int i = 0; i < n; i++) q[i] = (int8_t)(finite ? rintf(x[i] * inverse) : 0.0f);
    return !finite ? NAN : flat ? 0.0f : most / 127.0f;
}

void sm_quantise_ref(sm_block *out, const float *x, size_t ldx, int R, int M)
{
    for (int r = 0; r < R; r++) {
        for (int m = 0; m < M; m += SM_BLOCK, out++) {
            float block[SM_BLOCK] = {0.0f};
            for (int i = 0; i < SM_BLOCK && m + i < M; i++)
                block[i] = x[(size_t)r * ldx + (size_t)(m + i)];
            out->scale = sm_narrow_q8_ref(out->q, block, SM_BLOCK);
            out->shift = 0;
            for (int i = 0; i < SM_BLOCK; i++) out->shift -= 128 * out->q[i];
        }
    }
}

void sm_matmul_q8_ref(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                      const float *bias, int R, int n0, int n1)
{
    const size_t blocks = sm_blocks(w->M);
    for (int r = 0; r < R; r++) {
        for (int n = n0; n < n1; n++) {
            const sm_block *xr = x + (size_t)r * blocks;
            double sum = bias != NULL ? (double)bias[n] : 0.0;
            for (int m = 0; m < w->M; m++) {
                const sm_block *b = &xr[m / SM_BLOCK];
                sum += (double)b->scale * b->q[m % SM_BLOCK] * (double)sm_packed_at(w, n, m);
            }
            y[(size_t)r * ldy + (size_t)n] = (float)sum;
        }
    }
}

void sm_matmul_q4_ref(float *y, size_t ldy, const sm_block *x, const sm_packed *w,
                      const float *bias, int R, int n0, int n1)
{
    sm_matmul_q8_ref(y, ldy, x, w, bias, R, n0, n1); /* sm_packed_at knows both */
}

void sm_narrow_f16_ref(uint16_t *out, const float *x, int n)
{
    for (int i = 0; i < n; i++) out[i] = sm_f16_from_f32(x[i]);
}

/* Number `at` of a cache, without its scale. */
typedef double (*number)(const void *from, size_t at);

static double number_f16(const void *from, size_t at)
{
    return (double)sm_f16_to_f32(((const uint16_t *)from)[at]);
}

static double number_q8(const void *from, size_t at)
{
    return (double)((const int8_t *)from)[at];
}

static void attend(float *z, const float *q, const sm_cache_q8 *c, const void *k, const void *v,
                   size_t stride, const float *bias, float scale, int T, int D, float *scratch,
                   number read)
{
    for (int t = 0; t < T; t++) {
        double sum = 0.0;
        for (int d = 0; d < D; d++) sum += (double)q[d] * read(k, (size_t)t * stride + (size_t)d);
        if (c != NULL) sum *= (double)c->k_scale[t];
        scratch[t] = (float)(sum * (double)scale + (bias != NULL ? (double)bias[t] : 0.0));
    }
    sm_kernels_ref.softmax(scratch, T);
    for (int d = 0; d < D; d++) {
        double sum = 0.0;
        for (int t = 0; t < T; t++)
            sum += (double)scratch[t] * read(v, (size_t)t * stride + (size_t)d) *
                   (c != NULL ? (double)c->v_scale[t] : 1.0);
        z[d] = (float)sum;
    }
}

void sm_attend_f16_ref(float *z, const float *q, const uint16_t *k, const uint16_t *v,
                       size_t stride, const float *bias, float scale, int T, int D, float *scratch)
{
    attend(z, q, NULL, k, v, stride, bias, scale, T, D, scratch, number_f16);
}

void sm_attend_q8_ref(float *z, const float *q, const sm_cache_q8 *cache, const float *bias,
                      float scale, int T, int D, float *scratch)
{
    attend(z, q, cache, cache->k, cache->v, cache->stride, bias, scale, T, D, scratch, number_q8);
}

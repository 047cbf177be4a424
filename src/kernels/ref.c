/* SPDX-License-Identifier: MIT */
/* The oracle: every kernel in plain C, sums in double, as the formulas stand in kernels.h. */
#include "levels.h"

#include <math.h>

/* y[r][n] = bias[n] + sum_m x[r][m] w[n][m] */
static void matmul(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                   const float *bias, int R, int M, int n0, int n1)
{
    for (int r = 0; r < R; r++) {
        for (int n = n0; n < n1; n++) {
            const float *xr = x + (size_t)r * ldx, *wn = w + (size_t)n * (size_t)M;
            double sum = bias != NULL ? (double)bias[n] : 0.0;
            for (int m = 0; m < M; m++) sum += (double)xr[m] * (double)wn[m];
            y[(size_t)r * ldy + (size_t)n] = (float)sum;
        }
    }
}

static float dot(const float *x, const float *y, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return (float)sum;
}

static void axpy(float *y, float a, const float *x, int n)
{
    for (int i = 0; i < n; i++) y[i] += a * x[i];
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, int n,
                       float eps)
{
    double mean = 0.0, variance = 0.0;
    for (int i = 0; i < n; i++) mean += (double)x[i];
    mean /= n;
    for (int i = 0; i < n; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean);
    variance /= n;
    const double scale = 1.0 / sqrt(variance + (double)eps);
    for (int i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * scale * (double)weight[i] + (double)bias[i]);
}

static void rms_norm(float *y, const float *x, const float *weight, int n, float eps)
{
    double square = 0.0;
    for (int i = 0; i < n; i++) square += (double)x[i] * (double)x[i];
    const double scale = 1.0 / sqrt(square / n + (double)eps);
    for (int i = 0; i < n; i++) y[i] = (float)((double)x[i] * scale * (double)weight[i]);
}

static void softmax(float *x, int n)
{
    float most = -INFINITY;
    for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += exp((double)x[i] - (double)most);
    for (int i = 0; i < n; i++) x[i] = (float)(exp((double)x[i] - (double)most) / sum);
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * (double)x[i] * (1.0 + erf((double)x[i] * sqrt(0.5))));
}

static void elu(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : (float)expm1((double)x[i]);
}

static void attend(float *z, const float *q, const float *k, const float *v, size_t stride,
                   const float *bias, float scale, int T, int D, float *scratch)
{
    for (int t = 0; t < T; t++)
        scratch[t] = scale * dot(q, k + (size_t)t * stride, D) + (bias ? bias[t] : 0.0f);
    softmax(scratch, T);
    for (int d = 0; d < D; d++) {
        double sum = 0.0;
        for (int t = 0; t < T; t++)
            sum += (double)scratch[t] * (double)v[(size_t)t * stride + (size_t)d];
        z[d] = (float)sum;
    }
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void lstm_cell(float *h, float *c, const float *gates, int n)
{
    const float *i = gates, *f = i + n, *g = f + n, *o = g + n;
    for (int j = 0; j < n; j++) {
        const double cell =
            sigmoid((double)f[j]) * (double)c[j] + sigmoid((double)i[j]) * tanh((double)g[j]);
        c[j] = (float)cell;
        h[j] = (float)(sigmoid((double)o[j]) * tanh(cell));
    }
}

const sm_kernels sm_kernels_ref = {
    .level = SM_CPU_REF,
    .name = "ref",
    .matmul = matmul,
    .dot = dot,
    .axpy = axpy,
    .layer_norm = layer_norm,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .gelu = gelu,
    .elu = elu,
    .attend = attend,
    .lstm_cell = lstm_cell,
    SM_COMPACT_ENTRIES(ref, ref),
};

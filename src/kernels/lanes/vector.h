/* SPDX-License-Identifier: MIT */
/* Everything but the products, written once on the v_ inlines of a level and included by its file
 * after attend.h.
 *
 * Sums run in four registers of partial sums, folded in one fixed order. v_min and v_max
 * keep a NaN of their second argument; clamps put x there, so that it passes through. The
 * polynomials are our own least-maximum fits; the relative error of each, before rounding, stands
 * beside it. */

static float dot(const float *x, const float *y, int n)
{
    vec a = v_zero(), b = v_zero(), c = v_zero(), d = v_zero();
    int i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        a = v_fma(v_load(x + i), v_load(y + i), a);
        b = v_fma(v_load(x + i + LANES), v_load(y + i + LANES), b);
        c = v_fma(v_load(x + i + 2 * LANES), v_load(y + i + 2 * LANES), c);
        d = v_fma(v_load(x + i + 3 * LANES), v_load(y + i + 3 * LANES), d);
    }
    for (; i + LANES <= n; i += LANES) a = v_fma(v_load(x + i), v_load(y + i), a);
    if (i < n) b = v_fma(v_load_n(x + i, n - i), v_load_n(y + i, n - i), b);
    return fold(a, b, c, d);
}

static void axpy(float *y, float a, const float *x, int n)
{
    const vec scale = v_set(a);
    int i = 0;
    for (; i + LANES <= n; i += LANES) v_store(y + i, v_fma(scale, v_load(x + i), v_load(y + i)));
    if (i < n)
        v_store_n(y + i, v_fma(scale, v_load_n(x + i, n - i), v_load_n(y + i, n - i)), n - i);
}

/* sum_i (x[i] - center)^power, power 1 or 2 */
static inline float moment(const float *x, int n, float center, const int power)
{
    const vec middle = v_set(center);
    vec s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    int i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            const vec e = v_sub(v_load(x + i + j * LANES), middle);
            s[j] = power == 2 ? v_fma(e, e, s[j]) : v_add(e, s[j]);
        }
    }
    for (; i < n; i += LANES) {
        const int used = n - i < LANES ? n - i : LANES;
        const vec e = v_keep(v_sub(v_load_n(x + i, used), middle), used);
        s[0] = power == 2 ? v_fma(e, e, s[0]) : v_add(e, s[0]);
    }
    return fold(s[0], s[1], s[2], s[3]);
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, int n,
                       float eps)
{
    const float mean = moment(x, n, 0.0f, 1) / (float)n;
    const float scale = 1.0f / sqrtf(moment(x, n, mean, 2) / (float)n + eps);
    const vec middle = v_set(mean), stretch = v_set(scale);
    for (int i = 0; i < n; i += LANES) {
        const int used = n - i < LANES ? n - i : LANES;
        const vec e = v_mul(v_sub(v_load_n(x + i, used), middle), stretch);
        v_store_n(y + i, v_fma(e, v_load_n(weight + i, used), v_load_n(bias + i, used)), used);
    }
}

static void rms_norm(float *y, const float *x, const float *weight, int n, float eps)
{
    const vec stretch = v_set(1.0f / sqrtf(moment(x, n, 0.0f, 2) / (float)n + eps));
    for (int i = 0; i < n; i += LANES) {
        const int used = n - i < LANES ? n - i : LANES;
        v_store_n(y + i, v_mul(v_mul(v_load_n(x + i, used), stretch), v_load_n(weight + i, used)),
                  used);
    }
}

static inline vec sigmoid(vec x)
{
    return v_div(v_set(1.0f), v_add(v_set(1.0f), exponential(v_sub(v_zero(), x))));
}

/* tanh(x): x + x^3 P(x^2) to 5e-9 where |x| < 0.625, else 1 - 2 / (exp(2|x|) + 1) with the sign of
 * x. */
static inline vec hyperbolic_tangent(vec x)
{
    const vec u = v_mul(x, x), size = v_abs(x), one = v_set(1.0f);
    vec p = v_set(-0.0057042305f);
    p = v_fma(p, u, v_set(0.0206384379f));
    p = v_fma(p, u, v_set(-0.0537395253f));
    p = v_fma(p, u, v_set(0.1333144004f));
    p = v_fma(p, u, v_set(-0.3333328187f));
    const vec small = v_fma(v_mul(p, u), x, x);
    const vec grown = v_add(exponential(v_add(size, size)), one);
    const vec large = v_signed(v_sub(one, v_div(v_set(2.0f), grown)), x);
    return v_greater(v_set(0.625f), size, small, large);
}

/* 0.5 x (1 + erf(x / sqrt 2)). With z = |x| / sqrt 2 and q = erfc(z) = P(1 / (1 + 0.4 z))
 * exp(-z^2), P to 3e-8: x (1 - q / 2) for positive x and x q / 2 for negative x, without
 * cancellation. */
static inline vec gelu_of(vec x)
{
    const vec one = v_set(1.0f), size = v_abs(x);
    const vec t = v_div(one, v_fma(size, v_set(0.28284271f), one));
    vec p = v_set(0.081091730f);
    p = v_fma(p, t, v_set(-0.431111527f));
    p = v_fma(p, t, v_set(0.768755689f));
    p = v_fma(p, t, v_set(-0.482849556f));
    p = v_fma(p, t, v_set(0.494544246f));
    p = v_fma(p, t, v_set(0.0975556313f));
    p = v_fma(p, t, v_set(0.248993294f));
    p = v_fma(p, t, v_set(0.222874704f));
    p = v_fma(p, t, v_set(0.000145760439f));
    const vec half = v_set(0.5f);
    const vec q = v_mul(v_mul(p, half), exponential(v_mul(v_mul(x, x), v_set(-0.5f))));
    return v_mul(x, v_greater(x, v_zero(), v_sub(one, q), q));
}

static void gelu(float *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) v_store(x + i, gelu_of(v_load(x + i)));
    if (i < n) v_store_n(x + i, gelu_of(v_load_n(x + i, (int)(n - i))), (int)(n - i));
}

static inline vec elu_of(vec x)
{
    return v_greater(x, v_zero(), x, v_sub(exponential(x), v_set(1.0f)));
}

static void elu(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) v_store(y + i, elu_of(v_load(x + i)));
    if (i < n) v_store_n(y + i, elu_of(v_load_n(x + i, (int)(n - i))), (int)(n - i));
}

static void softmax(float *x, int n)
{
    if (n <= 0) return;
    const vec scale = v_set(soften(x, n));
    int i = 0;
    for (; i + LANES <= n; i += LANES) v_store(x + i, v_mul(v_load(x + i), scale));
    if (i < n) v_store_n(x + i, v_mul(v_load_n(x + i, n - i), scale), n - i);
}

static void attend(float *z, const float *q, const float *k, const float *v, size_t stride,
                   const float *bias, float scale, int T, int D, float *scratch)
{
    const cache c = {k, v, stride, NULL, NULL};
    attend_any(z, q, &c, bias, scale, T, D, scratch, CACHE_F32);
}

static void lstm_cell(float *h, float *c, const float *gates, int n)
{
    const float *in = gates, *forget = in + n, *cell = forget + n, *out = cell + n;
    for (int j = 0; j < n; j += LANES) {
        const int used = n - j < LANES ? n - j : LANES;
        const vec kept = v_mul(sigmoid(v_load_n(forget + j, used)), v_load_n(c + j, used));
        const vec next = v_fma(sigmoid(v_load_n(in + j, used)),
                               hyperbolic_tangent(v_load_n(cell + j, used)), kept);
        v_store_n(c + j, next, used);
        v_store_n(h + j, v_mul(sigmoid(v_load_n(out + j, used)), hyperbolic_tangent(next)), used);
    }
}

#define F32_ENTRIES                                                                                \
    .matmul = matmul, .dot = dot, .axpy = axpy, .layer_norm = layer_norm, .rms_norm = rms_norm,    \
    .softmax = softmax, .gelu = gelu, .elu = elu, .attend = attend, .lstm_cell = lstm_cell

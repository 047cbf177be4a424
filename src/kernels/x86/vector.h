/* SPDX-License-Identifier: MIT */
/* Everything but the matrix product, written once on the v_ inlines of a level and included by its
 * file.
 *
 * Sums run in four registers of partial sums, folded in one fixed order. v_min and v_max return
 * their second argument when either is not a number; clamps put x there, so that NaN passes
 * through. The polynomials are our own least-maximum fits; the relative error of each, before
 * rounding, stands beside it. */

/* The sum of all lanes of four registers. */
static inline float fold(vec a, vec b, vec c, vec d)
{
    const __m128 s = v_fold4(a, b, c, d);
    const __m128 t = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_shuffle_ps(t, t, 1)));
}

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

/* exp(x): x = k ln 2 + r, |r| <= ln 2 / 2, 1 + r + r^2 P(r) to 3e-9. 0 below -104, infinite
 * above 89. */
static inline vec exponential(vec x)
{
    x = v_min(v_set(89.0f), v_max(v_set(-104.0f), x));
    const vec k = v_round(v_mul(x, v_set(1.44269504088896f)));
    vec r = v_fma(k, v_set(-0.693359375f),
                  x); /* ln 2 in two parts; the first has few bits, so k times it is exact */
    r = v_fma(k, v_set(2.12194440054691e-4f), r);
    vec p = v_set(0.0013813153f);
    p = v_fma(p, r, v_set(0.0083694192f));
    p = v_fma(p, r, v_set(0.0416684565f));
    p = v_fma(p, r, v_set(0.1666651479f));
    p = v_fma(p, r, v_set(0.4999999305f));
    p = v_fma(p, v_mul(r, r), r);
    return v_scale2(v_add(p, v_set(1.0f)), k);
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

/* x[i] = exp(x[i] - max), returning 1 / sum. A NaN may escape the maximum but not the sum. */
static inline float soften(float *x, int n)
{
    const vec lowest = v_set(-INFINITY);
    vec top = lowest;
    int i = 0;
    for (; i + LANES <= n; i += LANES) top = v_max(top, v_load(x + i));
    float most = v_largest(top);
    for (; i < n; i++) most = x[i] > most ? x[i] : most;

    const vec shift = v_set(most);
    vec sum = v_zero(), rest = v_zero();
    for (i = 0; i + LANES <= n; i += LANES) {
        const vec e = exponential(v_sub(v_load(x + i), shift));
        v_store(x + i, e);
        sum = v_add(sum, e);
    }
    if (i < n) {
        rest = v_keep(exponential(v_sub(v_load_n(x + i, n - i), shift)), n - i);
        v_store_n(x + i, rest, n - i);
    }
    return 1.0f / fold(sum, rest, v_zero(), v_zero());
}

static void softmax(float *x, int n)
{
    if (n <= 0) return;
    const vec scale = v_set(soften(x, n));
    int i = 0;
    for (; i + LANES <= n; i += LANES) v_store(x + i, v_mul(v_load(x + i), scale));
    if (i < n) v_store_n(x + i, v_mul(v_load_n(x + i, n - i), scale), n - i);
}

/* Four scores q . k_t from k, `stride` apart. */
static inline __m128 scores4(const float *q, const float *k, size_t stride, int D)
{
    vec s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    int d = 0;
    for (; d + LANES <= D; d += LANES) {
        const vec left = v_load(q + d);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) s[j] = v_fma(left, v_load(k + j * stride + d), s[j]);
    }
    if (d < D) {
        const vec left = v_load_n(q + d, D - d);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] = v_fma(left, v_load_n(k + j * stride + d, D - d), s[j]);
    }
    return v_fold4(s[0], s[1], s[2], s[3]);
}

/* sums[j] += p v[j] over a row of `width` <= 4 LANES values. */
static inline void mix_row(vec sums[4], float p, const float *v, int width)
{
    for (int j = 0; j * LANES < width; j++) {
        const int used = width - j * LANES < LANES ? width - j * LANES : LANES;
        sums[j] = v_fma(v_set(p), v_load_n(v + j * LANES, used), sums[j]);
    }
}

/* z[0..width-1] = scale * sum_t p[t] v[t], even and odd t apart. `vecs` > 0 is a constant and says
 * that width is vecs * LANES: no masks, and the sums stay in registers. */
static inline __attribute__((always_inline)) void mix(float *z, const float *p, const float *v,
                                                      size_t stride, int T, int width, float scale,
                                                      const int vecs)
{
    vec even[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    vec odd[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    const int pairs = T / 2;
    for (int i = 0; i < pairs; i++, v += 2 * stride) {
        const float a = p[2 * i], b = p[2 * i + 1];
        if (vecs == 0) {
            mix_row(even, a, v, width);
            mix_row(odd, b, v + stride, width);
        } else {
#pragma GCC unroll 4
            for (int j = 0; j < vecs; j++) {
                even[j] = v_fma(v_set(a), v_load(v + j * LANES), even[j]);
                odd[j] = v_fma(v_set(b), v_load(v + stride + j * LANES), odd[j]);
            }
        }
    }
    if (T % 2 != 0) mix_row(even, p[T - 1], v, width);
    for (int j = 0; j * LANES < width; j++) {
        const int used = width - j * LANES < LANES ? width - j * LANES : LANES;
        v_store_n(z + j * LANES, v_mul(v_set(scale), v_add(even[j], odd[j])), used);
    }
}

static void attend(float *z, const float *q, const float *k, const float *v, size_t stride,
                   const float *bias, float scale, int T, int D, float *scratch)
{
    const __m128 stretch = _mm_set1_ps(scale);
    int t = 0;
    for (; t + 4 <= T; t += 4) {
        const __m128 s = _mm_mul_ps(stretch, scores4(q, k + (size_t)t * stride, stride, D));
        _mm_storeu_ps(scratch + t, bias != NULL ? _mm_add_ps(s, _mm_loadu_ps(bias + t)) : s);
    }
    for (; t < T; t++) { /* stride 0: the same row four times, folded in the same order */
        const float s = scale * _mm_cvtss_f32(scores4(q, k + (size_t)t * stride, 0, D));
        scratch[t] = bias != NULL ? s + bias[t] : s;
    }
    const float share = T > 0 ? soften(scratch, T) : 0.0f;
    for (int d = 0; d < D; d += 4 * LANES) {
        const int width = D - d < 4 * LANES ? D - d : 4 * LANES;
        if (width == 4 * LANES)
            mix(z + d, scratch, v + d, stride, T, 4 * LANES, share, 4);
        else if (width == 2 * LANES)
            mix(z + d, scratch, v + d, stride, T, 2 * LANES, share, 2);
        else
            mix(z + d, scratch, v + d, stride, T, width, share, 0);
    }
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

/* SPDX-License-Identifier: MIT */
/* Attention over keys and values in f32, f16 or int8 with a scale for each position, written once
 * on the v_ inlines of a level, with the exponential and the sums it needs. Two passes: the keys
 * are read once for the scores, the values once for the mix. Widening is exact: f16 gives the bits
 * that the same numbers in f32 give. */

enum { CACHE_F32, CACHE_F16, CACHE_Q8 };

enum { SENT = 4096 /* bytes of int8 keys and values sent for in advance */ };

typedef struct cache {
    const void *k, *v;              /* [T, stride], the first D of each */
    size_t stride;                  /* numbers */
    const float *k_scale, *v_scale; /* [T], CACHE_Q8 only */
} cache;

/* LANES numbers from `at` on, or the first n of them; `kind` is a constant at every call. */
static inline __attribute__((always_inline)) vec cache_load(const void *from, size_t at,
                                                            const int kind)
{
    if (kind == CACHE_F16) return v_load_f16((const uint16_t *)from + at);
    if (kind == CACHE_Q8) return v_load_i8((const int8_t *)from + at);
    return v_load((const float *)from + at);
}
static inline __attribute__((always_inline)) vec cache_load_n(const void *from, size_t at, int n,
                                                              const int kind)
{
    if (kind == CACHE_F16) return v_load_f16_n((const uint16_t *)from + at, n);
    if (kind == CACHE_Q8) return v_load_i8_n((const int8_t *)from + at, n);
    return v_load_n((const float *)from + at, n);
}

/* Four positions of int8 are so few bytes that the processor's own guesses come late where they
 * begin anew: at the first value, and wherever a page of memory ends. Send for the four that stand
 * SENT bytes after `place`, which counts the keys 0..T-1 and then the values. */
static inline void send_q8(const cache *c, int place, int T, int D)
{
    const int ahead = place + SENT / D;
    const uintptr_t base = ahead < T ? (uintptr_t)c->k : (uintptr_t)c->v;
    const uintptr_t from = base + (size_t)(ahead < T ? ahead : ahead - T) * c->stride;
    for (size_t j = 0; j < 4; j++) { /* as numbers: behind the last value there may be nothing */
        for (size_t at = 0; at < (size_t)D; at += 64) v_send_near(from + j * c->stride + at);
    }
}

/* The sum of all lanes of four registers. */
static inline float fold(vec a, vec b, vec c, vec d)
{
    return q_sum(v_fold4(a, b, c, d));
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

/* Four scores q . k_t from number `at` of k on, `stride` apart. */
static inline __attribute__((always_inline)) quad scores4(const float *q, const void *k, size_t at,
                                                          size_t stride, int D, const int kind)
{
    vec s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    int d = 0;
    for (; d + LANES <= D; d += LANES) {
        const vec left = v_load(q + d);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] = v_fma(left, cache_load(k, at + j * stride + (size_t)d, kind), s[j]);
    }
    if (d < D) {
        const vec left = v_load_n(q + d, D - d);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] = v_fma(left, cache_load_n(k, at + j * stride + (size_t)d, D - d, kind), s[j]);
    }
    return v_fold4(s[0], s[1], s[2], s[3]);
}

/* sums[j] += p v[at + j] over a row of `width` <= 4 LANES values. */
static inline __attribute__((always_inline)) void mix_row(vec sums[4], float p, const void *v,
                                                          size_t at, int width, const int kind)
{
    for (int j = 0; j * LANES < width; j++) {
        const int used = width - j * LANES < LANES ? width - j * LANES : LANES;
        const size_t from = at + (size_t)(j * LANES);
        sums[j] = v_fma(v_set(p), cache_load_n(v, from, used, kind), sums[j]);
    }
}

/* z[0..width-1] = scale * sum_t p[t] v_t, even and odd t apart, v_t from number `at` on. `vecs` > 0
 * is a constant and says that width is vecs * LANES: no masks, and the sums stay in registers. */
static inline __attribute__((always_inline)) void mix(float *z, const float *p, const cache *c,
                                                      size_t at, int T, int width, float scale,
                                                      const int vecs, const int kind)
{
    vec even[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    vec odd[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    const size_t stride = c->stride;
    const void *v = c->v;
    const int pairs = T / 2;
    for (int i = 0; i < pairs; i++, at += 2 * stride) {
        const float a = p[2 * i], b = p[2 * i + 1];
        if (kind == CACHE_Q8 && i % 2 == 0) send_q8(c, T + 2 * i, T, width);
        if (vecs == 0) {
            mix_row(even, a, v, at, width, kind);
            mix_row(odd, b, v, at + stride, width, kind);
        } else {
#pragma GCC unroll 4
            for (int j = 0; j < vecs; j++) {
                const size_t from = at + (size_t)(j * LANES);
                even[j] = v_fma(v_set(a), cache_load(v, from, kind), even[j]);
                odd[j] = v_fma(v_set(b), cache_load(v, from + stride, kind), odd[j]);
            }
        }
    }
    if (T % 2 != 0) mix_row(even, p[T - 1], v, at, width, kind);
    for (int j = 0; j * LANES < width; j++) {
        const int used = width - j * LANES < LANES ? width - j * LANES : LANES;
        v_store_n(z + j * LANES, v_mul(v_set(scale), v_add(even[j], odd[j])), used);
    }
}

/* scratch[t] = scale q.k_t (times the key's own scale) + bias_t */
static inline __attribute__((always_inline)) void scores(float *scratch, const float *q,
                                                         const cache *c, const float *bias,
                                                         float scale, int T, int D, const int kind)
{
    const quad stretch = q_set(scale);
    int t = 0;
    for (; t + 4 <= T; t += 4) {
        if (kind == CACHE_Q8) send_q8(c, t, T, D);
        quad s = scores4(q, c->k, (size_t)t * c->stride, c->stride, D, kind);
        s = q_mul(stretch, s);
        if (kind == CACHE_Q8) s = q_mul(s, q_load(c->k_scale + t));
        q_store(scratch + t, bias != NULL ? q_add(s, q_load(bias + t)) : s);
    }
    for (; t < T; t++) { /* stride 0: the same row four times, folded in the same order */
        float s = scale * q_first(scores4(q, c->k, (size_t)t * c->stride, 0, D, kind));
        if (kind == CACHE_Q8) s *= c->k_scale[t];
        scratch[t] = bias != NULL ? s + bias[t] : s;
    }
}

static inline __attribute__((always_inline)) void attend_any(float *z, const float *q,
                                                             const cache *c, const float *bias,
                                                             float scale, int T, int D,
                                                             float *scratch, const int kind)
{
    scores(scratch, q, c, bias, scale, T, D, kind);
    const float share = T > 0 ? soften(scratch, T) : 0.0f;
    if (kind == CACHE_Q8) {
        for (int t = 0; t < T; t++) scratch[t] *= c->v_scale[t];
    }
    for (int d = 0; d < D; d += 4 * LANES) {
        const int width = D - d < 4 * LANES ? D - d : 4 * LANES;
        const size_t at = (size_t)d;
        if (width == 4 * LANES)
            mix(z + d, scratch, c, at, T, 4 * LANES, share, 4, kind);
        else if (width == 2 * LANES)
            mix(z + d, scratch, c, at, T, 2 * LANES, share, 2, kind);
        else
            mix(z + d, scratch, c, at, T, width, share, 0, kind);
    }
}

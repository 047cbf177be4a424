/* SPDX-License-Identifier: MIT */
/* Attention over compact keys and values, and the way into them, every level. */
#include "levels.h"

static const int lengths[] = {1,  2,  3,  7,  8,  9,  15,  16,  17, 31,
                              32, 33, 47, 63, 64, 65, 100, 128, 130};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void check_narrow(const sm_kernels *k)
{
    static const float odd[] = {NAN,      INFINITY, -INFINITY, 65520.0f, -65519.9f, 1e-7f,
                                -2.9e-8f, 0x1p-25f, 1e-40f,    -0.0f,    1e38f,     1.00048828125f};
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        for (int with_odd = 0; with_odd < 2; with_odd++) {
            edge x = edge_random((size_t)n, 3.0f, 1);
            for (int i = 0; with_odd != 0 && i < n; i++)
                if (i % 3 == n % 3) x.data[i] = odd[(i + n) % 12];
            edge half = edge_bytes((size_t)n * 2), whole = edge_bytes((size_t)n);
            uint16_t *h = edge_end(&half, (size_t)n * 2), want_h[130];
            int8_t *q = edge_end(&whole, (size_t)n), want_q[130];
            k->narrow_f16(h, x.data, n);
            for (int i = 0; i < n; i++) want_h[i] = sm_f16_from_f32(x.data[i]);
            assert_memory_equal(h, want_h, (size_t)n * 2);
            const float scale = k->narrow_q8(q, x.data, n);
            const float want = sm_kernels_get(SM_CPU_REF)->narrow_q8(want_q, x.data, n);
            assert_true(scale == want || (isnan(scale) && isnan(want)));
            assert_memory_equal(q, want_q, (size_t)n);
            for (int i = 0; i < n && !isnan(scale); i++) /* half a step and roundings */
                ASSERT_NEAR(scale * q[i], x.data[i], (double)scale * 0.50003 + 0x1p-100);
            edge_free(&x);
            edge_free(&half);
            edge_free(&whole);
        }
    }
    int8_t q[2];
    const float nothing[2] = {0.0f, -0.0f}, hot[2] = {1.0f, INFINITY};
    assert_true(k->narrow_q8(q, nothing, 2) == 0.0f && q[0] == 0 && q[1] == 0);
    assert_true(isnan(k->narrow_q8(q, hot, 2)));
}

typedef struct heads {
    edge q, wide_k, wide_v, k, v, k_scale, v_scale, bias, z, scratch;
    int8_t *k8, *v8;
    uint16_t *k16, *v16;
    size_t span, stride;
} heads;

/* Random keys and values; q8 and f16 share the bytes, so one of the two is made. */
static heads make(const sm_kernels *k, int T, int D, size_t stride, bool q8)
{
    heads h;
    h.stride = stride;
    h.span = (size_t)(T - 1) * stride + (size_t)D;
    const size_t bytes = h.span * (q8 ? 1 : 2);
    h.q = edge_random((size_t)D, 2.0f, 1);
    h.wide_k = edge_random(h.span, 1.0f, 2);
    h.wide_v = edge_random(h.span, 1.0f, 3);
    h.bias = edge_random((size_t)T, 1.0f, 4);
    h.z = edge_new((size_t)D);
    h.scratch = edge_new((size_t)T);
    h.k_scale = edge_new((size_t)T);
    h.v_scale = edge_new((size_t)T);
    h.k = edge_bytes(bytes);
    h.v = edge_bytes(bytes);
    h.k8 = edge_end(&h.k, bytes);
    h.v8 = edge_end(&h.v, bytes);
    h.k16 = edge_end(&h.k, bytes);
    h.v16 = edge_end(&h.v, bytes);
    memset(h.k8, 0x7F, bytes);
    memset(h.v8, 0x7F, bytes);
    for (int t = 0; t < T; t++) {
        const size_t at = (size_t)t * stride;
        if (q8) {
            h.k_scale.data[t] = k->narrow_q8(h.k8 + at, h.wide_k.data + at, D);
            h.v_scale.data[t] = k->narrow_q8(h.v8 + at, h.wide_v.data + at, D);
        } else {
            k->narrow_f16(h.k16 + at, h.wide_k.data + at, D);
            k->narrow_f16(h.v16 + at, h.wide_v.data + at, D);
        }
    }
    /* From now on the wide ones are what the narrow ones say. */
    for (int t = 0; t < T; t++) {
        for (int d = 0; d < D; d++) {
            const size_t at = (size_t)t * stride + (size_t)d;
            h.wide_k.data[at] = q8 ? h.k_scale.data[t] * h.k8[at] : sm_f16_to_f32(h.k16[at]);
            h.wide_v.data[at] = q8 ? h.v_scale.data[t] * h.v8[at] : sm_f16_to_f32(h.v16[at]);
        }
    }
    return h;
}

static void drop(heads *h)
{
    edge *all[] = {&h->q, &h->wide_k,  &h->wide_v,  &h->k,    &h->v,
                   &h->z, &h->k_scale, &h->v_scale, &h->bias, &h->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) edge_free(all[i]);
}

static const int times[] = {1, 2, 3, 4, 5, 15, 64, 255, 1503};
enum { TIMES = sizeof times / sizeof times[0] };

static void attend_f16(const sm_kernels *k, int T, int D, size_t stride, bool with_bias)
{
    heads h = make(k, T, D, stride, false);
    const float scale = 1.0f / sqrtf((float)D), *bias = with_bias ? h.bias.data : NULL;
    edge want = edge_new((size_t)D);
    k->attend(want.data, h.q.data, h.wide_k.data, h.wide_v.data, stride, bias, scale, T, D,
              h.scratch.data);
    k->attend_f16(h.z.data, h.q.data, h.k16, h.v16, stride, bias, scale, T, D, h.scratch.data);
    if (k->level == SM_CPU_REF) { /* both round scores to f32, the oracle's two at other places */
        for (int d = 0; d < D; d++) ASSERT_NEAR(h.z.data[d], want.data[d], 2e-6);
    } else {
        assert_memory_equal(h.z.data, want.data, (size_t)D * sizeof(float));
    }
    h.v16[(size_t)(T / 2) * stride] = 0x7E00; /* NaN */
    k->attend_f16(h.z.data, h.q.data, h.k16, h.v16, stride, bias, scale, T, D, h.scratch.data);
    assert_true(isnan(h.z.data[0]) && (D == 1 || !isnan(h.z.data[D - 1])));
    h.k16[(size_t)(T / 2) * stride] = 0x7E00;
    k->attend_f16(h.z.data, h.q.data, h.k16, h.v16, stride, bias, scale, T, D, h.scratch.data);
    for (int d = 0; d < D; d++) assert_true(isnan(h.z.data[d]));
    edge_free(&want);
    drop(&h);
}

static void attend_q8(const sm_kernels *k, int T, int D, size_t stride, bool with_bias)
{
    heads h = make(k, T, D, stride, true);
    const sm_cache_q8 cache = {h.k8, h.v8, stride, h.k_scale.data, h.v_scale.data};
    const float scale = 1.0f / sqrtf((float)D), *bias = with_bias ? h.bias.data : NULL;
    k->attend_q8(h.z.data, h.q.data, &cache, bias, scale, T, D, h.scratch.data);
    double *p = malloc((size_t)T * sizeof *p), most = -INFINITY, sum = 0.0;
    assert_non_null(p);
    for (int t = 0; t < T; t++) {
        double s = 0.0;
        for (int d = 0; d < D; d++) s += (double)h.q.data[d] * h.k8[(size_t)t * stride + (size_t)d];
        p[t] = s * (double)h.k_scale.data[t] * (double)scale +
               (with_bias ? (double)h.bias.data[t] : 0.0);
        most = fmax(most, p[t]);
    }
    for (int t = 0; t < T; t++) sum += p[t] = exp(p[t] - most);
    for (int d = 0; d < D; d++) {
        double want = 0.0, size = 0.0;
        for (int t = 0; t < T; t++) {
            const double value = (double)h.v_scale.data[t] * h.v8[(size_t)t * stride + (size_t)d];
            want += p[t] / sum * value;
            size += p[t] / sum * fabs(value);
        }
        /* Scores, below 20 in size, carry D / 8 + 2 roundings; the mixing adds T / 2 in a row. */
        ASSERT_NEAR(h.z.data[d], want,
                    (T / 2.0 + (D / 8.0 + 2.0) * 20.0 + 60.0) * 0x1p-24 * (size + 0.01));
    }
    free(p);
    h.v_scale.data[T - 1] = NAN;
    k->attend_q8(h.z.data, h.q.data, &cache, bias, scale, T, D, h.scratch.data);
    for (int d = 0; d < D; d++) assert_true(isnan(h.z.data[d]));
    drop(&h);
}

static void each_size(const sm_kernels *k,
                      void (*body)(const sm_kernels *k, int T, int D, size_t stride, bool bias))
{
    for (size_t t = 0; t < TIMES; t++) {
        for (size_t d = 0; d < LENGTHS; d++)
            body(k, times[t], lengths[d], (size_t)lengths[d] * (d % 3 + 1) + d % 2,
                 (t + d) % 2 == 0);
    }
}

static void check_attend_16_bits(const sm_kernels *k)
{
    each_size(k, attend_f16);
}

static void check_attend_8_bits(const sm_kernels *k)
{
    each_size(k, attend_q8);
}

#define LEVEL_TEST(name)                                                                           \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        with_levels(check_##name);                                                                 \
    }
LEVEL_TEST(narrow)
LEVEL_TEST(attend_16_bits)
LEVEL_TEST(attend_8_bits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrow),
        cmocka_unit_test(attend_16_bits),
        cmocka_unit_test(attend_8_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

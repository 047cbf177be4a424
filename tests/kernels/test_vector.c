/* SPDX-License-Identifier: MIT */
/* Everything but the matrix product, every level, against the formulas in double. */
#include "levels.h"

/* Lengths the models use, and every tail of the widest level. */
static const int lengths[] = {1,  2,  3,   4,   5,   6,   7,    8,    9,    10,  11, 12,
                              13, 14, 15,  16,  17,  23,  31,   32,   33,   47,  63, 64,
                              65, 96, 127, 128, 256, 384, 1024, 1500, 1503, 4096};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static const double EPS =
    0x1p-24; /* half a unit in the last place: the rounding of one operation */

static void near_or_fail(const sm_kernels *k, const char *what, int n, int i, double got,
                         double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s %s, n = %d, element %d: %.9g, expected %.9g within %g", k->name, what, n, i,
                 got, want, tolerance);
}

static void check_dot_and_axpy(const sm_kernels *k)
{
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        edge x = edge_random((size_t)n, 1.0f, 1), y = edge_random((size_t)n, 1.0f, 2);
        double sum = 0.0, size = 0.0;
        for (int i = 0; i < n; i++) {
            sum += (double)x.data[i] * (double)y.data[i];
            size += fabs((double)x.data[i] * (double)y.data[i]);
        }
        /* At most n / 8 + 4 additions in a row. */
        near_or_fail(k, "dot", n, 0, (double)k->dot(x.data, y.data, n), sum,
                     (n / 8.0 + 4.0) * EPS * size);

        edge z = edge_copy(&y);
        k->axpy(z.data, -1.7f, x.data, n);
        for (int i = 0; i < n; i++) /* two roundings of numbers below 2.7 */
            near_or_fail(k, "axpy", n, i, (double)z.data[i],
                         (double)y.data[i] + (double)-1.7f * (double)x.data[i], 2.7 * 2.0 * EPS);
        x.data[n - 1] = NAN;
        assert_true(isnan(k->dot(x.data, y.data, n)));
        k->axpy(z.data, 0.0f, x.data, n);
        assert_true(isnan(z.data[n - 1]));
        edge_free(&x);
        edge_free(&y);
        edge_free(&z);
    }
    assert_true(k->dot(NULL, NULL, 0) == 0.0f);
}

static void check_norms(const sm_kernels *k)
{
    const float eps = 1e-5f;
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        edge x = edge_random((size_t)n, 3.0f, 1), w = edge_random((size_t)n, 1.0f, 2),
             b = edge_random((size_t)n, 1.0f, 3);
        edge y = edge_new((size_t)n), z = edge_new((size_t)n);
        for (int i = 0; i < n; i++) x.data[i] += 1.0f;
        double mean = 0.0, variance = 0.0, square = 0.0;
        for (int i = 0; i < n; i++) mean += (double)x.data[i] / n;
        for (int i = 0; i < n; i++) {
            variance += ((double)x.data[i] - mean) * ((double)x.data[i] - mean) / n;
            square += (double)x.data[i] * (double)x.data[i] / n;
        }
        k->layer_norm(y.data, x.data, w.data, b.data, n, eps);
        k->rms_norm(z.data, x.data, w.data, n, eps);
        const double layer = 1.0 / sqrt(variance + (double)eps),
                     rms = 1.0 / sqrt(square / 1.0 + (double)eps);
        for (int i = 0; i < n; i++) {
            /* The mean's rounding, up to n / 8 + 4 additions of values below 4, is multiplied by
             * the scale. */
            near_or_fail(k, "layer_norm", n, i, (double)y.data[i],
                         ((double)x.data[i] - mean) * layer * (double)w.data[i] + (double)b.data[i],
                         (n / 8.0 + 8.0) * EPS * 4.0 * layer + 4.0 * EPS);
            near_or_fail(k, "rms_norm", n, i, (double)z.data[i],
                         (double)x.data[i] * rms * (double)w.data[i],
                         (n / 8.0 + 8.0) * EPS * 4.0 * rms);
        }
        x.data[0] = NAN;
        k->layer_norm(y.data, x.data, w.data, b.data, n, eps);
        k->rms_norm(z.data, x.data, w.data, n, eps);
        assert_true(isnan(y.data[n - 1]) && isnan(z.data[n - 1]));
        edge_free(&x);
        edge_free(&w);
        edge_free(&b);
        edge_free(&y);
        edge_free(&z);
    }
}

static void check_softmax(const sm_kernels *k)
{
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        edge x = edge_random((size_t)n, 20.0f, 1), y = edge_copy(&x);
        double most = -INFINITY, sum = 0.0;
        for (int i = 0; i < n; i++) most = fmax(most, (double)x.data[i]);
        for (int i = 0; i < n; i++) sum += exp((double)x.data[i] - most);
        k->softmax(y.data, n);
        for (int i = 0; i < n; i++) {
            /* x - max is rounded at a size of up to 40, which exp turns into 32 relative roundings;
             * sums add n / 8. */
            const double want = exp((double)x.data[i] - most) / sum;
            near_or_fail(k, "softmax", n, i, (double)y.data[i], want,
                         (n / 8.0 + 40.0) * EPS * want + 1e-45);
        }
        if (n > 2) { /* a masked score has exactly no share; a very negative one none either */
            y.data[0] = -INFINITY;
            y.data[1] = -1e30f;
            y.data[n - 1] = 1.0f;
            k->softmax(y.data, n);
            assert_true(y.data[0] == 0.0f && y.data[1] == 0.0f);
            assert_true(isfinite(y.data[n - 1]) && y.data[n - 1] > 0.0f);
        }
        for (int at = 0; at<n; at += n> 20 ? n / 7 : 1) { /* NaN anywhere spoils all of it */
            memcpy(y.data, x.data, (size_t)n * sizeof(float));
            y.data[at] = NAN;
            k->softmax(y.data, n);
            for (int i = 0; i < n; i++) assert_true(isnan(y.data[i]));
        }
        edge_free(&x);
        edge_free(&y);
    }
    k->softmax(NULL, 0);
}

static void check_activations(const sm_kernels *k)
{
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        edge x = edge_random((size_t)n, 10.0f, (uint32_t)l), g = edge_copy(&x),
             e = edge_new((size_t)n);
        k->gelu(g.data, (size_t)n);
        k->elu(e.data, x.data, (size_t)n);
        for (int i = 0; i < n; i++) {
            const double v = (double)x.data[i];
            /* gelu: a few relative roundings, and x^2 / 2 <= 50 rounded inside an exponential of at
             * most 1. */
            near_or_fail(k, "gelu", n, i, (double)g.data[i], 0.5 * v * (1.0 + erf(v * sqrt(0.5))),
                         3e-7 * fmax(1.0, fabs(v)));
            /* elu: exp - 1 has the absolute error of exp near 1. */
            near_or_fail(k, "elu", n, i, (double)e.data[i], v > 0.0 ? v : expm1(v), 2.5e-7);
        }
        k->elu(x.data, x.data, (size_t)n); /* in place */
        assert_memory_equal(x.data, e.data, (size_t)n * sizeof(float));
        edge_free(&x);
        edge_free(&g);
        edge_free(&e);
    }
}

/* A fine sweep over everything an activation may meet, and the ends of the number range. */
static void check_sweep(const sm_kernels *k)
{
    enum { N = 200001 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    assert_true(x != NULL && y != NULL);
    for (int i = 0; i < N; i++) x[i] = -20.0f + 40.0f * (float)i / (float)(N - 1);
    memcpy(y, x, N * sizeof *x);
    k->gelu(y, N);
    for (int i = 0; i < N; i++)
        near_or_fail(k, "gelu", N, i, (double)y[i],
                     0.5 * (double)x[i] * (1.0 + erf((double)x[i] * sqrt(0.5))),
                     3e-7 * fmax(1.0, fabs((double)x[i])));
    k->elu(y, x, N);
    for (int i = 0; i < N; i++)
        near_or_fail(k, "elu", N, i, (double)y[i], x[i] > 0.0f ? (double)x[i] : expm1((double)x[i]),
                     2.5e-7);
    free(x);
    free(y);

    float ends[6] = {NAN, INFINITY, -1e30f, 1e30f, 0.0f, -0.0f}, out[6];
    k->elu(out, ends, 6);
    assert_true(isnan(out[0]) && out[1] == INFINITY && out[2] == -1.0f && out[3] == 1e30f &&
                out[4] == 0.0f);
    k->gelu(ends, 6);
    assert_true(isnan(ends[0]) && ends[1] == INFINITY && ends[2] == 0.0f && ends[3] == 1e30f &&
                ends[4] == 0.0f);
}

static void attend_once(const sm_kernels *k, int T, int D, size_t stride, bool with_bias)
{
    const float scale = 1.0f / sqrtf((float)D);
    const size_t span = (size_t)(T - 1) * stride + (size_t)D;
    edge q = edge_random((size_t)D, 2.0f, 1), keys = edge_random(span, 1.0f, 2),
         values = edge_random(span, 1.0f, 3);
    edge bias = edge_random((size_t)T, 1.0f, 4), z = edge_new((size_t)D),
         scratch = edge_new((size_t)T);
    k->attend(z.data, q.data, keys.data, values.data, stride, with_bias ? bias.data : NULL, scale,
              T, D, scratch.data);

    double *p = malloc((size_t)T * sizeof *p), most = -INFINITY, sum = 0.0;
    assert_non_null(p);
    for (int t = 0; t < T; t++) {
        double s = 0.0;
        for (int d = 0; d < D; d++)
            s += (double)q.data[d] * (double)keys.data[(size_t)t * stride + (size_t)d];
        p[t] = s * (double)scale + (with_bias ? (double)bias.data[t] : 0.0);
        most = fmax(most, p[t]);
    }
    for (int t = 0; t < T; t++) sum += p[t] = exp(p[t] - most);
    for (int d = 0; d < D; d++) {
        double want = 0.0, size = 0.0;
        for (int t = 0; t < T; t++) {
            want += p[t] / sum * (double)values.data[(size_t)t * stride + (size_t)d];
            size += p[t] / sum * fabs((double)values.data[(size_t)t * stride + (size_t)d]);
        }
        /* Scores, below 20 in size, carry D / 8 roundings; the mixing adds T / 2 in a row. */
        near_or_fail(k, "attend", T, d, (double)z.data[d], want,
                     (T / 2.0 + D / 8.0 * 20.0 + 60.0) * EPS * (size + 0.01));
    }
    /* The same bits again, and NaN in one key or one value is not lost. */
    edge again = edge_new((size_t)D);
    k->attend(again.data, q.data, keys.data, values.data, stride, with_bias ? bias.data : NULL,
              scale, T, D, scratch.data);
    assert_memory_equal(again.data, z.data, (size_t)D * sizeof(float));
    values.data[(size_t)(T / 2) * stride] = NAN;
    k->attend(z.data, q.data, keys.data, values.data, stride, NULL, scale, T, D, scratch.data);
    assert_true(isnan(z.data[0]) && (D == 1 || !isnan(z.data[D - 1])));
    keys.data[(size_t)(T / 2) * stride] = NAN;
    k->attend(z.data, q.data, keys.data, values.data, stride, NULL, scale, T, D, scratch.data);
    for (int d = 0; d < D; d++) assert_true(isnan(z.data[d]));
    free(p);
    edge_free(&again);
    edge_free(&q);
    edge_free(&keys);
    edge_free(&values);
    edge_free(&bias);
    edge_free(&z);
    edge_free(&scratch);
}

static void check_attend(const sm_kernels *k)
{
    static const int times[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 64, 255, 1503};
    static const int sizes[] = {1, 5, 8, 16, 24, 32, 40, 48, 64, 72, 96, 128, 130};
    for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
        for (size_t d = 0; d < sizeof sizes / sizeof sizes[0]; d++)
            attend_once(k, times[t], sizes[d], (size_t)sizes[d] * (d % 3 + 1) + d % 2,
                        (t + d) % 2 == 0);
    }
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void check_lstm(const sm_kernels *k)
{
    for (int l = 0; l < LENGTHS; l++) {
        const int n = lengths[l];
        /* Small gates use the polynomial of tanh, large ones saturate. */
        edge gates = edge_random((size_t)n * 4, l % 3 == 0 ? 0.7f : l % 3 == 1 ? 4.0f : 200.0f, 1);
        edge c = edge_random((size_t)n, 2.0f, 2), h = edge_new((size_t)n), before = edge_copy(&c);
        k->lstm_cell(h.data, c.data, gates.data, n);
        for (int j = 0; j < n; j++) {
            const double i = (double)gates.data[j], f = (double)gates.data[n + j];
            const double g = (double)gates.data[2 * n + j], o = (double)gates.data[3 * n + j];
            const double want = sigmoid(f) * (double)before.data[j] + sigmoid(i) * tanh(g);
            /* Values below 3 after some ten roundings. */
            near_or_fail(k, "lstm c", n, j, (double)c.data[j], want, 5e-7);
            near_or_fail(k, "lstm h", n, j, (double)h.data[j], sigmoid(o) * tanh(want), 5e-7);
        }
        gates.data[2 * n] = NAN;
        k->lstm_cell(h.data, c.data, gates.data, n);
        assert_true(isnan(c.data[0]) && isnan(h.data[0]) && (n == 1 || !isnan(h.data[n - 1])));
        edge_free(&gates);
        edge_free(&c);
        edge_free(&h);
        edge_free(&before);
    }
}

/* One test per kernel. */
#define LEVEL_TEST(name)                                                                           \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        with_levels(check_##name);                                                                 \
    }
LEVEL_TEST(dot_and_axpy)
LEVEL_TEST(norms)
LEVEL_TEST(softmax)
LEVEL_TEST(activations)
LEVEL_TEST(sweep)
LEVEL_TEST(attend)
LEVEL_TEST(lstm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_and_axpy), cmocka_unit_test(norms), cmocka_unit_test(softmax),
        cmocka_unit_test(activations),  cmocka_unit_test(sweep), cmocka_unit_test(attend),
        cmocka_unit_test(lstm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The Frechet distance against cases whose answer is known. */
#include "../common.h"
#include "../../src/base/rng.h"
#include "../../src/eval/distance.h"

static float *noise(size_t count, uint64_t seed)
{
    float *x = malloc(count * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++) x[i] = (float)sm_normal(seed, (uint32_t)i, 0, SM_RNG_TEST);
    return x;
}

static double distance_of(const float *a, size_t N, const float *b, size_t M, int d)
{
    smitin_error error;
    double distance = -1.0;
    ASSERT_OK(sm_frechet(a, N, b, M, d, &distance, &error));
    assert_true(isfinite(distance) && distance >= 0.0);
    return distance;
}

static void test_identical(void **state)
{
    (void)state;
    const int sizes[] = {1, 2, 16, 64};
    for (int i = 0; i < 4; i++) {
        int d = sizes[i];
        float *x = noise(200 * (size_t)d, 3);
        ASSERT_NEAR(distance_of(x, 200, x, 200, d), 0.0, 1e-9);
        free(x);
    }
}

/* The same cloud moved: only the means differ. */
static void test_shifted(void **state)
{
    (void)state;
    enum { N = 150, d = 12 };
    float *a = noise(N * d, 5), *b = malloc(N * d * sizeof *b);
    assert_non_null(b);
    double expected = 0.0;
    for (int j = 0; j < d; j++) expected += 0.25 * j * 0.25 * j;
    for (int i = 0; i < N * d; i++) {
        a[i] = roundf(a[i] * 1024.0f) / 1024.0f; /* so that the sum below is exact */
        b[i] = a[i] + 0.25f * (float)(i % d);
    }
    ASSERT_NEAR(distance_of(a, N, b, N, d), expected, 1e-9 * expected);
    free(a);
    free(b);
}

/* One dimension: (mu_a - mu_b)^2 + (s_a - s_b)^2. Along axes: the sum of that. */
static void test_scaled_axes(void **state)
{
    (void)state;
    /* Six points on three axes: mean 0, covariance diag(2 s^2 / 5). */
    const double scale_a[3] = {1.0, 2.0, 0.5}, scale_b[3] = {3.0, 2.0, 0.25},
                 shift[3] = {1.0, 0.0, -2.0};
    float a[18] = {0}, b[18] = {0};
    double expected = 0.0;
    for (int j = 0; j < 3; j++) {
        for (int side = 0; side < 2; side++) {
            a[(2 * j + side) * 3 + j] = (float)(side ? scale_a[j] : -scale_a[j]);
            b[(2 * j + side) * 3 + j] = (float)(side ? scale_b[j] : -scale_b[j]);
        }
        double deviation = sqrt(2.0 / 5.0) * (scale_a[j] - scale_b[j]);
        expected += shift[j] * shift[j] + deviation * deviation;
    }
    for (int i = 0; i < 18; i++) b[i] += (float)shift[i % 3];
    ASSERT_NEAR(distance_of(a, 6, b, 6, 3), expected, 1e-12);
}

/* Covariances that do not commute, by hand: a = diag(4, 1), b = a turned by 45 degrees. tr
 * (AB)^(1/2) of 2 x 2 matrices is sqrt(tr AB + 2 sqrt(det AB)), here sqrt(12.5 + 8). */
static void test_turned(void **state)
{
    (void)state;
    /* Four points at +-p, +-q: covariance (2/3)(p p^T + q q^T). */
    const double root = sqrt(1.5), half = sqrt(0.5);
    const double pa[2] = {2 * root, 0}, qa[2] = {0, root};
    const double pb[2] = {2 * root * half, 2 * root * half}, qb[2] = {-root * half, root * half};
    float a[8], b[8];
    for (int j = 0; j < 2; j++) {
        a[j] = (float)pa[j], a[2 + j] = (float)-pa[j], a[4 + j] = (float)qa[j],
        a[6 + j] = (float)-qa[j];
        b[j] = (float)pb[j], b[2 + j] = (float)-pb[j], b[4 + j] = (float)qb[j],
        b[6 + j] = (float)-qb[j];
    }
    /* The points are rounded to floats: 1e-7 of their size. */
    ASSERT_NEAR(distance_of(a, 4, b, 4, 2), 10.0 - 2.0 * sqrt(12.5 + 8.0), 2e-6);
}

/* Fewer points than dimensions: covariances without full rank, eigenvalues a little below zero. */
static void test_rank_deficient(void **state)
{
    (void)state;
    enum { d = 64 };
    float *a = noise(10 * d, 7), *b = noise(2 * d, 8), *flat = calloc(5 * d, sizeof *flat);
    assert_non_null(flat);
    ASSERT_NEAR(distance_of(a, 10, a, 10, d), 0.0,
                1e-6); /* roots of rounding errors: sqrt(1e-16 * 64) at worst */
    assert_true(distance_of(a, 10, b, 2, d) > 0.0);
    ASSERT_NEAR(distance_of(flat, 5, flat, 5, d), 0.0, 0.0);
    assert_true(distance_of(flat, 5, a, 10, d) > 0.0);
    free(a);
    free(b);
    free(flat);
}

static void test_order(void **state)
{
    (void)state;
    enum { N = 80, M = 50, d = 16 };
    float *a = noise(N * d, 9), *b = noise(M * d, 10), *reversed = malloc(N * d * sizeof *reversed);
    assert_non_null(reversed);
    for (int i = 0; i < N * d; i++) b[i % (M * d)] += 0.001f;
    for (int i = 0; i < N; i++) memcpy(reversed + i * d, a + (N - 1 - i) * d, d * sizeof(float));
    double forth = distance_of(a, N, b, M, d);
    /* Sums in another order: rounding of doubles, magnified by the roots of the smallest
     * eigenvalues. */
    ASSERT_NEAR(distance_of(b, M, a, N, d), forth, 1e-9 * forth);
    ASSERT_NEAR(distance_of(reversed, N, b, M, d), forth, 1e-9 * forth);
    free(a);
    free(b);
    free(reversed);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    double distance = 0.0;
    float x[4] = {0, 1, 2, NAN};
    ASSERT_FAILS(sm_frechet(x, 1, x, 3, 1, &distance, &error), SMITIN_ERROR_ARGUMENT, "at least 2");
    ASSERT_FAILS(sm_frechet(x, 3, x, 3, 0, &distance, &error), SMITIN_ERROR_ARGUMENT, "dimensions");
    ASSERT_FAILS(sm_frechet(x, 3, x, 4, 1, &distance, &error), SMITIN_ERROR_ARGUMENT,
                 "embedding 3 of the second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identical),      cmocka_unit_test(test_shifted),
        cmocka_unit_test(test_scaled_axes),    cmocka_unit_test(test_turned),
        cmocka_unit_test(test_rank_deficient), cmocka_unit_test(test_order),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

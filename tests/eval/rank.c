/* SPDX-License-Identifier: MIT */
/* Rank correlation and cosine similarity against values worked out by hand. */
#include "../common.h"
#include "../../src/eval/eval.h"

static double rho_of(const double *a, const double *b, size_t n)
{
    smitin_error error;
    double rho = 2.0;
    ASSERT_OK(sm_spearman(a, b, n, &rho, &error));
    return rho;
}

static void test_spearman(void **state)
{
    (void)state;
    const double a[5] = {1, 2, 3, 4, 5}, up[5] = {-3, 0, 0.1, 50, 1e9}, down[5] = {5, 4, 3, 2, 1};
    assert_true(rho_of(a, up, 5) == 1.0);
    assert_true(rho_of(a, down, 5) == -1.0);
    const double mixed[5] = {2, 1, 4, 3, 5}; /* squared rank differences 4: 1 - 6 * 4 / (5 * 24) */
    ASSERT_NEAR(rho_of(a, mixed, 5), 0.8, 1e-15);
    /* Ties: ranks 1.5 1.5 3 4 against 1 2 3.5 3.5; deviations -1 -1 .5 1.5 and -1.5 -.5 1 1: 4
     * / 4.5 */
    const double x[4] = {7, 7, 8, 9}, y[4] = {1, 2, 3, 3};
    ASSERT_NEAR(rho_of(x, y, 4), 4.0 / 4.5, 1e-15);
    const double shuffled_x[4] = {9, 7, 8, 7}, shuffled_y[4] = {3, 2, 3, 1};
    ASSERT_NEAR(rho_of(shuffled_x, shuffled_y, 4), 4.0 / 4.5, 1e-15);
}

static void test_spearman_edges(void **state)
{
    (void)state;
    smitin_error error;
    const double constant[3] = {2, 2, 2}, a[3] = {1, 2, 3}, bad[3] = {1, (double)NAN, 2};
    assert_true(isnan(rho_of(constant, a, 3)));
    assert_true(isnan(rho_of(a, a, 1)));
    assert_true(isnan(rho_of(a, a, 0)));
    const double infinite[3] = {(double)-INFINITY, 0, (double)INFINITY}; /* ranks all the same */
    assert_true(rho_of(a, infinite, 3) == 1.0);
    double rho = 0.0;
    ASSERT_FAILS(sm_spearman(a, bad, 3, &rho, &error), SMITIN_ERROR_ARGUMENT, "value 1");
}

static void test_cosine(void **state)
{
    (void)state;
    const float a[3] = {1, 2, 2}, b[3] = {2, 4, 4}, c[3] = {-1, -2, -2}, d[3] = {2, -1, 0},
                zero[3] = {0};
    ASSERT_NEAR(sm_cosine(a, b, 3), 1.0, 1e-15);
    ASSERT_NEAR(sm_cosine(a, c, 3), -1.0, 1e-15);
    assert_true(sm_cosine(a, d, 3) == 0.0);
    assert_true(sm_cosine(a, zero, 3) == 0.0);
    const float e[3] = {3, 0, 4};
    ASSERT_NEAR(sm_cosine(a, e, 3), 11.0 / 15.0, 1e-15);
    const float large[2] = {3e38f, 3e38f}, small[2] = {1e-38f, 1e-38f};
    ASSERT_NEAR(sm_cosine(large, small, 2), 1.0, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spearman),
        cmocka_unit_test(test_spearman_edges),
        cmocka_unit_test(test_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Mean opinion scores against published figures, Student's t against its table, and intervals by
 * resampling. */
#include "../common.h"
#include "../../src/base/rng.h"
#include "../../src/eval/eval.h"

#define NO ((double)NAN)

/* The two matrices of the mean-opinion-score package's first README, after CrowdMOS. */
static void test_published(void **state)
{
    (void)state;
    smitin_error error;
    sm_mos mos;
    const double first[16] = {4, 5, NO, 4, 4, 4, 4, 5, NO, 3, 5, 4, NO, NO, NO, NO};
    ASSERT_OK(sm_mos_find(&mos, first, 4, 4, &error));
    ASSERT_NEAR(mos.mos, 4.20, 1e-12);
    ASSERT_NEAR(mos.interval, 0.6997, 5e-5); /* as printed */
    assert_int_equal(mos.ratings, 10);
    const double second[16] = {1, 2, NO, NO, 1, 1, 1, NO, NO, 2, 5, 1, NO, 1, NO, 1};
    ASSERT_OK(sm_mos_find(&mos, second, 4, 4, &error));
    ASSERT_NEAR(mos.mos, 1.60, 1e-12);
    ASSERT_NEAR(mos.interval, 1.7912, 5e-5);
    const double later[24] = {4,  5, NO, 4, NO, 3, 4,  4,  4,  5,  NO, 4,
                              NO, 3, 5,  4, NO, 1, NO, NO, NO, NO, NO, NO};
    ASSERT_OK(sm_mos_find(&mos, later, 4, 6, &error));
    ASSERT_NEAR(mos.mos, 3.85, 5e-3);
    ASSERT_NEAR(mos.interval, 1.3316, 5e-5);
}

static void test_variances(void **state)
{
    (void)state;
    smitin_error error;
    sm_mos mos;
    /* Everybody agrees, files differ: all variance is the files'. s = 1, Var = 1 * (2 * 9) / 36. */
    const double files[6] = {3, 5, 3, 5, 3, 5};
    ASSERT_OK(sm_mos_find(&mos, files, 3, 2, &error));
    assert_true(mos.file == 1.0 && mos.listener == 0.0 && mos.uncertainty == 0.0);
    ASSERT_NEAR(mos.interval, sm_student_quantile(0.975, 1) * sqrt(0.5), 1e-12);
    /* And the listeners' the other way round. */
    const double listeners[6] = {3, 3, 3, 5, 5, 5};
    ASSERT_OK(sm_mos_find(&mos, listeners, 2, 3, &error));
    assert_true(mos.file == 0.0 && mos.listener == 1.0 && mos.uncertainty == 0.0);
    /* Each file by one listener: files cannot be told from uncertainty. */
    const double crossed[8] = {4, 5, NO, NO, NO, NO, 2, 1};
    ASSERT_OK(sm_mos_find(&mos, crossed, 2, 4, &error));
    assert_true(isnan(mos.file) && mos.uncertainty == 0.25 && mos.listener == 2.25);
    ASSERT_NEAR(mos.interval, sm_student_quantile(0.975, 1) * sqrt(2.25 * 8.0 / 16.0 + 0.25 / 4.0),
                1e-12);
    const double one[1] = {4}, none[4] = {NO, NO, NO, NO};
    ASSERT_OK(sm_mos_find(&mos, one, 1, 1, &error));
    assert_true(mos.mos == 4.0 && isnan(mos.interval));
    ASSERT_FAILS(sm_mos_find(&mos, none, 2, 2, &error), SMITIN_ERROR_ARGUMENT, "no ratings");
}

static void test_student(void **state)
{
    (void)state;
    /* Tables of two-sided 95 %. */
    const double table[][2] = {{1, 12.7062}, {2, 4.3027},  {3, 3.1824},
                               {5, 2.5706},  {10, 2.2281}, {100, 1.9840}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ASSERT_NEAR(sm_student_quantile(0.975, table[i][0]), table[i][1], 5e-5);
    ASSERT_NEAR(sm_student_quantile(0.975, 200), 1.9718962236316089, 1e-9);
    ASSERT_NEAR(sm_student_quantile(0.5, 7), 0.0, 1e-12);
}

static void test_intervals(void **state)
{
    (void)state;
    enum { n = 200 };
    smitin_error error;
    double a[n], b[n];
    int group[n];
    sm_interval interval, again;
    for (uint32_t i = 0; i < n; i++) {
        a[i] = sm_normal(1, i, 0, SM_RNG_TEST);
        b[i] = a[i] + sm_normal(1, i, 1, SM_RNG_TEST); /* correlation .707, rank .69 */
        group[i] = (int)(i % 2);
    }
    ASSERT_OK(sm_spearman_interval(a, b, NULL, 0, n, 1000, 7, &interval, &error));
    assert_true(interval.low < interval.value && interval.value < interval.high);
    assert_true(interval.low > 0.5 && interval.high < 0.85); /* four standard errors of .04 */
    assert_int_equal(interval.drawn, 1000);
    ASSERT_OK(sm_spearman_interval(a, b, NULL, 0, n, 1000, 7, &again, &error));
    assert_true(again.low == interval.low && again.high == interval.high);
    ASSERT_OK(sm_spearman_interval(a, b, NULL, 0, n, 1000, 8, &again, &error));
    assert_true(again.low != interval.low && again.value == interval.value);
    /* Groups apart from each other: their shift makes a correlation that none of them has. */
    for (int i = 0; i < n; i++) {
        b[i] = sm_normal(2, (uint32_t)i, 0, SM_RNG_TEST) + 10.0 * group[i];
        a[i] += 10.0 * group[i];
    }
    ASSERT_OK(sm_spearman_interval(a, b, NULL, 0, n, 200, 7, &interval, &error));
    assert_true(interval.value > 0.7);
    ASSERT_OK(sm_spearman_interval(a, b, group, 2, n, 200, 7, &interval, &error));
    assert_true(fabs(interval.value) < 0.25 && interval.low < 0.0 && interval.high > 0.0);
    /* Nothing to draw from. */
    const double constant[3] = {1, 1, 1};
    ASSERT_OK(sm_spearman_interval(constant, a, NULL, 0, 3, 100, 7, &interval, &error));
    assert_true(isnan(interval.value) && isnan(interval.low) && interval.drawn == 0);
    ASSERT_OK(sm_mean_interval(a, n, 1000, 3, &interval, &error));
    assert_true(interval.low < interval.value && interval.value < interval.high);
    const double spread = (interval.high - interval.low) / 2.0;
    ASSERT_NEAR(spread, 1.96 * 5.1 / sqrt(n), 0.1); /* deviation of two clouds 10 apart: 5.1 */
    ASSERT_OK(sm_mean_interval(a, 0, 1000, 3, &interval, &error));
    assert_true(isnan(interval.value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_variances),
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tallies of logits against values that can be worked out by hand. */
#include "../common.h"
#include "../../src/eval/likelihood.h"

static smitin_error error;

static sm_likelihood *new_tally(int K, int V)
{
    sm_likelihood *tally = NULL;
    ASSERT_OK(sm_likelihood_new(&tally, K, V, &error));
    return tally;
}

static sm_likelihood_result of(sm_likelihood *tally, int k)
{
    sm_likelihood_result r;
    sm_likelihood_find(tally, k, &r);
    return r;
}

static void entropy_by_hand(void **state)
{
    (void)state;
    sm_likelihood *tally = new_tally(2, 4);
    const float even[4] = {7, 7, 7, 7}, steep[4] = {0, (float)log(3.0), -200, -200};
    assert_true(isnan(of(tally, 0).entropy) && of(tally, -1).tokens == 0);
    for (int32_t code = 0; code < 4; code++)
        ASSERT_OK(sm_likelihood_add(tally, 0, even, code, NULL, &error));
    ASSERT_OK(sm_likelihood_add(tally, 1, steep, 1, NULL, &error)); /* 3 of 4 */
    ASSERT_OK(sm_likelihood_add(tally, 1, steep, 0, NULL, &error)); /* 1 of 4 */
    /* The logits are f32: log 3 is off by 1e-7. */
    ASSERT_NEAR(of(tally, 0).entropy, log(4.0), 1e-15);
    ASSERT_NEAR(of(tally, 1).entropy, 0.5 * (log(4.0 / 3.0) + log(4.0)), 1e-6);
    ASSERT_NEAR(of(tally, -1).entropy, (5 * log(4.0) + log(4.0 / 3.0)) / 6, 1e-6);
    assert_int_equal(of(tally, -1).tokens, 6);
    assert_true(isnan(of(tally, -1).same) && isnan(of(tally, -1).difference_p95) &&
                isnan(of(tally, 0).divergence_mean) && isnan(of(tally, 0).reference));
    sm_likelihood_clear(tally);
    assert_int_equal(of(tally, -1).tokens, 0);
    sm_likelihood_free(tally);
}

static void agreement_by_hand(void **state)
{
    (void)state;
    sm_likelihood *tally = new_tally(1, 2);
    const float q[2] = {0, 0}, p[2] = {(float)log(3.0) + 50, 50}, moved[2] = {-9, -9};
    /* p = 3/4, 1/4 against halves. */
    ASSERT_OK(sm_likelihood_add(tally, 0, q, 1, p, &error));
    sm_likelihood_result r = of(tally, 0);
    const double divergence = 0.75 * log(1.5) + 0.25 * log(0.5), half = 0.5 * log(3.0);
    ASSERT_NEAR(r.reference, log(4.0), 1e-5); /* f32 numbers of 50 */
    ASSERT_NEAR(r.divergence_mean, divergence, 1e-5);
    ASSERT_NEAR(r.divergence_p99, divergence, divergence / 64);
    ASSERT_NEAR(r.difference_mean, half, 1e-5);
    ASSERT_NEAR(r.difference_p95, half, half / 64);
    ASSERT_NEAR(r.difference_max, half, 1e-5);
    assert_true(r.same == 1.0); /* of equal ones the first counts */
    /* A shift of all logits is nothing. */
    sm_likelihood_clear(tally);
    ASSERT_OK(sm_likelihood_add(tally, 0, q, 0, moved, &error));
    r = of(tally, -1);
    assert_true(r.same == 1.0 && r.difference_max == 0.0 && r.divergence_mean < 1e-15 &&
                r.divergence_p99 == 0.0 && r.difference_p95 == 0.0);
    ASSERT_NEAR(r.entropy, r.reference, 1e-15);
    sm_likelihood_free(tally);
}

/* Differences of 1..1000 thousandths, one a token: +d/2 and -d/2 about the mean, so two of d / 2.
 */
static void quantiles(void **state)
{
    (void)state;
    sm_likelihood *tally = new_tally(1, 2), *part = new_tally(1, 2);
    const float q[2] = {0, 0};
    for (int i = 1; i <= 1000; i++) {
        const float p[2] = {0, (i % 2 == 0 ? 0.002f : -0.002f) * (float)i};
        ASSERT_OK(sm_likelihood_add(i <= 400 ? tally : part, 0, q, 0, p, &error));
    }
    sm_likelihood_join(tally, part);
    const sm_likelihood_result r = of(tally, 0);
    assert_int_equal(r.tokens, 1000);
    ASSERT_NEAR(r.difference_mean, 0.5005, 1e-6);
    ASSERT_NEAR(r.difference_p95, 0.95, 0.95 / 64);
    ASSERT_NEAR(r.difference_max, 1.0, 1e-6);
    assert_true(r.same == 0.5); /* where the first is the likelier, too */
    ASSERT_NEAR(of(part, 0).difference_mean, 0.7005, 1e-6);
    sm_likelihood_free(tally);
    sm_likelihood_free(part);
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    sm_likelihood *tally = new_tally(3, 2);
    const float good[2] = {1, 2}, bad[2] = {1, (float)NAN}, high[2] = {(float)INFINITY, 0};
    ASSERT_FAILS(sm_likelihood_add(tally, 2, bad, 0, NULL, &error), SMITIN_ERROR_MODEL,
                 "codebook 2");
    ASSERT_FAILS(sm_likelihood_add(tally, 1, good, 0, high, &error), SMITIN_ERROR_MODEL,
                 "not a finite");
    assert_int_equal(of(tally, -1).tokens, 0);
    sm_likelihood_free(tally);
    sm_likelihood_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy_by_hand),
        cmocka_unit_test(agreement_by_hand),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(what_is_not_finite_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

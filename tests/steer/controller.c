/* SPDX-License-Identifier: MIT */
/* The gain law on scripted readings. Every expected gain is worked out by hand from the four rules.
 */
#include "../common.h"
#include "../../src/steer/controller.h"

#define NONE ((double)NAN)

static smitin_steering settings_of(smitin_method method, int every, bool lag)
{
    smitin_steering settings;
    memset(&settings, 0, sizeof settings);
    settings.method = method;
    settings.every = every;
    settings.lag = lag;
    settings.decay_rate = 0.5;
    settings.pid_p = 1.0f;
    settings.pid_i = 0.25f;
    settings.pid_d = 0.5f;
    return settings;
}

/* Readings C(first - 1), C(first), ... and the gains of the passes first, first + 1, ... */
static void play(sm_controller *controller, const double *readings, const double *gains, int count)
{
    for (int i = 0; i < count; i++) {
        int column = controller->first + i;
        double gain = sm_controller_gain(controller, column, readings[i]);
        /* The law is one product and two differences of numbers below 1: a few units of 1e-16. */
        if (!(fabs(gain - gains[i]) <= 1e-15))
            fail_msg("column %d: gain %.17g, expected %.17g", column, gain, gains[i]);
        sm_controller_note(controller, column, readings[i + 1]);
    }
}

static void script(const smitin_steering *settings, double tau, int first, const double *readings,
                   const double *gains, int count)
{
    sm_controller controller;
    sm_controller_init(&controller, settings, tau, first, first + count - 1);
    play(&controller, readings, gains, count);
}

static void test_every_column(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1, false);
    /* first; rise .2: .8; rise .1: .72; fall: 1; tie: 1; rise to tau exactly: 0; above: 0; below
     * again: 1; rise */
    const double C[] = {0.1, 0.3, 0.4, 0.2, 0.2, 0.6, 0.9, 0.5, 0.55, 0};
    const double g[] = {1, 0.8, 0.72, 1, 1, 0, 0, 1, 0.95};
    script(&settings, 0.6, 0, C, g, 9);
    script(&settings, 0.6, 151, C, g, 9); /* counted from the first column, wherever it lies */
}

static void test_first_step_ignores_the_reading(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1, false);
    const double C[] = {0.95, 0.95, 0.4, 0};
    const double g[] = {1, 0, 1};
    script(&settings, 0.6, 10, C, g, 3);
}

static void test_every_fifth_column(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 5, false);
    /* Read at 0, 5, 10, 15 only: what lies between must not count, not even above tau. */
    const double C[] = {0.1, 0.9,  0.9, 0.9, 0.9, 0.35, 0.0,  0.0, 0.0,
                        0.0, 0.45, 0.9, 0.9, 0.9, 0.9,  0.45, 0};
    const double g[] = {1, 0, 0, 0, 0, 0.75, 0, 0, 0, 0, 0.675, 0, 0, 0, 0, 1};
    script(&settings, 0.6, 0, C, g, 16);
}

static void test_longer_than_the_piece(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1000, false);
    const double C[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0};
    const double g[] = {1, 0, 0, 0, 0};
    script(&settings, 0.6, 3, C, g, 5);
}

/* "Off" must not latch: C_prev is taken from the steps without a push, too. */
static void test_no_latch(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1, false);
    const double C[] = {0.2, 0.8, 0.8, 0.59, 0.59, 0.8, 0.1, 0.2, 0};
    const double g[] = {1, 0, 0, 1, 1, 0, 1, 0.9};
    script(&settings, 0.6, 0, C, g, 8);
}

static void test_no_prompt(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1, false);
    /* No reading before the first pass; the second has nothing to compare with but knows tau. */
    const double low[] = {NONE, 0.4, 0.5, 0};
    const double low_gain[] = {1, 1, 0.9};
    script(&settings, 0.6, 0, low, low_gain, 3);
    const double high[] = {NONE, 0.7, 0.5, 0};
    const double high_gain[] = {1, 0, 1};
    script(&settings, 0.6, 0, high, high_gain, 3);
}

static void test_lag(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 2, true);
    /* readings[i + 1] is C of column i. Scheduled 0, 2, 4, 6, 8; decided by C(0), C(2), C(4), C(6).
     */
    const double C[] = {0.9, 0.2, 0.9, 0.3, 0.9, 0.7, 0.9, 0.1, 0.9, 0.0};
    const double g[] = {1, 0, 1, 0, 0.9, 0, 0, 0, 1};
    script(&settings, 0.6, 0, C, g, 9);
}

static void test_open_loop(void **state)
{
    (void)state;
    const double C[] = {0.9, 0.1, 0.95, NONE, 0.3, 0.9};
    smitin_steering sparse = settings_of(SMITIN_METHOD_SPARSE, 2, false);
    const double sparse_gain[] = {1, 0, 1, 0, 1};
    script(&sparse, 0.6, 7, C, sparse_gain, 5);
    smitin_steering iti =
        settings_of(SMITIN_METHOD_ITI, 5, false); /* every column, whatever `every` says */
    const double iti_gain[] = {1, 1, 1, 1, 1};
    script(&iti, 0.6, 7, C, iti_gain, 5);
    smitin_steering decay = settings_of(SMITIN_METHOD_DECAY, 5, false);
    const double linear[] = {1, 0.75, 0.5, 0.25, 0};
    script(&decay, 0.6, 7, C, linear, 5);
    const double single[] = {1};
    script(&decay, 0.6, 7, C, single, 1);
    decay.decay = SMITIN_DECAY_EXPONENTIAL;
    const double halves[] = {1, 0.5, 0.25, 0.125, 0.0625};
    script(&decay, 0.6, 7, C, halves, 5);
}

/* P 1, I 1/4, D 1/2, tau 1/2: every number is a sum of powers of two. */
static void test_pid(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_PID, 1, false);
    /* No C_prev: P + S. Rise: D takes away. Above tau: u < 0, S is kept at .09375. Fall to tau: D
     * and S. At tau S holds the push. Nothing: S grows to .46875; then u > 1 and it is kept, as the
     * way back to tau shows: .46875 - .25. */
    const double C[] = {0.25, 0.375, 0.625, 0.5, 0.5, 0, 0, 0, 0, 0, 0.5, 0};
    const double g[] = {0.3125,  0.15625, 0, 0.15625, 0.09375, 0.96875,
                        0.84375, 0.96875, 1, 1,       0.21875};
    script(&settings, 0.5, 0, C, g, 11);
    script(&settings, 0.5, 151, C, g, 11);
    /* The paper's first rule is not this law's: above tau nothing is pushed from the start. */
    const double there[] = {0.9, 0.8, 0};
    const double none[] = {0, 0};
    script(&settings, 0.5, 0, there, none, 2);
    /* No prompt: a full push, and nothing to compare the second reading with. */
    const double blind[] = {NONE, 0.25, 0};
    const double blind_gain[] = {1, 0.3125};
    script(&settings, 0.5, 0, blind, blind_gain, 2);
}

static void test_pid_terms(void **state)
{
    (void)state;
    const double C[] = {0.25, 0.125, 0.5, 0.75, 0.0, 0};
    smitin_steering settings = settings_of(SMITIN_METHOD_PID, 1, false);
    settings.pid_i = settings.pid_d = 0.0f;
    settings.pid_p = 2.0f;
    const double proportional[] = {0.5, 0.75, 0, 0, 1};
    script(&settings, 0.5, 0, C, proportional, 5);
    settings.pid_p = 0.0f;
    settings.pid_i = 0.5f;
    const double integral[] = {0.125, 0.3125, 0.3125, 0.1875, 0.4375};
    script(&settings, 0.5, 0, C, integral, 5);
    settings.pid_i = 0.0f;
    settings.pid_d = 1.0f;
    const double derivative[] = {0, 0.125, 0, 0, 0.75};
    script(&settings, 0.5, 0, C, derivative, 5);
}

/* Time is counted in pushes: what lies between them is not read. With lag a push is decided by what
 * was heard at the one before. */
static void test_pid_sparse(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_PID, 3, false);
    const double C[] = {0.25, 0.9, 0.9, 0.375, 0.9, 0.9, 0.625, 0};
    const double g[] = {0.3125, 0, 0, 0.15625, 0, 0, 0};
    script(&settings, 0.5, 4, C, g, 7);
    settings = settings_of(SMITIN_METHOD_PID, 2, true);
    const double late[] = {0.9, 0.25, 0.9, 0.375, 0.9, 0.625, 0.9, 0};
    const double late_gain[] = {1, 0, 0.3125, 0, 0.15625, 0, 0};
    script(&settings, 0.5, 4, late, late_gain, 7);
}

static void test_pid_restart(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_PID, 1, false);
    sm_controller controller;
    sm_controller_init(&controller, &settings, 0.5, 0, 20);
    const double before[] = {0.0, 0.25, 0};
    const double before_gain[] = {0.625, 0.3125};
    play(&controller, before, before_gain, 2);
    sm_controller_restart(&controller); /* neither S nor C_prev */
    assert_true(sm_controller_gain(&controller, 2, 0.25) == 0.3125);
}

static void test_trip(void **state)
{
    (void)state;
    for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_PID; method++) {
        smitin_steering settings = settings_of((smitin_method)method, 1, false);
        settings.pid_p = 2.5f;
        sm_controller controller;
        sm_controller_init(&controller, &settings, 0.6, 0, 10);
        assert_true(sm_controller_gain(&controller, 0, 0.1) == 1.0);
        sm_controller_trip(&controller);
        for (int column = 1; column < 5; column++) {
            assert_true(sm_controller_scheduled(&controller, column));
            assert_true(sm_controller_gain(&controller, column, 0.1) == 0.0);
        }
        assert_true(controller.tripped);
    }
}

static void test_restart(void **state)
{
    (void)state;
    smitin_steering settings = settings_of(SMITIN_METHOD_SMITIN, 1, false);
    sm_controller controller;
    sm_controller_init(&controller, &settings, 0.6, 0, 20);
    const double before[] = {0.1, 0.4, 0};
    const double before_gain[] = {1, 0.7};
    play(&controller, before, before_gain, 2);
    sm_controller_restart(&controller);
    /* Neither the old 0.4 nor the gain of 0.7 counts: a rise to 0.5 pushes in full, one above tau
     * not at all. */
    assert_true(sm_controller_gain(&controller, 2, 0.5) == 1.0);
    ASSERT_NEAR(sm_controller_gain(&controller, 3, 0.55), 0.95, 1e-15);
    sm_controller_restart(&controller);
    assert_true(sm_controller_gain(&controller, 4, 0.9) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_column),
        cmocka_unit_test(test_first_step_ignores_the_reading),
        cmocka_unit_test(test_every_fifth_column),
        cmocka_unit_test(test_longer_than_the_piece),
        cmocka_unit_test(test_no_latch),
        cmocka_unit_test(test_no_prompt),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_open_loop),
        cmocka_unit_test(test_pid),
        cmocka_unit_test(test_pid_terms),
        cmocka_unit_test(test_pid_sparse),
        cmocka_unit_test(test_pid_restart),
        cmocka_unit_test(test_trip),
        cmocka_unit_test(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

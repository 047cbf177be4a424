/* SPDX-License-Identifier: MIT */
/* A knob in force on scripted head outputs: no model runs, the tap is called by hand. */
#include "tiny.h"

/* Rows of two pieces: the first guided, the second without its other half. */
static const sm_row mixed_rows[3] = {{0, true, true}, {0, false, true}, {1, true, false}};
static const sm_steer_timeline mixed = {mixed_rows, 3, 2, 2, 10, 7, 50.0}; /* t0 = 2, passes 2..8 */

/* One monitor head (layer 1, head 2), C = sigmoid(z[0]); tau 0.6. */
static sm_knob_data *scripted_knob(void)
{
    sm_knob_data *knob = model_knob();
    for (int i = 0; i < model.L * model.H; i++) knob->accuracy_test[i] = 0.5f + 0.01f * (float)i;
    int best = model.H + 2;
    knob->accuracy_test[best] = 0.9f;
    memset(knob->direction + best * model.D, 0, (size_t)model.D * sizeof(float));
    knob->direction[best * model.D] = 1.0f;
    knob->weight_norm[best] = 1.0f;
    knob->bias[best] = 0.0f;
    return knob;
}

static smitin_steering scripted_settings(double alpha)
{
    smitin_steering settings = test_settings();
    settings.alpha = alpha;
    settings.threshold = 0.6;
    settings.every = 1;
    settings.monitor_heads = 1;
    return settings;
}

/* One pass in which piece p reads C[p]; earlier columns and the unconditional row hold what must
 * not be read. */
static void script_pass(sm_steer *steer, int column, int columns, const double C[2])
{
    sm_tap tap = sm_steer_tap(steer);
    sm_steer_begin(steer, column, columns);
    float *z = floats((size_t)(3 * columns * model.d));
    for (int i = 0; i < 3 * columns * model.d; i++) z[i] = 50.0f;
    const int rows[2] = {0, 2};
    for (int p = 0; p < 2; p++)
        z[(rows[p] * columns + columns - 1) * model.d + 2 * model.D] =
            (float)log(C[p] / (1.0 - C[p]));
    for (int l = 0; l < model.L; l++) {
        sm_tap_site site = {l, column, columns, 3};
        assert_int_equal(tap.wants(tap.user, &site),
                         l == 1); /* layers without a monitor head are left alone */
        if (l == 1) tap.visit(tap.user, &site, z);
    }
    free(z);
}

static bool pushes(sm_steer *steer, int row, int column, float *gain)
{
    sm_tap tap = sm_steer_tap(steer);
    return tap.push(tap.user, 1, row, column, gain) != NULL;
}

static void test_pieces_have_their_own_monitor(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    smitin_steering settings = scripted_settings(4.0);
    sm_steer *steer = make(knob, &settings, &mixed);
    /* C of the prompt's last column, then of columns 2, 3, 4, 5. */
    const double C[5][2] = {{0.2, 0.7}, {0.3, 0.7}, {0.4, 0.5}, {0.8, 0.55}, {0.1, 0.1}};
    const double g[4][2] = {{1, 1}, {0.9, 0}, {0.81, 1}, {0, 0.95}};
    script_pass(steer, 0, 2, C[0]);
    float gain = -1.0f;
    for (int row = 0; row < 3; row++)
        assert_false(pushes(steer, row, 1, &gain)); /* a prompt is never pushed */
    sm_steer_end(steer);
    for (int i = 0; i < 4; i++) {
        script_pass(steer, 2 + i, 1, C[i + 1]);
        for (int row = 0; row < 3; row++) {
            double expected = g[i][row == 2];
            assert_int_equal(pushes(steer, row, 2 + i, &gain), expected > 0.0);
            if (expected > 0.0)
                ASSERT_NEAR(gain, 4.0 * expected, 1e-5); /* C as a float: 6e-8 relative */
        }
        sm_steer_end(steer);
    }
    for (int p = 0; p < 2; p++) {
        size_t count;
        const smitin_trace *trace = sm_steer_trace(steer, p, &count);
        smitin_knob_report report;
        sm_steer_report(steer, p, &report);
        assert_int_equal(count, 4);
        double dose = 0.0, success = 0.0, half = 0.0, mean = 0.0, removal = 0.0;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(trace[i].column, 2 + i);
            ASSERT_NEAR(trace[i].presence, C[i + 1][p], 1e-6);
            ASSERT_NEAR(trace[i].gain, g[i][p], 1e-6);
            ASSERT_NEAR(trace[i].dose, 4.0 * g[i][p] * report.weight_sum, 1e-4);
            dose += 4.0 * g[i][p] * report.weight_sum / 4.0;
            success += (C[i + 1][p] >= 0.6) / 4.0;
            half += (C[i + 1][p] >= 0.5 - 1e-6) / 4.0;
            removal +=
                (C[i + 1][p] <= 0.4 - 1e-6) / 4.0; /* 0.4 itself is a little more as a float */
            mean += C[i + 1][p] / 4.0;
        }
        ASSERT_NEAR(report.dose, dose, 1e-4);
        ASSERT_NEAR(report.success, success, 1e-12);
        ASSERT_NEAR(report.absence, 1.0 - success, 1e-12);
        ASSERT_NEAR(report.removal, removal, 1e-12);
        if (p == 0) ASSERT_NEAR(report.success_half, half, 1e-12); /* piece 1 reads 0.5 itself */
        ASSERT_NEAR(report.mean_presence, mean, 1e-6);
        assert_true(report.alpha == 4.0 && report.threshold == 0.6 && !report.tripped);
    }
    sm_steer_free(steer);
    sm_knob_data_free(knob);
}

/* Removal looks at 1 - C; the trace keeps C. */
static void test_removal(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    smitin_steering settings = scripted_settings(-4.0);
    sm_steer *steer = make(knob, &settings, &mixed);
    const double C[4][2] = {{0.9, 0.9}, {0.8, 0.3}, {0.7, 0.3}, {0.2, 0.9}};
    const double g[3][2] = {{1, 1}, {0.9, 0}, {0.81, 0}}; /* 1 - C: .1 .2 .3 and .1 .7 .7 */
    script_pass(steer, 0, 2, C[0]);
    sm_steer_end(steer);
    float gain = 0.0f;
    for (int i = 0; i < 3; i++) {
        script_pass(steer, 2 + i, 1, C[i + 1]);
        for (int p = 0; p < 2; p++) {
            assert_int_equal(pushes(steer, 2 * p, 2 + i, &gain), g[i][p] > 0.0);
            if (g[i][p] > 0.0) ASSERT_NEAR(gain, -4.0 * g[i][p], 1e-5);
        }
        sm_steer_end(steer);
    }
    size_t count;
    smitin_knob_report report;
    sm_steer_report(steer, 0, &report);
    ASSERT_NEAR(sm_steer_trace(steer, 0, &count)[0].presence, 0.8, 1e-6);
    ASSERT_NEAR(report.success, 1.0 / 3.0, 1e-12); /* 1 - C >= .6 at the last column only */
    ASSERT_NEAR(report.removal, 1.0 / 3.0, 1e-12);
    ASSERT_NEAR(report.absence, 1.0 / 3.0, 1e-12); /* C < .6, too */
    assert_true(report.dose > 0.0);
    ASSERT_NEAR(report.mean_presence, (0.8 + 0.7 + 0.2) / 3.0, 1e-6);
    sm_steer_free(steer);
    sm_knob_data_free(knob);
}

/* A controller per piece, on 1 - C for removal; the trace keeps C. P 2, I 1/8, tau .6. */
static void test_pid(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    const double C[4][2] = {{0.2, 0.9}, {0.4, 0.5}, {0.5, 0.7}, {0.5, 0.5}};
    /* Piece 0: e = .4, .2, .1; S = .05, .075, .0875. Piece 1: -.3, .1, -.1; S = 0, .0125, .0125. */
    const double g[3][2] = {{0.85, 0}, {0.475, 0.2125}, {0.2875, 0}};
    for (int removal = 0; removal < 2; removal++) {
        smitin_steering settings = scripted_settings(removal ? -4.0 : 4.0);
        settings.method = SMITIN_METHOD_PID;
        sm_steer *steer = make(knob, &settings, &mixed);
        double heard[4][2];
        for (int i = 0; i < 8; i++)
            heard[i / 2][i % 2] = removal ? 1.0 - C[i / 2][i % 2] : C[i / 2][i % 2];
        script_pass(steer, 0, 2, heard[0]);
        sm_steer_end(steer);
        for (int i = 0; i < 3; i++) {
            script_pass(steer, 2 + i, 1, heard[i + 1]);
            for (int p = 0; p < 2; p++) {
                float gain = 0.0f;
                assert_int_equal(pushes(steer, 2 * p, 2 + i, &gain), g[i][p] > 0.0);
                if (g[i][p] > 0.0) ASSERT_NEAR(gain, settings.alpha * g[i][p], 1e-5);
            }
            sm_steer_end(steer);
        }
        size_t count;
        ASSERT_NEAR(sm_steer_trace(steer, 0, &count)[0].presence, removal ? 0.6 : 0.4, 1e-6);
        sm_steer_free(steer);
    }
    sm_knob_data_free(knob);
}

static void test_branches(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    const bool expected[3][3] = {{true, true, true}, {true, false, true}, {false, true, true}};
    const double C[2] = {0.3, 0.3};
    for (int branch = SMITIN_BRANCH_BOTH; branch <= SMITIN_BRANCH_UNCOND; branch++) {
        smitin_steering settings = scripted_settings(4.0);
        settings.branch = (smitin_branch)branch;
        sm_steer *steer = make(knob, &settings, &mixed);
        script_pass(steer, 0, 2, C);
        sm_steer_end(steer);
        script_pass(steer, 2, 1, C);
        float gain = 0.0f;
        for (int row = 0; row < 3; row++)
            assert_int_equal(pushes(steer, row, 2, &gain), expected[branch][row]);
        sm_steer_end(steer);
        sm_steer_free(steer);
    }
    sm_knob_data_free(knob);
}

static void test_turning(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    smitin_steering settings = scripted_settings(4.0);
    sm_steer *steer = make(knob, &settings, &mixed);
    const double rising[7][2] = {{.2, .2},   {.3, .3}, {.35, .35}, {.4, .4},
                                 {.45, .45}, {.5, .5}, {.55, .55}};
    const double alphas[7] = {4.0, 4.0, 6.0, 0.0, 6.0, -2.0, -2.0};
    /* Turned up: the law goes on (.9 * .9). Off: nothing. On again and over to removal: C_prev is
     * forgotten, then 1 - C = .5 against .55 has fallen. */
    const double g[7] = {1, .9, .81, 0, 1, 1, 1};
    script_pass(steer, 0, 2, (const double[2]){.1, .1});
    sm_steer_end(steer);
    float gain = 0.0f;
    for (int i = 0; i < 7; i++) {
        sm_steer_turn(steer, alphas[i]);
        script_pass(steer, 2 + i, 1, rising[i]);
        assert_int_equal(pushes(steer, 0, 2 + i, &gain), g[i] > 0.0);
        if (g[i] > 0.0) ASSERT_NEAR(gain, alphas[i] * g[i], 1e-5);
        sm_steer_end(steer);
    }
    size_t count;
    const smitin_trace *trace = sm_steer_trace(steer, 0, &count);
    smitin_knob_report report;
    sm_steer_report(steer, 0, &report);
    assert_int_equal(count, 7);
    for (int i = 0; i < 7; i++)
        ASSERT_NEAR(trace[i].dose, fabs(alphas[i]) * g[i] * report.weight_sum, 1e-4);
    assert_true(report.alpha == -2.0);
    sm_steer_free(steer);
    sm_knob_data_free(knob);
}

/* A reading that is not a number switches one piece's knob off for good; nothing of it reaches the
 * model. */
static void test_trip(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    const float bad[2] = {NAN, INFINITY};
    for (int kind = 0; kind < 2; kind++)
        for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_PID; method++) {
            smitin_steering settings = scripted_settings(4.0);
            settings.method = (smitin_method)method;
            sm_steer *steer = make(knob, &settings, &mixed);
            const double C[2] = {0.3, 0.3};
            float gain = 0.0f;
            script_pass(steer, 0, 2, C);
            sm_steer_end(steer);
            script_pass(steer, 2, 1, C);
            assert_true(pushes(steer, 0, 2, &gain));
            float *z = floats((size_t)(3 * model.d));
            z[2 * model.D] = bad[kind]; /* row 0: piece 0 */
            sm_tap tap = sm_steer_tap(steer);
            sm_tap_site site = {1, 2, 1, 3};
            tap.visit(tap.user, &site, z);
            free(z);
            sm_steer_end(steer);
            for (int column = 3; column < 6; column++) {
                script_pass(steer, column, 1, C);
                assert_false(pushes(steer, 0, column, &gain));
                assert_false(pushes(steer, 1, column, &gain));
                assert_true(pushes(steer, 2, column, &gain)); /* the other piece goes on */
                assert_true(isfinite(gain));
                sm_steer_end(steer);
            }
            size_t count;
            const smitin_trace *trace = sm_steer_trace(steer, 0, &count);
            smitin_knob_report report;
            sm_steer_report(steer, 0, &report);
            assert_int_equal(count, 4);
            assert_true(isnan(trace[0].presence) && trace[1].gain == 0.0f);
            ASSERT_NEAR(trace[1].presence, 0.3, 1e-6); /* the monitor goes on listening */
            assert_true(report.tripped && isfinite(report.mean_presence) && isfinite(report.dose));
            sm_steer_report(steer, 1, &report);
            assert_false(report.tripped);
            sm_steer_free(steer);
        }
    sm_knob_data_free(knob);
}

/* The schedule multiplies the law's gains; while it is zero the law rests, and its first step is
 * the first one that may push. Seven frames of 0.02 s; s = 1. */
static void test_schedule(void **state)
{
    (void)state;
    sm_knob_data *knob = scripted_knob();
    /* Read before columns 2..8. Above tau at column 4, where a window opens: its first step all
     * the same. */
    const double C[8] = {0.1, 0.2, 0.7, 0.3, 0.4, 0.3, 0.4, 0.4};
    const struct {
        smitin_schedule shape;
        float from, to;
        double g[7];
        int due[7];
    } cases[] = {
        {SMITIN_SCHEDULE_CONSTANT, 0, 0, {1, .9, 0, 1, .9, 1, .9}, {1, 1, 1, 1, 1, 1, 1}},
        {SMITIN_SCHEDULE_WINDOW, .04f, .1f, {0, 0, 1, 1, .9, 0, 0}, {0, 0, 1, 1, 1, 0, 0}},
        {SMITIN_SCHEDULE_UP, 0, .08f, {0, .25, 0, .75, .9, 1, .9}, {0, 1, 1, 1, 1, 1, 1}},
        {SMITIN_SCHEDULE_DOWN, .04f, .12f, {1, .9, 0, .75, .45, .25, 0}, {1, 1, 1, 1, 1, 1, 0}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        smitin_steering settings = scripted_settings(4.0);
        settings.schedule = cases[c].shape;
        settings.schedule_from = cases[c].from;
        settings.schedule_to = cases[c].to;
        sm_steer *steer = make(knob, &settings, &mixed);
        script_pass(steer, 0, 2, (const double[2]){C[0], C[0]});
        sm_steer_end(steer);
        for (int i = 0; i < 7; i++) {
            float gain = 0.0f;
            const double expected = cases[c].g[i];
            script_pass(steer, 2 + i, 1, (const double[2]){C[i + 1], C[i + 1]});
            assert_int_equal(pushes(steer, 0, 2 + i, &gain), expected > 0.0);
            if (expected > 0.0) ASSERT_NEAR(gain, 4.0 * expected, 1e-5);
            sm_steer_end(steer);
        }
        size_t count;
        const smitin_trace *trace = sm_steer_trace(steer, 0, &count);
        smitin_knob_report report;
        sm_steer_report(steer, 0, &report);
        assert_int_equal(count, 7);
        double dose = 0.0;
        for (int i = 0; i < 7; i++) {
            ASSERT_NEAR(trace[i].gain, cases[c].g[i], 1e-6);
            assert_int_equal(trace[i].scheduled, cases[c].due[i]);
            dose += 4.0 * cases[c].g[i] * report.weight_sum / 7.0;
        }
        ASSERT_NEAR(report.dose, dose, 1e-4);
        sm_steer_free(steer);
    }
    /* A timeline that steps back repeats the piece's time, not the count of passes. */
    smitin_steering settings = scripted_settings(4.0);
    settings.method = SMITIN_METHOD_ITI;
    settings.schedule = SMITIN_SCHEDULE_UP;
    settings.schedule_to = 0.08f;
    sm_steer *steer = make(knob, &settings, &mixed);
    script_pass(steer, 0, 2, C);
    sm_steer_end(steer);
    const double again[7] = {0, .25, .5, .25, .5, .75, 1};
    for (int i = 0; i < 7; i++) {
        if (i == 3) sm_steer_step_back(steer, 2);
        script_pass(steer, 2 + i, 1, C);
        sm_steer_end(steer);
        size_t count;
        ASSERT_NEAR(sm_steer_trace(steer, 0, &count)[i].gain, again[i], 0.0);
    }
    sm_steer_free(steer);
    sm_knob_data_free(knob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_have_their_own_monitor),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_pid),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_turning),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_trip),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

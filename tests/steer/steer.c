/* SPDX-License-Identifier: MIT */
/* A knob in force: on the tiny golden model, and on scripted head outputs handed to its tap. */
#include "../../src/base/rng.h"
#include "../../src/steer/steer.h"
#include "../lm/fixture.h"
#include "helpers.h"

enum { FIRST = 4, COLUMNS = 16, PASSES = COLUMNS - 1 - FIRST }; /* passes over columns 4..14 */

static fixture model;

/* Guided: one piece, two rows. */
static const sm_row guided_rows[2] = {{0, true, true}, {0, false, true}};
static const sm_steer_timeline guided = {guided_rows, 2, 1, FIRST, COLUMNS};

/* Seeded directions for the tiny model; every accuracy different. */
static sm_knob_data *model_knob(void)
{
    float accuracy[64] = {0};
    int heads = model.L * model.H;
    for (int i = 0; i < heads; i++) accuracy[i] = 0.55f + 0.03f * (float)((5 * i + 2) % heads);
    sm_knob_data *knob = test_knob(model.L, model.H, model.D, accuracy);
    for (int i = 0; i < heads; i++) {
        double norm = 0.0;
        for (int j = 0; j < model.D; j++) {
            double value = sm_normal(21, (uint32_t)i, (uint32_t)j, SM_RNG_TEST);
            knob->direction[i * model.D + j] = (float)value;
            norm += value * value;
        }
        for (int j = 0; j < model.D; j++) knob->direction[i * model.D + j] /= (float)sqrt(norm);
        knob->weight_norm[i] =
            30.0f; /* the tiny model's heads are small: readings well apart from 1/2 */
        knob->bias[i] = 0.0f;
        knob->sigma[i] = 0.01f * (float)(i + 1);
    }
    return knob;
}

static sm_steer *make(const sm_knob_data *knob, const smitin_steering *settings,
                      const sm_steer_timeline *timeline)
{
    smitin_error error;
    sm_steer *steer = NULL;
    ASSERT_OK(
        sm_steer_new(&steer, knob, settings, model.lm, model.kernels, "abc", timeline, &error));
    return steer;
}

/* What a run leaves: the last column's logits of every generated pass, [PASSES, R, K, V]. */
static float *run(sm_steer **steers, int count, const sm_tap *extra, int turn_column,
                  double turn_alpha)
{
    const int R = 2, K = model.K;
    sm_lm_state *state = state_new(&model, R, COLUMNS, FIRST, 1u);
    int32_t tokens[2 * COLUMNS * SM_MAX_CODEBOOKS];
    size_t step = (size_t)R * (size_t)K * (size_t)model.V;
    float *logits = floats(step * PASSES);
    sm_tap taps[4];
    for (int i = 0; i < count; i++) taps[i] = sm_steer_tap(steers[i]);
    if (extra != NULL) taps[count] = *extra;
    for (int column = 0, width = FIRST; column < COLUMNS - 1; column += width, width = 1) {
        for (int r = 0; r < R; r++)
            for (int i = 0; i < width * K; i++)
                tokens[r * width * K + i] =
                    (int32_t)(sm_uniform(5, (uint32_t)(column * K + i), 0, SM_RNG_TEST) * model.V);
        for (int i = 0; i < count && column == turn_column; i++)
            sm_steer_turn(steers[i], turn_alpha);
        for (int i = 0; i < count; i++) sm_steer_begin(steers[i], column, width);
        float *out = column < FIRST ? NULL : logits + step * (size_t)(column - FIRST);
        sm_lm_forward(state, model.kernels, model.pool, tokens, width, taps,
                      count + (extra != NULL), out, NULL);
        for (int i = 0; i < count; i++) sm_steer_end(steers[i]);
    }
    sm_lm_state_free(state);
    return logits;
}

static size_t all_logits(void)
{
    return (size_t)PASSES * 2 * (size_t)model.K * (size_t)model.V;
}

static double largest_of(const float *x, size_t n)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

static float *run_one(const sm_knob_data *knob, const smitin_steering *settings,
                      smitin_trace *trace, smitin_knob_report *report)
{
    sm_steer *steer = make(knob, settings, &guided);
    float *logits = run(&steer, 1, NULL, -1, 0.0);
    size_t count;
    const smitin_trace *lines = sm_steer_trace(steer, 0, &count);
    assert_int_equal(count, PASSES);
    if (trace != NULL) memcpy(trace, lines, PASSES * sizeof *trace);
    if (report != NULL) sm_steer_report(steer, 0, report);
    sm_steer_free(steer);
    return logits;
}

/* Zero is bit-identical to no knob, and still reports what it hears. */
static void test_zero(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    float *none = run(NULL, 0, NULL, -1, 0.0);
    for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_DECAY; method++) {
        smitin_steering settings = test_settings(); /* strength 0 */
        settings.method = (smitin_method)method;
        settings.every = 1;
        if (method % 2 == 1) settings.alpha = -0.0;
        smitin_trace trace[PASSES];
        smitin_knob_report report;
        float *zero = run_one(knob, &settings, trace, &report);
        assert_memory_equal(none, zero, all_logits() * sizeof(float));
        assert_true(report.dose == 0.0 && report.alpha == 0.0 && !report.tripped);
        double mean = 0.0;
        for (int i = 0; i < PASSES; i++) {
            assert_int_equal(trace[i].column, FIRST + i);
            assert_true(trace[i].scheduled && trace[i].gain == 0.0f && trace[i].dose == 0.0f);
            assert_true(trace[i].presence > 0.0f && trace[i].presence < 1.0f);
            mean += (double)trace[i].presence / PASSES;
        }
        ASSERT_NEAR(report.mean_presence, mean, 1e-12);
        free(zero);
    }
    free(none);
    sm_knob_data_free(knob);
}

/* Adds alpha w sigma theta to the heads of both rows at every second generated column, by hand. */
typedef struct injection {
    const sm_plan *plan;
    float alpha;
} injection;

static bool every_layer(void *user, const sm_tap_site *site)
{
    (void)user;
    return site->column >= FIRST && (site->column - FIRST) % 2 == 0;
}

static void inject(void *user, const sm_tap_site *site, float *z)
{
    const injection *in = user;
    int d = in->plan->H * in->plan->D;
    for (int r = 0; r < site->rows; r++)
        for (int i = 0; i < d; i++)
            z[r * d + i] += in->alpha * in->plan->vector[site->layer * d + i];
}

static void test_push_equals_injection(void **state)
{
    (void)state;
    smitin_error error;
    sm_knob_data *knob = model_knob();
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_SPARSE;
    settings.every = 2;
    settings.alpha = 3.0;
    float *pushed = run_one(knob, &settings, NULL, NULL);
    sm_arena *arena = sm_arena_new();
    sm_plan plan;
    ASSERT_OK(sm_plan_init(&plan, knob, &settings, arena, &error));
    injection in = {&plan, 3.0f};
    sm_tap tap = {.user = &in, .wants = every_layer, .visit = inject};
    float *injected = run(NULL, 0, &tap, -1, 0.0), *none = run(NULL, 0, NULL, -1, 0.0);
    double scale = largest_of(none, all_logits());
    /* W_O (z + v) against W_O z + W_O v: a few roundings of 6e-8 in each of three layers and of ten
     * columns' keys. */
    ASSERT_NEAR(largest_difference(pushed, injected, all_logits()), 0.0, 2e-5 * scale);
    /* ... while the knob itself moves the logits by far more. */
    assert_true(largest_difference(pushed, none, all_logits()) > 1e-2 * scale);
    free(pushed);
    free(injected);
    free(none);
    sm_arena_free(arena);
    sm_knob_data_free(knob);
}

/* Keeps the head outputs of one column, by layer. */
typedef struct watch {
    int column;
    float z[8][2 * 256];
} watch;

static bool watched(void *user, const sm_tap_site *site)
{
    return ((watch *)user)->column == site->column;
}

static void keep(void *user, const sm_tap_site *site, float *z)
{
    memcpy(((watch *)user)->z[site->layer], z, (size_t)(site->rows * model.d) * sizeof *z);
}

/* A direction in exactly one layer changes nothing up to that layer's heads, and the heads above
 * it. */
static void test_one_layer(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    for (int i = 0; i < model.L * model.H; i++)
        if (i / model.H != 1) knob->sigma[i] = 0.0f;
    smitin_steering settings = test_settings();
    settings.alpha = 5.0;
    static watch before, after;
    before.column = after.column = FIRST; /* the first push */
    sm_tap tap = {.user = &before, .wants = watched, .visit = keep};
    free(run(NULL, 0, &tap, -1, 0.0));
    sm_steer *steer = make(knob, &settings, &guided);
    tap.user = &after;
    free(run(&steer, 1, &tap, -1, 0.0));
    sm_steer_free(steer);
    size_t bytes = 2 * (size_t)model.d * sizeof(float);
    assert_true(model.L == 3 && model.d <= 256);
    assert_memory_equal(before.z[0], after.z[0], bytes);
    assert_memory_equal(before.z[1], after.z[1], bytes);
    assert_memory_not_equal(before.z[2], after.z[2], bytes);
    sm_knob_data_free(knob);
}

/* (-theta, -b, -alpha) is (theta, b, alpha), and its presence the complement. */
static void test_double_negation(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob(), *negative = model_knob();
    for (int i = 0; i < model.L * model.H * model.D; i++)
        negative->direction[i] = -negative->direction[i];
    for (int i = 0; i < model.L * model.H; i++) {
        knob->bias[i] = 0.125f * (float)(i % 3);
        negative->bias[i] = -knob->bias[i];
    }
    smitin_steering settings = test_settings();
    settings.every = 1;
    settings.threshold = 0.9;
    for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_SPARSE; method++) {
        smitin_trace there[PASSES], back[PASSES];
        smitin_knob_report report, report_back;
        settings.method = (smitin_method)method;
        settings.alpha = 3.0;
        float *a = run_one(knob, &settings, there, &report);
        settings.alpha = -3.0;
        float *b = run_one(negative, &settings, back, &report_back);
        /* Signs cancel exactly in the push; the gains come from 1 - (1 - C), equal to the rounding
         * of a float. */
        if (method == SMITIN_METHOD_SPARSE) assert_memory_equal(a, b, all_logits() * sizeof(float));
        ASSERT_NEAR(largest_difference(a, b, all_logits()), 0.0,
                    1e-5 * largest_of(a, all_logits()));
        int partial = 0;
        for (int i = 0; i < PASSES; i++) {
            ASSERT_NEAR(there[i].gain, back[i].gain, 1e-5);
            ASSERT_NEAR(there[i].presence, 1.0f - back[i].presence, 1e-5);
            ASSERT_NEAR(there[i].dose, back[i].dose, 1e-4);
            partial += there[i].gain > 0.0f && there[i].gain < 1.0f;
        }
        if (method == SMITIN_METHOD_SMITIN)
            assert_true(partial > 0); /* the monitor had something to say */
        ASSERT_NEAR(report.success, report_back.success, 1e-12);
        ASSERT_NEAR(report.dose, report_back.dose, 1e-4);
        free(a);
        free(b);
    }
    sm_knob_data_free(knob);
    sm_knob_data_free(negative);
}

/* Two knobs add: the same one twice is one of double strength, to rounding. */
static void test_knobs_add(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_ITI;
    settings.alpha = 2.0;
    sm_steer *two[2] = {make(knob, &settings, &guided), make(knob, &settings, &guided)};
    float *twice = run(two, 2, NULL, -1, 0.0);
    settings.alpha = 4.0;
    float *once = run_one(knob, &settings, NULL, NULL);
    ASSERT_NEAR(largest_difference(twice, once, all_logits()), 0.0,
                1e-5 * largest_of(once, all_logits()));
    sm_steer_free(two[0]);
    sm_steer_free(two[1]);
    free(twice);
    free(once);
    sm_knob_data_free(knob);
}

/* ---- Scripted head outputs: no model runs, the tap is called by hand. ---------------------------
 */

/* Rows of two pieces: the first guided, the second without its other half. */
static const sm_row mixed_rows[3] = {{0, true, true}, {0, false, true}, {1, true, false}};
static const sm_steer_timeline mixed = {mixed_rows, 3, 2, 2, 10}; /* t0 = 2, passes 2..8 */

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
        double dose = 0.0, success = 0.0, half = 0.0, mean = 0.0;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(trace[i].column, 2 + i);
            ASSERT_NEAR(trace[i].presence, C[i + 1][p], 1e-6);
            ASSERT_NEAR(trace[i].gain, g[i][p], 1e-6);
            ASSERT_NEAR(trace[i].dose, 4.0 * g[i][p] * report.weight_sum, 1e-4);
            dose += 4.0 * g[i][p] * report.weight_sum / 4.0;
            success += (C[i + 1][p] >= 0.6) / 4.0;
            half += (C[i + 1][p] >= 0.5 - 1e-6) / 4.0;
            mean += C[i + 1][p] / 4.0;
        }
        ASSERT_NEAR(report.dose, dose, 1e-4);
        ASSERT_NEAR(report.success, success, 1e-12);
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
    assert_true(report.dose > 0.0);
    ASSERT_NEAR(report.mean_presence, (0.8 + 0.7 + 0.2) / 3.0, 1e-6);
    sm_steer_free(steer);
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

/* Turning to zero on the real model: what came before is untouched, what follows is not pushed. */
static void test_turn_to_zero(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_ITI;
    settings.alpha = 3.0;
    sm_steer *steer = make(knob, &settings, &guided);
    float *turned = run(&steer, 1, NULL, 8, 0.0), *steady = run_one(knob, &settings, NULL, NULL);
    size_t step = all_logits() / PASSES;
    assert_memory_equal(turned, steady, 4 * step * sizeof(float)); /* columns 4..7 */
    assert_memory_not_equal(turned + 4 * step, steady + 4 * step, step * sizeof(float));
    size_t count;
    const smitin_trace *trace = sm_steer_trace(steer, 0, &count);
    for (int i = 0; i < PASSES; i++) assert_true(trace[i].gain == (i < 4 ? 1.0f : 0.0f));
    sm_steer_free(steer);
    free(turned);
    free(steady);
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
        for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_DECAY; method++) {
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

/* A poisoned probe, tripped by the prompt already: the same bits as no knob. */
static void test_trip_leaves_the_model_alone(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    for (int i = 0; i < model.L * model.H; i++) knob->bias[i] = NAN;
    smitin_steering settings = test_settings();
    settings.alpha = 5.0;
    smitin_knob_report report;
    float *none = run(NULL, 0, NULL, -1, 0.0), *tripped = run_one(knob, &settings, NULL, &report);
    assert_memory_equal(none, tripped, all_logits() * sizeof(float));
    assert_true(report.tripped && report.success == 0.0 && report.mean_presence == 0.0);
    free(none);
    free(tripped);
    sm_knob_data_free(knob);
}

/* C(t) is the median over the monitor heads of sigmoid(<theta_raw, z> + b) of the conditional row.
 */
static void test_reading(void **state)
{
    (void)state;
    sm_knob_data *knob = model_knob();
    smitin_steering settings = test_settings();
    settings.monitor_heads = 4;
    for (int statistic = SMITIN_STATISTIC_MEDIAN; statistic <= SMITIN_STATISTIC_MEAN; statistic++) {
        settings.statistic = (smitin_statistic)statistic;
        static watch heads;
        heads.column = 7;
        sm_tap tap = {.user = &heads, .wants = watched, .visit = keep};
        sm_steer *steer = make(knob, &settings, &guided);
        free(run(&steer, 1, &tap, -1, 0.0));
        /* The four best by hand: accuracy rises with (5 i + 2) mod 12. */
        float p[4];
        int found = 0;
        double mean = 0.0;
        assert_int_equal(model.L * model.H, 12);
        for (int i = 0; i < 12; i++) {
            if ((5 * i + 2) % 12 < 8) continue;
            double x = 0.0;
            for (int j = 0; j < model.D; j++)
                x += (double)heads.z[i / model.H][i % model.H * model.D + j] *
                     (double)knob->direction[i * model.D + j];
            p[found] = (float)(1.0 / (1.0 + exp(-30.0 * x)));
            mean += (double)p[found++] / 4.0;
        }
        assert_int_equal(found, 4);
        size_t count;
        const smitin_trace *trace = sm_steer_trace(steer, 0, &count);
        double expected = statistic == SMITIN_STATISTIC_MEDIAN ? sm_median(p, 4) : mean;
        ASSERT_NEAR(trace[7 - FIRST].presence, expected,
                    1e-6); /* float sums of 8 terms of size 1 */
        sm_steer_free(steer);
    }
    sm_knob_data_free(knob);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    sm_steer *steer = NULL;
    sm_knob_data *knob = model_knob();
    smitin_steering settings = test_settings();
    ASSERT_FAILS(sm_steer_check(knob, &settings, model.lm, "other", &error), SMITIN_ERROR_KNOB,
                 "other weights");
    ASSERT_FAILS(
        sm_steer_new(&steer, knob, &settings, model.lm, model.kernels, "other", &guided, &error),
        SMITIN_ERROR_KNOB, "train it on this model");
    assert_null(steer);
    settings.force = true;
    ASSERT_OK(sm_steer_check(knob, &settings, model.lm, "other", &error));
    settings.every = 0;
    ASSERT_FAILS(sm_steer_check(knob, &settings, model.lm, "abc", &error), SMITIN_ERROR_ARGUMENT,
                 "0-th");
    settings = test_settings();
    sm_steer_timeline full = guided;
    full.first = COLUMNS - 1;
    ASSERT_FAILS(
        sm_steer_new(&steer, knob, &settings, model.lm, model.kernels, "abc", &full, &error),
        SMITIN_ERROR_ARGUMENT, "nothing is left");
    const float accuracy[6] = {0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 0.95f};
    sm_knob_data *small = test_knob(2, 3, 2, accuracy);
    settings.force = true; /* a wrong shape never fits */
    ASSERT_FAILS(sm_steer_check(small, &settings, model.lm, "abc", &error), SMITIN_ERROR_KNOB,
                 "2 layers with 3 heads");
    sm_steer_free(NULL);
    sm_knob_data_free(small);
    sm_knob_data_free(knob);
}

static int open_model(void **state)
{
    (void)state;
    fixture_open(&model, 2);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    fixture_close(&model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero),      cmocka_unit_test(test_push_equals_injection),
        cmocka_unit_test(test_one_layer), cmocka_unit_test(test_double_negation),
        cmocka_unit_test(test_knobs_add), cmocka_unit_test(test_pieces_have_their_own_monitor),
        cmocka_unit_test(test_removal),   cmocka_unit_test(test_branches),
        cmocka_unit_test(test_turning),   cmocka_unit_test(test_turn_to_zero),
        cmocka_unit_test(test_trip),      cmocka_unit_test(test_trip_leaves_the_model_alone),
        cmocka_unit_test(test_reading),   cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

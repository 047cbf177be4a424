/* SPDX-License-Identifier: MIT */
/* A knob in force on the tiny golden model. */
#include "tiny.h"

enum { FIRST = 4, COLUMNS = 16, PASSES = COLUMNS - 1 - FIRST }; /* passes over columns 4..14 */

/* Guided: one piece, two rows. */
static const sm_row guided_rows[2] = {{0, true, true}, {0, false, true}};
static const sm_steer_timeline guided = {guided_rows, 2, 1, FIRST, COLUMNS, PASSES, 50.0};

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
    for (int method = SMITIN_METHOD_SMITIN; method <= SMITIN_METHOD_PID; method++) {
        smitin_steering settings = test_settings(); /* strength 0 */
        settings.method = (smitin_method)method;
        settings.every = 1;
        if (method % 2 == 1) settings.alpha = -0.0;
        if (method % 2 == 1) settings.schedule = SMITIN_SCHEDULE_DOWN; /* above 0 to the end */
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

/* Knobs in a row leave each other alone: a second one at right angles to the first moves no head
 * along the first one's direction, whether the first pushes or only listens; at zero the second is
 * as if it were not there; and one without a direction of its own is refused. */
static void test_orthogonal(void **state)
{
    (void)state;
    smitin_error error;
    sm_knob_data *knob = model_knob(), *other = model_knob();
    int D = model.D;
    /* other = (first + a second axis) / sqrt 2: half of it is the first's. */
    for (int i = 0; i < model.L * model.H; i++) {
        float *theta = other->direction + i * D, norm = 0.0f;
        for (int j = 0; j < D; j++) theta[j] += (float)sin(1.0 + i + 2.0 * j);
        for (int j = 0; j < D; j++) norm += theta[j] * theta[j];
        for (int j = 0; j < D; j++) theta[j] /= sqrtf(norm);
    }
    smitin_steering settings = test_settings(), second = test_settings();
    settings.method = second.method = SMITIN_METHOD_ITI;
    settings.alpha = 2.0;
    second.orthogonal = true;
    second.alpha = 0.0;
    float *alone = run_one(knob, &settings, NULL, NULL);
    sm_steer *pair[2];
    pair[0] = make(knob, &settings, &guided);
    pair[1] = make_after(pair[0], other, &second, &guided);
    float *with_zero = run(pair, 2, NULL, -1, 0.0);
    assert_memory_equal(alone, with_zero, all_logits() * sizeof(float));
    sm_steer_free(pair[1]);
    sm_steer_free(pair[0]);
    /* The second one's push is that of a knob whose directions were made so by hand. */
    sm_knob_data *by_hand = model_knob();
    for (int i = 0; i < model.L * model.H; i++) {
        const float *q = knob->direction + i * D, *theta = other->direction + i * D;
        double along = 0.0, norm = 0.0, rest[64];
        for (int j = 0; j < D; j++) along += (double)q[j] * (double)theta[j];
        for (int j = 0; j < D; j++) rest[j] = (double)theta[j] - along * (double)q[j];
        for (int j = 0; j < D; j++) norm += rest[j] * rest[j];
        for (int j = 0; j < D; j++) by_hand->direction[i * D + j] = (float)(rest[j] / sqrt(norm));
        assert_true(fabs(along) > 0.01);
    }
    second.alpha = 3.0;
    settings.alpha = 0.0; /* listens */
    pair[0] = make(knob, &settings, &guided);
    pair[1] = make_after(pair[0], other, &second, &guided);
    float *pushed = run(pair, 2, NULL, -1, 0.0);
    second.orthogonal = false;
    float *expected = run_one(by_hand, &second, NULL, NULL),
          *plain = run_one(other, &second, NULL, NULL);
    double scale = largest_of(expected, all_logits());
    ASSERT_NEAR(largest_difference(pushed, expected, all_logits()), 0.0, 1e-5 * scale);
    assert_true(largest_difference(pushed, plain, all_logits()) > 1e-3 * scale);
    second.orthogonal = true;
    sm_steer *third = NULL;
    ASSERT_FAILS(sm_steer_new(&third, other, &second, model.lm, model.kernels, "abc", &guided,
                              pair[1], &error),
                 SMITIN_ERROR_ARGUMENT, "no direction of its own");
    assert_null(third);
    sm_steer_free(pair[1]);
    sm_steer_free(pair[0]);
    free(alone);
    free(with_zero);
    free(pushed);
    free(expected);
    free(plain);
    sm_knob_data_free(knob);
    sm_knob_data_free(other);
    sm_knob_data_free(by_hand);
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
    assert_true(report.tripped && report.success == 0.0 && report.removal == 0.0 &&
                report.absence == 0.0 && report.mean_presence == 0.0);
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
    ASSERT_FAILS(sm_steer_new(&steer, knob, &settings, model.lm, model.kernels, "other", &guided,
                              NULL, &error),
                 SMITIN_ERROR_KNOB, "train it on this model");
    assert_null(steer);
    settings.force = true;
    ASSERT_OK(sm_steer_check(knob, &settings, model.lm, "other", &error));
    settings.every = 0;
    ASSERT_FAILS(sm_steer_check(knob, &settings, model.lm, "abc", &error), SMITIN_ERROR_ARGUMENT,
                 "0-th");
    settings = test_settings();
    settings.schedule = SMITIN_SCHEDULE_UP;
    settings.schedule_from = -1.0f;
    ASSERT_FAILS(sm_steer_check(knob, &settings, model.lm, "abc", &error), SMITIN_ERROR_ARGUMENT,
                 "begin at -1 s");
    settings.schedule_from = 1.0f;
    ASSERT_FAILS(sm_steer_new(&steer, knob, &settings, model.lm, model.kernels, "abc", &guided,
                              NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "only 0.22 s are made");
    settings = test_settings();
    sm_steer_timeline full = guided;
    full.first = COLUMNS - 1;
    ASSERT_FAILS(
        sm_steer_new(&steer, knob, &settings, model.lm, model.kernels, "abc", &full, NULL, &error),
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero),         cmocka_unit_test(test_push_equals_injection),
        cmocka_unit_test(test_one_layer),    cmocka_unit_test(test_double_negation),
        cmocka_unit_test(test_knobs_add),    cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_turn_to_zero), cmocka_unit_test(test_trip_leaves_the_model_alone),
        cmocka_unit_test(test_reading),      cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

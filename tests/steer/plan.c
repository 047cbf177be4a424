/* SPDX-License-Identifier: MIT */
/* What a knob and its settings come to, against numbers worked out by hand. */
#include "helpers.h"
#include "../../src/steer/plan.h"

/* 2 layers x 3 heads x 2. Best: 5 (.875), then 1 and 3 (.75, a tie), 0 (.625), 2 and 4 (.5). */
static const float accuracy[6] = {0.625f, 0.75f, 0.5f, 0.75f, 0.5f, 0.875f};

typedef struct setup {
    sm_knob_data *knob;
    sm_arena *arena;
    sm_plan plan;
} setup;

static setup make(const smitin_steering *settings)
{
    smitin_error error;
    setup s = {.knob = test_knob(2, 3, 2, accuracy), .arena = sm_arena_new()};
    assert_non_null(s.arena);
    ASSERT_OK(sm_plan_init(&s.plan, s.knob, settings, s.arena, &error));
    return s;
}

static void drop(setup *s)
{
    sm_knob_data_free(s->knob);
    sm_arena_free(s->arena);
}

static void test_soft_weights(void **state)
{
    (void)state;
    smitin_steering settings = test_settings();
    setup s = make(&settings);
    /* ((acc - .5) / .375)^3: thirds, exact to the rounding of a float. */
    const double w[6] = {1.0 / 27, 8.0 / 27, 0, 8.0 / 27, 0, 1};
    double sum = 0.0;
    for (int i = 0; i < 6; i++) {
        ASSERT_NEAR(s.plan.weight[i], w[i], 1e-7);
        ASSERT_NEAR(s.plan.vector[2 * i + i % 2], w[i] * (i + 1), 1e-6); /* w sigma theta */
        assert_true(s.plan.vector[2 * i + 1 - i % 2] == 0.0f);
        sum += w[i];
    }
    ASSERT_NEAR(s.plan.weight_sum, sum, 1e-6);
    drop(&s);
    settings.power = 0.0; /* every head alike */
    s = make(&settings);
    for (int i = 0; i < 6; i++) assert_true(s.plan.weight[i] == 1.0f);
    drop(&s);
}

static void test_equal_heads(void **state)
{
    (void)state;
    smitin_error error;
    const float same[6] = {0.75f, 0.75f, 0.75f, 0.75f, 0.75f, 0.75f};
    sm_knob_data *knob = test_knob(2, 3, 2, same);
    sm_arena *arena = sm_arena_new();
    sm_plan plan;
    smitin_steering settings = test_settings();
    ASSERT_OK(sm_plan_init(&plan, knob, &settings, arena, &error));
    for (int i = 0; i < 6; i++)
        assert_true(plan.weight[i] == 1.0f);    /* no division by a spread of zero */
    assert_int_equal(plan.monitor[0].layer, 0); /* of equals the first */
    assert_int_equal(plan.monitor[0].head, 0);
    sm_arena_free(arena);
    sm_knob_data_free(knob);
}

static void test_top_heads(void **state)
{
    (void)state;
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_ITI;
    setup s = make(&settings); /* a third of six: 5 and, of the tie, 1 */
    const float two[6] = {0, 1, 0, 0, 0, 1};
    assert_memory_equal(s.plan.weight, two, sizeof two);
    assert_true(s.plan.weight_sum == 2.0);
    drop(&s);
    settings.method = SMITIN_METHOD_DECAY;
    settings.top_heads = 4;
    s = make(&settings);
    const float four[6] = {1, 1, 0, 1, 0, 1};
    assert_memory_equal(s.plan.weight, four, sizeof four);
    drop(&s);
    settings.method = SMITIN_METHOD_SMITIN; /* soft, unless asked */
    s = make(&settings);
    ASSERT_NEAR(s.plan.weight[0], 1.0 / 27, 1e-7);
    drop(&s);
    settings.weights = SMITIN_WEIGHTS_TOP;
    s = make(&settings);
    assert_memory_equal(s.plan.weight, four, sizeof four);
    assert_int_equal(s.plan.K, 1); /* who listens stays as it was */
    drop(&s);
    settings.method = SMITIN_METHOD_ITI;
    settings.weights = SMITIN_WEIGHTS_SOFT;
    s = make(&settings);
    ASSERT_NEAR(s.plan.weight[0], 1.0 / 27, 1e-7);
    drop(&s);
}

static void test_directions(void **state)
{
    (void)state;
    smitin_steering settings = test_settings();
    settings.power = 0.0;
    settings.direction = SMITIN_DIRECTION_MEAN;
    setup s = make(&settings);
    for (int i = 0; i < 6; i++) { /* its own axis and its own spread */
        assert_true(s.plan.vector[2 * i + (i + 1) % 2] == 10.0f * (float)(i + 1));
        assert_true(s.plan.vector[2 * i + i % 2] == 0.0f);
    }
    assert_true(s.plan.monitor[0].theta[1] ==
                2.0f); /* the monitor still is the probe: head 5, axis 1 */
    drop(&s);
    settings.direction = SMITIN_DIRECTION_RAW; /* twice as long, and twice the spread along it */
    s = make(&settings);
    for (int i = 0; i < 6; i++) assert_true(s.plan.vector[2 * i + i % 2] == 4.0f * (float)(i + 1));
    assert_true(s.plan.monitor[0].theta[1] == 2.0f);
    drop(&s);
    settings.direction = SMITIN_DIRECTION_RANDOM;
    settings.direction_seed = 7;
    s = make(&settings);
    setup again = make(&settings);
    settings.direction_seed = 8;
    setup other = make(&settings);
    assert_memory_equal(s.plan.vector, again.plan.vector, 12 * sizeof(float));
    int equal = 0;
    for (int i = 0; i < 6; i++) {
        /* Unit length times the probe's sigma: the dose in head space is the probe's. */
        double norm = hypot((double)s.plan.vector[2 * i], (double)s.plan.vector[2 * i + 1]);
        ASSERT_NEAR(norm, i + 1, 1e-5);
        equal += s.plan.vector[2 * i] == other.plan.vector[2 * i];
    }
    assert_int_equal(equal, 0);
    drop(&s);
    /* Of a knob whose strengths were measured along its mean shift. */
    for (int i = 0; i < 4; i++) {
        static const smitin_direction asked[] = {SMITIN_DIRECTION_OWN, SMITIN_DIRECTION_PROBE,
                                                 SMITIN_DIRECTION_RANDOM, SMITIN_DIRECTION_RAW};
        static const double length[] = {10, 1, 10, 4};
        smitin_error error;
        s = (setup){.knob = test_knob(2, 3, 2, accuracy), .arena = sm_arena_new()};
        s.knob->meta.along_mean = true;
        settings.direction = asked[i];
        ASSERT_OK(sm_plan_init(&s.plan, s.knob, &settings, s.arena, &error));
        ASSERT_NEAR(hypot((double)s.plan.vector[0], (double)s.plan.vector[1]), length[i], 1e-5);
        assert_true(i == 2 || s.plan.vector[i == 0 ? 0 : 1] == 0.0f);
        drop(&s);
    }
    drop(&again);
    drop(&other);
}

static void test_monitor(void **state)
{
    (void)state;
    smitin_steering settings = test_settings();
    settings.monitor_heads = 3;
    setup s = make(&settings);
    /* 5, 1, 3 in the order of a pass: (0,1), (1,0), (1,2). */
    assert_int_equal(s.plan.K, 3);
    const int layers[3] = {0, 1, 1}, heads[3] = {1, 0, 2};
    for (int k = 0; k < 3; k++) {
        int index = layers[k] * 3 + heads[k];
        assert_int_equal(s.plan.monitor[k].layer, layers[k]);
        assert_int_equal(s.plan.monitor[k].head, heads[k]);
        assert_true(s.plan.monitor[k].bias == 0.25f * (float)index);
        assert_true(s.plan.monitor[k].theta[index % 2] == 2.0f); /* weight_norm theta */
        assert_true(s.plan.monitor[k].theta[1 - index % 2] == 0.0f);
    }
    assert_int_equal(s.plan.layer_first[0], 0);
    assert_int_equal(s.plan.layer_first[1], 1);
    assert_int_equal(s.plan.layer_first[2], 3);
    /* train accuracies .8125 .8125 .9375: median .8125, population std sqrt(2)/3 * .125 */
    ASSERT_NEAR(s.plan.threshold, 0.8125 - 0.125 * sqrt(2.0) / 3.0, 1e-12);
    drop(&s);
    settings.monitor_heads = 0; /* a sixth of six */
    s = make(&settings);
    assert_int_equal(s.plan.K, 1);
    ASSERT_NEAR(s.plan.threshold, 0.9375, 1e-12); /* one head has no spread */
    drop(&s);
    settings.threshold = 0.4;
    s = make(&settings);
    assert_true(s.plan.threshold == 0.4);
    drop(&s);
}

static void test_default_counts(void **state)
{
    (void)state;
    smitin_error error;
    float many[24 * 16];
    for (int i = 0; i < 24 * 16; i++) many[i] = 0.5f + 0.001f * (float)i;
    sm_knob_data *knob = test_knob(24, 16, 2, many);
    sm_arena *arena = sm_arena_new();
    sm_plan plan;
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_ITI;
    ASSERT_OK(sm_plan_init(&plan, knob, &settings, arena, &error));
    assert_int_equal(plan.K, 16);
    assert_true(plan.weight_sum == 48.0);
    sm_arena_free(arena);
    sm_knob_data_free(knob);
}

static void test_alpha(void **state)
{
    (void)state;
    sm_knob_data *knob = test_knob(2, 3, 2, accuracy); /* default 10, largest 40 */
    const double strengths[] = {0.0, 0.25, 0.5, 0.75, 1.0, -0.25, -1.0};
    const double alphas[] = {0.0, 5.0, 10.0, 25.0, 40.0, -5.0, -40.0};
    smitin_steering settings = test_settings();
    for (int i = 0; i < 7; i++) {
        settings.strength = strengths[i];
        ASSERT_NEAR(sm_plan_alpha(knob, &settings), alphas[i], 1e-12);
    }
    settings.alpha = -3.5; /* a raw alpha wins */
    assert_true(sm_plan_alpha(knob, &settings) == -3.5);
    sm_knob_data_free(knob);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    sm_knob_data *knob = test_knob(2, 3, 2, accuracy);
#define REFUSED(field, value, part)                                                                \
    do {                                                                                           \
        smitin_steering settings = test_settings();                                                \
        settings.field = (value);                                                                  \
        ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_ARGUMENT, part);         \
    } while (0)
    REFUSED(alpha, (double)INFINITY, "finite");
    REFUSED(strength, 1.5, "1.5");
    REFUSED(strength, (double)NAN, "between -1 and 1");
    REFUSED(every, 0, "0-th");
    REFUSED(power, -1.0, "-1");
    REFUSED(power, (double)NAN, "power");
    REFUSED(top_heads, 7, "top 7 heads");
    REFUSED(monitor_heads, -1, "monitor -1");
    REFUSED(threshold, 1.5, "probability");
    REFUSED(decay_rate, 2.0, "decay rate");
    REFUSED(method, (smitin_method)9, "choices");
    REFUSED(weights, (smitin_weights)3, "choices");
    REFUSED(direction, (smitin_direction)5, "choices");
    REFUSED(schedule, (smitin_schedule)4, "choices");
#undef REFUSED
    smitin_steering settings = test_settings();
    settings.method = SMITIN_METHOD_PID;
    ASSERT_OK(sm_plan_check(knob, &settings, &error));
    settings.pid_d = -1.0f;
    ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_ARGUMENT, "2, 0.125, -1");
    settings.pid_d = NAN;
    ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_ARGUMENT, "from 0 on");
    settings.pid_p = settings.pid_i = settings.pid_d = 0.0f;
    ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_ARGUMENT, "never pushes");
    settings = test_settings();
    settings.strength = 0.5;
    settings.direction = SMITIN_DIRECTION_PROBE;
    ASSERT_OK(sm_plan_check(knob, &settings, &error));
    knob->meta.along_mean = true;
    ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_ARGUMENT, "mean direction");
    settings.direction = SMITIN_DIRECTION_OWN;
    knob->meta.default_alpha = 0.0;
    ASSERT_FAILS(sm_plan_check(knob, &settings, &error), SMITIN_ERROR_KNOB, "no calibrated range");
    settings.alpha = 3.0;
    ASSERT_OK(sm_plan_check(knob, &settings, &error));
    sm_knob_data_free(knob);
}

/* New settings are taken from the reserved bytes: programs built before them go on. */
static void test_size_of_settings(void **state)
{
    (void)state;
    if (sizeof(void *) != 8) skip();
    assert_int_equal(sizeof(smitin_steering), 136);
    assert_int_equal(offsetof(smitin_steering, force), 96);
}

static void test_median(void **state)
{
    (void)state;
    float odd[5] = {0.9f, 0.1f, 0.5f, 0.3f, 0.7f}, even[4] = {0.75f, 0.25f, 1.0f, 0.5f},
          one[1] = {0.2f};
    assert_true(sm_median(odd, 5) == (double)0.5f);
    assert_true(sm_median(even, 4) == 0.625);
    assert_true(sm_median(one, 1) == (double)0.2f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_weights), cmocka_unit_test(test_equal_heads),
        cmocka_unit_test(test_top_heads),    cmocka_unit_test(test_directions),
        cmocka_unit_test(test_monitor),      cmocka_unit_test(test_default_counts),
        cmocka_unit_test(test_alpha),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_median),       cmocka_unit_test(test_size_of_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

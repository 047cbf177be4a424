/* SPDX-License-Identifier: MIT */
/* What the directions of earlier knobs leave to a later one, against vectors worked out by hand. */
#include "helpers.h"
#include "../../src/base/rng.h"
#include "../../src/steer/orthogonal.h"

enum { L = 2, H = 2, D = 3, HEADS = L * H, MOST = 8 };

/* Best: 3, then 2, 1, 0; weights with p = 1: 0, 1/4, 1/2, 1. */
static const float accuracy[HEADS] = {0.5f, 0.625f, 0.75f, 1.0f};

typedef struct stack {
    sm_knob_data *knob[MOST];
    sm_arena *arena;
    sm_plan plan[MOST];
    const sm_plan *earlier[MOST];
    int count;
} stack;

/* theta: floats [HEADS, D]. */
static void add(stack *s, const void *theta)
{
    smitin_error error;
    smitin_steering settings = test_settings();
    settings.power = 1.0;
    if (s->arena == NULL) s->arena = sm_arena_new();
    sm_knob_data *knob = test_knob(L, H, D, accuracy); /* sigma 1, 2, 3, 4 */
    memcpy(knob->direction, theta, HEADS * D * sizeof(float));
    s->knob[s->count] = knob;
    ASSERT_OK(sm_plan_init(&s->plan[s->count], knob, &settings, s->arena, &error));
    s->earlier[s->count] = &s->plan[s->count];
    s->count++;
}

/* The latest plan after those before it. */
static sm_plan *orthogonal(stack *s)
{
    smitin_error error;
    sm_plan *plan = &s->plan[s->count - 1];
    ASSERT_OK(sm_plan_orthogonalise(plan, s->earlier, s->count - 1, "drums", &error));
    return plan;
}

static void drop(stack *s)
{
    for (int i = 0; i < s->count; i++) sm_knob_data_free(s->knob[i]);
    sm_arena_free(s->arena);
}

static void expect(const sm_plan *plan, const double theta[HEADS][D], const double w[HEADS])
{
    double sum = 0.0;
    for (int i = 0; i < HEADS; i++) {
        assert_true(plan->weight[i] == (float)w[i]);
        for (int j = 0; j < D; j++) {
            ASSERT_NEAR(plan->direction[i * D + j], theta[i][j], 1e-7); /* a float's rounding */
            ASSERT_NEAR(plan->vector[i * D + j], w[i] * (i + 1) * theta[i][j], 4e-7);
        }
        sum += w[i];
    }
    ASSERT_NEAR(plan->weight_sum, sum, 1e-12);
}

static void test_two(void **state)
{
    (void)state;
    const float first[HEADS][D] = {{1, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0.6f, 0.8f, 0}};
    const float second[HEADS][D] = {{0.6f, 0.8f, 0}, {-0.8f, 0, 0.6f}, {0, 0, 1}, {1, 0, 0}};
    /* Head 0: the first knob has no weight there, and its direction counts all the same. Head 3:
     * (1, 0, 0) - .6 (.6, .8, 0) = (.64, -.48, 0), of length .8. */
    const double left[HEADS][D] = {{0, 1, 0}, {0, 0, 1}, {0, 0, 1}, {0.8, -0.6, 0}};
    const double w[HEADS] = {0, 0.25, 0.5, 1};
    stack s = {0};
    add(&s, first);
    sm_plan before = s.plan[0];
    float kept[HEADS * D];
    memcpy(kept, before.vector, sizeof kept);
    add(&s, second);
    expect(orthogonal(&s), left, w);
    assert_memory_equal(s.plan[0].vector, kept, sizeof kept);
    /* What was orthogonal has the bits it had. */
    assert_true(s.plan[1].direction[2 * D + 2] == 1.0f && s.plan[1].vector[2 * D + 2] == 1.5f);
    drop(&s);
}

/* The first of all has nothing before it. */
static void test_first(void **state)
{
    (void)state;
    const float theta[HEADS][D] = {
        {0.6f, 0.8f, 0}, {-0.8f, 0, 0.6f}, {0.1f, 0.2f, 0.3f}, {1, 0, 0}};
    stack s = {0}, alone = {0};
    add(&s, theta);
    add(&alone, theta);
    orthogonal(&s);
    assert_memory_equal(s.plan[0].vector, alone.plan[0].vector, HEADS * D * sizeof(float));
    assert_memory_equal(s.plan[0].weight, alone.plan[0].weight, HEADS * sizeof(float));
    drop(&s);
    drop(&alone);
}

/* Along an earlier one, or against it, or with both earlier ones' span: no push, and no part in the
 * dose. The earlier two are not orthogonal to each other. */
static void test_vanishing_heads(void **state)
{
    (void)state;
    const float first[HEADS][D] = {{1, 0, 0}, {0.6f, 0.8f, 0}, {1, 0, 0}, {1, 0, 0}};
    const float second[HEADS][D] = {{0, 1, 0}, {0, 0, 1}, {0.6f, 0.8f, 0}, {0.6f, 0.8f, 0}};
    const float third[HEADS][D] = {
        {-1, 0, 0}, {0.6f, 0.8f, 1e-9f}, {0.8f, -0.6f, 0}, {0.48f, 0.64f, 0.6f}};
    const double left[HEADS][D] = {{0}, {0}, {0}, {0, 0, 1}};
    const double w[HEADS] = {0, 0, 0, 1};
    stack s = {0};
    add(&s, first);
    add(&s, second);
    add(&s, third);
    expect(orthogonal(&s), left, w);
    drop(&s);
}

/* An earlier knob without a direction on a head takes nothing; nor do two that are one. */
static void test_empty_and_equal(void **state)
{
    (void)state;
    const float nothing[HEADS][D] = {{0}, {0}, {0}, {0}};
    const float one[HEADS][D] = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
    const float last[HEADS][D] = {{0, 0.6f, 0.8f}, {0.6f, 0, 0.8f}, {0.8f, 0.6f, 0}, {0, 1, 0}};
    const double left[HEADS][D] = {{0, 0.6, 0.8}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}};
    const double w[HEADS] = {0, 0.25, 0.5, 1};
    stack s = {0};
    add(&s, nothing);
    add(&s, one);
    add(&s, one);
    add(&s, last);
    expect(orthogonal(&s), left, w);
    drop(&s);
}

/* Three at random, in the order given: each at right angles to those before it, as long as it was,
 * and with a part along what it was. A fourth finds no room in three dimensions. */
static void test_in_order(void **state)
{
    (void)state;
    smitin_error error;
    stack s = {0};
    float theta[4][HEADS][D];
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < HEADS; i++) {
            double norm = 0.0, x[D];
            for (int j = 0; j < D; j++) {
                x[j] = sm_normal(3, (uint32_t)(k * HEADS + i), (uint32_t)j, SM_RNG_TEST);
                norm += x[j] * x[j];
            }
            for (int j = 0; j < D; j++) theta[k][i][j] = (float)(x[j] / sqrt(norm));
        }
        add(&s, theta[k]);
        if (k == 3) break;
        const sm_plan *plan = orthogonal(&s);
        for (int i = 0; i < HEADS; i++) {
            const float *own = plan->direction + i * D;
            double along = 0.0, norm = 0.0;
            for (int j = 0; j < D; j++) {
                norm += (double)own[j] * (double)own[j];
                along += (double)own[j] * (double)theta[k][i][j];
            }
            ASSERT_NEAR(norm, 1.0, 1e-6);
            assert_true(along > 0.0);
            for (int b = 0; b < k; b++) {
                double product = 0.0;
                for (int j = 0; j < D; j++)
                    product += (double)own[j] * (double)s.plan[b].direction[i * D + j];
                ASSERT_NEAR(product, 0.0, 1e-6);
            }
        }
    }
    ASSERT_FAILS(sm_plan_orthogonalise(&s.plan[3], s.earlier, 3, "bass", &error),
                 SMITIN_ERROR_ARGUMENT, "'bass' has no direction of its own");
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_vanishing_heads),
        cmocka_unit_test(test_empty_and_equal),
        cmocka_unit_test(test_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The sampler: exact edge cases, and the distribution it draws from. */
#include "../../src/base/rng.h"
#include "../../src/lm/sampler.h"
#include "../common.h"

#define MOST 2048

static float scratch[MOST];
static int32_t order[MOST];

static int sample(const float *logits, int n, double temperature, int top_k, double top_p,
                  double uniform)
{
    const sm_sampling sampling = {temperature, top_k, top_p};
    return sm_sample(logits, n, &sampling, uniform, scratch, order);
}

static void guidance(void **context)
{
    (void)context;
    float cond[3] = {1.0f, 2.0f, -1.0f};
    const float uncond[3] = {0.5f, 2.0f, 1.0f};
    sm_guide(cond, uncond, 3.0f, 3);
    assert_true(cond[0] == 2.0f && cond[1] == 2.0f && cond[2] == -5.0f);
}

static void greedy_takes_the_first_of_the_largest(void **context)
{
    (void)context;
    const float logits[5] = {0.0f, 3.0f, -1.0f, 3.0f, 2.0f};
    assert_int_equal(sample(logits, 5, 0.0, 0, 0.0, 0.999), 1);
    assert_int_equal(sample(logits, 5, 0.0, 2, 0.5, 0.999), 1);
    assert_int_equal(sample(logits, 1, 1.0, 250, 0.0, 0.5), 0);
}

static void nan_is_refused_everywhere(void **context)
{
    (void)context;
    for (int at = 0; at < 3; at++) {
        float logits[3] = {0.0f, 1.0f, 2.0f};
        logits[at] = NAN;
        assert_int_equal(sample(logits, 3, 0.0, 0, 0.0, 0.5), -1);
        assert_int_equal(sample(logits, 3, 1.0, 0, 0.0, 0.5), -1);
        assert_int_equal(sample(logits, 3, 1.0, 2, 0.0, 0.5), -1);
        assert_int_equal(sample(logits, 3, 1.0, 0, 0.9, 0.5), -1);
    }
    const float infinite[2] = {0.0f, INFINITY}, none[2] = {-INFINITY, -INFINITY};
    assert_int_equal(sample(infinite, 2, 1.0, 0, 0.0, 0.5), -1);
    assert_int_equal(sample(none, 2, 1.0, 0, 0.0, 0.5), -1);
    const float masked[3] = {-INFINITY, 0.0f, -INFINITY}; /* a masked token is not an error */
    for (double u = 0.0; u < 1.0; u += 0.25) assert_int_equal(sample(masked, 3, 1.0, 0, 0.0, u), 1);
}

static void top_k_keeps_ties(void **context)
{
    (void)context;
    /* Two largest: 2 and one of the three 1s; all three stay. */
    const float logits[6] = {1.0f, 0.9f, 2.0f, 1.0f, -1.0f, 1.0f};
    int seen[6] = {0};
    for (int i = 0; i < 1000; i++) seen[sample(logits, 6, 1.0, 2, 0.0, i / 1000.0)] = 1;
    const int expected[6] = {1, 0, 1, 1, 0, 1};
    assert_memory_equal(seen, expected, sizeof seen);
    for (int i = 0; i < 100; i++) assert_int_equal(sample(logits, 6, 1.0, 1, 0.0, i / 100.0), 2);
}

static void top_p_replaces_top_k(void **context)
{
    (void)context;
    /* Probabilities 0.5, 0.25, 0.125, 0.125. */
    const float logits[4] = {logf(0.125f), logf(0.5f), logf(0.125f), logf(0.25f)};
    const struct {
        double p;
        int kept[4];
    } cases[] = {
        /* Before token 1 nothing, before 3 0.5, before 0 0.75, before 2 0.875. */
        {0.1, {0, 1, 0, 0}},
        {0.6, {0, 1, 0, 1}},
        {0.8, {1, 1, 0, 1}}, /* of two equal tokens the first */
        {0.9, {1, 1, 1, 1}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int seen[4] = {0};
        for (int i = 0; i < 1000; i++) seen[sample(logits, 4, 1.0, 1, cases[c].p, i / 1000.0)] = 1;
        assert_memory_equal(seen, cases[c].kept, sizeof seen);
    }
}

/* The probability of each token, exactly: the share of evenly spread uniforms that give it. */
static void shares(const float *logits, int n, double temperature, int top_k, double top_p,
                   double *share)
{
    enum { DRAWS = 20000 };
    for (int i = 0; i < n; i++) share[i] = 0.0;
    for (int i = 0; i < DRAWS; i++) {
        int token = sample(logits, n, temperature, top_k, top_p, (i + 0.5) / DRAWS);
        assert_in_range(token, 0, n - 1);
        share[token] += 1.0 / DRAWS;
    }
}

static void distribution_is_the_softmax(void **context)
{
    (void)context;
    float logits[64];
    double share[64], expected[64];
    for (uint32_t i = 0; i < 64; i++) logits[i] = (float)(2.0 * sm_normal(1, i, 0, SM_RNG_TEST));
    const double temperatures[3] = {1.0, 0.5, 2.0};
    const int ks[3] = {0, 10, 64};
    for (int c = 0; c < 9; c++) {
        const double temperature = temperatures[c % 3];
        const int k = ks[c / 3];
        double total = 0.0;
        for (int i = 0; i < 64; i++) {
            int larger = 0;
            for (int j = 0; j < 64; j++) larger += logits[j] > logits[i];
            expected[i] = k == 0 || larger < k ? exp((double)logits[i] / temperature) : 0.0;
            total += expected[i];
        }
        shares(logits, 64, temperature, k, 0.0, share);
        /* Evenly spread uniforms miss a probability by at most one draw at either end: 2 / 20000.
         */
        for (int i = 0; i < 64; i++) ASSERT_NEAR(share[i], expected[i] / total, 1.01e-4);
    }
}

/* The kept set against a plain sort, over many random vectors with many ties. */
static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static void top_k_set_equals_a_sort(void **context)
{
    (void)context;
    static float logits[MOST], sorted[MOST];
    for (uint32_t c = 0; c < 300; c++) {
        const int n = 1 + (int)(sm_uniform(2, c, 0, SM_RNG_TEST) * (c % 10 == 0 ? MOST : 50));
        const int k = 1 + (int)(sm_uniform(2, c, 1, SM_RNG_TEST) * n);
        const double steps = c % 2 == 0 ? 4.0 : 1e6; /* half of them with many ties */
        for (int i = 0; i < n; i++) {
            const double u = sm_uniform(3, c, (uint32_t)i, SM_RNG_TEST) - 0.5; /* of both signs */
            logits[i] = (float)floor(steps * u) * 1e-6f;
            sorted[i] = logits[i];
        }
        qsort(sorted, (size_t)n, sizeof *sorted, descending);
        int kept = 0, first = -1, last = -1;
        for (int i = 0; i < n; i++) {
            if (logits[i] < sorted[k - 1]) continue;
            kept++;
            if (first < 0) first = i;
            last = i;
        }
        /* Nearly equal weights: draws at the middles of equal shares walk through the kept tokens
         * in order. */
        assert_int_equal(sample(logits, n, 1e3, k, 0.0, 0.0), first);
        assert_int_equal(sample(logits, n, 1e3, k, 0.0, 1.0 - 1e-9), last);
        int index = 0;
        for (int i = 0; i < n; i++) {
            if (logits[i] < sorted[k - 1]) continue;
            assert_int_equal(sample(logits, n, 1e3, k, 0.0, (index + 0.5) / kept), i);
            index++;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guidance),
        cmocka_unit_test(greedy_takes_the_first_of_the_largest),
        cmocka_unit_test(nan_is_refused_everywhere),
        cmocka_unit_test(top_k_keeps_ties),
        cmocka_unit_test(top_p_replaces_top_k),
        cmocka_unit_test(distribution_is_the_softmax),
        cmocka_unit_test(top_k_set_equals_a_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

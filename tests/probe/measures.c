/* SPDX-License-Identifier: MIT */
/* Measures against scikit-learn's (tests/golden/make_solvers.py), and the key score by hand. */
#include "golden.h"
#include "../../src/probe/measures.h"
#include "../../src/probe/task.h"

static const char *fixtures;
static smitin_error error;

/* Equal to the rounding of sums, or both undefined. */
static void assert_same(double a, double expected, const char *name)
{
    if (isnan(a) && isnan(expected)) return;
    if (!(fabs(a - expected) <= 1e-12 * fmax(1.0, fabs(expected))))
        fail_msg("%s: %.17g, expected %.17g", name, a, expected);
}

static void compare_ranked(const sm_safetensors *file, const char *name)
{
    const size_t N = find(file, name, "score")->count;
    double *score = copy(find(file, name, "score")), *expected = copy(find(file, name, "expected"));
    uint8_t *truth = copy(find(file, name, "truth"));
    sm_scored *rows = calloc(N, sizeof *rows);
    assert_non_null(rows);
    for (size_t i = 0; i < N; i++) rows[i] = (sm_scored){score[i], truth[i]};
    double auc = 0.0, ap = 0.0;
    sm_ranking(rows, N, &auc, &ap);
    assert_same(sm_accuracy(score, truth, N, 0.5), expected[0], name);
    assert_same(sm_f1(score, truth, N, 0.5), expected[1], name);
    assert_same(auc, expected[2], name);
    assert_same(ap, expected[3], name);
    free(score), free(expected), free(truth), free(rows);
}

static void compare_classes(const sm_safetensors *file, const char *name)
{
    const size_t N = find(file, name, "truth")->count;
    int32_t *said = copy(find(file, name, "predicted")), *truth = copy(find(file, name, "truth")),
            *K = copy(find(file, name, "K"));
    double *expected = copy(find(file, name, "expected"));
    size_t counts[3 * 24];
    assert_same(sm_class_accuracy(said, truth, N), expected[0], name);
    assert_same(sm_macro_f1(said, truth, N, *K, counts), expected[1], name);
    free(said), free(truth), free(K), free(expected);
}

static void compare_numbers(const sm_safetensors *file, const char *name)
{
    const size_t N = find(file, name, "truth")->count;
    double *said = copy(find(file, name, "predicted")), *truth = copy(find(file, name, "truth")),
           *expected = copy(find(file, name, "expected"));
    assert_same(sm_r2(said, truth, N), expected[0], name);
    assert_same(sm_pearson(said, truth, N), expected[1], name);
    free(said), free(truth), free(expected);
}

static void test_scikit_learn(void **state)
{
    (void)state;
    sm_safetensors *file = NULL;
    ASSERT_OK(sm_safetensors_open(&file, fixtures, &error));
    const char *ranked[] = {"plain",       "ties",        "constant", "perfect",   "reversed",
                            "no_positive", "no_negative", "single",   "at_the_cut"};
    for (size_t i = 0; i < sizeof ranked / sizeof *ranked; i++) compare_ranked(file, ranked[i]);
    compare_classes(file, "classes");
    compare_classes(file, "one_missing");
    const char *numbers[] = {"numbers", "worse", "constant_guess", "constant_truth"};
    for (int i = 0; i < 4; i++) compare_numbers(file, numbers[i]);
    sm_safetensors_close(file);
}

static void test_nothing(void **state)
{
    (void)state;
    double auc = 0.0, ap = 0.0;
    size_t counts[6];
    sm_ranking(NULL, 0, &auc, &ap);
    assert_true(isnan(auc) && isnan(ap));
    assert_true(isnan(sm_accuracy(NULL, NULL, 0, 0.5)));
    assert_true(isnan(sm_class_accuracy(NULL, NULL, 0)));
    assert_true(isnan(sm_macro_f1(NULL, NULL, 0, 2, counts)));
    assert_true(isnan(sm_key_score(NULL, NULL, 0, false)));
    assert_true(isnan(sm_r2(NULL, NULL, 0)) && isnan(sm_pearson(NULL, NULL, 0)));
}

static int key(const char *name)
{
    for (int i = 0; i < SM_KEYS; i++)
        if (strcmp(sm_key_names[i], name) == 0) return i;
    fail_msg("no key %s", name);
    return -1;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *said, *truth;
        double score, descending;
    } cases[] = {
        {"C major", "C major", 1.0, 1.0},   {"G major", "C major", 0.5, 0.5},
        {"F major", "C major", 0.0, 0.5},   {"C major", "F major", 0.5, 0.5},
        {"E minor", "A minor", 0.5, 0.5},   {"D minor", "A minor", 0.0, 0.5},
        {"A minor", "C major", 0.3, 0.3},   {"C major", "A minor", 0.3, 0.3},
        {"Bb major", "G minor", 0.3, 0.3},  {"G minor", "Bb major", 0.3, 0.3},
        {"C minor", "C major", 0.2, 0.2},   {"B major", "B minor", 0.2, 0.2},
        {"G minor", "C major", 0.0, 0.0},   {"Db major", "C major", 0.0, 0.0},
        {"Gb major", "B major", 0.5, 0.5},  {"B major", "Gb major", 0.0, 0.5},
        {"Eb minor", "Gb major", 0.3, 0.3}, {"Gb minor", "A major", 0.3, 0.3},
    };
    double sum = 0.0;
    enum { CASES = sizeof cases / sizeof *cases };
    int said[CASES], truth[CASES];
    for (int i = 0; i < CASES; i++) {
        said[i] = key(cases[i].said);
        truth[i] = key(cases[i].truth);
        ASSERT_NEAR(sm_key_score(&said[i], &truth[i], 1, false), cases[i].score, 0.0);
        ASSERT_NEAR(sm_key_score(&said[i], &truth[i], 1, true), cases[i].descending, 0.0);
        sum += cases[i].score;
    }
    ASSERT_NEAR(sm_key_score(said, truth, CASES, false), sum / CASES, 1e-15);
    int all = 0; /* each key has one of each neighbour */
    for (int t = 0; t < SM_KEYS; t++) {
        double total = 0.0;
        for (int s = 0; s < SM_KEYS; s++) total += sm_key_score(&s, &t, 1, false);
        all += fabs(total - 2.0) < 1e-12;
    }
    assert_int_equal(all, SM_KEYS);
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    fixtures = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scikit_learn),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

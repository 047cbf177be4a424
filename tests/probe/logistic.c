/* SPDX-License-Identifier: MIT */
/* Logistic regression against scikit-learn's answers (tests/golden/make_logistic.py) and against
 * itself. */
#include "golden.h"
#include "../../src/probe/probe.h"

static const char *fixtures;

static void compare(const sm_safetensors *file, const char *name)
{
    smitin_error error;
    const sm_tensor *shape = find(file, name, "x");
    size_t N = (size_t)shape->shape[0];
    int D = (int)shape->shape[1];
    float *x = copy(shape);
    uint8_t *y = copy(find(file, name, "y")), *predicted = copy(find(file, name, "predicted"));
    double *C = copy(find(file, name, "C")), *expected = copy(find(file, name, "theta"));
    double *expected_bias = copy(find(file, name, "bias")), bias = 0.0,
           *theta = calloc((size_t)D, sizeof *theta);
    assert_non_null(theta);
    ASSERT_OK(sm_logistic_fit(x, (size_t)D, y, N, D, *C, theta, &bias, &error));
    double largest = 0.0;
    for (int j = 0; j < D; j++) largest = fmax(largest, fabs(expected[j]));
    /* The fixtures' gradients are below 1e-6 and the curvature at least 1; 1e-3 would do for equal
     * predictions. */
    for (int j = 0; j < D; j++) ASSERT_NEAR(theta[j], expected[j], 1e-6 * fmax(1.0, largest));
    ASSERT_NEAR(bias, *expected_bias, 1e-5 * fmax(1.0, fabs(*expected_bias)));
    size_t right = 0;
    for (size_t i = 0; i < N; i++) {
        double m = bias;
        for (int j = 0; j < D; j++) m += theta[j] * (double)x[i * (size_t)D + (size_t)j];
        assert_int_equal(m > 0.0, predicted[i]);
        right += predicted[i] == y[i];
    }
    ASSERT_NEAR(sm_logistic_accuracy(x, (size_t)D, y, N, D, theta, bias), (double)right / (double)N,
                1e-15);
    free(x);
    free(y);
    free(predicted);
    free(C);
    free(expected);
    free(expected_bias);
    free(theta);
}

static void test_scikit_learn(void **state)
{
    (void)state;
    smitin_error error;
    sm_safetensors *file = NULL;
    ASSERT_OK(sm_safetensors_open(&file, fixtures, &error));
    const char *names[] = {"overlap", "head", "separable", "unbalanced", "far", "wide"};
    for (int i = 0; i < 6; i++) compare(file, names[i]);
    sm_safetensors_close(file);
}

/* One input, two points: theta solves theta = 2 C / (1 + exp(theta)), the bias is 0 by symmetry. */
static void test_by_hand(void **state)
{
    (void)state;
    smitin_error error;
    const float x[2] = {-1.0f, 1.0f};
    const uint8_t y[2] = {0, 1};
    double theta = 0.0, bias = 1.0;
    ASSERT_OK(sm_logistic_fit(x, 1, y, 2, 1, 1.0, &theta, &bias, &error));
    ASSERT_NEAR(theta, 2.0 / (1.0 + exp(theta)), 1e-12);
    ASSERT_NEAR(bias, 0.0, 1e-12);
}

/* Huge, separable inputs: a plain Newton step from zero would overshoot. */
static void test_large_inputs(void **state)
{
    (void)state;
    smitin_error error;
    float x[40];
    uint8_t y[40];
    for (int i = 0; i < 40; i++) {
        y[i] = i % 2 == 1;
        x[i] = (y[i] ? 900.0f : -1100.0f) + 10.0f * (float)(i % 7);
    }
    double theta = 0.0, bias = 0.0;
    ASSERT_OK(sm_logistic_fit(x, 1, y, 40, 1, 1.0, &theta, &bias, &error));
    assert_true(isfinite(theta) && isfinite(bias) && theta > 0.0);
    assert_true(sm_logistic_accuracy(x, 1, y, 40, 1, &theta, bias) == 1.0);
    /* The minimum's own equations: theta = -C sum (p - y) x and 0 = sum (p - y). */
    double along = 0.0, across = 0.0;
    for (int i = 0; i < 40; i++) {
        double p = 1.0 / (1.0 + exp(-(theta * (double)x[i] + bias)));
        along += (p - y[i]) * (double)x[i];
        across += p - y[i];
    }
    ASSERT_NEAR(theta + along, 0.0, 1e-8);
    ASSERT_NEAR(across, 0.0, 1e-8);
}

/* Heads that say nothing: the best probe is the prior. */
static void test_constant_inputs(void **state)
{
    (void)state;
    smitin_error error;
    float x[8 * 3] = {0};
    const uint8_t y[8] = {1, 0, 0, 0, 1, 0, 0, 0};
    double theta[3] = {1, 1, 1}, bias = 0.0;
    ASSERT_OK(sm_logistic_fit(x, 3, y, 8, 3, 1.0, theta, &bias, &error));
    for (int j = 0; j < 3; j++) assert_true(theta[j] == 0.0);
    ASSERT_NEAR(bias, log(2.0 / 6.0), 1e-9);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    float x[4] = {0.0f, 1.0f, 2.0f, 3.0f};
    const uint8_t y[4] = {0, 1, 0, 1}, one_kind[4] = {1, 1, 1, 1};
    double theta = 0.0, bias = 0.0;
    ASSERT_FAILS(sm_logistic_fit(x, 1, one_kind, 4, 1, 1.0, &theta, &bias, &error),
                 SMITIN_ERROR_ARGUMENT, "all 4 are of one kind");
    ASSERT_FAILS(sm_logistic_fit(x, 1, y, 4, 1, 0.0, &theta, &bias, &error), SMITIN_ERROR_ARGUMENT,
                 "C = 0");
    ASSERT_FAILS(sm_logistic_fit(x, 1, y, 4, 1, (double)NAN, &theta, &bias, &error),
                 SMITIN_ERROR_ARGUMENT, "C = ");
    x[2] = NAN;
    ASSERT_FAILS(sm_logistic_fit(x, 1, y, 4, 1, 1.0, &theta, &bias, &error), SMITIN_ERROR_ARGUMENT,
                 "row 2");
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    fixtures = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scikit_learn), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_large_inputs), cmocka_unit_test(test_constant_inputs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

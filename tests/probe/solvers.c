/* SPDX-License-Identifier: MIT */
/* Softmax and ridge regressions against scikit-learn's answers (tests/golden/make_solvers.py) and
 * against what must hold at a minimum. */
#include "golden.h"
#include "../../src/probe/probe.h"
#include "../../src/probe/solvers.h"

static const char *fixtures;
static smitin_error error;

static void assert_close(const double *a, const double *b, size_t count, double tolerance)
{
    double most = 1.0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(b[i]));
    for (size_t i = 0; i < count; i++) ASSERT_NEAR(a[i], b[i], tolerance * most);
}

static void compare_softmax(const sm_safetensors *file, const char *name)
{
    const sm_tensor *shape = find(file, name, "x"), *out = find(file, name, "theta");
    const size_t N = (size_t)shape->shape[0];
    const int D = (int)shape->shape[1], K = (int)out->shape[0];
    float *x = copy(shape);
    int32_t *y = copy(find(file, name, "y"));
    double *C = copy(find(file, name, "C")), *theta = copy(out),
           *bias = copy(find(file, name, "bias"));
    double *own = calloc((size_t)(K * D + K), sizeof *own), sum = 0.0;
    assert_non_null(own);
    ASSERT_OK(sm_softmax_fit(x, (size_t)D, y, N, D, K, *C, own, own + K * D, &error));
    /* The fixtures' gradients are below 1e-5, ours below 1e-8 of the first one (at most some
     * thousand), and the curvature is at least 1. */
    assert_close(own, theta, (size_t)(K * D), 2e-5);
    assert_close(own + K * D, bias, (size_t)K, 5e-5);
    double p[32];
    sm_softmax_predict(x, D, K, own, own + K * D, p);
    for (int k = 0; k < K; k++) sum += p[k];
    ASSERT_NEAR(sum, 1.0, 1e-14);
    free(x), free(y), free(C), free(theta), free(bias), free(own);
}

static void compare_ridge(const sm_safetensors *file, const char *name)
{
    const sm_tensor *shape = find(file, name, "x"), *out = find(file, name, "theta");
    const size_t N = (size_t)shape->shape[0];
    const int D = (int)shape->shape[1], T = (int)out->shape[0];
    float *x = copy(shape);
    double *y = copy(find(file, name, "y")), *alpha = copy(find(file, name, "alpha")),
           *theta = copy(out), *bias = copy(find(file, name, "bias"));
    double *own = calloc((size_t)(T * D + T), sizeof *own);
    assert_non_null(own);
    ASSERT_OK(sm_ridge_fit(x, (size_t)D, y, N, D, T, *alpha, own, own + T * D, &error));
    /* Both solve one positive definite system in double; its condition is below 1e4 here. */
    assert_close(own, theta, (size_t)(T * D), 1e-10);
    assert_close(own + T * D, bias, (size_t)T, 1e-10);
    free(x), free(y), free(alpha), free(theta), free(bias), free(own);
}

static void test_scikit_learn(void **state)
{
    (void)state;
    sm_safetensors *file = NULL;
    ASSERT_OK(sm_safetensors_open(&file, fixtures, &error));
    const char *softmax[] = {"three", "two", "keys", "separable", "far", "unbalanced", "wide"};
    for (int i = 0; i < 7; i++) compare_softmax(file, softmax[i]);
    const char *ridge[] = {"two_numbers", "more_inputs", "strong"};
    for (int i = 0; i < 3; i++) compare_ridge(file, ridge[i]);
    sm_safetensors_close(file);
}

/* Rows that lie apart, among others, give what packed ones do; a class that does not occur is
 * possible and never predicted. */
static void test_strides_and_absent_classes(void **state)
{
    (void)state;
    enum { N = 40, D = 3, STRIDE = 7, K = 4 };
    float packed[N * D], apart[N * STRIDE];
    int y[N];
    double theta[2][K * D], bias[2][K], p[K];
    for (int i = 0; i < N; i++) {
        y[i] = i % 3;
        for (int j = 0; j < STRIDE; j++) apart[i * STRIDE + j] = NAN; /* must not be read */
        for (int j = 0; j < D; j++) {
            packed[i * D + j] = (float)sin(i * 1.7 + j * 2.3) + (y[i] == j ? 1.0f : 0.0f);
            apart[i * STRIDE + j] = packed[i * D + j];
        }
    }
    ASSERT_OK(sm_softmax_fit(packed, D, y, N, D, K, 1.0, theta[0], bias[0], &error));
    ASSERT_OK(sm_softmax_fit(apart, STRIDE, y, N, D, K, 1.0, theta[1], bias[1], &error));
    assert_memory_equal(theta[0], theta[1], sizeof theta[0]);
    assert_memory_equal(bias[0], bias[1], sizeof bias[0]);
    for (int i = 0; i < N; i++) {
        sm_softmax_predict(packed + i * D, D, K, theta[0], bias[0], p);
        for (int k = 0; k < 3; k++) assert_true(p[3] < p[k]);
    }
}

/* A head that says the same of every row: the intercepts alone give the shares of the classes, and
 * the mean. */
static void test_constant_inputs(void **state)
{
    (void)state;
    enum { N = 20, D = 2 };
    float x[N * D];
    int y[N];
    double numbers[N], theta[3 * D], bias[3], p[3];
    for (int i = 0; i < N; i++) {
        x[i * D] = 0.0f;
        x[i * D + 1] = 3.0f;
        y[i] = i < 10 ? 0 : i < 15 ? 1 : 2;
        numbers[i] = i;
    }
    ASSERT_OK(sm_softmax_fit(x, D, y, N, D, 3, 1.0, theta, bias, &error));
    sm_softmax_predict(x, D, 3, theta, bias, p);
    /* The gradient's sum over rows of p - share is below 1e-7. */
    ASSERT_NEAR(p[0], 0.5, 1e-7);
    ASSERT_NEAR(p[1], 0.25, 1e-7);
    ASSERT_OK(sm_ridge_fit(x, D, numbers, N, D, 1, 1.0, theta, bias, &error));
    ASSERT_NEAR(theta[0], 0.0, 1e-12);
    ASSERT_NEAR(theta[1], 0.0, 1e-12);
    ASSERT_NEAR(bias[0], 9.5, 1e-12);
}

static void test_refusals(void **state)
{
    (void)state;
    float x[4] = {0.0f, 1.0f, 2.0f, 3.0f};
    int y[4] = {0, 1, 2, 0};
    double numbers[4] = {0.0, 1.0, 2.0, NAN}, theta[3], bias[3];
    ASSERT_FAILS(sm_softmax_fit(x, 1, y, 4, 1, 2, 1.0, theta, bias, &error), SMITIN_ERROR_ARGUMENT,
                 "class 2 of 2");
    ASSERT_FAILS(sm_softmax_fit(x, 1, y, 1, 1, 3, 1.0, theta, bias, &error), SMITIN_ERROR_ARGUMENT,
                 "several classes");
    ASSERT_FAILS(sm_softmax_fit(x, 1, y, 4, 1, 3, 0.0, theta, bias, &error), SMITIN_ERROR_ARGUMENT,
                 "C = 0");
    ASSERT_FAILS(sm_ridge_fit(x, 1, numbers, 4, 1, 1, 1.0, theta, bias, &error),
                 SMITIN_ERROR_ARGUMENT, "row 3");
    ASSERT_FAILS(sm_ridge_fit(x, 1, numbers, 3, 1, 1, -1.0, theta, bias, &error),
                 SMITIN_ERROR_ARGUMENT, "penalty of -1");
    x[2] = INFINITY;
    ASSERT_FAILS(sm_softmax_fit(x, 1, y, 4, 1, 3, 1.0, theta, bias, &error), SMITIN_ERROR_ARGUMENT,
                 "row 2");
    ASSERT_FAILS(sm_ridge_fit(x, 1, numbers, 3, 1, 1, 1.0, theta, bias, &error),
                 SMITIN_ERROR_ARGUMENT, "row 2");
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    fixtures = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scikit_learn),
        cmocka_unit_test(test_strides_and_absent_classes),
        cmocka_unit_test(test_constant_inputs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

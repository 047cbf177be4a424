/* SPDX-License-Identifier: MIT */
/* Owns binary logistic regression: Newton's method with step halving, in double. */
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "probe.h"

#define ITERATIONS_MAX 100
#define HALVINGS_MAX   50

/* The minimisation of f(beta), beta = (theta, b), n = D + 1 unknowns. */
typedef struct newton {
    const float *x;
    const uint8_t *y;
    size_t stride, N;
    int D, n;
    double C;
    double *beta, *trial, *step, *gradient; /* [n] */
    double *row;                            /* [n]: (x_i, 1) */
    double *hessian;                        /* [n, n], lower triangle */
} newton;

/* log(1 + exp(x)) without overflow. */
static double softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double margin(const newton *f, size_t i, const double *beta)
{
    const float *x = f->x + i * f->stride;
    double sum = beta[f->D];
    for (int j = 0; j < f->D; j++) sum += beta[j] * (double)x[j];
    return sum;
}

static double objective(const newton *f, const double *beta)
{
    double loss = 0.0, penalty = 0.0;
    for (size_t i = 0; i < f->N; i++) {
        double m = margin(f, i, beta);
        loss += softplus(f->y[i] ? -m : m);
    }
    for (int j = 0; j < f->D; j++) penalty += beta[j] * beta[j];
    return 0.5 * penalty + f->C * loss;
}

/* Gradient and Hessian at beta:
 *     g = (theta, 0) + C sum_i (p_i - y_i) (x_i, 1)
 *     H = diag(1, ..., 1, 0) + C sum_i p_i (1 - p_i) (x_i, 1) (x_i, 1)^T */
static void derivatives(newton *f)
{
    int n = f->n;
    memset(f->hessian, 0, (size_t)n * (size_t)n * sizeof *f->hessian);
    for (int j = 0; j < f->D; j++) {
        f->gradient[j] = f->beta[j];
        f->hessian[(size_t)j * (size_t)n + (size_t)j] = 1.0;
    }
    f->gradient[f->D] = 0.0;
    f->row[f->D] = 1.0;
    for (size_t i = 0; i < f->N; i++) {
        double p = 1.0 / (1.0 + exp(-margin(f, i, f->beta)));
        double slope = f->C * (p - f->y[i]), curvature = f->C * p * (1.0 - p);
        for (int j = 0; j < f->D; j++) f->row[j] = (double)f->x[i * f->stride + (size_t)j];
        for (int j = 0; j < n; j++) {
            double *out = f->hessian + (size_t)j * (size_t)n, a = curvature * f->row[j];
            f->gradient[j] += slope * f->row[j];
            for (int k = 0; k <= j; k++) out[k] += a * f->row[k];
        }
    }
}

/* step = H^-1 g by Cholesky. Far from the minimum every p may be 0 or 1 and the intercept without
 * curvature; a little of it, relative to the largest entry, makes the system solvable and only
 * shortens the step. */
static bool solve(newton *f)
{
    int n = f->n;
    double largest = 1.0;
    for (int j = 0; j < n; j++)
        largest = fmax(largest, f->hessian[(size_t)j * (size_t)n + (size_t)j]);
    f->hessian[(size_t)n * (size_t)n - 1] += 1e-14 * largest;
    memcpy(f->step, f->gradient, (size_t)n * sizeof *f->step);
    /* The lower triangle by rows is the upper one by columns. */
    return LAPACKE_dposv(LAPACK_COL_MAJOR, 'U', n, 1, f->hessian, n, f->step, n) == 0;
}

/* From beta to its minimum. */
static smitin_status minimise(newton *f, smitin_error *error)
{
    double value = objective(f, f->beta);
    for (int iteration = 0; iteration < ITERATIONS_MAX; iteration++) {
        derivatives(f);
        if (!solve(f)) break;
        double decrement = 0.0; /* g^T H^-1 g: twice what the quadratic model expects to gain */
        for (int j = 0; j < f->n; j++) decrement += f->gradient[j] * f->step[j];
        double length = 1.0, next = value;
        for (int halving = 0; halving < HALVINGS_MAX; halving++, length *= 0.5) {
            for (int j = 0; j < f->n; j++) f->trial[j] = f->beta[j] - length * f->step[j];
            next = objective(f, f->trial);
            if (next <= value - 1e-4 * length * decrement) break;
            /* So close to the minimum that the objective's rounding hides the gain: the full step
             * is right. */
            if (decrement <= 1e-10 * (1.0 + fabs(value))) break;
        }
        if (!isfinite(next)) break;
        memcpy(f->beta, f->trial, (size_t)f->n * sizeof *f->beta);
        value = next;
        /* The error after a full step is of the order of its square. */
        if (length == 1.0 && decrement <= 1e-15 * (1.0 + fabs(value))) return SMITIN_OK;
    }
    return sm_fail(
        error, SMITIN_ERROR_ARGUMENT,
        "a probe did not converge; its inputs are too large (objective %g) to be head outputs",
        value);
}

static smitin_status check_rows(const newton *f, size_t *positives, smitin_error *error)
{
    *positives = 0;
    for (size_t i = 0; i < f->N; i++) {
        *positives += f->y[i] != 0;
        for (int j = 0; j < f->D; j++)
            if (!isfinite(f->x[i * f->stride + (size_t)j]))
                return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                               "row %zu of a probe has an input that is not a number", i);
    }
    if (*positives == 0 || *positives == f->N)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a probe needs segments with and without the trait; all %zu are of one kind",
                       f->N);
    return SMITIN_OK;
}

smitin_status sm_logistic_fit(const float *x, size_t stride, const uint8_t *y, size_t N, int D,
                              double C, double *theta, double *bias, smitin_error *error)
{
    newton f = {.x = x, .y = y, .stride = stride, .N = N, .D = D, .n = D + 1, .C = C};
    size_t positives, n = (size_t)D + 1;
    if (D < 1 || D > 4096 || !(C > 0.0) || !isfinite(C))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot fit a probe of %d inputs with C = %g",
                       D, C);
    SM_TRY(check_rows(&f, &positives, error));
    double *memory = calloc(n * n + 5 * n, sizeof *memory);
    if (memory == NULL) return sm_fail_memory(error, "a probe", (n * n + 5 * n) * sizeof *memory);
    f.hessian = memory;
    f.beta = memory + n * n;
    f.trial = f.beta + n;
    f.step = f.trial + n;
    f.gradient = f.step + n;
    f.row = f.gradient + n;
    f.beta[D] = log((double)positives / (double)(N - positives));
    smitin_status status = minimise(&f, error);
    if (status == SMITIN_OK) {
        memcpy(theta, f.beta, (size_t)D * sizeof *theta);
        *bias = f.beta[D];
    }
    free(memory);
    return status;
}

double sm_logistic_accuracy(const float *x, size_t stride, const uint8_t *y, size_t N, int D,
                            const double *theta, double bias)
{
    size_t right = 0;
    for (size_t i = 0; i < N; i++) {
        double m = bias;
        for (int j = 0; j < D; j++) m += theta[j] * (double)x[i * stride + (size_t)j];
        right += (m > 0.0) == (y[i] != 0);
    }
    return N > 0 ? (double)right / (double)N : 0.0;
}

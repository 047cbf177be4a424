/* SPDX-License-Identifier: MIT */
/* Owns multinomial logistic regression: L-BFGS in double with a constant metric. */
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "solvers.h"

#define MEMORY         20
#define ITERATIONS_MAX 2000
#define HALVINGS_MAX   40
#define TOLERANCE      1e-8

/* Unknowns beta [K, n], n = D + 1: the weights of a class and its intercept. */
typedef struct problem {
    const float *x;
    const int *y;
    size_t stride, N;
    int D, n, K;
    double C;
    double *row;                                   /* [n]: (x_i, 1) */
    double *p;                                     /* [K] */
    double *metric;                                /* [n, n]: Cholesky factor of the first metric */
    double *beta, *trial, *gradient, *next, *step; /* [K, n] */
    double *s, *d;                                 /* [MEMORY, K, n]: steps, gradient changes */
    double rho[MEMORY], alpha[MEMORY];
    int kept, newest;
} problem;

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, size_t count)
{
    double most = 0.0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(a[i]));
    return most;
}

/* margins become probabilities; returns log sum exp. */
static double soften(double *p, int K)
{
    double most = p[0], sum = 0.0;
    for (int k = 1; k < K; k++) most = fmax(most, p[k]);
    for (int k = 0; k < K; k++) {
        p[k] = exp(p[k] - most);
        sum += p[k];
    }
    for (int k = 0; k < K; k++) p[k] /= sum;
    return most + log(sum);
}

/* f(beta), and its gradient
 *     g_k = (theta_k, 0) + C sum_i (p_ik - [y_i = k]) (x_i, 1). */
static double evaluate(problem *f, const double *beta, double *gradient)
{
    const size_t n = (size_t)f->n;
    double loss = 0.0, penalty = 0.0;
    for (int k = 0; k < f->K; k++) {
        memcpy(gradient + (size_t)k * n, beta + (size_t)k * n, n * sizeof *gradient);
        gradient[(size_t)k * n + n - 1] = 0.0;
        penalty += dot(beta + (size_t)k * n, beta + (size_t)k * n, n - 1);
    }
    f->row[n - 1] = 1.0;
    for (size_t i = 0; i < f->N; i++) {
        for (int j = 0; j < f->D; j++) f->row[j] = (double)f->x[i * f->stride + (size_t)j];
        for (int k = 0; k < f->K; k++) f->p[k] = dot(beta + (size_t)k * n, f->row, n);
        const double own = f->p[f->y[i]];
        loss += soften(f->p, f->K) - own;
        f->p[f->y[i]] -= 1.0;
        for (int k = 0; k < f->K; k++) {
            const double slope = f->C * f->p[k];
            double *g = gradient + (size_t)k * n;
            for (size_t j = 0; j < n; j++) g[j] += slope * f->row[j];
        }
    }
    return 0.5 * penalty + f->C * loss;
}

/* The Hessian at equal probabilities, of one class, as its Cholesky factor. */
static bool make_metric(problem *f)
{
    const size_t n = (size_t)f->n;
    double most = 1.0;
    memset(f->metric, 0, n * n * sizeof *f->metric);
    f->row[n - 1] = 1.0;
    for (size_t i = 0; i < f->N; i++) {
        for (int j = 0; j < f->D; j++) f->row[j] = (double)f->x[i * f->stride + (size_t)j];
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k <= j; k++)
                f->metric[j * n + k] += f->C / f->K * f->row[j] * f->row[k];
    }
    for (size_t j = 0; j < n; j++) most = fmax(most, f->metric[j * n + j]);
    for (size_t j = 0; j + 1 < n; j++) f->metric[j * n + j] += 1.0;
    f->metric[n * n - 1] += 1e-12 * most;
    /* The lower triangle by rows is the upper one by columns. */
    return LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', f->n, f->metric, f->n) == 0;
}

/* step = the approximate inverse Hessian times the gradient: the two loops of L-BFGS. */
static void find_step(problem *f)
{
    const size_t size = (size_t)f->K * (size_t)f->n;
    memcpy(f->step, f->gradient, size * sizeof *f->step);
    for (int m = 0; m < f->kept; m++) {
        const int i = (f->newest - m + MEMORY) % MEMORY;
        const double *d = f->d + (size_t)i * size;
        f->alpha[i] = f->rho[i] * dot(f->s + (size_t)i * size, f->step, size);
        for (size_t j = 0; j < size; j++) f->step[j] -= f->alpha[i] * d[j];
    }
    LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', f->n, f->K, f->metric, f->n, f->step, f->n);
    for (int m = f->kept - 1; m >= 0; m--) {
        const int i = (f->newest - m + MEMORY) % MEMORY;
        const double *s = f->s + (size_t)i * size;
        const double change = f->alpha[i] - f->rho[i] * dot(f->d + (size_t)i * size, f->step, size);
        for (size_t j = 0; j < size; j++) f->step[j] += change * s[j];
    }
}

/* Remember the step from beta to trial, and go there. */
static void take_step(problem *f)
{
    const size_t size = (size_t)f->K * (size_t)f->n;
    const int i = (f->newest + 1) % MEMORY;
    double *s = f->s + (size_t)i * size, *d = f->d + (size_t)i * size;
    for (size_t j = 0; j < size; j++) {
        s[j] = f->trial[j] - f->beta[j];
        d[j] = f->next[j] - f->gradient[j];
    }
    const double curvature = dot(s, d, size);
    /* f is convex: what is not positive is rounding. */
    if (curvature > 1e-14 * sqrt(dot(s, s, size) * dot(d, d, size))) {
        f->rho[i] = 1.0 / curvature;
        f->newest = i;
        if (f->kept < MEMORY) f->kept++;
    }
    memcpy(f->beta, f->trial, size * sizeof *f->beta);
    memcpy(f->gradient, f->next, size * sizeof *f->gradient);
}

/* Shorten the step until f falls enough (Armijo), or, where rounding hides how much it falls, until
 * its slope along the step does not grow (Hager and Zhang's approximate condition). */
static bool search(problem *f, double *value)
{
    const size_t size = (size_t)f->K * (size_t)f->n;
    const double descent = dot(f->gradient, f->step, size);
    double length = 1.0;
    for (int halving = 0; halving < HALVINGS_MAX; halving++, length *= 0.5) {
        for (size_t j = 0; j < size; j++) f->trial[j] = f->beta[j] - length * f->step[j];
        const double next = evaluate(f, f->trial, f->next);
        if (!isfinite(next)) continue;
        const bool falls = next <= *value - 1e-4 * length * descent;
        const bool hidden = descent * length <= 1e-8 * (1.0 + fabs(*value)) &&
                            -dot(f->next, f->step, size) <= 0.9998 * descent;
        if (!falls && !hidden) continue;
        *value = next;
        return true;
    }
    return false;
}

static smitin_status minimise(problem *f, smitin_error *error)
{
    const size_t size = (size_t)f->K * (size_t)f->n;
    double value = evaluate(f, f->beta, f->gradient);
    const double enough = TOLERANCE * fmax(1.0, largest(f->gradient, size));
    bool possible = isfinite(value) && make_metric(f);
    for (int i = 0; i < ITERATIONS_MAX && possible; i++) {
        if (largest(f->gradient, size) <= enough) return SMITIN_OK;
        find_step(f);
        possible = search(f, &value);
        if (possible) {
            take_step(f);
        } else if (f->kept > 0) { /* once more along the first metric */
            f->kept = 0;
            possible = true;
        }
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "a probe of %d classes did not converge; its inputs are too large (objective "
                   "%g), so standardise them or give a smaller C",
                   f->K, value);
}

static smitin_status check_rows(const problem *f, smitin_error *error)
{
    bool several = false;
    for (size_t i = 0; i < f->N; i++) {
        if (f->y[i] < 0 || f->y[i] >= f->K)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "row %zu has class %d of %d", i, f->y[i],
                           f->K);
        several = several || f->y[i] != f->y[0];
        for (int j = 0; j < f->D; j++)
            if (!isfinite(f->x[i * f->stride + (size_t)j]))
                return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                               "row %zu of a probe has an input that is not a number", i);
    }
    if (!several)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a probe needs rows of several classes; all %zu are of one", f->N);
    return SMITIN_OK;
}

smitin_status sm_softmax_fit(const float *x, size_t stride, const int *y, size_t N, int D, int K,
                             double C, double *theta, double *bias, smitin_error *error)
{
    problem f = {.x = x, .y = y, .stride = stride, .N = N, .D = D, .n = D + 1, .K = K, .C = C};
    f.newest = MEMORY - 1;
    if (D < 1 || D > 4096 || K < 2 || K > 4096 || !(C > 0.0) || !isfinite(C))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot fit a probe of %d inputs and %d classes with C = %g", D, K, C);
    SM_TRY(check_rows(&f, error));
    const size_t n = (size_t)f.n, size = (size_t)K * n;
    const size_t total = n * n + n + (size_t)K + (5 + 2 * MEMORY) * size;
    double *memory = calloc(total, sizeof *memory);
    if (memory == NULL) return sm_fail_memory(error, "a probe", total * sizeof *memory);
    f.metric = memory;
    f.row = f.metric + n * n;
    f.p = f.row + n;
    f.beta = f.p + K;
    f.trial = f.beta + size;
    f.gradient = f.trial + size;
    f.next = f.gradient + size;
    f.step = f.next + size;
    f.s = f.step + size;
    f.d = f.s + MEMORY * size;
    const smitin_status status = minimise(&f, error);
    for (int k = 0; k < K && status == SMITIN_OK; k++) {
        memcpy(theta + (size_t)k * (size_t)D, f.beta + (size_t)k * n, (size_t)D * sizeof *theta);
        bias[k] = f.beta[(size_t)k * n + n - 1];
    }
    free(memory);
    return status;
}

void sm_softmax_predict(const float *x, int D, int K, const double *theta, const double *bias,
                        double *p)
{
    for (int k = 0; k < K; k++) {
        p[k] = bias[k];
        for (int j = 0; j < D; j++) p[k] += theta[(size_t)k * (size_t)D + (size_t)j] * (double)x[j];
    }
    soften(p, K);
}

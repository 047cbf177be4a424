/* SPDX-License-Identifier: MIT */
/* Owns what the directions of one knob leave to the next. In double: the vectors are floats, and
 * what is left of one may be small. */
#include "orthogonal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double least_left = 1e-3; /* of a direction's length */

static double dot(const double *a, const double *b, int D)
{
    double sum = 0.0;
    for (int i = 0; i < D; i++) sum += a[i] * b[i];
    return sum;
}

/* out [D] = theta [D] without its parts along basis [n, D]; returns the length that is left, 0 when
 * that is next to nothing, and *length of theta. */
static double remainder_of(double *out, const float *theta, const double *basis, int n, int D,
                           double *length)
{
    for (int i = 0; i < D; i++) out[i] = (double)theta[i];
    *length = sqrt(dot(out, out, D));
    /* Twice: what rounding leaves along the basis when much is taken away goes with the second. */
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < n; j++) {
            const double *q = basis + (size_t)j * (size_t)D;
            double along = dot(out, q, D);
            for (int i = 0; i < D; i++) out[i] -= along * q[i];
        }
    }
    double left = sqrt(dot(out, out, D));
    return left > least_left * *length ? left : 0.0;
}

/* basis [count, D] of what the earlier plans push along on head `index`; returns how many there
 * are. */
static int fill_basis(double *basis, const sm_plan *const *earlier, int count, size_t index)
{
    int n = 0;
    for (int k = 0; k < count; k++) {
        int D = earlier[k]->D;
        double *q = basis + (size_t)n * (size_t)D, length;
        double left =
            remainder_of(q, earlier[k]->direction + index * (size_t)D, basis, n, D, &length);
        for (int i = 0; i < D && left > 0.0; i++) q[i] /= left;
        n += left > 0.0;
    }
    return n;
}

smitin_status sm_plan_orthogonalise(sm_plan *plan, const sm_plan *const *earlier, int count,
                                    const char *trait, smitin_error *error)
{
    if (count == 0) return SMITIN_OK;
    const size_t D = (size_t)plan->D, heads = (size_t)plan->L * (size_t)plan->H;
    double *basis = malloc(((size_t)count + 1) * D * sizeof *basis);
    if (basis == NULL)
        return sm_fail_memory(error, "orthogonal knobs", ((size_t)count + 1) * D * sizeof *basis);
    double *rest = basis + (size_t)count * D;
    for (size_t i = 0; i < heads; i++) {
        float *theta = plan->direction + i * D;
        double length;
        int n = fill_basis(basis, earlier, count, i);
        double left = remainder_of(rest, theta, basis, n, plan->D, &length);
        for (size_t j = 0; j < D; j++)
            theta[j] = left > 0.0 ? (float)(rest[j] * (length / left)) : 0.0f;
        if (left == 0.0) plan->weight[i] = 0.0f;
    }
    free(basis);
    sm_plan_fill(plan);
    if (plan->weight_sum > 0.0) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "the knob '%s' has no direction of its own beside the knobs before it, so it "
                   "cannot be orthogonal to them; leave it out, or put it first",
                   trait);
}

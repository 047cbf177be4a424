/* SPDX-License-Identifier: MIT */
/* Owns mean opinion scores and their interval. */
#include <math.h>
#include <stdlib.h>
#include "eval.h"

/* ---- Student's t ---- */

/* The continued fraction of the incomplete beta function (Lentz). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 500; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        h *= d * (fabs(c) < tiny ? tiny : c);
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        const double step = d * (fabs(c) < tiny ? tiny : c);
        h *= step;
        if (fabs(step - 1.0) < 1e-15) break;
    }
    return h;
}

/* The regularised incomplete beta function I_x(a, b). */
static double beta_share(double a, double b, double x)
{
    if (x <= 0.0) return 0.0;
    if (x >= 1.0) return 1.0;
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

static double student_share(double t, double df)
{
    return 1.0 - 0.5 * beta_share(0.5 * df, 0.5, df / (df + t * t));
}

double sm_student_quantile(double p, double df)
{
    double low = 0.0, high = 1.0;
    while (student_share(high, df) < p && high < 1e300) high *= 2.0;
    for (int i = 0; i < 200; i++) {
        const double middle = 0.5 * (low + high);
        if (student_share(middle, df) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* ---- CrowdMOS ---- */

/* Variance (dividing by n) of the ratings among x[0], x[step], ...; NAN for fewer than two. */
static double variance_of(const double *x, size_t count, size_t step, size_t *rated)
{
    double mean = 0.0, sum = 0.0;
    *rated = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(x[i * step])) {
            mean += x[i * step];
            (*rated)++;
        }
    if (*rated < 2) return (double)NAN;
    mean /= (double)*rated;
    for (size_t i = 0; i < count; i++)
        if (!isnan(x[i * step])) sum += (x[i * step] - mean) * (x[i * step] - mean);
    return sum / (double)*rated;
}

/* One way of slicing the table: the mean variance within a slice (NAN: no slice has two ratings)
 * and the sum of squared counts. */
typedef struct slices {
    double within, squares;
} slices;

static slices slice(const double *x, size_t count, size_t stride, size_t length, size_t step)
{
    slices s = {0.0, 0.0};
    size_t defined = 0;
    for (size_t i = 0; i < count; i++) {
        size_t rated = 0;
        const double variance = variance_of(x + i * stride, length, step, &rated);
        s.squares += (double)rated * (double)rated;
        if (isnan(variance)) continue;
        s.within += variance;
        defined++;
    }
    s.within = defined > 0 ? s.within / (double)defined : (double)NAN;
    return s;
}

smitin_status sm_mos_find(sm_mos *out, const double *ratings, size_t listeners, size_t files,
                          smitin_error *error)
{
    const size_t all = listeners * files;
    *out = (sm_mos){(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, 0};
    for (size_t i = 0; i < all; i++) {
        if (isnan(ratings[i])) continue;
        out->mos = (out->ratings++ == 0 ? 0.0 : out->mos) + ratings[i];
    }
    if (out->ratings == 0) return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there are no ratings");
    const double T = (double)out->ratings;
    out->mos /= T;
    size_t rated = 0;
    const double total = variance_of(ratings, all, 1, &rated);
    const slices listener = slice(ratings, listeners, files, files, 1);
    const slices file = slice(ratings, files, 1, listeners, files);
    if (isnan(total)) return SMITIN_OK;
    const double su = listener.within, wu = file.within;
    if (!isnan(wu)) out->file = fmax(0.0, total - wu);
    if (!isnan(su)) out->listener = fmax(0.0, total - su);
    /* With one equation of the first two only, the uncertainty holds the variance left out. */
    if (!isnan(su) && !isnan(wu))
        out->uncertainty = fmax(0.0, su + wu - total);
    else
        out->uncertainty = !isnan(su) ? su : !isnan(wu) ? wu : total;
    double variance = out->uncertainty / T;
    if (!isnan(wu)) variance += out->file * file.squares / (T * T);
    if (!isnan(su)) variance += out->listener * listener.squares / (T * T);
    const size_t least = listeners < files ? listeners : files;
    if (least >= 2)
        out->interval = sm_student_quantile(0.975, (double)(least - 1)) * sqrt(variance);
    return SMITIN_OK;
}

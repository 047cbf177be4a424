/* SPDX-License-Identifier: MIT */
/* Owns the order of numbers. */
#include <stdlib.h>

#include "eval.h"

static int by_value(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

void sm_sort(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_value);
}

double sm_quantile(const double *sorted, size_t n, double share)
{
    const double at = share * (double)(n - 1);
    const size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

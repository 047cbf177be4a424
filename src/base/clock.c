/* SPDX-License-Identifier: MIT */
/* Owns the measuring of time. */
#include "clock.h"

#include <time.h>

double sm_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

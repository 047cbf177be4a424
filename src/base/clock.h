/* SPDX-License-Identifier: MIT */
#ifndef SMITIN_BASE_CLOCK_H
#define SMITIN_BASE_CLOCK_H

/* Seconds of a clock that only moves forward; where it begins means nothing. */
double sm_clock(void);

#endif

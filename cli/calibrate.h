/* SPDX-License-Identifier: MIT */
/* Calibration: which raw alphas of a knob are useful on its model, measured by steering. */
#ifndef SMITIN_CLI_CALIBRATE_H
#define SMITIN_CLI_CALIBRATE_H

#include <smitin/smitin.h>

enum { CALIBRATE_POINTS = 9 };

typedef struct calibration {
    double alpha[CALIBRATE_POINTS];    /* 0, then doubling */
    double presence[CALIBRATE_POINTS]; /* mean C over pieces and generated columns */
    double dose[CALIBRATE_POINTS];
    double default_alpha; /* half of the reachable rise in presence */
    double max_alpha;     /* nine tenths of it: beyond, only the dose grows */
    double rise;          /* in mean presence, the highest less the unsteered one */
} calibration;

/* Continue `pieces` clips [pieces, count] without the trait for `seconds` at every alpha. The knob
 * file at `path` is loaded afresh; `quiet` hides the progress bar. */
smitin_status calibrate_knob(calibration *result, const smitin_engine *engine, const char *path,
                             const float *clips, int pieces, size_t count, double seconds,
                             bool quiet, smitin_error *error);

#endif

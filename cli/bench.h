/* SPDX-License-Identifier: MIT */
/* What "smitin bench" measures of one model in one format. */
#ifndef SMITIN_CLI_BENCH_H
#define SMITIN_CLI_BENCH_H

#include "common.h"

enum { BENCH_POSITIONS = 4 };
extern const int bench_positions[BENCH_POSITIONS]; /* frames: 10, 250, 1000, 1500 */

typedef struct bench_options {
    model_options model; /* format -1: each in turn */
    const char *shape;   /* random weights instead of a model; NULL: a model */
    int steps;           /* timed at each position */
    double guidance;
    bool full; /* run 30 s too */
    bool json, quiet;
} bench_options;

/* Times in seconds. NAN: not measured, as the model is shorter or the system does not tell. */
typedef struct bench_result {
    const char *format;
    smitin_model_info info;
    int rows;                     /* of a step: 2 with guidance */
    double load, resident;        /* resident: bytes of this process after loading */
    double step[BENCH_POSITIONS]; /* the median one */
    double bytes[BENCH_POSITIONS];
    double mean;           /* steps per second over 30 s: run, or from the positions */
    double p50, p95, p99;  /* of a step: of the run, else of the steps at 250 */
    double prefill;        /* frames of a prompt per second, 250 of them */
    double first_sound;    /* from the text to the first samples */
    double decode, encode; /* seconds of audio per second */
} bench_result;

/* Bytes that `threads` (0: every core) threads read per second at best. Returns an exit code. */
int bench_read_rate(int threads, double *rate, int *used);
/* Open the model in `format` (index into model_formats) and measure. Returns an exit code. */
int bench_measure(const bench_options *o, int format, bench_result *result);

#endif

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
    double prefill_flops;  /* operations per second of those, of linear layers and attention */
    double decode, encode; /* seconds of audio per second */
    double probe;          /* clips of 3 s per second that probing listens to, encoding included */
    double knobs;          /* what four knobs add to a step near 250, a share of it */
} bench_result;

/* One model while it is measured. */
typedef struct bench {
    const bench_options *o;
    smitin_engine *engine;
    bench_result *result;
    double *times; /* room for the steps of the longest piece */
    smitin_error error;
} bench;

double bench_now(void);      /* seconds of a clock that only moves forward */
int bench_fail_memory(void); /* say so; returns an exit code */
/* The smallest value that a share of all values does not exceed; sorts them. */
double bench_quantile(double *values, int count, double share);

/* Bytes that `threads` (0: every core) threads read per second at best, and f32 operations per
 * second of their registers (NAN where no loop is known). Returns an exit code. */
int bench_machine(int threads, double *rate, double *peak, int *used);
/* A session of `frames` frames with a text and a prompt of `prompt` frames; nothing is made yet. */
smitin_status bench_begin(bench *b, int frames, int prompt, smitin_session **session);
/* What probing and steering cost (bench_steer.c). */
smitin_status bench_probe(bench *b);
smitin_status bench_knobs(bench *b);
/* Open the model in `format` (index into model_formats) and measure. Returns an exit code. */
int bench_measure(const bench_options *o, int format, bench_result *result);

#endif

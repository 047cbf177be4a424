/* SPDX-License-Identifier: MIT */
/* What "smitin bench" measures of one model in one format. */
#ifndef SMITIN_CLI_BENCH_H
#define SMITIN_CLI_BENCH_H

#include "../src/base/clock.h"
#include "common.h"

enum { BENCH_POSITIONS = 4, BENCH_FRAMES = 1500 /* 30 s of MusicGen */ };
extern const int bench_positions[BENCH_POSITIONS]; /* frames: 10, 250, 1000, 1500 */

typedef struct bench_options {
    model_options model; /* format -1: each in turn */
    const char *shape;   /* random weights instead of a model; NULL: a model */
    int steps;           /* timed at each position */
    double guidance;
    bool full;    /* make 30 s from text to a file, too */
    bool profile; /* tell where the time of a step goes */
    bool json, quiet;
} bench_options;

/* Steps around one position. The machine's reading is taken between them, so that what else the
 * machine does meets both; shares compare each few steps with the readings before and behind them.
 */
typedef struct bench_place {
    double step;                         /* the median one */
    double bytes;                        /* that it has to read */
    double reading;                      /* bytes per second, the median */
    double share, share_low, share_high; /* of it: the median and the quartiles of all rounds */
    smitin_profile profile;              /* of a step: the mean of those in the middle half */
} bench_place;

/* Seconds from text to a file. */
typedef struct bench_pipeline {
    double seconds;        /* of music; 0: not measured */
    double text;           /* taking memory, T5 */
    double steps;          /* all of them, sampling included */
    double sampling;       /* of these */
    double codec;          /* decoding, as a stream */
    double file;           /* limiter, loudness, WAV */
    double whole;          /* all of it */
    double bound;          /* all of it, if steps did nothing but read at the machine's rate */
    double resident_bytes; /* of this process with the last step made */
} bench_pipeline;

/* Times in seconds. NAN: not measured, as the model is shorter or the system does not tell. */
typedef struct bench_result {
    const char *format;
    smitin_model_info info;
    int rows;              /* of a step: 2 with guidance */
    double load, resident; /* resident: bytes of this process after loading */
    bench_place places[BENCH_POSITIONS];
    double mean;           /* steps per second over 30 s: run, or from the positions */
    double p50, p95, p99;  /* of a step: of the run, else of the steps at 250 */
    double prefill;        /* frames of a prompt per second, 250 of them */
    double first_sound;    /* from the text to the first samples */
    double prefill_flops;  /* operations per second of those, of linear layers and attention */
    double decode, encode; /* seconds of audio per second */
    double probe;          /* clips of 3 s per second that probing listens to, encoding included */
    double capture;        /* what keeping all heads adds to such a pass, a share of it */
    double knobs;          /* what four knobs add to a step near 250, a share of it */
    bench_pipeline pipeline;
} bench_result;

enum { BENCH_FORMATS = 4 };

typedef struct bench_run {
    bench_options o;
    bench_result results[BENCH_FORMATS];
    int count;
    double read_rate; /* bytes per second, at best */
    double peak;      /* f32 operations per second of registers; NAN where no loop is known */
    int threads;
} bench_run;

typedef struct bench_machine bench_machine;

/* One model while it is measured. */
typedef struct bench {
    const bench_options *o;
    smitin_engine *engine;
    bench_machine *machine; /* NULL while a whole piece is made: it takes memory */
    bench_result *result;
    double *times; /* room for the steps of the longest piece */
    smitin_error error;
} bench;

int bench_fail_memory(void); /* say so; returns an exit code */
/* The smallest value that a share of all values does not exceed; sorts them. */
double bench_quantile(double *values, int count, double share);

/* A file in a folder of its own below $TMPDIR or /tmp. */
typedef struct bench_scratch {
    char folder[600], file[700];
} bench_scratch;
smitin_status bench_scratch_begin(bench_scratch *scratch, const char *name, smitin_error *error);
void bench_scratch_end(bench_scratch *scratch); /* the file goes, too */

/* The bare machine with `threads` (0: every core) threads, and memory beyond its caches. Returns an
 * exit code. */
int bench_machine_open(bench_machine **machine, int threads);
void bench_machine_close(bench_machine *machine); /* NULL is allowed */
int bench_machine_threads(const bench_machine *machine);
double bench_machine_read(bench_machine *machine); /* seconds a byte, of a short read */
double bench_machine_rate(bench_machine *machine); /* bytes per second, the best of many */
double bench_machine_peak(bench_machine *machine); /* f32 operations per second; NAN: no loop */

/* A session of `frames` frames with a text and a prompt of `prompt` frames; nothing is made yet. */
smitin_status bench_begin(bench *b, int frames, int prompt, smitin_session **session);
smitin_status bench_set_text(bench *b, smitin_session *session);
/* Bytes that a step at `position` must read: weights once, and the keys and values of every row. */
double bench_step_bytes(const bench *b, int position);
double bench_resident(void); /* bytes of this process; NAN: not known */
/* 30 s from text to a file, or as much as the model has positions for (bench_pipeline.c). */
smitin_status bench_whole_piece(bench *b);
/* What probing and steering cost (bench_steer.c). */
smitin_status bench_probe(bench *b);
smitin_status bench_knobs(bench *b);
/* Open the model in `format` (index into model_formats) and measure. Returns an exit code. */
int bench_measure(const bench_options *o, int format, bench_result *result);

/* Words and JSON (bench_report.c). The head and a row as they come, the other tables at the end. */
void bench_print_head(const bench_run *run);
void bench_print_row(const bench_result *r);
void bench_print_rest(const bench_run *run);
int bench_print_json(const bench_run *run); /* returns an exit code */

#endif

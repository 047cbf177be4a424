/* SPDX-License-Identifier: MIT */
/* The folder of an experiment, shared by the commands that fill and read it:
 *
 *     DIR/experiment.json                  the experiment, its clips named one by one
 *     DIR/CONDITION/piece-0000.wav, .json  the piece and its settings, as "generate" leaves them
 *     DIR/CONDITION/piece-0000.trace.csv   "generate --trace", of pieces with knobs, if asked for
 *     DIR/CONDITION/piece-0000.csv         its row: the last that is written of a piece
 *     DIR/.lock                            byte n is locked by the process that works on piece n
 *     DIR/table.csv, summary.csv           by "eval merge"
 *
 * Each file appears whole, by rename. Locks are the kernel's and end with their process. */
#ifndef SMITIN_CLI_EXPERIMENT_H
#define SMITIN_CLI_EXPERIMENT_H

#include "../src/eval/experiment.h"
#include "eval.h"

enum { EXPERIMENT_PATH = 2048 };

typedef struct experiment {
    sm_experiment plan;
    const char *file, *folder; /* where it was read; DIR, without a slash at its end */
    describe_options describe;
    int lock; /* file descriptor; -1: not open */
} experiment;

/* Read the experiment and its describe options. Returns an exit code; close it in any case. */
int experiment_open(experiment *e, const char *file, const char *folder);
void experiment_close(experiment *e);

/* All pieces have one number: those of the first prompt under each condition come first. */
static inline int experiment_total(const experiment *e)
{
    return e->plan.pieces * e->plan.count;
}
static inline int experiment_piece(const experiment *e, int n)
{
    return n / e->plan.count;
}
static inline const sm_condition *experiment_condition(const experiment *e, int n)
{
    return &e->plan.conditions[n % e->plan.count];
}
/* DIR/CONDITION/piece-0000SUFFIX. */
void experiment_path(const experiment *e, int n, const char *suffix, char path[EXPERIMENT_PATH]);
#define EXPERIMENT_TRACE ".trace.csv"
/* Whether piece `n` is to have a trace. */
bool experiment_traces(const experiment *e, int n);
/* Whether piece `n` has a file of that suffix. */
bool experiment_has(const experiment *e, int n, const char *suffix);

/* Locks of single bytes of DIR/.lock: pieces, and behind them these two. */
enum { LOCK_PLAN = 0x7ffffff0, LOCK_TABLES };
/* Take a lock, with `wait` in any case; *taken: it is ours. Returns an exit code. */
int experiment_lock(experiment *e, int byte, bool wait, bool *taken);
void experiment_unlock(experiment *e, int byte);
/* Remove what a process that was killed left of files called `stem`... in `folder`: call it with
 * their lock. */
void experiment_sweep(const char *folder, const char *stem);

#endif

/* SPDX-License-Identifier: MIT */
/* "smitin probe": what its files share. Extraction and fitting are two steps, each of which may be
 * run alone; "probe run" is one after the other. */
#ifndef SMITIN_CLI_PROBE_H
#define SMITIN_CLI_PROBE_H

#include "../src/data/collection.h"
#include "../src/probe/survey.h"
#include "pairs.h"

typedef struct probe_options {
    model_options model;
    /* What to listen to. */
    pairs_options pairs; /* stems or two folders; their clip length and seed are everyone's */
    const char *data, *labels, *audio, *columns, *trait;
    int dataset; /* index into probe_datasets */
    int task;    /* index into sm_task_names; -1: not given */
    int top, per_file;
    bool labelled_only;
    /* How. */
    const char *pool; /* "last", or "mean:N" */
    int columns_pooled;
    int shard;
    /* Fitting. */
    double C;
    bool standardise, descending, json;
    int scored, features; /* indices into their names */
    int rank;             /* index into probe_measures; -1: the task's habit */
    const char *output;   /* the folder of activations, or of the report */
    bool quiet;
} probe_options;

extern const char *const probe_datasets[], *const probe_scored[], *const probe_features[],
                                                                      *const probe_measures[];

/* Listen to the data and store what the heads say in the folder. Returns an exit code
 * (probe_extract.c). */
int probe_extract(const probe_options *o, const char *folder);
/* Fit what the folder holds and write a report into another (probe_fit.c). */
int probe_fit(const probe_options *o, const char *folder, const char *report);

#endif

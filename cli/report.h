/* SPDX-License-Identifier: MIT */
/* What the parts of "smitin eval report" share. */
#ifndef SMITIN_CLI_REPORT_H
#define SMITIN_CLI_REPORT_H

#include <jansson.h>

#include "../src/eval/document.h"
#include "experiment.h"

#define REPORT_SECONDS   8.0                /* of a sample */
#define REPORT_HELD_MAX  ((size_t)24 << 20) /* bytes of pictures, data and sounds in the page */
#define REPORT_NOTES_MAX 20                 /* lines of one kind */

typedef struct report_options {
    const char *output, *title;
    text_list compare; /* "A:B" */
    int samples;
} report_options;

/* One merged experiment. */
typedef struct report_experiment {
    experiment e;
    char folder[EXPERIMENT_PATH], file[EXPERIMENT_PATH];
    const char *name; /* of its folder */
    int number;       /* from 1: its figures are called eNUMBER-... */
    sm_table rows, summary;
    json_t **settings; /* [conditions]: of the first piece of each that can be read; or NULL */
} report_experiment;

/* Accuracies of heads, or another measure of them. */
typedef struct report_probe {
    char path[EXPERIMENT_PATH]; /* of the CSV */
    const char *name;
    int number;     /* from 1: its figures are called pNUMBER-... */
    double *values; /* [L, H]; NAN: not there */
    int L, H;
    char measure[64]; /* "accuracy" */
    double low;       /* what guessing gives, where that is known; else 0 */
    char about[512];  /* model, data, task */
} report_probe;

typedef struct report_job {
    report_options options;
    report_experiment *experiments;
    report_probe *probes;
    int experiments_count, probes_count;
    sm_document *document;
    int bad; /* pieces and files that were left out */
} report_job;

/* Name something that is left out, in the report and on standard error. */
void report_note(report_job *job, const char *format, ...) SM_PRINTF(2, 3);
/* A value as tables show it. */
void report_number(double value, char *text, size_t size);
/* Which condition has that name; -1: none. */
int report_condition(const report_experiment *x, const char *name);
/* The conditions A and B of "A:B"; false when they are not two of this experiment's. */
bool report_pair(const report_experiment *x, const char *pair, int *a, int *b);

/* Read a merged folder, or say why not. Returns an exit code; free it in any case. */
int report_experiment_open(report_experiment *x, const char *folder);
void report_experiment_free(report_experiment *x); /* safe on a zeroed struct */
int report_probe_open(report_probe *p, const char *path);
void report_probe_free(report_probe *p); /* safe on a zeroed struct */

/* The parts of the report; each returns an exit code. */
int report_experiment_write(report_job *job, const report_experiment *x);
int report_tables_write(report_job *job, const report_experiment *x);
int report_doses_write(report_job *job, const report_experiment *x);
int report_traces_write(report_job *job, const report_experiment *x);
int report_sounds_write(report_job *job, const report_experiment *x);
int report_probe_write(report_job *job, const report_probe *p);

#endif

/* SPDX-License-Identifier: MIT */
/* Every head of a model asked the same: a probe each, fitted on the train split, with its measures
 * on every split. */
#ifndef SMITIN_PROBE_SURVEY_H
#define SMITIN_PROBE_SURVEY_H

#include "../base/pool.h"
#include "store.h"

typedef struct sm_survey_options {
    double C;         /* inverse regularisation; of a ridge regression alpha = 1 / C */
    bool standardise; /* every input to mean 0 and deviation 1 of the train split */
    bool by_track;    /* a track's prediction is the mean of its clips', and tracks are scored */
    bool layers;      /* one probe for all heads of a layer instead of one a head */
    bool descending;  /* the key score counts the fifth below, too */
} sm_survey_options;

enum { SM_MEASURES_MAX = 4 };

/* Columns are what is measured: each label or target, and behind several of them their mean over
 * those that can be measured; the classes of a multi-class task are one column. A label that the
 * train split has in all clips or in none cannot be learned: all its measures are NAN. */
typedef struct sm_survey {
    sm_survey_options options;
    sm_task task;
    int L, U;            /* layers; probes a layer: H, or 1 */
    int columns, labels; /* columns, and how many of them are labels or targets */
    int measures;
    const char *measure_names[SM_MEASURES_MAX]; /* "accuracy", "f1", "auc", "ap"; "accuracy", "f1",
                                                   "key"; "r2", "pearson" */
    size_t rows[SM_SPLITS], scored[SM_SPLITS];  /* clips; what is scored: clips or tracks */
    size_t *positives; /* [SM_SPLITS, labels] of the clips; of the classes, [SM_SPLITS, classes] */
    double *values;    /* [SM_SPLITS, L, U, columns, measures] */
} sm_survey;

/* The measures of a task; returns how many. */
int sm_survey_measures_of(const sm_store_meta *about, const char *names[SM_MEASURES_MAX]);

/* Fit and measure. The progress counts layers, from 0 to L. The result does not depend on the pool.
 * SMITIN_ERROR_ARGUMENT when train or test has no rows or there is nothing to learn. */
smitin_status sm_survey_run(sm_survey **survey, const sm_store *store,
                            const sm_survey_options *options, sm_pool *pool,
                            void (*progress)(void *user, int done, int total), void *user,
                            smitin_error *error);
void sm_survey_free(sm_survey *survey); /* NULL is allowed */

/* One measure of one probe; `probe` is layer * U + its place in the layer. */
double sm_survey_value(const sm_survey *survey, sm_split split, int probe, int column, int measure);
/* The column that speaks for all: the mean, or the only one. */
int sm_survey_main(const sm_survey *survey);
/* The probe with the highest value, the first of equals; -1 when none has one. */
int sm_survey_best(const sm_survey *survey, sm_split split, int column, int measure);
/* One measure in a few numbers, all of the test split: [0] of probes chosen on test, as published
 * tables have it, [1] of those chosen on valid; NAN where there are none. */
typedef struct sm_survey_summary {
    int probe[2];  /* one for all labels, -1: none */
    double one[2]; /* its value */
    double own[2]; /* the mean of the labels, each at its own best probe */
    double mean;   /* of all probes */
} sm_survey_summary;

void sm_survey_sum_up(const sm_survey *survey, int measure, sm_survey_summary *summary);

/* What a report is about. */
typedef struct sm_survey_report {
    const sm_survey *survey;
    const sm_store_meta *about;
    int measure; /* that heads are ranked by */
} sm_survey_report;

/* Into a folder that is there: heads.csv, heads_by_label.csv (of several labels), labels.csv,
 * heatmap.csv and .png (of single heads), histogram.csv and .png, layers.csv and .png, report.json.
 */
smitin_status sm_survey_write(const sm_survey_report *report, const char *folder,
                              smitin_error *error);

#endif

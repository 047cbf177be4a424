/* SPDX-License-Identifier: MIT */
/* "smitin probe fit": a store -> a probe a head -> a report. */
#include "probe.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LABELS_SHOWN = 12 };

static void show_progress(void *user, int done, int total)
{
    const probe_options *o = user;
    if (!o->quiet) progress_bar("fitting", done, total);
}

/* The same audio on both sides makes any score too good. */
static void warn_of_leaks(const sm_store *store)
{
    const size_t N = sm_store_rows(store);
    const sm_store_clip **rows = calloc(N, sizeof *rows), *first = NULL;
    size_t leaks = 0;
    if (rows == NULL) return;
    for (size_t i = 0; i < N; i++) rows[i] = sm_store_row(store, i);
    sm_store_sort_by_hash(rows, N);
    for (size_t from = 0, to; from < N; from = to) {
        bool train = false;
        size_t test = 0;
        for (to = from; to < N && strcmp(rows[to]->hash, rows[from]->hash) == 0; to++) {
            train = train || rows[to]->clip.split == SM_SPLIT_TRAIN;
            test += rows[to]->clip.split == SM_SPLIT_TEST;
        }
        if (train && test > 0 && first == NULL) first = rows[from];
        if (train) leaks += test;
    }
    if (leaks > 0)
        fprintf(
            stderr,
            "smitin: %zu clips of the test split are in the train split, too, sample for sample, "
            "the first that of '%s' at %g s\n",
            leaks, first->clip.path, first->clip.start);
    free(rows);
}

/* A value of the table, in percent where the measure is a share. */
static void print_value(double value, const char *measure)
{
    const bool share = strcmp(measure, "r2") != 0 && strcmp(measure, "pearson") != 0;
    if (isnan(value))
        printf("  %8s", "-");
    else
        printf(share ? "  %8.1f" : "  %8.3f", share ? 100.0 * value : value);
}

static void print_place(const sm_survey *s, int probe)
{
    char text[32] = "-";
    if (probe >= 0 && s->options.layers)
        snprintf(text, sizeof text, "layer %d", probe);
    else if (probe >= 0)
        snprintf(text, sizeof text, "%d.%d", probe / s->U, probe % s->U);
    printf("  %-8s", text);
}

static void print_summary(const sm_survey *s)
{
    const bool valid = s->rows[SM_SPLIT_VALID] > 0, several = s->labels > 1;
    printf("%-10s  %8s  %-8s", "on test", "best", s->options.layers ? "" : "head");
    if (several) printf("  %8s", "each own");
    if (valid) printf("  %8s  %-8s", "of valid", s->options.layers ? "" : "head");
    if (valid && several) printf("  %8s", "each own");
    printf("  %8s\n", "mean");
    for (int m = 0; m < s->measures; m++) {
        sm_survey_summary sum;
        const char *name = s->measure_names[m];
        sm_survey_sum_up(s, m, &sum);
        printf("%-10s", name);
        for (int i = 0; i < (valid ? 2 : 1); i++) {
            print_value(sum.one[i], name);
            print_place(s, sum.probe[i]);
            if (several) print_value(sum.own[i], name);
        }
        print_value(sum.mean, name);
        printf("\n");
    }
}

static void print_labels(const sm_survey *s, const sm_store_meta *about, int measure)
{
    const char *name = s->measure_names[measure];
    if (s->labels < 2) return;
    printf("\n%-24s  %8s  %8s  %-8s   (%s)\n", "label", "one head", "own", "head", name);
    const int one = sm_survey_best(s, SM_SPLIT_TEST, sm_survey_main(s), measure);
    for (int k = 0; k < s->labels && k < LABELS_SHOWN; k++) {
        const int own = sm_survey_best(s, SM_SPLIT_TEST, k, measure);
        printf("%-24.24s", about->names[k]);
        print_value(one < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, one, k, measure),
                    name);
        print_value(own < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, own, k, measure),
                    name);
        print_place(s, own);
        printf("\n");
    }
    if (s->labels > LABELS_SHOWN) printf("and %d more in labels.csv\n", s->labels - LABELS_SHOWN);
}

/* Labels that say nothing: how many are left out of the means. */
static void print_left_out(const sm_survey *s)
{
    int train = 0, test = 0;
    const size_t K = (size_t)s->labels;
    if (s->task != SM_TASK_MULTILABEL) return;
    for (size_t k = 0; k < K; k++) {
        const bool learnt = s->positives[k] > 0 && s->positives[k] < s->rows[SM_SPLIT_TRAIN];
        train += !learnt;
        test += learnt && s->positives[SM_SPLIT_TEST * K + k] == 0;
    }
    if (train > 0) printf("left out: %d labels that all clips to train have, or none\n", train);
    if (test > 0) printf("left out of f1, auc and ap: %d labels without a clip to test\n", test);
}

static void print_table(const sm_survey *s, const sm_store_meta *about, int measure,
                        const char *report)
{
    char pooling[40] = "last step";
    if (about->columns > 1)
        snprintf(pooling, sizeof pooling, "mean of the last %d steps", about->columns);
    printf("%s\n%s: %d layers x %d heads of %d, %s, %s, C %g%s\n", about->data, about->model,
           about->L, about->H, about->D, pooling, sm_task_names[s->task], s->options.C,
           s->options.standardise ? ", standardised" : "");
    printf("%zu clips to train, %zu to choose heads, %zu to test", s->rows[SM_SPLIT_TRAIN],
           s->rows[SM_SPLIT_VALID], s->rows[SM_SPLIT_TEST]);
    if (s->options.by_track) printf("; scored: %zu tracks", s->scored[SM_SPLIT_TEST]);
    printf("\n\n");
    print_summary(s);
    print_labels(s, about, measure);
    print_left_out(s);
    printf("\nreport: %s\n", report);
}

static int print_json(const char *report)
{
    char path[4200], block[4096];
    size_t n;
    snprintf(path, sizeof path, "%.4100s/report.json", report);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "smitin: cannot read '%s': %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    while ((n = fread(block, 1, sizeof block, file)) > 0) fwrite(block, 1, n, stdout);
    fclose(file);
    puts("");
    return EXIT_DONE;
}

/* The measure that heads are ranked by. */
static int choose_measure(const sm_store_meta *about, int rank, int *measure)
{
    const char *names[SM_MEASURES_MAX];
    const int count = sm_survey_measures_of(about, names);
    const char *wanted = rank >= 0                           ? probe_measures[rank]
                         : about->task == SM_TASK_MULTILABEL ? "auc"
                                                             : names[0];
    for (*measure = 0; *measure < count; ++*measure)
        if (strcmp(names[*measure], wanted) == 0) return EXIT_DONE;
    fprintf(stderr, "smitin: a %s task has no measure '%s' to rank by, but",
            sm_task_names[about->task], wanted);
    for (int m = 0; m < count; m++) fprintf(stderr, "%s %s", m > 0 ? "," : "", names[m]);
    fprintf(stderr, "\n");
    return EXIT_USAGE;
}

static int write_report(const probe_options *o, const sm_survey *survey, const sm_store *store,
                        int measure, const char *report)
{
    smitin_error error = {0};
    const sm_survey_report r = {survey, sm_store_about(store), measure};
    if (mkdir(report, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "smitin: cannot make the folder '%s': %s; choose another one\n", report,
                strerror(errno));
        return EXIT_FAILED;
    }
    if (sm_survey_write(&r, report, &error) != SMITIN_OK) return report_error(&error);
    if (o->json) return print_json(report);
    if (!o->quiet) print_table(survey, r.about, r.measure, report);
    return EXIT_DONE;
}

int probe_fit(const probe_options *o, const char *folder, const char *report)
{
    smitin_error error = {0};
    sm_store *store = NULL;
    sm_survey *survey = NULL;
    sm_pool *pool = NULL;
    const sm_survey_options options = {.C = o->C,
                                       .standardise = o->standardise,
                                       .by_track = o->scored == 1,
                                       .layers = o->features == 1,
                                       .descending = o->descending};
    int code = EXIT_DONE, measure = 0;
    if (sm_store_open(&store, folder, &error) != SMITIN_OK ||
        sm_pool_new(&pool, o->model.threads, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE) code = choose_measure(sm_store_about(store), o->rank, &measure);
    if (code == EXIT_DONE) {
        warn_of_leaks(store);
        if (sm_survey_run(&survey, store, &options, pool, show_progress, (void *)(uintptr_t)o,
                          &error) != SMITIN_OK)
            code = report_error(&error);
    }
    if (code == EXIT_DONE) code = write_report(o, survey, store, measure, report);
    sm_survey_free(survey);
    sm_store_free(store);
    sm_pool_free(pool);
    return code;
}

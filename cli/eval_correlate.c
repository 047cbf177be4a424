/* SPDX-License-Identifier: MIT */
/* "smitin eval correlate": rank correlation of two columns over files. */
#include "eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/eval.h"
#include "../src/eval/join.h"

static void add_row(sm_sheet *sheet, const char *label, const correlate_options *o,
                    const sm_interval *interval)
{
    sm_sheet_row(sheet);
    sm_sheet_text(sheet, o->by != NULL ? o->by : "pieces", label);
    sm_sheet_text(sheet, "x", o->x);
    sm_sheet_text(sheet, "y", o->y);
    sm_sheet_number(sheet, "n", (double)interval->n);
    sm_sheet_number(sheet, "spearman", interval->value);
    sm_sheet_number(sheet, "low", interval->low);
    sm_sheet_number(sheet, "high", interval->high);
    sm_sheet_number(sheet, "resamples", (double)interval->drawn);
}

/* One group alone: its pairs at the front of a and b, [pairs->n]. */
static smitin_status add_group(sm_sheet *sheet, const sm_pairs *pairs, int g,
                               const correlate_options *o, double *a, double *b,
                               smitin_error *error)
{
    sm_interval interval;
    size_t n = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->group[i] != g) continue;
        a[n] = pairs->x[i];
        b[n++] = pairs->y[i];
    }
    SM_TRY(
        sm_spearman_interval(a, b, NULL, 0, n, o->resamples, (uint64_t)o->seed, &interval, error));
    add_row(sheet, pairs->groups[g], o, &interval);
    return SMITIN_OK;
}

static smitin_status add_pairs(sm_sheet *sheet, const sm_pairs *pairs, const correlate_options *o,
                               smitin_error *error)
{
    sm_interval interval;
    double *memory = malloc((2 * pairs->n + 1) * sizeof *memory);
    if (memory == NULL) return sm_fail_memory(error, "a correlation", 2 * pairs->n);
    smitin_status status = SMITIN_OK;
    for (int g = 0; o->by != NULL && g < pairs->groups_count && status == SMITIN_OK; g++)
        status = add_group(sheet, pairs, g, o, memory, memory + pairs->n, error);
    free(memory);
    if (status == SMITIN_OK && o->by != NULL) {
        status = sm_spearman_interval(pairs->x, pairs->y, pairs->group, pairs->groups_count,
                                      pairs->n, o->resamples, (uint64_t)o->seed, &interval, error);
        if (status == SMITIN_OK) add_row(sheet, "(mean)", o, &interval);
    }
    if (status == SMITIN_OK)
        status = sm_spearman_interval(pairs->x, pairs->y, NULL, 0, pairs->n, o->resamples,
                                      (uint64_t)o->seed, &interval, error);
    if (status == SMITIN_OK) add_row(sheet, "(all)", o, &interval);
    return status;
}

int eval_correlate(sm_sheet *sheet, const sm_table *tables, const char *const *names, int count,
                   const correlate_options *o)
{
    sm_pairs pairs;
    smitin_error error = {0};
    if (sm_pairs_join(&pairs, tables, names, count, o->file, o->x, o->y, o->by, &error) !=
        SMITIN_OK)
        return report_error(&error);
    if (pairs.alone > 0)
        fprintf(stderr, "smitin: %zu files with %s are in no other table and are left out\n",
                pairs.alone, o->x);
    if (pairs.empty > 0)
        fprintf(stderr, "smitin: %zu files have no number in %s or %s and are left out\n",
                pairs.empty, o->x, o->y);
    int code = EXIT_DONE;
    if (pairs.n < 3) {
        fprintf(stderr,
                "smitin: only %zu files have both %s and %s; a correlation needs 3, better 30\n",
                pairs.n, o->x, o->y);
        code = EXIT_FAILED;
    } else if (add_pairs(sheet, &pairs, o, &error) != SMITIN_OK) {
        code = report_error(&error);
    }
    sm_pairs_free(&pairs);
    return code;
}

static int run(const text_list *paths, const correlate_options *o, const char *output, bool json)
{
    sm_table *tables = NULL;
    if (paths->count == 0 || o->x == NULL || o->y == NULL) {
        fprintf(stderr, "smitin: name one table or several, and the columns --x and --y\n");
        return EXIT_USAGE;
    }
    int code = eval_tables_read(&tables, paths);
    sm_sheet *sheet = sm_sheet_new();
    if (sheet == NULL) code = eval_no_memory();
    if (code == EXIT_DONE) code = eval_correlate(sheet, tables, paths->items, paths->count, o);
    eval_tables_free(tables, paths->count);
    if (code == EXIT_DONE) return eval_write(sheet, output, json);
    sm_sheet_free(sheet);
    return code;
}

int command_eval_correlate(int argc, char **argv)
{
    correlate_options o = {.file = "file", .resamples = 2000, .seed = 1.0};
    const char *output = NULL;
    bool json = false, help = false;
    text_list paths = {0};
    const option_spec specs[] = {
        {NULL, "--x", OPTION_TEXT, &o.x, 0, 0, NULL, "COLUMN", "such as success_drums"},
        {NULL, "--y", OPTION_TEXT, &o.y, 0, 0, NULL, "COLUMN", "such as a recogniser's drums"},
        {NULL, "--by", OPTION_TEXT, &o.by, 0, 0, NULL, "COLUMN",
         "a correlation for each value of it, such as condition, and their mean"},
        {NULL, "--file", OPTION_TEXT, &o.file, 0, 0, NULL, "COLUMN",
         "that names the files; folders and suffixes need not agree [file]"},
        {NULL, "--resamples", OPTION_INT, &o.resamples, 100, 1e6, NULL, "N",
         "bootstrap draws of files [2000]"},
        {"-s", "--seed", OPTION_DOUBLE, &o.seed, 0, 9007199254740992.0, NULL, "N", "of them [1]"},
        {"-o", "--output", OPTION_TEXT, &output, 0, 0, NULL, "FILE", "[standard output]"},
        {NULL, "--json", OPTION_FLAG, &json, 0, 0, NULL, NULL, "JSON instead of CSV"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval correlate [OPTIONS] TABLE...\n\n"
               "Spearman's rank correlation (average ranks) of two columns over files, with 95 %% "
               "percentile intervals from\nseeded resampling of the files. Several CSV tables are "
               "joined by the names of the files.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run(&paths, &o, output, json);
    }
    text_list_free(&paths);
    return code;
}

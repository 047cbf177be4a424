/* SPDX-License-Identifier: MIT */
/* "smitin eval mos": the answers of a listening test. */
#include "eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/ratings.h"

typedef struct mos_options {
    const char *success, *output;
    correlate_options correlate;
    bool matrix, files, json;
} mos_options;

static int run_matrices(sm_sheet *sheet, const sm_table *tables, const text_list *paths)
{
    smitin_error error = {0};
    for (int i = 0; i < paths->count; i++) {
        sm_mos mos;
        if (sm_ratings_matrix(&tables[i], paths->items[i], &mos, &error) != SMITIN_OK)
            return report_error(&error);
        sm_sheet_row(sheet);
        sm_sheet_text(sheet, "table", paths->items[i]);
        sm_mos_row(sheet, &mos, tables[i].rows, tables[i].columns);
    }
    return EXIT_DONE;
}

/* The means of the files beside a table of success. */
static int correlate_with(sm_sheet *sheet, const sm_ratings *ratings, const mos_options *o)
{
    smitin_error error = {0};
    sm_table tables[2] = {{0}};
    const char *const names[2] = {o->success, "the answers"};
    char *text = NULL;
    int code = EXIT_DONE;
    sm_sheet *files = sm_sheet_new();
    if (files == NULL) return eval_no_memory();
    smitin_status status = sm_ratings_files(ratings, files, &error);
    if (status == SMITIN_OK) status = sm_sheet_csv(files, &text, &error);
    if (status == SMITIN_OK)
        status = sm_table_parse(&tables[1], text, strlen(text), names[1], &error);
    if (status == SMITIN_OK) status = sm_table_read(&tables[0], o->success, false, &error);
    code = status == SMITIN_OK ? eval_correlate(sheet, tables, names, 2, &o->correlate)
                               : report_error(&error);
    free(text);
    sm_table_free(&tables[0]);
    sm_table_free(&tables[1]);
    sm_sheet_free(files);
    return code;
}

static int run_answers(sm_sheet *sheet, const sm_table *tables, const text_list *paths,
                       const mos_options *o)
{
    smitin_error error = {0};
    sm_ratings *ratings = NULL;
    if (sm_ratings_read(&ratings, tables, paths->items, paths->count, &error) != SMITIN_OK)
        return report_error(&error);
    if (sm_ratings_twice(ratings) > 0)
        fprintf(stderr, "smitin: %zu answers were given again; the later ones count\n",
                sm_ratings_twice(ratings));
    int code = EXIT_DONE;
    if (o->success != NULL)
        code = correlate_with(sheet, ratings, o);
    else if ((o->files ? sm_ratings_files : sm_ratings_conditions)(ratings, sheet, &error) !=
             SMITIN_OK)
        code = report_error(&error);
    sm_ratings_free(ratings);
    return code;
}

static int run(const text_list *paths, const mos_options *o)
{
    sm_table *tables = NULL;
    if (paths->count == 0) {
        fprintf(stderr, "smitin: name the CSV files of answers\n");
        return EXIT_USAGE;
    }
    if ((o->success != NULL) != (o->correlate.x != NULL)) {
        fprintf(stderr, "smitin: --success FILE and --x COLUMN go together\n");
        return EXIT_USAGE;
    }
    if (o->matrix + o->files + (o->success != NULL) > 1) {
        fprintf(stderr, "smitin: give one of --matrix, --files and --success\n");
        return EXIT_USAGE;
    }
    int code = eval_tables_read(&tables, paths);
    sm_sheet *sheet = sm_sheet_new();
    if (sheet == NULL) code = eval_no_memory();
    if (code == EXIT_DONE)
        code =
            o->matrix ? run_matrices(sheet, tables, paths) : run_answers(sheet, tables, paths, o);
    eval_tables_free(tables, paths->count);
    if (code == EXIT_DONE) return eval_write(sheet, o->output, o->json);
    sm_sheet_free(sheet);
    return code;
}

int command_eval_mos(int argc, char **argv)
{
    mos_options o = {.correlate = {.file = "file", .y = "quality", .resamples = 2000, .seed = 1.0}};
    bool help = false;
    text_list paths = {0};
    const option_spec specs[] = {
        {NULL, "--files", OPTION_FLAG, &o.files, 0, 0, NULL, NULL,
         "a row a file instead of a condition, for eval correlate"},
        {NULL, "--success", OPTION_TEXT, &o.success, 0, 0, NULL, "TABLE",
         "instead: rank correlation of the files' means with a table's column --x"},
        {NULL, "--x", OPTION_TEXT, &o.correlate.x, 0, 0, NULL, "COLUMN",
         "of that table, such as success_drums"},
        {NULL, "--y", OPTION_TEXT, &o.correlate.y, 0, 0, NULL, "COLUMN",
         "of the answers: quality or hears_NAME [quality]"},
        {NULL, "--by", OPTION_TEXT, &o.correlate.by, 0, 0, NULL, "COLUMN",
         "a correlation for each value of it, and their mean"},
        {"-s", "--seed", OPTION_DOUBLE, &o.correlate.seed, 0, 9007199254740992.0, NULL, "N",
         "of its intervals [1]"},
        {NULL, "--matrix", OPTION_FLAG, &o.matrix, 0, 0, NULL, NULL,
         "tables are bare ratings: a row a listener, a column a file"},
        {"-o", "--output", OPTION_TEXT, &o.output, 0, 0, NULL, "FILE", "[standard output]"},
        {NULL, "--json", OPTION_FLAG, &o.json, 0, 0, NULL, NULL, "JSON instead of CSV"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf(
            "smitin eval mos [OPTIONS] ANSWERS.csv...\n\n"
            "Mean opinion score of every condition with CrowdMOS's 95 %% interval, and the share "
            "of listeners who heard what\nwas asked for. Answers are those of \"smitin eval "
            "listen\", or any table with listener, file, condition, quality.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run(&paths, &o);
    }
    text_list_free(&paths);
    return code;
}

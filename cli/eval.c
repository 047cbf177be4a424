/* SPDX-License-Identifier: MIT */
/* "smitin eval": the choice between its commands, and what they share. */
#include "eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *name;
    char *full; /* as it stands in messages */
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"distance", "eval distance", command_eval_distance,
     "Frechet distance, FAD-infinity and KAD between two sets"},
    {"embed", "eval embed", command_eval_embed, "write embeddings of audio files as .npy"},
    {"describe", "eval describe", command_eval_describe,
     "a row a file: instruments, loudness, tempo, key, likeness to a prompt"},
    {"likelihood", "eval likelihood", command_eval_likelihood,
     "cross-entropy of music under a model, and agreement with another format"},
    {"run", "eval run", command_eval_run, "every piece of an experiment file, and its row"},
    {"merge", "eval merge", command_eval_merge,
     "join an experiment's rows: a table, and a summary of each condition"},
    {"report", "eval report", command_eval_report,
     "joined experiments and probes as Markdown and as one page: tables, figures, sounds"},
    {"correlate", "eval correlate", command_eval_correlate,
     "rank correlation of two columns, with intervals; joins tables by file"},
    {"export", "eval export", command_eval_export,
     "clips and a manifest for recognisers from elsewhere"},
    {"listen", "eval listen", command_eval_listen, "a listening test: one page, or webMUSHRA's"},
    {"mos", "eval mos", command_eval_mos, "mean opinion scores of a listening test's answers"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int command_eval(int argc, char **argv)
{
    for (int i = 0; argc >= 2 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            argv[1] = commands[i].full;
            return commands[i].run(argc - 1, argv + 1);
        }
    const bool help = argc >= 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
    FILE *out = help ? stdout : stderr;
    fprintf(out, "smitin eval COMMAND [OPTIONS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].help);
    return help ? EXIT_DONE : EXIT_USAGE;
}

int eval_files(sm_library *library, const text_list *paths)
{
    smitin_error error = {0};
    smitin_status status = sm_library_init(library, &error);
    if (status == SMITIN_OK && paths->count == 0) {
        fprintf(stderr, "smitin: name audio files or folders of them\n");
        return EXIT_USAGE;
    }
    for (int i = 0; i < paths->count && status == SMITIN_OK; i++)
        status = sm_library_add_path(library, paths->items[i], &error);
    for (size_t i = 0; i < library->notes_count; i++)
        fprintf(stderr, "smitin: %s\n", library->notes[i]);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

void eval_condition(const char *path, char *name, size_t size)
{
    const char *end = strrchr(path, '/'), *start = end;
    while (start != NULL && start > path && start[-1] != '/') start--;
    snprintf(name, size, "%.*s", start != NULL ? (int)(end - start) : 0,
             start != NULL ? start : "");
}

int eval_write(sm_sheet *sheet, const char *output, bool json)
{
    smitin_error error = {0};
    const smitin_status status = sm_sheet_write(sheet, output != NULL ? output : "-", json, &error);
    sm_sheet_free(sheet);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

int eval_no_memory(void)
{
    fprintf(stderr, "smitin: there is not enough memory for this\n");
    return EXIT_FAILED;
}

int eval_tables_read(sm_table **tables, const text_list *paths)
{
    smitin_error error = {0};
    *tables = calloc((size_t)paths->count + 1, sizeof **tables);
    if (*tables == NULL) return eval_no_memory();
    for (int i = 0; i < paths->count; i++) {
        sm_table *t = *tables + i;
        if (sm_table_read(t, paths->items[i], false, &error) != SMITIN_OK)
            return report_error(&error);
        if (t->uneven > 0)
            fprintf(stderr,
                    "smitin: '%s': %zu rows are left out, the first in line %zu: they have more or "
                    "fewer columns than the header\n",
                    paths->items[i], t->uneven, t->uneven_line);
    }
    return EXIT_DONE;
}

void eval_tables_free(sm_table *tables, int count)
{
    for (int i = 0; tables != NULL && i < count; i++) sm_table_free(&tables[i]);
    free(tables);
}

double eval_cell(const sm_table *table, size_t row, long column)
{
    if (column < 0) return (double)NAN;
    char *end = NULL;
    const char *text = table->cells[row * table->columns + (size_t)column];
    errno = 0;
    const double value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && isfinite(value) ? value : (double)NAN;
}

/* SPDX-License-Identifier: MIT */
/* Owns the user's own tables of labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "layout.h"

enum { COLUMNS_MAX = 64 };

typedef struct reader {
    sm_entries *entries;
    const sm_collection_options *options;
    sm_table table;
    long path, split, artist, start, end; /* -1: there is none */
    long labels[COLUMNS_MAX];
    int labels_count;
} reader;

static bool parse_split(const char *text, int *split)
{
    *split = sm_split_named(text, strlen(text));
    return text[0] == '\0' || *split != SM_SPLIT_ANY;
}

/* The columns that hold the labels. */
static smitin_status find_columns(reader *r, smitin_error *error)
{
    const sm_collection_options *o = r->options;
    const char *at = o->columns;
    if (at == NULL && o->task == SM_TASK_REGRESSION)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "say which columns of '%s' hold the numbers, as in --columns tempo,energy",
                       o->table);
    if (at == NULL) at = sm_table_column(&r->table, "label") >= 0 ? "label" : "labels";
    while (*at != '\0') {
        char name[128];
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(length < 127 ? length : 127), at);
        const long column = sm_table_column(&r->table, name);
        if (column < 0)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "'%s' has no column '%s'", o->table, name);
        if (r->labels_count == COLUMNS_MAX)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "more than %d columns of labels",
                           COLUMNS_MAX);
        r->labels[r->labels_count++] = column;
        int number;
        if (o->task == SM_TASK_REGRESSION)
            SM_TRY(sm_entries_name(r->entries, r->table.header[column], &number, error));
        at += length + (at[length] == ',');
    }
    if (r->labels_count > 1 && o->task == SM_TASK_MULTICLASS)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a class comes from one column, not from %d",
                       r->labels_count);
    r->path = sm_table_column(&r->table, "path");
    r->split = sm_table_column(&r->table, "split");
    r->artist = sm_table_column(&r->table, "artist");
    r->start = sm_table_column(&r->table, "start");
    r->end = sm_table_column(&r->table, "end");
    if (r->path < 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' has no column 'path'", o->table);
    return SMITIN_OK;
}

/* Every label of a cell, which ";" or "|" separates. */
static smitin_status add_labels(reader *r, sm_entry *entry, const char *cell, smitin_error *error)
{
    for (const char *at = cell; *at != '\0';) {
        char name[256];
        size_t length = strcspn(at, ";|");
        const size_t next = length + (at[length] != '\0');
        const size_t blanks = strspn(at, " \t");
        size_t end = length;
        while (end > blanks && (at[end - 1] == ' ' || at[end - 1] == '\t')) end--;
        if (blanks < end && end - blanks < sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)(end - blanks), at + blanks);
            SM_TRY(sm_entries_label(r->entries, entry, name, error));
        }
        at += next;
    }
    return SMITIN_OK;
}

static smitin_status add_targets(reader *r, sm_entry *entry, char **cells, smitin_error *error)
{
    switch (r->options->task) {
    case SM_TASK_REGRESSION:
        SM_TRY(sm_entries_values(r->entries, entry, r->labels_count, error));
        for (int i = 0; i < r->labels_count; i++)
            sm_parse_number(cells[r->labels[i]], &entry->values[i]); /* checked before */
        return SMITIN_OK;
    case SM_TASK_MULTICLASS:
        return sm_entries_label(r->entries, entry, cells[r->labels[0]], error);
    case SM_TASK_BINARY:
        for (int i = 0; i < r->labels_count; i++)
            if (sm_labels_have(cells[r->labels[i]], r->options->trait))
                SM_TRY(sm_entries_label(r->entries, entry, r->options->trait, error));
        return SMITIN_OK;
    case SM_TASK_MULTILABEL:
        break;
    }
    for (int i = 0; i < r->labels_count; i++)
        SM_TRY(add_labels(r, entry, cells[r->labels[i]], error));
    return SMITIN_OK;
}

/* Whether a row can be used; else a note says why not. */
static bool check_row(const reader *r, char **cells, size_t line, int *split, double span[2])
{
    sm_library *notes = &r->entries->notes;
    const char *file = r->options->table, *text = r->split >= 0 ? cells[r->split] : "";
    span[0] = 0.0;
    span[1] = -1.0;
    if (!sm_path_stays_below(cells[r->path]))
        sm_library_note(notes, "skipped: '%s', line %zu: '%.200s' is no path below the audio", file,
                        line, cells[r->path]);
    else if (!parse_split(text, split))
        sm_library_note(notes,
                        "skipped: '%s', line %zu: the split is train, valid or test, not '%.40s'",
                        file, line, text);
    else if ((r->start >= 0 && cells[r->start][0] != '\0' &&
              (!sm_parse_number(cells[r->start], &span[0]) || span[0] < 0.0)) ||
             (r->end >= 0 && cells[r->end][0] != '\0' &&
              (!sm_parse_number(cells[r->end], &span[1]) || span[1] <= span[0])))
        sm_library_note(notes, "skipped: '%s', line %zu: start and end are no span in seconds",
                        file, line);
    else if (r->options->task == SM_TASK_MULTICLASS && cells[r->labels[0]][0] == '\0')
        sm_library_note(notes, "skipped: '%s', line %zu: there is no class", file, line);
    else {
        for (int i = 0; i < r->labels_count && r->options->task == SM_TASK_REGRESSION; i++) {
            double value;
            if (sm_parse_number(cells[r->labels[i]], &value)) continue;
            sm_library_note(notes, "skipped: '%s', line %zu: '%.40s' is no number", file, line,
                            cells[r->labels[i]]);
            return false;
        }
        return true;
    }
    return false;
}

static smitin_status add_rows(reader *r, smitin_error *error)
{
    int number;
    if (r->options->task == SM_TASK_BINARY)
        SM_TRY(sm_entries_name(r->entries, r->options->trait, &number, error));
    for (size_t i = 0; i < r->table.rows; i++) {
        char **cells = r->table.cells + i * r->table.columns;
        const char *path = cells[r->path], *artist = r->artist >= 0 ? cells[r->artist] : "";
        int split;
        double span[2];
        if (!check_row(r, cells, r->table.lines[i], &split, span)) continue;
        sm_entry *entry = NULL;
        SM_TRY(sm_entries_add(r->entries, r->options->root, path, path,
                              artist[0] != '\0' ? artist : path, split, &entry, error));
        entry->start = span[0];
        entry->end = span[1];
        SM_TRY(add_targets(r, entry, cells, error));
    }
    if (r->table.uneven > 0)
        sm_library_note(&r->entries->notes,
                        "skipped: %zu rows of '%s' have more or fewer columns than its header, the "
                        "first in line %zu",
                        r->table.uneven, r->options->table, r->table.uneven_line);
    return SMITIN_OK;
}

static smitin_status read_table(sm_entries *entries, const sm_collection_options *options,
                                smitin_error *error)
{
    reader r = {.entries = entries, .options = options};
    SM_TRY(sm_table_read(&r.table, options->table, false, error));
    smitin_status status = find_columns(&r, error);
    if (status == SMITIN_OK) status = add_rows(&r, error);
    sm_table_free(&r.table);
    entries->ordered = options->task == SM_TASK_REGRESSION;
    return status;
}

const sm_annotations sm_annotations_table = {.name = "table", .title = "table", .read = read_table};

/* SPDX-License-Identifier: MIT */
/* Owns tables of labels: each row is one audio file, with the trait or without it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "layout.h"
#include "table.h"

typedef struct labels {
    sm_library *library;
    const sm_table *table;
    const char *file, *audio, *trait;
    long path, split, labels, group; /* columns; split and group may be -1 */
} labels;

bool sm_labels_have(const char *list, const char *trait)
{
    const size_t wanted = strlen(trait);
    for (const char *at = list;; at++) {
        while (*at == ' ' || *at == '\t') at++;
        size_t length = strcspn(at, ";|");
        const char *next = at + length;
        while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) length--;
        if (length == wanted && strncasecmp(at, trait, wanted) == 0) return true;
        if (*next == '\0') return false;
        at = next;
    }
}

bool sm_path_stays_below(const char *path)
{
    if (path[0] == '\0' || path[0] == '/' || strlen(path) > 1000) return false;
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0')) return false;
    }
    return true;
}

static bool parse_side(const char *text, sm_side *side)
{
    *side = sm_side_named(text, strlen(text));
    return text[0] == '\0' || *side != SM_SIDE_ANY;
}

static smitin_status add_row(const labels *l, size_t row, smitin_error *error)
{
    char **cells = l->table->cells + row * l->table->columns;
    const char *path = cells[l->path], *split = l->split >= 0 ? cells[l->split] : "";
    const size_t line = l->table->lines[row];
    sm_side side;
    if (!sm_path_stays_below(path)) {
        sm_library_note(l->library, "skipped: '%s', line %zu: '%.200s' is no path below the audio",
                        l->file, line, path);
    } else if (!parse_side(split, &side)) {
        sm_library_note(l->library,
                        "skipped: '%s', line %zu: the split is train, valid or test, not '%.40s'",
                        l->file, line, split);
    } else if (!sm_path_exists(l->audio, path)) {
        sm_library_note(l->library, "skipped: '%s/%s' is missing", l->audio, path);
    } else {
        const char *group = l->group >= 0 ? cells[l->group] : "";
        sm_track *track = NULL;
        SM_TRY(
            sm_library_track(l->library, path, group[0] != '\0' ? group : path, 1, &track, error));
        track->side = side;
        return sm_library_stem(l->library, track, l->audio, path,
                               sm_labels_have(cells[l->labels], l->trait), error);
    }
    return SMITIN_OK;
}

/* A file that is there twice would be on both sides, or in both classes. */
static void drop_repeated(sm_library *library)
{
    size_t kept = 0;
    for (size_t i = 0; i < library->count; i++) {
        if (kept > 0 && strcmp(library->tracks[kept - 1].name, library->tracks[i].name) == 0)
            sm_library_note(library, "skipped: '%s' is in the table twice",
                            library->tracks[i].name);
        else
            library->tracks[kept++] = library->tracks[i];
    }
    library->count = kept;
}

static smitin_status check_kinds(const labels *l, smitin_error *error)
{
    size_t with = 0;
    for (size_t i = 0; i < l->library->count; i++) with += l->library->tracks[i].stems[0].target;
    if (l->library->count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "no row of '%s' has an audio file below '%s'; check both paths", l->file,
                       l->audio);
    if (with == 0 || with == l->library->count)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%s of the %zu files of '%s' has the label '%s'; a knob needs both kinds",
                       with == 0 ? "none" : "every one", l->library->count, l->file, l->trait);
    return SMITIN_OK;
}

static smitin_status add_table(labels *l, smitin_error *error)
{
    l->path = sm_table_column(l->table, "path");
    l->labels = sm_table_column(l->table, "labels");
    l->split = sm_table_column(l->table, "split");
    l->group = sm_table_column(l->table, "artist");
    if (l->path < 0 || l->labels < 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' has no column '%s'; its header is path,split,labels", l->file,
                       l->path < 0 ? "path" : "labels");
    if (l->table->uneven > 0)
        sm_library_note(l->library,
                        "skipped: %zu rows of '%s' have more or fewer columns than its header, the "
                        "first in line %zu",
                        l->table->uneven, l->file, l->table->uneven_line);
    for (size_t i = 0; i < l->table->rows; i++) SM_TRY(add_row(l, i, error));
    sm_library_sort(l->library);
    drop_repeated(l->library);
    SM_TRY(check_kinds(l, error));
    if (l->split >= 0) sm_library_settle_sides(l->library, l->file);
    return SMITIN_OK;
}

smitin_status sm_library_add_labels(sm_library *library, const char *file, const char *audio,
                                    const char *trait, smitin_error *error)
{
    sm_table table;
    smitin_status status = sm_table_read(&table, file, false, error);
    labels l = {.library = library, .table = &table, .file = file, .audio = audio, .trait = trait};
    if (status == SMITIN_OK) status = add_table(&l, error);
    sm_table_free(&table);
    return status;
}

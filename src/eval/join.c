/* SPDX-License-Identifier: MIT */
/* Owns joining tables by file. */
#include "join.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../base/path.h"

enum { DEPTH_MAX = 16, TABLES_MAX = 32 };

/* One table's rows in the order of their keys. */
typedef struct keyed {
    const char *key; /* into the cell, behind the folders that do not count */
    size_t length;   /* without the suffix */
    size_t row;
} keyed;

typedef struct side {
    const sm_table *table;
    keyed *rows; /* [table->rows], sorted */
} side;

/* The last `depth` folders and the name, without its suffix. */
static keyed key_of(const char *path, int depth, size_t row)
{
    const char *key = sm_path_name(path), *end = key + sm_path_stem(key);
    for (int i = 0; i < depth && key > path; i++) {
        key--; /* onto the slash */
        while (key > path && key[-1] != '/') key--;
    }
    return (keyed){key, (size_t)(end - key), row};
}

static int compare_keys(const keyed *a, const keyed *b)
{
    const size_t shorter = a->length < b->length ? a->length : b->length;
    const int order = memcmp(a->key, b->key, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_key(const void *a, const void *b)
{
    return compare_keys(a, b);
}

/* Key the rows; false when two are equal, and then *twice is one of them. */
static bool key_rows(side *s, long file, int depth, size_t *twice)
{
    const sm_table *t = s->table;
    for (size_t i = 0; i < t->rows; i++)
        s->rows[i] = key_of(t->cells[i * t->columns + (size_t)file], depth, i);
    if (t->rows > 0) qsort(s->rows, t->rows, sizeof *s->rows, by_key);
    for (size_t i = 1; i < t->rows; i++)
        if (compare_keys(&s->rows[i - 1], &s->rows[i]) == 0) {
            *twice = s->rows[i].row;
            return false;
        }
    return true;
}

/* The table with a column of that name; -1 when none has it or (not `several`) two have. */
static int table_with(const sm_table *tables, int count, const char *column, bool several,
                      const char *const *names, smitin_error *error)
{
    int found = -1;
    for (int i = 0; i < count; i++) {
        if (sm_table_column(&tables[i], column) < 0) continue;
        if (found >= 0 && !several) {
            sm_fail(error, SMITIN_ERROR_ARGUMENT,
                    "'%s' and '%s' both have a column \"%s\"; rename it in one of them",
                    names[found], names[i], column);
            return -1;
        }
        if (found < 0) found = i;
    }
    if (found < 0)
        sm_fail(error, SMITIN_ERROR_ARGUMENT, "no table has a column \"%s\"; look at its header",
                column);
    return found;
}

static smitin_status key_tables(side *sides, const sm_table *tables, const char *const *names,
                                int count, const char *file, smitin_error *error)
{
    for (int depth = 0;; depth++) {
        int good = 0;
        size_t twice = 0;
        while (good < count) {
            const long column = sm_table_column(&tables[good], file);
            if (column < 0)
                return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                               "'%s' has no column \"%s\" to know files by; name it with --file",
                               names[good], file);
            if (!key_rows(&sides[good], column, depth, &twice)) break;
            good++;
        }
        if (good == count) return SMITIN_OK;
        if (depth == DEPTH_MAX) {
            const sm_table *t = &tables[good];
            const long column = sm_table_column(t, file);
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "'%s', line %zu: the file '%.200s' is there twice", names[good],
                           t->lines[twice], t->cells[twice * t->columns + (size_t)column]);
        }
    }
}

static const char *cell_of(const side *s, const keyed *key, const char *column)
{
    const keyed *found = bsearch(key, s->rows, s->table->rows, sizeof *s->rows, by_key);
    const long at = sm_table_column(s->table, column);
    return found != NULL && at >= 0 ? s->table->cells[found->row * s->table->columns + (size_t)at]
                                    : NULL;
}

static bool to_number(const char *text, double *value)
{
    char *end = NULL;
    *value = strtod(text, &end);
    while (*end == ' ') end++;
    return end != text && *end == '\0' && isfinite(*value);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The group's number after all names are known; labels [n] point into the tables. */
static smitin_status number_groups(sm_pairs *pairs, const char **labels, smitin_error *error)
{
    pairs->groups = calloc(pairs->n + 1, sizeof *pairs->groups);
    if (pairs->groups == NULL) return sm_fail_memory(error, "a table's groups", pairs->n);
    for (size_t i = 0; i < pairs->n; i++) {
        int g = 0;
        while (g < pairs->groups_count && strcmp(pairs->groups[g], labels[i]) != 0) g++;
        if (g < pairs->groups_count) continue;
        pairs->groups[g] = strdup(labels[i]);
        if (pairs->groups[g] == NULL) return sm_fail_memory(error, "a table's groups", pairs->n);
        pairs->groups_count++;
    }
    if (pairs->groups_count > 0)
        qsort(pairs->groups, (size_t)pairs->groups_count, sizeof *pairs->groups, by_name);
    for (size_t i = 0; i < pairs->n; i++)
        while (strcmp(pairs->groups[pairs->group[i]], labels[i]) != 0) pairs->group[i]++;
    return SMITIN_OK;
}

static smitin_status match(sm_pairs *pairs, const side *sides, int in_x, int in_y, int in_by,
                           const char *x, const char *y, const char *by, smitin_error *error)
{
    const size_t most = sides[in_x].table->rows;
    const char **labels = malloc((most + 1) * sizeof *labels);
    pairs->x = malloc((most + 1) * sizeof *pairs->x);
    pairs->y = malloc((most + 1) * sizeof *pairs->y);
    pairs->group = calloc(most + 1, sizeof *pairs->group);
    if (labels == NULL || pairs->x == NULL || pairs->y == NULL || pairs->group == NULL) {
        free(labels);
        return sm_fail_memory(error, "a join of tables", most);
    }
    for (size_t i = 0; i < most; i++) {
        const keyed *key = &sides[in_x].rows[i];
        const char *a = cell_of(&sides[in_x], key, x), *b = cell_of(&sides[in_y], key, y);
        const char *label = by != NULL ? cell_of(&sides[in_by], key, by) : "";
        if (b == NULL || label == NULL) {
            pairs->alone++;
        } else if (!to_number(a, &pairs->x[pairs->n]) || !to_number(b, &pairs->y[pairs->n])) {
            pairs->empty++;
        } else {
            labels[pairs->n++] = label;
        }
    }
    const smitin_status status = number_groups(pairs, labels, error);
    free(labels);
    return status;
}

smitin_status sm_pairs_join(sm_pairs *pairs, const sm_table *tables, const char *const *names,
                            int count, const char *file, const char *x, const char *y,
                            const char *by, smitin_error *error)
{
    side sides[TABLES_MAX] = {{0}};
    memset(pairs, 0, sizeof *pairs);
    if (count < 1 || count > TABLES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "1 to %d tables can be joined, not %d",
                       TABLES_MAX, count);
    const int in_x = table_with(tables, count, x, false, names, error);
    const int in_y = in_x < 0 ? -1 : table_with(tables, count, y, false, names, error);
    const int in_by =
        in_y < 0 || by == NULL ? in_y : table_with(tables, count, by, true, names, error);
    if (in_by < 0) return SMITIN_ERROR_ARGUMENT;
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < count && status == SMITIN_OK; i++) {
        sides[i] = (side){&tables[i], malloc((tables[i].rows + 1) * sizeof(keyed))};
        if (sides[i].rows == NULL) status = sm_fail_memory(error, names[i], tables[i].rows);
    }
    if (status == SMITIN_OK) status = key_tables(sides, tables, names, count, file, error);
    if (status == SMITIN_OK) status = match(pairs, sides, in_x, in_y, in_by, x, y, by, error);
    for (int i = 0; i < count; i++) free(sides[i].rows);
    if (status != SMITIN_OK) sm_pairs_free(pairs);
    return status;
}

void sm_pairs_free(sm_pairs *pairs)
{
    for (int i = 0; i < pairs->groups_count; i++) free(pairs->groups[i]);
    free(pairs->groups);
    free(pairs->x);
    free(pairs->y);
    free(pairs->group);
    memset(pairs, 0, sizeof *pairs);
}

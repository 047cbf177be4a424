/* SPDX-License-Identifier: MIT */
/* Owns putting answers together. */
#include "ratings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { QUESTIONS_MAX = 16 };

typedef struct rating {
    const char *listener, *file, *condition; /* cells of the tables */
    double quality;
    double hears[QUESTIONS_MAX]; /* NAN: no answer */
    size_t order;                /* in the tables */
} rating;

struct sm_ratings {
    rating *items; /* by condition, file, listener */
    size_t count, twice;
    char questions[QUESTIONS_MAX][64]; /* columns that begin with hears_ */
    int questions_count;
};

void sm_ratings_free(sm_ratings *ratings)
{
    if (ratings == NULL) return;
    free(ratings->items);
    free(ratings);
}

size_t sm_ratings_count(const sm_ratings *ratings)
{
    return ratings->count;
}

size_t sm_ratings_twice(const sm_ratings *ratings)
{
    return ratings->twice;
}

static bool to_number(const char *text, double *value)
{
    char *end = NULL;
    *value = strtod(text, &end);
    while (*end == ' ') end++;
    return end != text && *end == '\0' && isfinite(*value);
}

static smitin_status find_questions(sm_ratings *r, const sm_table *table, const char *name,
                                    smitin_error *error)
{
    for (size_t j = 0; j < table->columns; j++) {
        int q = 0;
        if (strncmp(table->header[j], "hears_", 6) != 0) continue;
        while (q < r->questions_count && strcasecmp(r->questions[q], table->header[j]) != 0) q++;
        if (q < r->questions_count) continue;
        if (q == QUESTIONS_MAX || strlen(table->header[j]) >= sizeof r->questions[q])
            return sm_fail(error, SMITIN_ERROR_FORMAT,
                           "'%s' asks more than %d questions, or one of more than 57 bytes", name,
                           QUESTIONS_MAX);
        strcpy(r->questions[q], table->header[j]);
        r->questions_count++;
    }
    return SMITIN_OK;
}

static smitin_status add_table(sm_ratings *r, const sm_table *table, const char *name,
                               smitin_error *error)
{
    const long listener = sm_table_column(table, "listener"), file = sm_table_column(table, "file"),
               condition = sm_table_column(table, "condition"),
               quality = sm_table_column(table, "quality");
    if (listener < 0 || file < 0 || quality < 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' has no column \"%s\"; answers have listener, file and quality", name,
                       listener < 0 ? "listener"
                       : file < 0   ? "file"
                                    : "quality");
    SM_TRY(find_questions(r, table, name, error));
    for (size_t i = 0; i < table->rows; i++) {
        char **cells = table->cells + i * table->columns;
        rating *at = &r->items[r->count];
        *at = (rating){.listener = cells[listener],
                       .file = cells[file],
                       .condition = condition >= 0 ? cells[condition] : "",
                       .order = r->count};
        if (cells[quality][0] == '\0') continue;
        if (!to_number(cells[quality], &at->quality))
            return sm_fail(error, SMITIN_ERROR_FORMAT,
                           "'%s', line %zu: the quality '%.40s' is no number", name,
                           table->lines[i], cells[quality]);
        for (int q = 0; q < QUESTIONS_MAX; q++) {
            const long column =
                q < r->questions_count ? sm_table_column(table, r->questions[q]) : -1;
            if (column < 0 || !to_number(cells[column], &at->hears[q])) at->hears[q] = (double)NAN;
        }
        r->count++;
    }
    return SMITIN_OK;
}

static int by_place(const void *x, const void *y)
{
    const rating *a = x, *b = y;
    int order = strcmp(a->condition, b->condition);
    if (order == 0) order = strcmp(a->file, b->file);
    if (order == 0) order = strcmp(a->listener, b->listener);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* Pieces of one name in two conditions are two files. */
static bool same_file(const rating *a, const rating *b)
{
    return strcmp(a->condition, b->condition) == 0 && strcmp(a->file, b->file) == 0;
}

/* Of equal listener and file only the last stays. */
static void drop_earlier(sm_ratings *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        const rating *at = &r->items[i], *next = at + 1;
        if (i + 1 < r->count && same_file(at, next) && strcmp(at->listener, next->listener) == 0)
            continue;
        r->items[kept++] = *at;
    }
    r->twice = r->count - kept;
    r->count = kept;
}

smitin_status sm_ratings_read(sm_ratings **out, const sm_table *tables, const char *const *names,
                              int count, smitin_error *error)
{
    size_t most = 0;
    *out = NULL;
    for (int i = 0; i < count; i++) most += tables[i].rows;
    sm_ratings *r = calloc(1, sizeof *r);
    if (r != NULL) r->items = calloc(most + 1, sizeof *r->items);
    smitin_status status = r != NULL && r->items != NULL
                               ? SMITIN_OK
                               : sm_fail_memory(error, "ratings", most * sizeof(rating));
    for (int i = 0; i < count && status == SMITIN_OK; i++)
        status = add_table(r, &tables[i], names[i], error);
    if (status == SMITIN_OK && r->count == 0)
        status = sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' holds no answer", names[0]);
    if (status != SMITIN_OK) {
        sm_ratings_free(r);
        return status;
    }
    qsort(r->items, r->count, sizeof *r->items, by_place);
    drop_earlier(r);
    *out = r;
    return SMITIN_OK;
}

/* ---- Matrices ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once; returns how many. */
static size_t unique(const char **texts, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(texts, n, sizeof *texts, by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(texts[kept - 1], texts[i]) != 0) texts[kept++] = texts[i];
    return kept;
}

static size_t place(const char **texts, size_t n, const char *text)
{
    const char **found = bsearch(&text, texts, n, sizeof *texts, by_text);
    return (size_t)(found - texts);
}

void sm_mos_row(sm_sheet *sheet, const sm_mos *mos, size_t listeners, size_t files)
{
    sm_sheet_number(sheet, "mos", mos->mos);
    sm_sheet_number(sheet, "interval", mos->interval);
    sm_sheet_number(sheet, "listeners", (double)listeners);
    sm_sheet_number(sheet, "files", (double)files);
    sm_sheet_number(sheet, "ratings", (double)mos->ratings);
    sm_sheet_number(sheet, "variance_files", mos->file);
    sm_sheet_number(sheet, "variance_listeners", mos->listener);
    sm_sheet_number(sheet, "variance_rest", mos->uncertainty);
}

/* Mean answers to every question among ratings [n]. */
static void add_answers(const sm_ratings *r, const rating *items, size_t n, sm_sheet *sheet)
{
    for (int q = 0; q < r->questions_count; q++) {
        double sum = 0.0;
        size_t answers = 0;
        for (size_t i = 0; i < n; i++) {
            if (isnan(items[i].hears[q])) continue;
            sum += items[i].hears[q];
            answers++;
        }
        sm_sheet_number(sheet, r->questions[q], answers > 0 ? sum / (double)answers : (double)NAN);
    }
}

static smitin_status add_condition(const sm_ratings *r, const rating *items, size_t n,
                                   const char *label, sm_sheet *sheet, smitin_error *error)
{
    const char **listeners = malloc((n + 1) * sizeof *listeners);
    size_t *file = malloc((n + 1) * sizeof *file), F = 0;
    if (listeners == NULL || file == NULL) {
        free(listeners);
        free(file);
        return sm_fail_memory(error, "ratings", n);
    }
    for (size_t i = 0; i < n; i++) {
        listeners[i] = items[i].listener;
        file[i] = i > 0 && same_file(&items[i - 1], &items[i]) ? F - 1 : F++;
    }
    const size_t L = unique(listeners, n);
    double *matrix = malloc(L * F * sizeof *matrix);
    sm_mos mos;
    smitin_status status =
        matrix != NULL ? SMITIN_OK : sm_fail_memory(error, "ratings", L * F * sizeof *matrix);
    if (status == SMITIN_OK) {
        for (size_t i = 0; i < L * F; i++) matrix[i] = (double)NAN;
        for (size_t i = 0; i < n; i++)
            matrix[place(listeners, L, items[i].listener) * F + file[i]] = items[i].quality;
        status = sm_mos_find(&mos, matrix, L, F, error);
    }
    if (status == SMITIN_OK) {
        sm_sheet_row(sheet);
        sm_sheet_text(sheet, "condition", label);
        sm_mos_row(sheet, &mos, L, F);
        add_answers(r, items, n, sheet);
    }
    free(matrix);
    free(listeners);
    free(file);
    return status;
}

smitin_status sm_ratings_conditions(const sm_ratings *r, sm_sheet *sheet, smitin_error *error)
{
    size_t first = 0;
    for (size_t i = 1; i <= r->count; i++) {
        if (i < r->count && strcmp(r->items[i].condition, r->items[first].condition) == 0) continue;
        SM_TRY(
            add_condition(r, r->items + first, i - first, r->items[first].condition, sheet, error));
        if (i == r->count && first == 0) return SMITIN_OK; /* the only one */
        first = i;
    }
    return add_condition(r, r->items, r->count, "(all)", sheet, error);
}

smitin_status sm_ratings_files(const sm_ratings *r, sm_sheet *sheet, smitin_error *error)
{
    (void)error;
    for (size_t first = 0, next; first < r->count; first = next) {
        double sum = 0.0;
        for (next = first;
             next < r->count && strcmp(r->items[next].condition, r->items[first].condition) == 0 &&
             strcmp(r->items[next].file, r->items[first].file) == 0;
             next++)
            sum += r->items[next].quality;
        sm_sheet_row(sheet);
        sm_sheet_text(sheet, "file", r->items[first].file);
        sm_sheet_text(sheet, "condition", r->items[first].condition);
        sm_sheet_number(sheet, "quality", sum / (double)(next - first));
        sm_sheet_number(sheet, "ratings", (double)(next - first));
        add_answers(r, r->items + first, next - first, sheet);
    }
    return SMITIN_OK;
}

smitin_status sm_ratings_matrix(const sm_table *table, const char *name, sm_mos *mos,
                                smitin_error *error)
{
    const size_t count = table->rows * table->columns;
    double *matrix = malloc((count + 1) * sizeof *matrix);
    if (matrix == NULL) return sm_fail_memory(error, name, count * sizeof *matrix);
    smitin_status status = SMITIN_OK;
    for (size_t i = 0; i < count && status == SMITIN_OK; i++) {
        matrix[i] = (double)NAN;
        if (table->cells[i][0] != '\0' && !to_number(table->cells[i], &matrix[i]))
            status = sm_fail(error, SMITIN_ERROR_FORMAT,
                             "'%s', line %zu: '%.40s' is no rating; leave a cell empty where "
                             "someone did not rate",
                             name, table->lines[i / table->columns], table->cells[i]);
    }
    if (status == SMITIN_OK) status = sm_mos_find(mos, matrix, table->rows, table->columns, error);
    free(matrix);
    return status;
}

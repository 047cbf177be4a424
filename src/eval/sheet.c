/* SPDX-License-Identifier: MIT */
/* Owns writing tables. Cells are kept as the text they have in CSV, with what kind they are. */
#include "sheet.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/outfile.h"

typedef struct cell {
    char *text; /* NULL: empty */
    bool number;
} cell;

typedef struct row {
    cell *cells; /* [count], of the first columns; those behind are empty */
    size_t count;
} row;

struct sm_sheet {
    char **columns;
    size_t columns_count;
    row *rows;
    size_t rows_count, rows_capacity;
    bool short_of_memory;
};

sm_sheet *sm_sheet_new(void)
{
    return calloc(1, sizeof(sm_sheet));
}

void sm_sheet_free(sm_sheet *sheet)
{
    if (sheet == NULL) return;
    for (size_t i = 0; i < sheet->rows_count; i++) {
        for (size_t j = 0; j < sheet->rows[i].count; j++) free(sheet->rows[i].cells[j].text);
        free(sheet->rows[i].cells);
    }
    for (size_t j = 0; j < sheet->columns_count; j++) free(sheet->columns[j]);
    free(sheet->columns);
    free(sheet->rows);
    free(sheet);
}

void sm_sheet_row(sm_sheet *sheet)
{
    if (sheet->rows_count == sheet->rows_capacity) {
        const size_t wanted = sheet->rows_capacity == 0 ? 64 : 2 * sheet->rows_capacity;
        row *larger = realloc(sheet->rows, wanted * sizeof *larger);
        if (larger == NULL) {
            sheet->short_of_memory = true;
            return;
        }
        sheet->rows = larger;
        sheet->rows_capacity = wanted;
    }
    sheet->rows[sheet->rows_count++] = (row){NULL, 0};
}

/* The column's place, made when it is new; columns_count when memory is short. */
static size_t find_column(sm_sheet *sheet, const char *name)
{
    size_t j = 0;
    while (j < sheet->columns_count && strcmp(sheet->columns[j], name) != 0) j++;
    if (j < sheet->columns_count) return j;
    char **larger = realloc(sheet->columns, (j + 1) * sizeof *larger);
    if (larger != NULL) sheet->columns = larger;
    char *copy = larger != NULL ? strdup(name) : NULL;
    if (copy == NULL) return j;
    sheet->columns[j] = copy;
    sheet->columns_count = j + 1;
    return j;
}

static void set_cell(sm_sheet *sheet, const char *column, const char *text, bool number)
{
    const size_t j = find_column(sheet, column);
    row *at = sheet->rows_count > 0 ? &sheet->rows[sheet->rows_count - 1] : NULL;
    char *copy = strdup(text);
    if (at != NULL && copy != NULL && j < sheet->columns_count && j >= at->count) {
        cell *larger = realloc(at->cells, (j + 1) * sizeof *larger);
        if (larger != NULL) {
            memset(larger + at->count, 0, (j + 1 - at->count) * sizeof *larger);
            at->cells = larger;
            at->count = j + 1;
        }
    }
    if (at == NULL || copy == NULL || j >= at->count) {
        sheet->short_of_memory = true;
        free(copy);
        return;
    }
    free(at->cells[j].text);
    at->cells[j] = (cell){copy, number};
}

void sm_sheet_text(sm_sheet *sheet, const char *column, const char *text)
{
    set_cell(sheet, column, text, false);
}

void sm_sheet_number(sm_sheet *sheet, const char *column, double value)
{
    char text[32] = "";
    if (isfinite(value)) snprintf(text, sizeof text, "%.7g", value);
    set_cell(sheet, column, text, true);
}

static const cell *cell_at(const sm_sheet *sheet, size_t i, size_t j)
{
    const row *at = &sheet->rows[i];
    return j < at->count && at->cells[j].text != NULL ? &at->cells[j] : NULL;
}

static void put_field(FILE *out, const char *text)
{
    if (strpbrk(text, ",\"\n\r\t") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

smitin_status sm_sheet_csv(const sm_sheet *sheet, char **text, smitin_error *error)
{
    size_t size = 0;
    *text = NULL;
    FILE *out = sheet->short_of_memory ? NULL : open_memstream(text, &size);
    if (out == NULL) return sm_fail_memory(error, "a table", size);
    for (size_t j = 0; j < sheet->columns_count; j++) {
        if (j > 0) fputc(',', out);
        put_field(out, sheet->columns[j]);
    }
    fputc('\n', out);
    for (size_t i = 0; i < sheet->rows_count; i++) {
        for (size_t j = 0; j < sheet->columns_count; j++) {
            const cell *at = cell_at(sheet, i, j);
            if (j > 0) fputc(',', out);
            if (at != NULL) put_field(out, at->text);
        }
        fputc('\n', out);
    }
    const bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return SMITIN_OK;
    free(*text);
    *text = NULL;
    return sm_fail_memory(error, "a table", size);
}

static json_t *json_cell(const cell *at)
{
    if (at == NULL || (at->number && at->text[0] == '\0')) return json_null();
    if (!at->number) return json_string(at->text);
    const double value = strtod(at->text, NULL);
    return value == rint(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
                                                      : json_real(value);
}

smitin_status sm_sheet_json(const sm_sheet *sheet, char **text, smitin_error *error)
{
    json_t *array = json_array();
    *text = NULL;
    for (size_t i = 0; i < sheet->rows_count && !sheet->short_of_memory; i++) {
        json_t *object = json_object();
        for (size_t j = 0; j < sheet->columns_count; j++)
            json_object_set_new(object, sheet->columns[j], json_cell(cell_at(sheet, i, j)));
        json_array_append_new(array, object);
    }
    if (!sheet->short_of_memory) *text = json_dumps(array, JSON_INDENT(2) | JSON_REAL_PRECISION(7));
    json_decref(array);
    return *text != NULL ? SMITIN_OK : sm_fail_memory(error, "a table", 0);
}

smitin_status sm_sheet_write(const sm_sheet *sheet, const char *path, bool json,
                             smitin_error *error)
{
    char *text = NULL;
    if (json)
        SM_TRY(sm_sheet_json(sheet, &text, error));
    else
        SM_TRY(sm_sheet_csv(sheet, &text, error));
    size_t length = strlen(text);
    if (json) text[length++] = '\n'; /* over the final zero: the length is given */
    const smitin_status status = sm_file_write(path, text, length, error);
    free(text);
    return status;
}

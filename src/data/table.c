/* SPDX-License-Identifier: MIT */
/* Owns reading CSV. Fields are unquoted in place, in a copy: they only become shorter. */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../base/filemap.h"

typedef struct reader {
    char *at, *end;
    char separator;
    bool plain; /* quotes are text */
    size_t line;
    const char *name;
    smitin_error *error;
} reader;

/* One field, NUL-terminated in place; *more says whether another one follows in the row. */
static smitin_status read_field(reader *r, char **field, bool *more)
{
    const size_t start = r->line;
    *field = r->at;
    char *out = r->at;
    if (r->at < r->end && *r->at == '"' && !r->plain) {
        r->at++;
        for (;; r->at++) {
            if (r->at == r->end)
                return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                               "'%s', line %zu: a quoted field does not end; double quotes inside "
                               "one, or close it",
                               r->name, start);
            if (*r->at == '\n') r->line++;
            if (*r->at == '"' && (r->at + 1 == r->end || r->at[1] != '"')) break;
            if (*r->at == '"') r->at++;
            *out++ = *r->at;
        }
        r->at++;
        if (r->at < r->end && *r->at != r->separator && *r->at != '\n' && *r->at != '\r')
            return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                           "'%s', line %zu: text follows a quoted field; double quotes inside one",
                           r->name, r->line);
    } else {
        while (r->at < r->end && *r->at != r->separator && *r->at != '\n') *out++ = *r->at++;
        if (out > *field && out[-1] == '\r' && (r->at == r->end || *r->at == '\n')) out--;
    }
    if (r->at < r->end && *r->at == '\r') r->at++;
    *more = r->at < r->end && *r->at == r->separator;
    if (r->at < r->end) {
        if (*r->at != r->separator && *r->at != '\n')
            return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                           "'%s', line %zu: text follows a quoted field", r->name, r->line);
        if (*r->at == '\n') r->line++;
        r->at++;
    }
    *out = '\0'; /* at the latest where the separator was */
    return SMITIN_OK;
}

static char separator_of(const char *text, const char *end)
{
    bool quoted = false, tab = false;
    for (; text < end && (quoted || *text != '\n'); text++) {
        if (*text == '"') quoted = !quoted;
        if (*text == ',' && !quoted) return ',';
        tab = tab || (*text == '\t' && !quoted);
    }
    return tab ? '\t' : ',';
}

static bool more_room(sm_table *table, size_t *capacity)
{
    const size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    char **cells = realloc(table->cells, wanted * table->columns * sizeof *cells);
    if (cells == NULL) return false;
    table->cells = cells;
    size_t *lines = realloc(table->lines, wanted * sizeof *lines);
    if (lines == NULL) return false;
    table->lines = lines;
    *capacity = wanted;
    return true;
}

/* A row's fields, up to SM_TABLE_COLUMNS_MAX; *count tells how many there are. */
static smitin_status read_row(reader *r, char **fields, size_t *count)
{
    bool more = true;
    for (*count = 0; more; (*count)++) {
        char *field = NULL;
        SM_TRY(read_field(r, &field, &more));
        if (*count == SM_TABLE_COLUMNS_MAX)
            return sm_fail(r->error, SMITIN_ERROR_FORMAT, "'%s', line %zu: more than %d columns",
                           r->name, r->line, SM_TABLE_COLUMNS_MAX);
        fields[*count] = field;
    }
    return SMITIN_OK;
}

static smitin_status read_rows(sm_table *table, reader *r, char **fields)
{
    size_t capacity = 0;
    while (r->at < r->end) {
        const size_t line = r->line;
        size_t count = 0;
        SM_TRY(read_row(r, fields, &count));
        if (count == 1 && fields[0][0] == '\0') continue; /* an empty line */
        if (table->header == NULL) {
            table->columns = count;
            table->header = malloc(count * sizeof *table->header);
            if (table->header == NULL) return sm_fail_memory(r->error, r->name, count);
            memcpy(table->header, fields, count * sizeof *fields);
            continue;
        }
        if (count != table->columns) {
            if (table->uneven++ == 0) table->uneven_line = line;
            continue;
        }
        if (table->rows == capacity && !more_room(table, &capacity))
            return sm_fail_memory(r->error, r->name, capacity * table->columns);
        memcpy(table->cells + table->rows * count, fields, count * sizeof *fields);
        table->lines[table->rows++] = line;
    }
    if (table->header == NULL)
        return sm_fail(r->error, SMITIN_ERROR_FORMAT, "'%s' is empty; a table begins with a header",
                       r->name);
    return SMITIN_OK;
}

static smitin_status parse(sm_table *table, const char *text, size_t size, const char *name,
                           bool plain, smitin_error *error)
{
    memset(table, 0, sizeof *table);
    if (size > SM_TABLE_BYTES_MAX)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' is larger than 64 MB", name);
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    if (size > 0 && memchr(text, '\0', size) != NULL)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' is not a text: it holds zero bytes", name);
    char **fields = malloc(SM_TABLE_COLUMNS_MAX * sizeof *fields);
    table->text = malloc(size + 1);
    smitin_status status = SMITIN_OK;
    if (fields == NULL || table->text == NULL) {
        status = sm_fail_memory(error, name, size);
    } else {
        if (size > 0) memcpy(table->text, text, size);
        table->text[size] = '\0';
        reader r = {table->text, table->text + size, '\t', plain, 1, name, error};
        if (!plain) r.separator = separator_of(r.at, r.end);
        status = read_rows(table, &r, fields);
    }
    free(fields);
    if (status != SMITIN_OK) sm_table_free(table);
    return status;
}

smitin_status sm_table_parse(sm_table *table, const char *text, size_t size, const char *name,
                             smitin_error *error)
{
    return parse(table, text, size, name, false, error);
}

/* Without blanks around it, in place. */
static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) length--;
    text[length] = '\0';
    return text;
}

smitin_status sm_table_read(sm_table *table, const char *path, bool plain, smitin_error *error)
{
    sm_filemap map = {0};
    memset(table, 0, sizeof *table);
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status = parse(table, (const char *)map.data, map.size, path, plain, error);
    sm_filemap_close(&map);
    SM_TRY(status);
    for (size_t i = 0; i < table->columns; i++) table->header[i] = trim(table->header[i]);
    for (size_t i = 0; i < table->rows * table->columns; i++)
        table->cells[i] = trim(table->cells[i]);
    return SMITIN_OK;
}

void sm_table_free(sm_table *table)
{
    free(table->text);
    free(table->cells);
    free(table->header);
    free(table->lines);
    memset(table, 0, sizeof *table);
}

long sm_table_column(const sm_table *table, const char *name)
{
    for (size_t i = 0; i < table->columns; i++)
        if (strcasecmp(table->header[i], name) == 0) return (long)i;
    return -1;
}

/* SPDX-License-Identifier: MIT */
/* Tables of text: CSV as RFC 4180 has it. Internal to this room. */
#ifndef SMITIN_DATA_TABLE_H
#define SMITIN_DATA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/error.h"

#define SM_TABLE_BYTES_MAX   ((size_t)64 << 20)
#define SM_TABLE_COLUMNS_MAX 1024

typedef struct sm_table {
    char *text;    /* what cells point into */
    char **cells;  /* [rows, columns], NUL-terminated, without quotes; the header is not a row */
    char **header; /* [columns] */
    size_t *lines; /* [rows], where each begins, from 1 */
    size_t rows, columns;
    size_t uneven;      /* rows left out: they have more or fewer columns than the header */
    size_t uneven_line; /* of the first of them */
} sm_table;

/* Fields are separated by commas, or by tabs where the header holds a tab outside quotes and no
 * comma. Quoted fields may hold separators, doubled quotes and line ends; lines end in LF or CR LF;
 * a BOM and empty lines are skipped; lines have any length. On failure the table is zeroed. */
smitin_status sm_table_parse(sm_table *table, const char *text, size_t size, const char *name,
                             smitin_error *error);
/* The same of a file, blanks around cells removed; `plain`: separated by tabs, quotes are text. */
smitin_status sm_table_read(sm_table *table, const char *path, bool plain, smitin_error *error);
void sm_table_free(sm_table *table); /* safe on a zeroed struct */
/* Column of that name, -1 when there is none. */
long sm_table_column(const sm_table *table, const char *name);

#endif

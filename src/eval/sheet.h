/* SPDX-License-Identifier: MIT */
/* A table that is made row by row, with columns that appear as they are first mentioned, and
 * written as CSV or JSON. */
#ifndef SMITIN_EVAL_SHEET_H
#define SMITIN_EVAL_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/error.h"

typedef struct sm_sheet sm_sheet;

/* NULL when memory is short. */
sm_sheet *sm_sheet_new(void);
void sm_sheet_free(sm_sheet *sheet); /* NULL is allowed */

/* Begin the next row; cells go there. A failed allocation in one of these three is remembered and
 * told when the sheet is written. */
void sm_sheet_row(sm_sheet *sheet);
void sm_sheet_text(sm_sheet *sheet, const char *column, const char *text);
/* Seven digits. NAN and infinities leave the cell empty. */
void sm_sheet_number(sm_sheet *sheet, const char *column, double value);

/* Text of the whole, to free(): CSV with a header, quoted where needed and LF at line ends; or a
 * JSON array of objects, numbers as numbers and empty cells null. */
smitin_status sm_sheet_csv(const sm_sheet *sheet, char **text, smitin_error *error);
smitin_status sm_sheet_json(const sm_sheet *sheet, char **text, smitin_error *error);
/* Either of them to a file; "-" is standard output. */
smitin_status sm_sheet_write(const sm_sheet *sheet, const char *path, bool json,
                             smitin_error *error);

#endif

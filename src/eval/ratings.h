/* SPDX-License-Identifier: MIT */
/* The answers of a listening test: tables of one row an answer, put together to ratings. */
#ifndef SMITIN_EVAL_RATINGS_H
#define SMITIN_EVAL_RATINGS_H

#include "../data/table.h"
#include "eval.h"
#include "sheet.h"

typedef struct sm_ratings sm_ratings;

/* From tables [count] with the columns listener, file, quality (a number) and, where they are,
 * condition and any number of "hears_..." (1 or 0). Rows without a quality are left out. When a
 * listener rated a file twice the later row counts; sm_ratings_twice tells how many that were.
 * Rows without a condition have an empty one. Listeners of different tables are one when they are
 * called the same. */
smitin_status sm_ratings_read(sm_ratings **ratings, const sm_table *tables,
                              const char *const *names, int count, smitin_error *error);
void sm_ratings_free(sm_ratings *ratings); /* NULL is allowed */

size_t sm_ratings_count(const sm_ratings *ratings);
size_t sm_ratings_twice(const sm_ratings *ratings);

/* A row a condition, and "(all)" when there are several: mos, interval, listeners, files, ratings,
 * the three variances, and the share of yes of every hears_. The matrix of a condition has the
 * listeners and files with a rating in it. */
smitin_status sm_ratings_conditions(const sm_ratings *ratings, sm_sheet *sheet,
                                    smitin_error *error);
/* A row a file: file, condition, quality (mean), ratings, mean of every hears_. */
smitin_status sm_ratings_files(const sm_ratings *ratings, sm_sheet *sheet, smitin_error *error);

/* One matrix of numbers, a row a listener and a column a file, empty where one did not rate; rows
 * and columns without a rating count as CrowdMOS counts them. The table's header names the files.
 */
smitin_status sm_ratings_matrix(const sm_table *table, const char *name, sm_mos *mos,
                                smitin_error *error);
/* The row of a mean opinion score. */
void sm_mos_row(sm_sheet *sheet, const sm_mos *mos, size_t listeners, size_t files);

#endif

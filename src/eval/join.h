/* SPDX-License-Identifier: MIT */
/* Tables of one row a file, put beside each other by the files' names. */
#ifndef SMITIN_EVAL_JOIN_H
#define SMITIN_EVAL_JOIN_H

#include "../data/table.h"

/* Pairs of numbers of the files that both columns know, sorted by file. */
typedef struct sm_pairs {
    size_t n;
    double *x, *y;
    int *group;    /* [n], into groups */
    char **groups; /* names, in the order of their bytes; one empty name without `by` */
    int groups_count;
    size_t alone; /* files of the table with x that another one lacks */
    size_t empty; /* matched files left out: a cell is empty or no number */
} sm_pairs;

/* tables [count], called names [count] in messages; each has a column `file`, and every file at
 * most once. Files are equal when their paths are, without suffixes and, unless that makes two of
 * one table equal, without folders: as many folders count as tell all rows of all tables apart.
 * Columns x, y and `by` (NULL: no groups) are looked for in all tables, and are in exactly one of
 * them (x and y may be in the same); `by` may be in several that agree. SMITIN_ERROR_ARGUMENT says
 * what is missing or in two tables. */
smitin_status sm_pairs_join(sm_pairs *pairs, const sm_table *tables, const char *const *names,
                            int count, const char *file, const char *x, const char *y,
                            const char *by, smitin_error *error);
void sm_pairs_free(sm_pairs *pairs); /* safe on a zeroed struct */

#endif

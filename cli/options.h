/* SPDX-License-Identifier: MIT */
/* Command-line options: one table per subcommand serves the parser and the help text. */
#ifndef SMITIN_CLI_OPTIONS_H
#define SMITIN_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of every subcommand. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,
    EXIT_SIGNAL = 128 /* and its number */
};

typedef enum option_kind {
    OPTION_FLAG,   /* bool * */
    OPTION_INT,    /* int * */
    OPTION_DOUBLE, /* double * */
    OPTION_TEXT,   /* const char ** */
    OPTION_LIST,   /* text_list *: may be given several times */
    OPTION_CHOICE, /* int *: index into `choices` */
} option_kind;

enum { LIST_CAPACITY = 4096 };

typedef struct text_list {
    const char **items; /* grown by the parser; freed by text_list_free */
    int count;
} text_list;

void text_list_free(text_list *list);

typedef struct option_spec {
    const char *short_name; /* "-p", or NULL */
    const char *long_name;  /* "--prompt" */
    option_kind kind;
    void *target;
    double low, high;           /* of numbers, inclusive */
    const char *const *choices; /* of OPTION_CHOICE, NULL at the end */
    const char *argument;       /* "TEXT" in the help */
    const char *help;
} option_spec;

/* Copy table[n] to `specs`; returns n, or 0 when `capacity` has no room for all of it. */
size_t options_add(option_spec *specs, size_t capacity, const option_spec *table, size_t n);

/* Read argv[1..]; words that are not options go to `rest` (NULL: none are allowed). Prints what is
 * wrong on standard error and returns EXIT_USAGE, else EXIT_DONE. "-h" and "--help" set *help. */
int options_parse(const option_spec *specs, size_t count, int argc, char **argv, text_list *rest,
                  bool *help);

/* Print the table on standard output. */
void options_print(const option_spec *specs, size_t count);

#endif

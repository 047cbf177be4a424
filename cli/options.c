/* SPDX-License-Identifier: MIT */
/* The option parser. Accepts "-x V", "--name V", "--name=V"; "--" ends the options. */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage_error(const char *command, const char *format, const char *a, const char *b)
{
    fprintf(stderr, "smitin: ");
    fprintf(stderr, format, a, b);
    fprintf(stderr, "; see \"smitin %s --help\"\n", command);
    return EXIT_USAGE;
}

static bool text_list_add(text_list *list, const char *item)
{
    if (list->items == NULL) list->items = calloc(LIST_CAPACITY, sizeof *list->items);
    if (list->items == NULL || list->count == LIST_CAPACITY) return false;
    list->items[list->count++] = item;
    return true;
}

void text_list_free(text_list *list)
{
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

/* The option called by the first `length` characters of `word`. */
static const option_spec *find_option(const option_spec *specs, size_t count, const char *word,
                                      size_t length)
{
    for (size_t i = 0; i < count; i++) {
        const char *names[2] = {specs[i].short_name, specs[i].long_name};
        for (int n = 0; n < 2; n++) {
            if (names[n] != NULL && strlen(names[n]) == length &&
                strncmp(names[n], word, length) == 0)
                return &specs[i];
        }
    }
    return NULL;
}

static bool parse_number(const char *text, double *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && isfinite(*value);
}

static int set_number(const char *command, const option_spec *spec, const char *text)
{
    double value = 0.0;
    char range[96];
    if (!parse_number(text, &value))
        return usage_error(command, "%s needs a number, not \"%s\"", spec->long_name, text);
    if (spec->kind == OPTION_INT && value != floor(value))
        return usage_error(command, "%s needs a whole number, not \"%s\"", spec->long_name, text);
    if (value < spec->low || value > spec->high) {
        snprintf(range, sizeof range, "%g..%g", spec->low, spec->high);
        return usage_error(command, "%s must be in %s", spec->long_name, range);
    }
    if (spec->kind == OPTION_INT)
        *(int *)spec->target = (int)value;
    else
        *(double *)spec->target = value;
    return EXIT_DONE;
}

static int set_choice(const char *command, const option_spec *spec, const char *text)
{
    char known[256] = "";
    for (int i = 0; spec->choices[i] != NULL; i++) {
        if (strcmp(spec->choices[i], text) == 0) {
            *(int *)spec->target = i;
            return EXIT_DONE;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", spec->choices[i]);
    }
    return usage_error(command, "%s must be one of %s", spec->long_name, known);
}

static int set_option(const char *command, const option_spec *spec, const char *text)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)spec->target = true;
        return EXIT_DONE;
    case OPTION_INT:
    case OPTION_DOUBLE:
        return set_number(command, spec, text);
    case OPTION_TEXT:
        *(const char **)spec->target = text;
        return EXIT_DONE;
    case OPTION_LIST:
        if (text_list_add(spec->target, text)) return EXIT_DONE;
        return usage_error(command, "%s was given too often%s", spec->long_name, "");
    case OPTION_CHOICE:
        return set_choice(command, spec, text);
    }
    return EXIT_USAGE;
}

int options_parse(const option_spec *specs, size_t count, int argc, char **argv, text_list *rest,
                  bool *help)
{
    const char *command = argv[0];
    bool ended = false;
    *help = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
            continue;
        }
        if (!ended && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)) {
            *help = true;
            return EXIT_DONE;
        }
        if (ended || word[0] != '-' || word[1] == '\0') {
            if (rest == NULL || !text_list_add(rest, word))
                return usage_error(command, "\"%s\" is not an option%s", word, "");
            continue;
        }
        const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
        const option_spec *spec = find_option(specs, count, word, length);
        if (spec == NULL) return usage_error(command, "there is no option \"%s\"%s", word, "");
        const char *value = equals != NULL ? equals + 1 : NULL;
        if (spec->kind == OPTION_FLAG && value != NULL)
            return usage_error(command, "%s takes no value%s", spec->long_name, "");
        if (spec->kind != OPTION_FLAG && value == NULL) {
            if (i + 1 == argc)
                return usage_error(command, "%s needs a value%s", spec->long_name, "");
            value = argv[++i];
        }
        const int code = set_option(command, spec, value);
        if (code != EXIT_DONE) return code;
    }
    return EXIT_DONE;
}

size_t options_add(option_spec *specs, size_t capacity, const option_spec *table, size_t n)
{
    if (n > capacity) return 0;
    memcpy(specs, table, n * sizeof *table);
    return n;
}

void options_print(const option_spec *specs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s",
                 specs[i].short_name != NULL ? specs[i].short_name : "",
                 specs[i].short_name != NULL ? ", " : "    ", specs[i].long_name,
                 specs[i].argument != NULL ? " " : "",
                 specs[i].argument != NULL ? specs[i].argument : "");
        printf("  %-30s %s\n", left, specs[i].help);
    }
    printf("  %-30s %s\n", "-h, --help", "show this help");
}

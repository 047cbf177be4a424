/* SPDX-License-Identifier: MIT */
/* Owns reading model cards: two keys of a header that is YAML, of which "key: value" is all that
 * these two need. */
#include "card.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The value of `key` when the line is "key: value", without quotes; "" and false else. */
static bool line_value(char value[SM_LICENCE_SIZE], const char *line, size_t length,
                       const char *key)
{
    const size_t name = strlen(key);
    value[0] = '\0';
    if (length <= name || memcmp(line, key, name) != 0 || line[name] != ':') return false;
    const char *p = line + name + 1, *end = line + length;
    while (p < end && *p == ' ') p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\r')) end--;
    if (end - p >= 2 && (*p == '"' || *p == '\'') && end[-1] == *p) p++, end--;
    if (end - p >= SM_LICENCE_SIZE) return false;
    for (const char *c = p; c < end; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return false;
    }
    snprintf(value, SM_LICENCE_SIZE, "%.*s", (int)(end - p), p);
    return value[0] != '\0';
}

void sm_card_licence(char licence[SM_LICENCE_SIZE], const char *text, size_t size)
{
    char value[SM_LICENCE_SIZE], name[SM_LICENCE_SIZE] = "";
    const char *end = text + size;
    licence[0] = '\0';
    for (int number = 0; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const size_t length = (size_t)((newline != NULL ? newline : end) - text);
        const bool fence = length >= 3 && length <= 4 && memcmp(text, "---", 3) == 0 &&
                           (length == 3 || text[3] == '\r');
        if (fence != (number == 0)) break; /* no header, or its end */
        if (line_value(value, text, length, "license")) memcpy(licence, value, sizeof value);
        if (line_value(value, text, length, "license_name")) memcpy(name, value, sizeof value);
        if (newline == NULL) break;
        text = newline + 1;
    }
    if (strcmp(licence, "other") == 0 && name[0] != '\0') memcpy(licence, name, sizeof name);
}

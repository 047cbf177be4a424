/* SPDX-License-Identifier: MIT */
/* HTML pages that hold everything themselves: text and bytes put into them, and a page filled in.
 */
#ifndef SMITIN_EVAL_PAGE_H
#define SMITIN_EVAL_PAGE_H

#include <stdbool.h>
#include <stdio.h>
#include "../base/error.h"

/* RFC 4648's base64, to free(); NULL when memory is short. */
char *sm_page_base64(const void *data, size_t size);
/* "audio/mpeg" of "x.mp3", by suffix. */
const char *sm_page_media_type(const char *path);

/* Text that may stand in an element or in a quoted attribute. Bytes that are no UTF-8, and control
 * characters, come out as U+FFFD. */
void sm_page_text(FILE *out, const char *text);
/* JSON that may stand in a script element. */
void sm_page_json(FILE *out, const char *json);
/* "data:TYPE;base64,..."; false when memory is short. */
bool sm_page_data(FILE *out, const char *type, const void *data, size_t size);

/* What replaces a mark of the template, which stands there once. */
typedef struct sm_page_part {
    const char *mark; /* "@BODY@" */
    const char *html;
} sm_page_part;

/* Write `form` with its parts [count], in the order of their marks, to `path`, all or nothing. */
smitin_status sm_page_write(const char *path, const char *form, const sm_page_part *parts,
                            size_t count, smitin_error *error);

#endif

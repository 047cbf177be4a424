/* SPDX-License-Identifier: MIT */
/* A report that is written once and comes out twice: as Markdown with its pictures, sounds and CSV
 * beside it, and as one HTML page that holds all of them. Every text given is escaped for both. */
#ifndef SMITIN_EVAL_DOCUMENT_H
#define SMITIN_EVAL_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include "chart.h"

typedef struct sm_document sm_document;

/* Everything goes into `folder`, which is there. */
smitin_status sm_document_new(sm_document **document, const char *folder, const char *title,
                              smitin_error *error);
void sm_document_free(sm_document *document); /* NULL is allowed */
/* report.md and report.html: the last files that are written. */
smitin_status sm_document_write(sm_document *document, smitin_error *error);
/* Bytes that pictures and sounds have put into the page. */
size_t sm_document_held(const sm_document *document);

/* Level 2 or 3; those of level 2 are the page's contents. */
void sm_document_heading(sm_document *document, int level, const char *text);
void sm_document_text(sm_document *document, const char *format, ...) SM_PRINTF(2, 3);
/* Something to be seen at once. */
void sm_document_warning(sm_document *document, const char *text);
/* A text that keeps its lines, folded away in the page. */
void sm_document_listing(sm_document *document, const char *title, const char *text);

/* A table: its header (NULL: none, the rows are facts), then cell by cell; a row ends by itself,
 * and the first cell of each is its heading. `exact`: the number that the text shows rounded, for
 * sorting and for who wants it; NULL for words. */
void sm_document_table(sm_document *document, const char *caption, const char *const *header,
                       size_t columns);
void sm_document_cell(sm_document *document, const char *text, const char *exact);
void sm_document_table_end(sm_document *document);

/* Figures: NNN-NAME.png for Markdown, NNN-NAME.csv for both, NNN a running number. */
smitin_status sm_document_chart(sm_document *document, const sm_chart *chart, const char *name,
                                smitin_error *error);
smitin_status sm_document_head_map(sm_document *document, const sm_head_map *map, const char *name,
                                   smitin_error *error);

/* Cards side by side, each with a title, a picture and a sound. */
void sm_document_cards(sm_document *document);
typedef struct sm_card {
    const char *title, *note;
    const char *name;         /* NNN-NAME.png, NNN-NAME.mp3 */
    const unsigned char *png; /* [png_size] */
    size_t png_size;
    const char *about;    /* of the picture, for who cannot see it */
    const float *samples; /* [frames, channels]: what is heard */
    size_t frames;
    int channels, rate; /* a rate that MP3 has */
} sm_card;
smitin_status sm_document_card(sm_document *document, const sm_card *card, smitin_error *error);
void sm_document_cards_end(sm_document *document);

#endif

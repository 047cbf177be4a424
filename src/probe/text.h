/* SPDX-License-Identifier: MIT */
/* A text that grows, and the heat map that every report has. For this room and reports above it. */
#ifndef SMITIN_PROBE_TEXT_H
#define SMITIN_PROBE_TEXT_H

#include "../base/error.h"

typedef struct sm_text {
    char *data; /* NULL once memory was short; freed by the caller */
    size_t length, capacity;
} sm_text;

sm_text sm_text_new(void);
/* At most 511 bytes at a time. */
void sm_text_add(sm_text *text, const char *format, ...) SM_PRINTF(2, 3);
/* Write it to `path` and free it. */
smitin_status sm_text_write(sm_text *text, const char *path, smitin_error *error);

typedef struct sm_heatmap {
    const double *values; /* [L, H]; NAN: left empty */
    int L, H;
    const char *title, *label; /* of the plot, of the colours */
    double low, high;          /* of the colours; what lies outside shares the nearest one */
    int digits;                /* behind the point, in the cells */
} sm_heatmap;

/* A PNG of layers x heads, drawn by gnuplot. */
smitin_status sm_heatmap_write(const sm_heatmap *map, const char *path, smitin_error *error);

#endif

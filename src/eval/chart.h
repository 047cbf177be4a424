/* SPDX-License-Identifier: MIT */
/* Figures of reports, each in three forms: SVG that stands in a page, a PNG drawn by gnuplot, and
 * the data as CSV. */
#ifndef SMITIN_EVAL_CHART_H
#define SMITIN_EVAL_CHART_H

#include <stdbool.h>
#include <stdio.h>
#include "../base/error.h"

typedef enum sm_series_kind {
    SM_SERIES_LINE = 0,
    SM_SERIES_THIN,   /* a line behind the others */
    SM_SERIES_DASHED, /* a line that is a limit, not a measurement */
    SM_SERIES_BAND,   /* between y and high */
    SM_SERIES_DOTS,
    SM_SERIES_MARKS, /* large dots, each with its name beside it */
    SM_SERIES_BARS,  /* from 0 to y, as wide as the step of x */
} sm_series_kind;

#define SM_CHART_COLOURS 8

typedef struct sm_series {
    sm_series_kind kind;
    const char *label;        /* in the key; NULL: not there */
    int colour;               /* 0..SM_CHART_COLOURS-1 */
    const double *x;          /* [count], finite */
    const double *y;          /* [count]; NAN leaves a gap */
    const double *high;       /* [count], of bands; else NULL */
    const char *const *names; /* [count], of dots and marks; NULL: none */
    size_t count;
} sm_series;

typedef struct sm_chart {
    const char *title, *about; /* about: a sentence or two for who cannot see it */
    const char *x_label, *y_label;
    double x_low, x_high, y_low, y_high; /* NAN: as the data has it */
    bool whole_x;                        /* x counts things: no ticks between */
    double shade;                        /* from x_low to here the plot is shaded; NAN: not */
    const char *shade_label;
    const sm_series *series;
    size_t count;
} sm_chart;

/* `id` is of this figure alone in its page: letters, digits and "-". */
void sm_chart_svg(FILE *out, const sm_chart *chart, const char *id);
/* Columns series, x, y, high, name. */
smitin_status sm_chart_csv(const sm_chart *chart, const char *path, smitin_error *error);
smitin_status sm_chart_png(const sm_chart *chart, const char *path, smitin_error *error);

/* Numbers over layers x heads, as colours. */
typedef struct sm_head_map {
    const char *title, *about, *label; /* label: of the colours */
    const double *values;              /* [L, H]; NAN: left empty */
    int L, H;
    double low, high; /* of the colours; what lies outside shares the nearest one */
} sm_head_map;

void sm_head_map_svg(FILE *out, const sm_head_map *map, const char *id);

/* For both forms of a chart (chart.c): where it is drawn. */
typedef struct sm_chart_frame {
    double x_low, x_high, y_low, y_high, x_step, y_step; /* limits and distances of the ticks */
} sm_chart_frame;
void sm_chart_find_frame(const sm_chart *chart, sm_chart_frame *frame);
/* Half the step of x: what a bar reaches to either side. */
double sm_series_half(const sm_series *series);

#endif

/* SPDX-License-Identifier: MIT */
/* Owns charts as files: the data as CSV, and gnuplot's PNG of it. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../base/gnuplot.h"
#include "../base/outfile.h"
#include "chart.h"
#include "sheet.h"

smitin_status sm_chart_csv(const sm_chart *chart, const char *path, smitin_error *error)
{
    sm_sheet *sheet = sm_sheet_new();
    if (sheet == NULL) return sm_fail_memory(error, path, 0);
    for (size_t s = 0; s < chart->count; s++) {
        const sm_series *series = &chart->series[s];
        for (size_t i = 0; i < series->count; i++) {
            sm_sheet_row(sheet);
            sm_sheet_text(sheet, "series", series->label != NULL ? series->label : "");
            sm_sheet_number(sheet, "x", series->x[i]);
            sm_sheet_number(sheet, "y", series->y[i]);
            if (series->high != NULL) sm_sheet_number(sheet, "high", series->high[i]);
            if (series->names != NULL) sm_sheet_text(sheet, "name", series->names[i]);
        }
    }
    const smitin_status status = sm_sheet_write(sheet, path, false, error);
    sm_sheet_free(sheet);
    return status;
}

/* ---- gnuplot ---- */

static const char *const colours[SM_CHART_COLOURS] = {"#0063a6", "#c8651b", "#00795a", "#b0307a",
                                                      "#6a51a3", "#5b7a00", "#8a5a2b", "#555555"};

static void put_quoted(FILE *out, const char *before, const char *text)
{
    char quoted[512];
    sm_gnuplot_quote(quoted, sizeof quoted, text);
    fprintf(out, "%s'%s'\n", before, quoted);
}

/* Data blocks $s0, $s1, ...; names of points would lie on each other, and stand in the key. */
static void put_data(FILE *out, const sm_series *s, size_t index)
{
    const double half = sm_series_half(s);
    fprintf(out, "$s%zu << END\n", index);
    for (size_t i = 0; i < s->count; i++) {
        const bool there = !isnan(s->y[i]) && (s->high == NULL || !isnan(s->high[i]));
        if (there)
            fprintf(out, "%.9g %.9g %.9g\n", s->x[i], s->y[i],
                    s->high != NULL ? s->high[i] : 2.0 * half);
        else if (s->kind != SM_SERIES_BAND)
            fputc('\n', out);
    }
    fprintf(out, "END\n");
}

static void put_series(FILE *out, const sm_series *s, size_t index)
{
    static const char *const styles[] = {"using 1:2 with lines lw 2",
                                         "using 1:2 with lines lw 0.5",
                                         "using 1:2 with lines lw 1.5 dt 2",
                                         "using 1:2:3 with filledcurves fs transparent solid 0.2",
                                         "using 1:2 with points pt 7 ps 0.5",
                                         "using 1:2 with points pt 7 ps 1.6",
                                         "using 1:2:3 with boxes fs solid 0.8"};
    char label[512] = "";
    if (s->label != NULL) sm_gnuplot_quote(label, sizeof label, s->label);
    fprintf(out, "%s$s%zu %s lc rgb \"%s\" %s%s%s", index > 0 ? ", " : "", index, styles[s->kind],
            colours[s->colour], s->label != NULL ? "title '" : "notitle", label,
            s->label != NULL ? "'" : "");
}

smitin_status sm_chart_png(const sm_chart *chart, const char *path, smitin_error *error)
{
    char *script = NULL;
    size_t size = 0;
    sm_chart_frame f;
    FILE *out = open_memstream(&script, &size);
    if (out == NULL) return sm_fail_memory(error, path, 0);
    sm_chart_find_frame(chart, &f);
    put_quoted(out, "set title ", chart->title);
    put_quoted(out, "set xlabel ", chart->x_label);
    put_quoted(out, "set ylabel ", chart->y_label);
    fprintf(out,
            "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset xtics %.9g\nset ytics %.9g\n"
            "set grid ytics lc rgb \"#dddddd\"\nset border 3\nset tics nomirror\nset key below\n",
            f.x_low, f.x_high, f.y_low, f.y_high, f.x_step, f.y_step);
    if (!isnan(chart->shade) && chart->shade > f.x_low) {
        fprintf(out,
                "set object 1 rectangle from graph 0,0 to %.9g,graph 1 fc rgb \"#eeeeee\" fs solid "
                "noborder behind\n",
                chart->shade);
        put_quoted(out, "set label 1 at graph 0.01,0.96 ", chart->shade_label);
    }
    for (size_t s = 0; s < chart->count; s++) put_data(out, &chart->series[s], s);
    fprintf(out, "plot ");
    for (size_t s = 0; s < chart->count; s++) put_series(out, &chart->series[s], s);
    fputc('\n', out);
    smitin_status status = SMITIN_OK;
    if (fclose(out) != 0) status = sm_fail_memory(error, path, size);
    if (status == SMITIN_OK) status = sm_gnuplot_png(path, 900, 420, script, error);
    free(script);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns figures as SVG. Colours are classes, so that the page's style decides them for light and
 * dark; a title, a description and a title of every point say what there is to see. */
#include "chart.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "page.h"

enum { WIDTH = 720, HEIGHT = 300, LEFT = 62, RIGHT = 16, TOP = 12, BOTTOM = 46 };

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them fill `range`. */
static double nice_step(double range, double wanted)
{
    const double rough = range / wanted, power = pow(10.0, floor(log10(rough)));
    const double share = rough / power;
    return power * (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0);
}

double sm_series_half(const sm_series *s)
{
    return s->kind == SM_SERIES_BARS && s->count > 1 ? 0.5 * (s->x[1] - s->x[0]) : 0.0;
}

static void widen(double value, double *low, double *high)
{
    if (!isfinite(value)) return;
    *low = fmin(*low, value);
    *high = fmax(*high, value);
}

/* Limits that were not given: the data's, from 0 for bars, with a little air. */
static void settle(double given_low, double given_high, double *low, double *high, double air)
{
    if (!(*low <= *high)) {
        *low = 0.0;
        *high = 1.0;
    }
    if (*high - *low < 1e-9 * fmax(1.0, fabs(*high))) {
        *low -= 0.5;
        *high += 0.5;
    }
    const double range = *high - *low;
    *low = isnan(given_low) ? *low - air * range : given_low;
    *high = isnan(given_high) ? *high + air * range : given_high;
    if (!(*high > *low)) *high = *low + 1.0;
}

void sm_chart_find_frame(const sm_chart *chart, sm_chart_frame *f)
{
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    bool bars = false, points = false;
    for (size_t s = 0; s < chart->count; s++) {
        const sm_series *series = &chart->series[s];
        const double half = sm_series_half(series);
        bars = bars || series->kind == SM_SERIES_BARS;
        points = points || series->kind == SM_SERIES_DOTS || series->kind == SM_SERIES_MARKS;
        for (size_t i = 0; i < series->count; i++) {
            widen(series->x[i] - half, &x_low, &x_high);
            widen(series->x[i] + half, &x_low, &x_high);
            widen(series->y[i], &y_low, &y_high);
            if (series->high != NULL) widen(series->high[i], &y_low, &y_high);
        }
    }
    if (bars) widen(0.0, &y_low, &y_high);
    settle(chart->x_low, chart->x_high, &x_low, &x_high, points ? 0.06 : 0.0);
    settle(bars && isnan(chart->y_low) ? fmin(y_low, 0.0) : chart->y_low, chart->y_high, &y_low,
           &y_high, 0.06);
    *f = (sm_chart_frame){x_low,
                          x_high,
                          y_low,
                          y_high,
                          nice_step(x_high - x_low, 8.0),
                          nice_step(y_high - y_low, 5.0)};
    if (chart->whole_x) f->x_step = fmax(1.0, f->x_step);
}

/* ---- SVG ---- */

enum { TAKEN = 256 };

typedef struct drawing {
    FILE *out;
    sm_chart_frame frame;
    double taken[TAKEN][3]; /* by marks and their names so far: from, to, line of text */
    int count;
} drawing;

static double at_x(const drawing *d, double x)
{
    const double share = (x - d->frame.x_low) / (d->frame.x_high - d->frame.x_low);
    return LEFT + fmin(fmax(share, -0.01), 1.01) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const drawing *d, double y)
{
    const double share = (y - d->frame.y_low) / (d->frame.y_high - d->frame.y_low);
    return HEIGHT - BOTTOM - fmin(fmax(share, -0.01), 1.01) * (HEIGHT - TOP - BOTTOM);
}

/* The head that every figure has. */
static void begin_svg(FILE *out, const char *id, const char *class, const char *title,
                      const char *about, int width, int height)
{
    fprintf(out,
            "<svg class=\"%s\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
            "aria-labelledby=\"%s-t %s-d\"><title id=\"%s-t\">",
            class, width, height, width, height, id, id, id);
    sm_page_text(out, title);
    fprintf(out, "</title><desc id=\"%s-d\">", id);
    sm_page_text(out, about);
    fprintf(out, "</desc>\n");
}

static void put_text(FILE *out, double x, double y, const char *class, const char *anchor,
                     const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class,
            anchor);
    sm_page_text(out, text);
    fprintf(out, "</text>\n");
}

/* The k-th tick as text; rounding leaves no minus before a zero. */
static double tick(double k, double step, char *text, size_t size)
{
    const double value = k * step;
    snprintf(text, size, "%.6g", fabs(value) < 1e-9 * step ? 0.0 : value);
    return value;
}

static void draw_axes(const drawing *d, const sm_chart *chart)
{
    const sm_chart_frame *f = &d->frame;
    char text[32];
    for (double k = ceil(f->y_low / f->y_step - 1e-9);
         k * f->y_step <= f->y_high + 1e-9 * f->y_step; k++) {
        const double y = at_y(d, tick(k, f->y_step, text, sizeof text));
        fprintf(d->out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
        put_text(d->out, LEFT - 6, y + 4, "tick", "end", text);
    }
    for (double k = ceil(f->x_low / f->x_step - 1e-9);
         k * f->x_step <= f->x_high + 1e-9 * f->x_step; k++) {
        const double x = at_x(d, tick(k, f->x_step, text, sizeof text));
        fprintf(d->out, "<path class=\"axis\" d=\"M%.1f %dv4\"/>", x, HEIGHT - BOTTOM);
        put_text(d->out, x, HEIGHT - BOTTOM + 17, "tick", "middle", text);
    }
    fprintf(d->out, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
            WIDTH - RIGHT);
    put_text(d->out, 0.5 * (LEFT + WIDTH - RIGHT), HEIGHT - 8, "label", "middle", chart->x_label);
    fprintf(d->out,
            "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 %d) "
            "rotate(-90)\">",
            (TOP + HEIGHT - BOTTOM) / 2);
    sm_page_text(d->out, chart->y_label);
    fprintf(d->out, "</text>\n");
}

static void draw_shade(const drawing *d, const sm_chart *chart)
{
    if (isnan(chart->shade) || !(chart->shade > d->frame.x_low)) return;
    const double to = at_x(d, chart->shade);
    fprintf(d->out, "<rect class=\"shade\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", LEFT,
            TOP, to - LEFT, HEIGHT - TOP - BOTTOM);
    put_text(d->out, LEFT + 4, TOP + 13, "tick", "start", chart->shade_label);
}

static void draw_line(const drawing *d, const sm_series *s)
{
    static const char *const classes[] = {"line", "thin", "dashed"};
    bool open = false;
    fprintf(d->out, "<path class=\"%s c%d\" d=\"", classes[s->kind], s->colour);
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(s->y[i])) {
            open = false;
            continue;
        }
        fprintf(d->out, "%s%.1f %.1f", open ? "L" : "M", at_x(d, s->x[i]), at_y(d, s->y[i]));
        open = true;
    }
    fprintf(d->out, "\"/>\n");
}

static void draw_band(const drawing *d, const sm_series *s)
{
    bool open = false;
    fprintf(d->out, "<path class=\"band f%d\" d=\"", s->colour);
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(s->y[i]) || isnan(s->high[i])) continue;
        fprintf(d->out, "%s%.1f %.1f", open ? "L" : "M", at_x(d, s->x[i]), at_y(d, s->high[i]));
        open = true;
    }
    for (size_t i = s->count; i-- > 0;) {
        if (isnan(s->y[i]) || isnan(s->high[i])) continue;
        fprintf(d->out, "L%.1f %.1f", at_x(d, s->x[i]), at_y(d, s->y[i]));
    }
    fprintf(d->out, "%s\"/>\n", open ? "Z" : "");
}

static void take_place(drawing *d, double from, double to, double line)
{
    const double place[3] = {from, to, line};
    if (d->count < TAKEN) memcpy(d->taken[d->count++], place, sizeof place);
}

/* A name above or below its point, where no other is; else it stands in the key only. */
static void put_name(drawing *d, double x, double y, const char *name)
{
    static const double lines[] = {-8.0, 18.0, -21.0, 31.0};
    const bool left = x > WIDTH - 150;
    const double width = 6.5 * (double)strlen(name), from = left ? x - 8 - width : x + 8;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const double line = y + lines[i];
        bool taken = line < TOP || line > HEIGHT - BOTTOM - 2;
        for (int n = 0; n < d->count; n++)
            taken = taken || (fabs(d->taken[n][2] - line) < 12.0 && d->taken[n][0] < from + width &&
                              from < d->taken[n][1]);
        if (taken) continue;
        take_place(d, from, from + width, line);
        put_text(d->out, left ? x - 8 : x + 8, line, "name", left ? "end" : "start", name);
        return;
    }
}

static void draw_points(drawing *d, const sm_series *s)
{
    const bool marks = s->kind == SM_SERIES_MARKS;
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(s->y[i])) continue;
        const double x = at_x(d, s->x[i]), y = at_y(d, s->y[i]);
        fprintf(d->out, "<circle class=\"%s f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>",
                marks ? "mark" : "dot", s->colour, x, y, marks ? "6" : "3");
        if (s->names != NULL) sm_page_text(d->out, s->names[i]);
        fprintf(d->out, " (%.4g, %.4g)</title></circle>\n", s->x[i], s->y[i]);
        if (marks) take_place(d, x - 7.0, x + 7.0, y + 4.0);
    }
}

static void draw_names(drawing *d, const sm_series *s)
{
    for (size_t i = 0; s->names != NULL && i < s->count; i++)
        if (!isnan(s->y[i])) put_name(d, at_x(d, s->x[i]), at_y(d, s->y[i]), s->names[i]);
}

static void draw_bars(const drawing *d, const sm_series *s)
{
    const double half = sm_series_half(s);
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(s->y[i])) continue;
        const double from = at_x(d, s->x[i] - half), to = at_x(d, s->x[i] + half);
        const double base = at_y(d, 0.0), top = at_y(d, s->y[i]);
        fprintf(d->out,
                "<rect class=\"f%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>"
                "%.4g to %.4g: %.4g</title></rect>\n",
                s->colour, from + 0.5, fmin(top, base), fmax(to - from - 1.0, 0.5),
                fabs(base - top), s->x[i] - half, s->x[i] + half, s->y[i]);
    }
}

void sm_chart_svg(FILE *out, const sm_chart *chart, const char *id)
{
    drawing d = {.out = out};
    sm_chart_find_frame(chart, &d.frame);
    begin_svg(out, id, "chart", chart->title, chart->about, WIDTH, HEIGHT);
    draw_shade(&d, chart);
    draw_axes(&d, chart);
    fprintf(out,
            "<clipPath id=\"%s-c\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>"
            "</clipPath><g clip-path=\"url(#%s-c)\">\n",
            id, LEFT, TOP - 2, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM + 4, id);
    for (size_t i = 0; i < chart->count; i++) {
        const sm_series *s = &chart->series[i];
        if (s->kind == SM_SERIES_BAND) draw_band(&d, s);
        if (s->kind == SM_SERIES_BARS) draw_bars(&d, s);
        if (s->kind == SM_SERIES_DOTS) draw_points(&d, s);
        if (s->kind <= SM_SERIES_DASHED) draw_line(&d, s);
    }
    fprintf(out, "</g>\n");
    for (size_t i = 0; i < chart->count; i++) /* names may reach beyond the frame */
        if (chart->series[i].kind == SM_SERIES_MARKS) draw_points(&d, &chart->series[i]);
    for (size_t i = 0; i < chart->count; i++)
        if (chart->series[i].kind == SM_SERIES_MARKS) draw_names(&d, &chart->series[i]);
    fprintf(out, "</svg>\n<p class=\"key\">");
    for (size_t i = 0; i < chart->count; i++) {
        static const char *const shapes[] = {"line",  "thin",  "dashed", "area",
                                             "point", "point", "area"};
        const sm_series *s = &chart->series[i];
        if (s->label == NULL) continue;
        fprintf(out, "<span><i class=\"%s k%d%s\"></i>", shapes[s->kind], s->colour,
                s->kind == SM_SERIES_BAND ? " faint" : "");
        sm_page_text(out, s->label);
        fprintf(out, "</span> ");
    }
    fprintf(out, "</p>\n");
}

/* ---- Layers x heads ---- */

/* From nearly white to dark blue by way of the blue of #6baed6: in lightness a straight line, so
 * that it reads in grey, too. */
static void colour_of(const sm_head_map *map, double value, int rgb[3])
{
    static const int stops[3][3] = {{0xf7, 0xfb, 0xff}, {0x6b, 0xae, 0xd6}, {0x08, 0x30, 0x6b}};
    const double share = fmin(fmax((value - map->low) / (map->high - map->low), 0.0), 1.0);
    const int from = share < 0.5 ? 0 : 1;
    const double part = 2.0 * share - from;
    for (int i = 0; i < 3; i++)
        rgb[i] = (int)lround(stops[from][i] + part * (stops[from + 1][i] - stops[from][i]));
}

static void draw_scale(FILE *out, const sm_head_map *map, int left, int top, int height)
{
    char text[32];
    enum { STEPS = 32 };
    for (int i = 0; i < STEPS; i++) {
        const double share = (i + 0.5) / STEPS;
        int rgb[3];
        colour_of(map, map->low + share * (map->high - map->low), rgb);
        fprintf(out,
                "<rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"%.1f\" fill=\"#%02x%02x%02x\"/>",
                left, top + height * (1.0 - (i + 1.0) / STEPS), (double)height / STEPS + 0.4,
                (unsigned)rgb[0], (unsigned)rgb[1], (unsigned)rgb[2]);
    }
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"14\" height=\"%d\"/>\n", left,
            top, height);
    for (int i = 0; i <= 2; i++) {
        snprintf(text, sizeof text, "%.3g", map->low + 0.5 * i * (map->high - map->low));
        put_text(out, left + 20, top + height * (1.0 - 0.5 * i) + 4, "tick", "start", text);
    }
}

void sm_head_map_svg(FILE *out, const sm_head_map *map, const char *id)
{
    const int L = map->L, H = map->H, left = 52, top = 10;
    const int wide = H > 32 ? 18 : 34, high = L > 32 ? 16 : 24;
    const int width = left + (H < 4 ? 4 : H) * wide + 90, height = top + L * high + 44;
    const bool figures = L * H <= 600 && H <= 32;
    char text[32];
    begin_svg(out, id, "map", map->title, map->about, width, height);
    for (int i = 0; i < L * H; i++) {
        int rgb[3];
        const double v = map->values[i];
        const int x = left + i % H * wide, y = top + i / H * high;
        if (isnan(v)) continue;
        colour_of(map, v, rgb);
        fprintf(out,
                "<g><title>layer %d, head %d: %.4g</title><rect x=\"%d\" y=\"%d\" width=\"%d\" "
                "height=\"%d\" fill=\"#%02x%02x%02x\"/>",
                i / H, i % H, v, x, y, wide, high, (unsigned)rgb[0], (unsigned)rgb[1],
                (unsigned)rgb[2]);
        if (figures)
            fprintf(out, "<text class=\"cell\" x=\"%.1f\" y=\"%.1f\" style=\"fill:%s\">%.2f</text>",
                    x + 0.5 * wide, y + 0.5 * high + 4.0,
                    v > 0.5 * (map->low + map->high) ? "#fff" : "#202020", v);
        fprintf(out, "</g>\n");
    }
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", left,
            top, H * wide, L * high);
    for (int h = 0; h<H; h += H> 32 ? 4 : 1) {
        snprintf(text, sizeof text, "%d", h);
        put_text(out, left + (h + 0.5) * wide, top + L * high + 15, "tick", "middle", text);
    }
    for (int l = 0; l<L; l += L> 48 ? 4 : 1) {
        snprintf(text, sizeof text, "%d", l);
        put_text(out, left - 6, top + (l + 0.5) * high + 4, "tick", "end", text);
    }
    put_text(out, left + 0.5 * H * wide, height - 8, "label", "middle", "head");
    fprintf(out,
            "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 %d) "
            "rotate(-90)\">layer</text>\n",
            top + L * high / 2);
    draw_scale(out, map, left + (H < 4 ? 4 : H) * wide + 22, top, L * high);
    fprintf(out, "</svg>\n<p class=\"key\">Colour: ");
    sm_page_text(out, map->label);
    fprintf(out, "</p>\n");
}

/* SPDX-License-Identifier: MIT */
/* Owns reports in their two forms. */
#include "document.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "../base/filemap.h"
#include "../base/outfile.h"
#include "../probe/text.h"
#include "page.h"
#include "report_html.h"
#include "sheet.h"

struct sm_document {
    const char *folder, *title;
    FILE *html, *md, *contents;
    char *html_text, *md_text, *contents_text;
    size_t html_size, md_size, contents_size;
    int figures, headings; /* so far */
    size_t columns, cell;  /* of the table that is open */
    size_t held;
    bool short_of_memory;
};

/* ---- Text ---- */

/* One line of Markdown in which nothing is a mark. */
static void put_md(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\`*_{}[]<>#|~&", *text) != NULL) fputc('\\', out);
        fputc((unsigned char)*text < 32 ? ' ' : *text, out);
    }
}

/* `text` between two pieces of a page, or of Markdown. */
static void html(sm_document *d, const char *before, const char *text, const char *after)
{
    fputs(before, d->html);
    sm_page_text(d->html, text);
    fputs(after, d->html);
}

static void md(sm_document *d, const char *before, const char *text, const char *after)
{
    fputs(before, d->md);
    put_md(d->md, text);
    fputs(after, d->md);
}

/* A name for files and links: its number makes it the only one, and what a link or a file system
 * could take for something else is replaced. */
static void plain_name(sm_document *d, const char *name, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%03d-", ++d->figures);
    for (; *name != '\0' && n + 1 < size; name++) {
        const bool plain = (*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
                           (*name >= 'A' && *name <= 'Z') || strchr("-_.", *name) != NULL;
        out[n++] = plain ? *name : '_';
    }
    out[n] = '\0';
}

static void path_of(const sm_document *d, const char *name, const char *suffix, char *out,
                    size_t size)
{
    snprintf(out, size, "%.3800s/%.200s%s", d->folder, name, suffix);
}

smitin_status sm_document_new(sm_document **out, const char *folder, const char *title,
                              smitin_error *error)
{
    sm_document *d = calloc(1, sizeof *d);
    *out = d;
    if (d != NULL) {
        d->folder = folder;
        d->title = title;
        d->html = open_memstream(&d->html_text, &d->html_size);
        d->md = open_memstream(&d->md_text, &d->md_size);
        d->contents = open_memstream(&d->contents_text, &d->contents_size);
    }
    if (d == NULL || d->html == NULL || d->md == NULL || d->contents == NULL)
        return sm_fail_memory(error, "a report", 0);
    md(d, "# ", title, "\n");
    return SMITIN_OK;
}

void sm_document_free(sm_document *d)
{
    if (d == NULL) return;
    if (d->html != NULL) fclose(d->html);
    if (d->md != NULL) fclose(d->md);
    if (d->contents != NULL) fclose(d->contents);
    free(d->html_text);
    free(d->md_text);
    free(d->contents_text);
    free(d);
}

size_t sm_document_held(const sm_document *d)
{
    return d->held;
}

smitin_status sm_document_write(sm_document *d, smitin_error *error)
{
    char *title = NULL, path[4200];
    size_t size = 0;
    FILE *out = open_memstream(&title, &size);
    if (out != NULL) sm_page_text(out, d->title);
    bool whole = out != NULL && fclose(out) == 0 && !d->short_of_memory;
    whole = fflush(d->html) == 0 && fflush(d->md) == 0 && fflush(d->contents) == 0 && whole;
    smitin_status status = whole ? SMITIN_OK : sm_fail_memory(error, "a report", d->html_size);
    path_of(d, "report", ".md", path, sizeof path);
    if (status == SMITIN_OK) status = sm_file_write(path, d->md_text, d->md_size, error);
    const sm_page_part parts[] = {{"@TITLE@", title},
                                  {"@HEADING@", title},
                                  {"@CONTENTS@", d->contents_text},
                                  {"@BODY@", d->html_text}};
    path_of(d, "report", ".html", path, sizeof path);
    if (status == SMITIN_OK)
        status = sm_page_write(path, report_html, parts, sizeof parts / sizeof *parts, error);
    free(title);
    return status;
}

void sm_document_heading(sm_document *d, int level, const char *text)
{
    const int number = ++d->headings;
    fprintf(d->html, "<h%d id=\"h%d\">", level, number);
    sm_page_text(d->html, text);
    fprintf(d->html, "</h%d>\n", level);
    fprintf(d->md, "\n%.*s ", level, "####");
    put_md(d->md, text);
    fprintf(d->md, "\n");
    if (level != 2) return;
    fprintf(d->contents, "<li><a href=\"#h%d\">", number);
    sm_page_text(d->contents, text);
    fprintf(d->contents, "</a></li>\n");
}

void sm_document_text(sm_document *d, const char *format, ...)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    va_list arguments;
    va_start(arguments, format);
    if (out != NULL) vfprintf(out, format, arguments);
    va_end(arguments);
    if (out == NULL || fclose(out) != 0) {
        d->short_of_memory = true;
    } else {
        html(d, "<p>", text, "</p>\n");
        md(d, "\n", text, "\n");
    }
    free(text);
}

void sm_document_warning(sm_document *d, const char *text)
{
    html(d, "<p class=\"warning\">", text, "</p>\n");
    md(d, "\n**", text, "**\n");
}

void sm_document_listing(sm_document *d, const char *title, const char *text)
{
    html(d, "<details><summary>", title, "</summary><pre tabindex=\"0\">");
    sm_page_text(d->html, text);
    fprintf(d->html, "</pre></details>\n");
    md(d, "\n", title, ":\n\n    ");
    for (; *text != '\0'; text++) {
        fputc(*text, d->md);
        if (*text == '\n' && text[1] != '\0') fprintf(d->md, "    ");
    }
    fprintf(d->md, "\n");
}

/* ---- Tables ---- */

void sm_document_table(sm_document *d, const char *caption, const char *const *header,
                       size_t columns)
{
    d->columns = columns;
    d->cell = 0;
    fprintf(d->html, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"");
    sm_page_text(d->html, caption);
    fprintf(d->html, "\"><table%s><caption>", header == NULL ? " class=\"facts\"" : "");
    sm_page_text(d->html, caption);
    fprintf(d->html, "</caption>%s", header != NULL ? "<thead><tr>" : "");
    md(d, "\n", caption, ":\n\n|");
    for (size_t i = 0; i < columns; i++) {
        if (header != NULL) fprintf(d->html, "<th scope=\"col\">");
        if (header != NULL) sm_page_text(d->html, header[i]);
        if (header != NULL) fprintf(d->html, "</th>");
        fprintf(d->md, " ");
        if (header != NULL) put_md(d->md, header[i]);
        fprintf(d->md, " |");
    }
    fprintf(d->html, "%s<tbody>\n", header != NULL ? "</tr></thead>" : "");
    fprintf(d->md, "\n|");
    for (size_t i = 0; i < columns; i++) fprintf(d->md, "---|");
    fprintf(d->md, "\n");
}

void sm_document_cell(sm_document *d, const char *text, const char *exact)
{
    const bool first = d->cell == 0, last = d->cell + 1 == d->columns;
    if (first) fprintf(d->html, "<tr>");
    fprintf(d->html, first ? "<th scope=\"row\">" : "<td");
    if (!first && exact != NULL) {
        html(d, " class=\"number\" data-value=\"", exact, "\"");
    }
    if (!first) fprintf(d->html, ">");
    sm_page_text(d->html, text);
    fprintf(d->html, first ? "</th>" : "</td>");
    fprintf(d->md, first ? "| " : " ");
    put_md(d->md, text);
    fprintf(d->md, " |");
    if (last) {
        fprintf(d->html, "</tr>\n");
        fprintf(d->md, "\n");
    }
    d->cell = last ? 0 : d->cell + 1;
}

void sm_document_table_end(sm_document *d)
{
    fprintf(d->html, "</tbody></table></div>\n");
}

/* ---- Figures ---- */

/* The data of a figure, in the page and as a link. */
static smitin_status put_csv(sm_document *d, const char *name, smitin_error *error)
{
    char path[4200];
    sm_filemap map = {0};
    path_of(d, name, ".csv", path, sizeof path);
    SM_TRY(sm_filemap_open(&map, path, error));
    fprintf(d->html, "<p class=\"data\"><a download=\"%s.csv\" href=\"", name);
    if (!sm_page_data(d->html, "text/csv", map.data, map.size)) d->short_of_memory = true;
    fprintf(d->html, "\">Data (CSV)</a></p>\n");
    d->held += map.size;
    sm_filemap_close(&map);
    fprintf(d->md, "\n[data](%s.csv)\n", name);
    return SMITIN_OK;
}

static void begin_figure(sm_document *d, const char *title, const char *name)
{
    html(d, "<figure><figcaption>", title,
         "</figcaption><div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"");
    sm_page_text(d->html, title);
    fprintf(d->html, "\">\n");
    fprintf(d->md, "\n![");
    put_md(d->md, title);
    fprintf(d->md, "](%s.png)\n", name);
}

static smitin_status end_figure(sm_document *d, const char *about, const char *name,
                                smitin_error *error)
{
    html(d, "</div><p class=\"about\">", about, "</p>\n");
    md(d, "\n", about, "\n");
    const smitin_status status = put_csv(d, name, error);
    fprintf(d->html, "</figure>\n");
    return status;
}

smitin_status sm_document_chart(sm_document *d, const sm_chart *chart, const char *wanted,
                                smitin_error *error)
{
    char path[4200], id[24], name[120];
    plain_name(d, wanted, name, sizeof name);
    path_of(d, name, ".csv", path, sizeof path);
    SM_TRY(sm_chart_csv(chart, path, error));
    path_of(d, name, ".png", path, sizeof path);
    SM_TRY(sm_chart_png(chart, path, error));
    snprintf(id, sizeof id, "f%d", d->figures);
    begin_figure(d, chart->title, name);
    sm_chart_svg(d->html, chart, id);
    return end_figure(d, chart->about, name, error);
}

static smitin_status write_cells(const sm_head_map *map, const char *path, smitin_error *error)
{
    sm_sheet *sheet = sm_sheet_new();
    if (sheet == NULL) return sm_fail_memory(error, path, 0);
    for (int i = 0; i < map->L * map->H; i++) {
        sm_sheet_row(sheet);
        sm_sheet_number(sheet, "layer", i / map->H);
        sm_sheet_number(sheet, "head", i % map->H);
        sm_sheet_number(sheet, "value", map->values[i]);
    }
    const smitin_status status = sm_sheet_write(sheet, path, false, error);
    sm_sheet_free(sheet);
    return status;
}

smitin_status sm_document_head_map(sm_document *d, const sm_head_map *map, const char *wanted,
                                   smitin_error *error)
{
    char path[4200], id[24], name[120];
    plain_name(d, wanted, name, sizeof name);
    const sm_heatmap plot = {.values = map->values,
                             .L = map->L,
                             .H = map->H,
                             .title = map->title,
                             .label = map->label,
                             .low = map->low,
                             .high = map->high,
                             .digits = 2};
    path_of(d, name, ".csv", path, sizeof path);
    SM_TRY(write_cells(map, path, error));
    path_of(d, name, ".png", path, sizeof path);
    SM_TRY(sm_heatmap_write(&plot, path, error));
    snprintf(id, sizeof id, "f%d", d->figures);
    begin_figure(d, map->title, name);
    sm_head_map_svg(d->html, map, id);
    return end_figure(d, map->about, name, error);
}

/* ---- Cards ---- */

void sm_document_cards(sm_document *d)
{
    fprintf(d->html, "<div class=\"cards\">\n");
}

void sm_document_cards_end(sm_document *d)
{
    fprintf(d->html, "</div>\n");
}

static smitin_status put_sound(sm_document *d, const sm_card *card, const char *name,
                               smitin_error *error)
{
    char path[4200];
    sm_filemap map = {0};
    path_of(d, name, ".mp3", path, sizeof path);
    SM_TRY(sm_audio_write(path, card->samples, card->frames, card->channels, card->rate, 16, NULL,
                          0, error));
    SM_TRY(sm_filemap_open(&map, path, error));
    html(d, "<audio controls preload=\"metadata\" aria-label=\"", card->title, "\" src=\"");
    if (!sm_page_data(d->html, "audio/mpeg", map.data, map.size)) d->short_of_memory = true;
    fprintf(d->html, "\"></audio>\n");
    d->held += map.size;
    sm_filemap_close(&map);
    fprintf(d->md, " [listen](%s.mp3)\n", name);
    return SMITIN_OK;
}

smitin_status sm_document_card(sm_document *d, const sm_card *card, smitin_error *error)
{
    char path[4200], name[120];
    plain_name(d, card->name, name, sizeof name);
    path_of(d, name, ".png", path, sizeof path);
    SM_TRY(sm_file_write(path, card->png, card->png_size, error));
    html(d, "<section class=\"card\"><h4>", card->title, "</h4>\n<img alt=\"");
    sm_page_text(d->html, card->about);
    fprintf(d->html, "\" src=\"");
    if (!sm_page_data(d->html, "image/png", card->png, card->png_size)) d->short_of_memory = true;
    fprintf(d->html, "\">\n");
    d->held += card->png_size;
    fprintf(d->md, "\n![");
    put_md(d->md, card->about);
    fprintf(d->md, "](%s.png)\n", name);
    SM_TRY(put_sound(d, card, name, error));
    html(d, "<p>", card->note, "</p></section>\n");
    put_md(d->md, card->note);
    fprintf(d->md, "\n");
    return SMITIN_OK;
}

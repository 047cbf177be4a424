/* SPDX-License-Identifier: MIT */
/* Owns texts that grow and heat maps of layers x heads. */
#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/gnuplot.h"
#include "../base/outfile.h"

sm_text sm_text_new(void)
{
    return (sm_text){calloc(1, 4096), 0, 4096};
}

void sm_text_add(sm_text *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (text->data == NULL || n < 0) return;
    size_t count = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (text->length + count + 1 > text->capacity) {
        size_t wanted = 2 * text->capacity + count + 1;
        char *larger = realloc(text->data, wanted);
        if (larger == NULL) {
            free(text->data);
            text->data = NULL;
            return;
        }
        text->data = larger;
        text->capacity = wanted;
    }
    memcpy(text->data + text->length, line, count + 1);
    text->length += count;
}

smitin_status sm_text_write(sm_text *text, const char *path, smitin_error *error)
{
    if (text->data == NULL) return sm_fail_memory(error, path, text->capacity);
    const smitin_status status = sm_file_write(path, text->data, text->length, error);
    free(text->data);
    text->data = NULL;
    return status;
}

static void add_settings(sm_text *script, const sm_heatmap *map)
{
    char quoted[256];
    sm_gnuplot_quote(quoted, sizeof quoted, map->title);
    sm_text_add(script, "set title '%s'\n", quoted);
    sm_gnuplot_quote(quoted, sizeof quoted, map->label);
    sm_text_add(script, "set xlabel \"head\"\nset ylabel \"layer\"\nset cblabel '%s'\n", quoted);
    sm_text_add(script,
                "set cbrange [%.9g:%.9g]\nset palette defined (0 \"#f7fbff\", 0.5 "
                "\"#6baed6\", 1 \"#08306b\")\n",
                map->low, map->high);
    sm_text_add(script, "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\n", map->H - 0.5, map->L - 0.5);
    sm_text_add(script, "set xtics %d\nset ytics %d\nset tics scale 0\nunset key\n",
                map->H > 32 ? 4 : 1, map->L > 48 ? 4 : 1);
}

smitin_status sm_heatmap_write(const sm_heatmap *map, const char *path, smitin_error *error)
{
    sm_text script = sm_text_new();
    add_settings(&script, map);
    sm_text_add(&script, "$cells << END\n");
    for (int i = 0; i < map->L * map->H; i++) {
        if (isnan(map->values[i])) continue;
        sm_text_add(&script, "%d %d %.6g\n", i % map->H, i / map->H, map->values[i]);
    }
    sm_text_add(&script, "END\nplot $cells using 1:2:3 with image pixels");
    if (map->L * map->H <= 600) /* figures where they can be read */
        sm_text_add(&script,
                    ", $cells using 1:2:(sprintf(\"%%.%df\", $3)):($3 > %.9g ? 0xffffff : "
                    "0x202020) with labels font \"sans,8\" tc rgb variable",
                    map->digits, 0.5 * (map->low + map->high));
    sm_text_add(&script, "\n");
    if (script.data == NULL) return sm_fail_memory(error, path, script.capacity);
    /* Never narrower than its title, which is centred above the cells, left of the key. */
    const int least = 60 + 8 * (int)strlen(map->title), heads = 320 + 44 * map->H;
    const int wanted = heads > least ? heads : least, width = wanted > 620 ? wanted : 620;
    const int height = 200 + 34 * map->L;
    const smitin_status status = sm_gnuplot_png(path, width > 4000 ? 4000 : width,
                                                height > 4000 ? 4000 : height, script.data, error);
    free(script.data);
    return status;
}

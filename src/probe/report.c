/* SPDX-License-Identifier: MIT */
/* Owns how accuracies are shown: a table as CSV and a heat map of layers x heads. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/gnuplot.h"
#include "../base/outfile.h"
#include "probe.h"

/* A text that grows; `data` is NULL once memory was short. */
typedef struct text {
    char *data;
    size_t length, capacity;
} text;

static void add(text *out, const char *format, ...) SM_PRINTF(2, 3);

static void add(text *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (out->data == NULL || n < 0) return;
    size_t count = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (out->length + count + 1 > out->capacity) {
        size_t wanted = 2 * out->capacity + count + 1;
        char *larger = realloc(out->data, wanted);
        if (larger == NULL) {
            free(out->data);
            out->data = NULL;
            return;
        }
        out->data = larger;
        out->capacity = wanted;
    }
    memcpy(out->data + out->length, line, count + 1);
    out->length += count;
}

static text text_new(void)
{
    text out = {calloc(1, 4096), 0, 4096};
    return out;
}

smitin_status sm_probe_write_csv(const sm_knob_data *knob, const char *path, smitin_error *error)
{
    text csv = text_new();
    add(&csv, "layer,head,accuracy_train,accuracy_test,sigma,weight_norm\n");
    for (int i = 0; i < knob->L * knob->H; i++)
        add(&csv, "%d,%d,%.6f,%.6f,%.9g,%.9g\n", i / knob->H, i % knob->H,
            (double)knob->accuracy_train[i], (double)knob->accuracy_test[i], (double)knob->sigma[i],
            (double)knob->weight_norm[i]);
    if (csv.data == NULL) return sm_fail_memory(error, path, csv.capacity);
    smitin_status status = sm_file_write(path, csv.data, csv.length, error);
    free(csv.data);
    return status;
}

static void add_settings(text *script, const sm_knob_data *knob)
{
    char trait[2 * sizeof knob->meta.trait + 3];
    sm_gnuplot_quote(trait, sizeof trait, knob->meta.trait);
    double best = 0.0, mean = 0.0;
    int total = knob->L * knob->H;
    for (int i = 0; i < total; i++) {
        best = fmax(best, (double)knob->accuracy_test[i]);
        mean += (double)knob->accuracy_test[i] / total;
    }
    add(script, "set title '%s: test accuracy of the heads (best %.1f %%, mean %.1f %%)'\n", trait,
        100.0 * best, 100.0 * mean);
    add(script,
        "set xlabel \"head\"\nset ylabel \"layer\"\nset cblabel \"accuracy on test data, %%\"\n");
    /* From chance upwards; what is below chance by luck shares its colour. */
    add(script, "set cbrange [50:100]\nset palette defined (0 \"#f7fbff\", 0.5 \"#6baed6\", 1 "
                "\"#08306b\")\n");
    add(script, "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\n", knob->H - 0.5, knob->L - 0.5);
    add(script, "set xtics %d\nset ytics %d\nset tics scale 0\nunset key\n", knob->H > 32 ? 4 : 1,
        knob->L > 48 ? 4 : 1);
}

smitin_status sm_probe_write_heatmap(const sm_knob_data *knob, const char *path,
                                     smitin_error *error)
{
    text script = text_new();
    add_settings(&script, knob);
    add(&script, "$cells << END\n");
    for (int i = 0; i < knob->L * knob->H; i++)
        add(&script, "%d %d %.2f\n", i % knob->H, i / knob->H,
            100.0 * (double)knob->accuracy_test[i]);
    add(&script, "END\nplot $cells using 1:2:3 with image pixels");
    if (knob->L * knob->H <= 600) /* figures where they can be read */
        add(&script, ", $cells using 1:2:(sprintf(\"%%.0f\", $3)):($3 > 75 ? 0xffffff : 0x202020) "
                     "with labels font \"sans,8\" tc rgb variable");
    add(&script, "\n");
    if (script.data == NULL) return sm_fail_memory(error, path, script.capacity);
    /* Never narrower than its title. */
    const int width = knob->H < 7 ? 620 : 320 + 44 * knob->H, height = 200 + 34 * knob->L;
    const smitin_status status = sm_gnuplot_png(path, width > 4000 ? 4000 : width,
                                                height > 4000 ? 4000 : height, script.data, error);
    free(script.data);
    return status;
}

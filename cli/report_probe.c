/* SPDX-License-Identifier: MIT */
/* Heads in a report: the CSV that "smitin probe" or "smitin knob train" wrote of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../src/base/path.h"
#include "report.h"

enum { HEADS_MAX = 65536, BINS = 20 };

/* ---- Reading ---- */

/* A whole number 0..limit-1; -1: another. */
static int whole(double value, int limit)
{
    return value >= 0.0 && value < limit && floor(value) >= value ? (int)value : -1;
}

/* What the report beside the table says of it. */
static void read_about(report_probe *p, const char *folder)
{
    char path[EXPERIMENT_PATH];
    snprintf(path, sizeof path, "%.1900s/report.json", folder);
    json_t *root = json_load_file(path, 0, NULL);
    const char *model = json_string_value(json_object_get(root, "model"));
    const char *data = json_string_value(json_object_get(root, "data"));
    const char *task = json_string_value(json_object_get(root, "task"));
    const char *measure = json_string_value(json_object_get(root, "ranked_by"));
    if (measure != NULL) snprintf(p->measure, sizeof p->measure, "%s", measure);
    if (model != NULL && data != NULL && task != NULL)
        snprintf(p->about, sizeof p->about, "Model %.100s, task %.40s; data: %.300s.", model, task,
                 data);
    const bool two =
        task != NULL && (strcmp(task, "binary") == 0 || strcmp(task, "multilabel") == 0);
    const bool half = strcmp(p->measure, "accuracy") == 0 || strcmp(p->measure, "auc") == 0;
    p->low = two && half ? 0.5 : 0.0;
    json_decref(root);
}

static int refuse(const report_probe *p, const char *what)
{
    fprintf(stderr,
            "smitin: '%s' %s; give heads.csv of \"smitin probe\", its folder, or the CSV of "
            "\"smitin knob train\"\n",
            p->path, what);
    return EXIT_FAILED;
}

static int fill(report_probe *p, const sm_table *t)
{
    char column[80];
    const long layer = sm_table_column(t, "layer"), head = sm_table_column(t, "head");
    snprintf(column, sizeof column, "test_%s", p->measure);
    long value = sm_table_column(t, column);
    if (value < 0 && strcmp(p->measure, "accuracy") == 0)
        value = sm_table_column(t, "accuracy_test");
    if (layer < 0 || value < 0 || t->rows == 0)
        return refuse(p, "has no columns layer, head and accuracy_test or test_accuracy");
    for (size_t i = 0; i < t->rows; i++) {
        const int l = whole(eval_cell(t, i, layer), HEADS_MAX);
        const int h = head < 0 ? 0 : whole(eval_cell(t, i, head), HEADS_MAX);
        if (l < 0 || h < 0) return refuse(p, "has a layer or head that is no number");
        p->L = l >= p->L ? l + 1 : p->L;
        p->H = h >= p->H ? h + 1 : p->H;
    }
    if (p->L > HEADS_MAX / p->H) return refuse(p, "has more layers times heads than 65536");
    p->values = malloc((size_t)(p->L * p->H) * sizeof *p->values);
    char *seen = calloc((size_t)(p->L * p->H), 1);
    bool twice = false;
    if (p->values == NULL || seen == NULL) {
        free(seen);
        return eval_no_memory();
    }
    for (int i = 0; i < p->L * p->H; i++) p->values[i] = (double)NAN;
    for (size_t i = 0; i < t->rows; i++) {
        const int l = (int)eval_cell(t, i, layer), h = head < 0 ? 0 : (int)eval_cell(t, i, head);
        twice = twice || seen[l * p->H + h];
        seen[l * p->H + h] = 1;
        p->values[l * p->H + h] = eval_cell(t, i, value);
    }
    free(seen);
    return twice ? refuse(p, "names a head twice") : EXIT_DONE;
}

int report_probe_open(report_probe *p, const char *path)
{
    struct stat info;
    smitin_error error = {0};
    sm_table table;
    char folder[EXPERIMENT_PATH];
    const bool whole = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    const size_t above = (size_t)(sm_path_name(path) - path);
    p->name = path;
    snprintf(p->measure, sizeof p->measure, "accuracy");
    p->low = 0.5;
    snprintf(folder, sizeof folder, "%.1900s", path);
    if (!whole) snprintf(folder, sizeof folder, "%.*s.", above < 1900 ? (int)above : 1900, path);
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/';) folder[--end] = '\0';
    snprintf(p->path, sizeof p->path, "%.1900s%s", whole ? folder : path,
             whole ? "/heads.csv" : "");
    if (strcmp(sm_path_name(p->path), "heads.csv") == 0) read_about(p, folder);
    if (sm_table_read(&table, p->path, false, &error) != SMITIN_OK) return report_error(&error);
    const int code = table.uneven == 0 ? fill(p, &table) : refuse(p, "has rows of unequal length");
    sm_table_free(&table);
    return code;
}

void report_probe_free(report_probe *p)
{
    free(p->values);
}

/* ---- Figures ---- */

static void find_range(const report_probe *p, double *low, double *high, double *mean, int *best)
{
    double sum = 0.0;
    int n = 0;
    *best = -1;
    for (int i = 0; i < p->L * p->H; i++) {
        if (isnan(p->values[i])) continue;
        sum += p->values[i];
        n++;
        if (*best < 0 || p->values[i] > p->values[*best]) *best = i;
    }
    *mean = n > 0 ? sum / n : (double)NAN;
    *low = p->low;
    *high = p->low > 0.0 || *best < 0 ? 1.0 : fmax(0.1, ceil(10.0 * p->values[*best]) / 10.0);
}

static smitin_status add_histogram(report_job *job, const report_probe *p, double low, double high,
                                   smitin_error *error)
{
    double x[BINS], y[BINS] = {0};
    char title[300], label[80], name[40];
    for (int b = 0; b < BINS; b++) x[b] = low + (b + 0.5) * (high - low) / BINS;
    for (int i = 0; i < p->L * p->H; i++) {
        if (isnan(p->values[i])) continue;
        const int bin = (int)floor(BINS * (p->values[i] - low) / (high - low));
        y[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin] += 1.0;
    }
    snprintf(title, sizeof title, "%.200s: how many heads reach what", p->name);
    snprintf(label, sizeof label, "%.60s on test data", p->measure);
    snprintf(name, sizeof name, "p%d-histogram", p->number);
    const sm_series series = {SM_SERIES_BARS, NULL, 0, x, y, NULL, NULL, BINS};
    const sm_chart chart = {.title = title,
                            .about = "Heads below or above the scale are in its first or last bar.",
                            .x_label = label,
                            .y_label = "heads",
                            .x_low = low,
                            .x_high = high,
                            .y_low = 0.0,
                            .y_high = (double)NAN,
                            .shade = (double)NAN,
                            .series = &series,
                            .count = 1};
    return sm_document_chart(job->document, &chart, name, error);
}

static smitin_status add_layers(report_job *job, const report_probe *p, smitin_error *error)
{
    double *data = calloc(3 * (size_t)p->L, sizeof *data);
    if (data == NULL) return sm_fail_memory(error, "a figure", (size_t)p->L);
    double *x = data, *mean = data + p->L, *best = data + 2 * p->L;
    for (int l = 0; l < p->L; l++) {
        int n = 0;
        x[l] = l;
        best[l] = (double)NAN;
        for (int h = 0; h < p->H; h++) {
            const double v = p->values[l * p->H + h];
            if (isnan(v)) continue;
            mean[l] += v;
            n++;
            best[l] = isnan(best[l]) ? v : fmax(best[l], v);
        }
        mean[l] = n > 0 ? mean[l] / n : (double)NAN;
    }
    char title[300], label[80], name[40];
    snprintf(title, sizeof title, "%.200s: layers", p->name);
    snprintf(label, sizeof label, "%.60s on test data", p->measure);
    snprintf(name, sizeof name, "p%d-layers", p->number);
    const sm_series series[] = {
        {SM_SERIES_LINE, "best head", 0, x, best, NULL, NULL, (size_t)p->L},
        {SM_SERIES_LINE, "mean of heads", 1, x, mean, NULL, NULL, (size_t)p->L}};
    const sm_chart chart = {.title = title,
                            .about = "Best head and mean of the heads of every layer.",
                            .x_label = "layer",
                            .whole_x = true,
                            .y_label = label,
                            .x_low = (double)NAN,
                            .x_high = (double)NAN,
                            .y_low = (double)NAN,
                            .y_high = (double)NAN,
                            .shade = (double)NAN,
                            .series = series,
                            .count = 2};
    const smitin_status status = sm_document_chart(job->document, &chart, name, error);
    free(data);
    return status;
}

int report_probe_write(report_job *job, const report_probe *p)
{
    smitin_error error = {0};
    double low, high, mean;
    int best;
    char title[400], about[300], label[80], name[40];
    find_range(p, &low, &high, &mean, &best);
    snprintf(title, sizeof title, "Heads of %.300s", p->name);
    sm_document_heading(job->document, 2, title);
    if (p->about[0] != '\0') sm_document_text(job->document, "%s", p->about);
    if (best < 0) {
        report_note(job, "'%s' has no value of any head", p->path);
        return EXIT_DONE;
    }
    snprintf(about, sizeof about,
             "%d layers of %d heads. The best is head %d of layer %d with %.3f; the mean of all is "
             "%.3f.",
             p->L, p->H, best % p->H, best / p->H, p->values[best], mean);
    snprintf(title, sizeof title, "%.200s: %s of every head on test data", p->name, p->measure);
    snprintf(label, sizeof label, "%.60s on test data", p->measure);
    snprintf(name, sizeof name, "p%d-heads", p->number);
    const sm_head_map map = {title, about, label, p->values, p->L, p->H, low, high};
    smitin_status status = sm_document_head_map(job->document, &map, name, &error);
    if (status == SMITIN_OK) status = add_histogram(job, p, low, high, &error);
    if (status == SMITIN_OK) status = add_layers(job, p, &error);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

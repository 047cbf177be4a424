/* SPDX-License-Identifier: MIT */
/* Owns how a survey is shown: tables as CSV, pictures with their data beside them, all of it as
 * JSON. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/gnuplot.h"
#include "../base/outfile.h"
#include "survey.h"
#include "text.h"

enum { BINS = 20 };

typedef struct report {
    const sm_survey *s;
    const sm_store_meta *about;
    int measure;
    const char *folder;
    smitin_error *error;
} report;

static void path_of(const report *r, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%.4000s/%s", r->folder, name);
}

static smitin_status write_text(const report *r, sm_text *text, const char *name)
{
    char path[4200];
    path_of(r, name, path, sizeof path);
    return sm_text_write(text, path, r->error);
}

/* What a measure is called in pictures. */
static const char *title_of(const char *measure)
{
    static const char *const names[][2] = {{"f1", "F1"},
                                           {"auc", "ROC-AUC"},
                                           {"ap", "average precision"},
                                           {"key", "weighted key score"},
                                           {"r2", "R2"},
                                           {"pearson", "Pearson's r"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], measure) == 0) return names[i][1];
    return measure;
}

/* "GTZAN" of "GTZAN: 930 files, ...", or the trait. */
static void subject_of(const sm_store_meta *about, char *out, size_t size)
{
    const size_t length = strcspn(about->data, ":,");
    if (about->task == SM_TASK_BINARY)
        snprintf(out, size, "%.60s", about->names[0]);
    else
        snprintf(out, size, "%.*s", (int)(length < 60 ? length : 60), about->data);
}

/* The highest a measure can be read as in a picture, and what guessing gives. */
static void range_of(const report *r, double *low, double *high)
{
    const sm_survey *s = r->s;
    const char *name = s->measure_names[r->measure];
    const bool traits = s->task == SM_TASK_BINARY || s->task == SM_TASK_MULTILABEL;
    const bool half = traits && (strcmp(name, "accuracy") == 0 || strcmp(name, "auc") == 0);
    double most = 0.0;
    for (int i = 0; i < s->L * s->U; i++) {
        const double v = sm_survey_value(s, SM_SPLIT_TEST, i, sm_survey_main(s), r->measure);
        if (v > most) most = v;
    }
    *low = half ? 0.5 : 0.0;
    *high = half ? 1.0 : fmax(0.1, ceil(10.0 * most) / 10.0);
}

/* ---- CSV ---- */

/* "train_accuracy,train_f1,..." of the splits that have clips. */
static void add_measure_names(const sm_survey *s, sm_text *csv)
{
    for (int split = 0; split < SM_SPLITS; split++)
        for (int m = 0; m < s->measures && s->rows[split] > 0; m++)
            sm_text_add(csv, ",%s_%s", sm_split_names[split], s->measure_names[m]);
}

/* A measure; nothing where it is not defined. */
static void add_value(sm_text *csv, double value)
{
    if (isnan(value))
        sm_text_add(csv, ",");
    else
        sm_text_add(csv, ",%.6f", value);
}

static void add_measures(const sm_survey *s, sm_text *csv, int probe, int column)
{
    for (int split = 0; split < SM_SPLITS; split++)
        for (int m = 0; m < s->measures && s->rows[split] > 0; m++)
            add_value(csv, sm_survey_value(s, (sm_split)split, probe, column, m));
}

/* A cell in quotes, those inside doubled. */
static void add_cell(sm_text *csv, const char *text)
{
    sm_text_add(csv, "\"");
    for (; *text != '\0'; text++) sm_text_add(csv, *text == '"' ? "\"\"" : "%c", *text);
    sm_text_add(csv, "\"");
}

/* Layer, and head where there is one. */
static void add_place(const sm_survey *s, sm_text *csv, int probe)
{
    if (probe < 0)
        sm_text_add(csv, s->U > 1 || !s->options.layers ? ",," : ",");
    else if (s->options.layers)
        sm_text_add(csv, ",%d", probe);
    else
        sm_text_add(csv, ",%d,%d", probe / s->U, probe % s->U);
}

static smitin_status write_heads(const report *r)
{
    const sm_survey *s = r->s;
    sm_text csv = sm_text_new();
    sm_text_add(&csv, s->options.layers ? "layer" : "layer,head");
    add_measure_names(s, &csv);
    for (int i = 0; i < s->L * s->U; i++) {
        if (s->options.layers)
            sm_text_add(&csv, "\n%d", i);
        else
            sm_text_add(&csv, "\n%d,%d", i / s->U, i % s->U);
        add_measures(s, &csv, i, sm_survey_main(s));
    }
    sm_text_add(&csv, "\n");
    SM_TRY(write_text(r, &csv, "heads.csv"));
    if (s->labels < 2) return SMITIN_OK;
    csv = sm_text_new();
    sm_text_add(&csv, s->options.layers ? "label,layer" : "label,layer,head");
    add_measure_names(s, &csv);
    for (int k = 0; k < s->labels; k++)
        for (int i = 0; i < s->L * s->U; i++) {
            sm_text_add(&csv, "\n");
            add_cell(&csv, r->about->names[k]);
            add_place(s, &csv, i);
            add_measures(s, &csv, i, k);
        }
    sm_text_add(&csv, "\n");
    return write_text(r, &csv, "heads_by_label.csv");
}

/* Every label at the head that is best for all, and at its own; chosen on test, as published tables
 * do, and on valid where there is one. */
static smitin_status write_labels(const report *r)
{
    const sm_survey *s = r->s;
    const bool valid = s->rows[SM_SPLIT_VALID] > 0;
    const char *const kinds[] = {"one_head", "own_head", "one_head_of_valid", "own_head_of_valid"};
    sm_text csv = sm_text_new();
    sm_text_add(&csv, "label,train_clips,valid_clips,test_clips");
    for (int kind = 0; kind < (valid ? 4 : 2); kind++) {
        sm_text_add(&csv, s->options.layers ? ",%s_layer" : ",%s_layer,%s_head", kinds[kind],
                    kinds[kind]);
        for (int m = 0; m < s->measures; m++)
            sm_text_add(&csv, ",%s_test_%s", kinds[kind], s->measure_names[m]);
    }
    sm_text_add(&csv, "\n");
    for (int k = 0; k < s->labels; k++) {
        const size_t classes = (size_t)r->about->classes;
        const bool all = s->task == SM_TASK_MULTICLASS || s->task == SM_TASK_REGRESSION;
        add_cell(&csv, s->task == SM_TASK_MULTICLASS ? "all classes" : r->about->names[k]);
        for (size_t split = 0; split < SM_SPLITS; split++)
            sm_text_add(&csv, ",%zu",
                        all ? s->rows[split] : s->positives[split * classes + (size_t)k]);
        for (int kind = 0; kind < (valid ? 4 : 2); kind++) {
            const int probe = sm_survey_best(s, kind < 2 ? SM_SPLIT_TEST : SM_SPLIT_VALID,
                                             kind % 2 == 0 ? sm_survey_main(s) : k, r->measure);
            add_place(s, &csv, probe);
            for (int m = 0; m < s->measures; m++)
                add_value(&csv,
                          probe < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, probe, k, m));
        }
        sm_text_add(&csv, "\n");
    }
    return write_text(r, &csv, "labels.csv");
}

/* ---- Pictures ---- */

static smitin_status write_heatmap(const report *r)
{
    const sm_survey *s = r->s;
    const int total = s->L * s->U;
    char path[4200], title[300], subject[64];
    if (s->options.layers) return SMITIN_OK;
    double *values = calloc((size_t)total, sizeof *values);
    if (values == NULL) return sm_fail_memory(r->error, "a heat map", (size_t)total);
    sm_text csv = sm_text_new();
    sm_text_add(&csv, "layer");
    for (int h = 0; h < s->U; h++) sm_text_add(&csv, ",head_%d", h);
    for (int i = 0; i < total; i++) {
        values[i] = sm_survey_value(s, SM_SPLIT_TEST, i, sm_survey_main(s), r->measure);
        if (i % s->U == 0) sm_text_add(&csv, "\n%d", i / s->U);
        add_value(&csv, values[i]);
    }
    sm_text_add(&csv, "\n");
    smitin_status status = write_text(r, &csv, "heatmap.csv");
    const char *name = title_of(s->measure_names[r->measure]);
    subject_of(r->about, subject, sizeof subject);
    snprintf(title, sizeof title, "%s on %s: %s of every head, test data", r->about->model, subject,
             name);
    sm_heatmap map = {.values = values, .L = s->L, .H = s->U, .title = title, .label = name};
    range_of(r, &map.low, &map.high);
    map.digits = 2;
    path_of(r, "heatmap.png", path, sizeof path);
    if (status == SMITIN_OK) status = sm_heatmap_write(&map, path, r->error);
    free(values);
    return status;
}

static smitin_status draw(const report *r, sm_text *script, const char *name, int width)
{
    char path[4200];
    path_of(r, name, path, sizeof path);
    if (script->data == NULL) return sm_fail_memory(r->error, path, script->capacity);
    const smitin_status status = sm_gnuplot_png(path, width, 420, script->data, r->error);
    free(script->data);
    script->data = NULL;
    return status;
}

/* How many heads reach which value on test data. */
static smitin_status write_histogram(const report *r)
{
    const sm_survey *s = r->s;
    const char *name = title_of(s->measure_names[r->measure]);
    int counts[BINS] = {0}, best = 0, most = 0;
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < s->L * s->U; i++) {
        const double v = sm_survey_value(s, SM_SPLIT_TEST, i, sm_survey_main(s), r->measure);
        if (v < low) low = v;
        if (v > high) high = v;
    }
    if (!(low <= high)) return SMITIN_OK; /* not one head has a value */
    /* Borders that can be read: whole hundredths. */
    double step = fmax(0.01, ceil((high - low) / (BINS - 1) * 100.0) / 100.0);
    low = floor(low / step) * step;
    for (int i = 0; i < s->L * s->U; i++) {
        const double v = sm_survey_value(s, SM_SPLIT_TEST, i, sm_survey_main(s), r->measure);
        if (isnan(v)) continue;
        int bin = (int)((v - low) / step + 1e-9);
        bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
        counts[bin]++;
        if (bin > best) best = bin;
    }
    sm_text csv = sm_text_new(), script = sm_text_new();
    sm_text_add(&csv, "from,to,heads\n");
    sm_text_add(&script,
                "set title \"Heads by %s on test data\"\nset xlabel \"%s\"\nset ylabel '%s'\nunset "
                "key\nset style fill solid 0.85 border rgb \"#ffffff\"\nset boxwidth %.9g\nset "
                "yrange [0:*]\nset grid ytics lc rgb \"#dddddd\"\nset tics nomirror\nset border "
                "3\n",
                name, name, s->options.layers ? "layers" : "heads", step);
    for (int b = 0; b <= best; b++) most = counts[b] > most ? counts[b] : most;
    sm_text_add(&script, most <= 10 ? "set ytics 1\n" : "");
    sm_text_add(&script, "$bins << END\n");
    for (int b = 0; b <= best; b++) {
        sm_text_add(&csv, "%.6g,%.6g,%d\n", low + b * step, low + (b + 1) * step, counts[b]);
        sm_text_add(&script, "%.9g %d\n", low + (b + 0.5) * step, counts[b]);
    }
    sm_text_add(&script, "END\nplot $bins using 1:2 with boxes lc rgb \"#2171b5\"\n");
    const smitin_status status = write_text(r, &csv, "histogram.csv");
    if (status != SMITIN_OK) {
        free(script.data);
        return status;
    }
    return draw(r, &script, "histogram.png", 640);
}

/* Mean and best head of every layer on test data. */
static smitin_status write_layers(const report *r)
{
    const sm_survey *s = r->s;
    const char *name = title_of(s->measure_names[r->measure]);
    sm_text csv = sm_text_new(), script = sm_text_new();
    sm_text_add(&csv, "layer,mean,max\n");
    sm_text_add(
        &script,
        "set title \"Layers: %s on test data\"\nset xlabel 'layer'\nset ylabel \"%s\"\nset key "
        "below\nset xrange [-0.5:%g]\nset grid ytics lc rgb \"#dddddd\"\nset tics "
        "nomirror\nset border 3\nset xtics %d\n$layers << END\n",
        name, name, s->L - 0.5,
        s->L > 24   ? 4
        : s->L > 12 ? 2
                    : 1);
    for (int l = 0; l < s->L; l++) {
        double sum = 0.0, most = -INFINITY;
        int count = 0;
        for (int u = 0; u < s->U; u++) {
            const double v =
                sm_survey_value(s, SM_SPLIT_TEST, l * s->U + u, sm_survey_main(s), r->measure);
            if (isnan(v)) continue;
            sum += v;
            count++;
            if (v > most) most = v;
        }
        if (count == 0) continue;
        sm_text_add(&csv, "%d,%.6f,%.6f\n", l, sum / count, most);
        sm_text_add(&script, "%d %.6f %.6f\n", l, sum / count, most);
    }
    sm_text_add(&script,
                "END\nplot $layers using 1:3 with linespoints lw 2 pt 7 lc rgb \"#08306b\" "
                "title 'best head', $layers using 1:2 with linespoints lw 2 pt 7 lc rgb "
                "\"#6baed6\" title 'mean of heads'\n");
    const smitin_status status = write_text(r, &csv, "layers.csv");
    if (status != SMITIN_OK) {
        free(script.data);
        return status;
    }
    return draw(r, &script, "layers.png", 640);
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *place(const sm_survey *s, int probe)
{
    if (probe < 0) return json_null();
    json_t *o = json_pack("{s:i}", "layer", probe / s->U);
    if (!s->options.layers) json_object_set_new(o, "head", json_integer(probe % s->U));
    return o;
}

/* Mean over labels of each one's own best probe, chosen on one split and read on test. */
static double own_mean(const sm_survey *s, sm_split chosen, int measure)
{
    double sum = 0.0;
    int count = 0;
    for (int k = 0; k < s->labels; k++) {
        const int probe = sm_survey_best(s, chosen, k, measure);
        const double v =
            probe < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, probe, k, measure);
        if (!isnan(v)) sum += v;
        count += !isnan(v);
    }
    return count > 0 ? sum / count : (double)NAN;
}

void sm_survey_sum_up(const sm_survey *s, int measure, sm_survey_summary *out)
{
    const int column = sm_survey_main(s);
    double sum = 0.0;
    int count = 0;
    for (int i = 0; i < s->L * s->U; i++) {
        const double v = sm_survey_value(s, SM_SPLIT_TEST, i, column, measure);
        if (!isnan(v)) sum += v;
        count += !isnan(v);
    }
    out->mean = count > 0 ? sum / count : (double)NAN;
    for (int i = 0; i < 2; i++) {
        const sm_split chosen = i == 0 ? SM_SPLIT_TEST : SM_SPLIT_VALID;
        out->probe[i] = sm_survey_best(s, chosen, column, measure);
        out->one[i] = out->probe[i] < 0
                          ? (double)NAN
                          : sm_survey_value(s, SM_SPLIT_TEST, out->probe[i], column, measure);
        out->own[i] = own_mean(s, chosen, measure);
    }
}

static json_t *summary_json(const sm_survey *s)
{
    json_t *all = json_object();
    for (int m = 0; m < s->measures; m++) {
        sm_survey_summary sum;
        sm_survey_sum_up(s, m, &sum);
        json_t *o = json_object();
        json_object_set_new(o, "best_head", place(s, sum.probe[0]));
        json_object_set_new(o, "best_head_value", number(sum.one[0]));
        json_object_set_new(o, "best_head_per_label", number(sum.own[0]));
        json_object_set_new(o, "head_of_valid", place(s, sum.probe[1]));
        json_object_set_new(o, "head_of_valid_value", number(sum.one[1]));
        json_object_set_new(o, "head_of_valid_per_label", number(sum.own[1]));
        json_object_set_new(o, "mean_of_heads", number(sum.mean));
        json_object_set_new(all, s->measure_names[m], o);
    }
    return all;
}

static json_t *labels_json(const report *r)
{
    const sm_survey *s = r->s;
    json_t *list = json_array();
    const int one = sm_survey_best(s, SM_SPLIT_TEST, sm_survey_main(s), r->measure);
    for (int k = 0; k < r->about->classes; k++) {
        json_t *o = json_object(), *clips = json_array();
        json_object_set_new(o, "label", json_string(r->about->names[k]));
        for (size_t split = 0; split < SM_SPLITS && s->task != SM_TASK_REGRESSION; split++)
            json_array_append_new(
                clips,
                json_integer(
                    (json_int_t)s->positives[split * (size_t)r->about->classes + (size_t)k]));
        json_object_set_new(o, "clips", clips);
        for (int m = 0; m < s->measures && s->task != SM_TASK_MULTICLASS; m++) {
            const int own = sm_survey_best(s, SM_SPLIT_TEST, k, m);
            json_t *at = json_object();
            json_object_set_new(
                at, "one_head",
                number(one < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, one, k, m)));
            json_object_set_new(
                at, "own_head",
                number(own < 0 ? (double)NAN : sm_survey_value(s, SM_SPLIT_TEST, own, k, m)));
            json_object_set_new(at, "place", place(s, own));
            json_object_set_new(o, s->measure_names[m], at);
        }
        json_array_append_new(list, o);
    }
    return list;
}

/* By split and measure, a list of layers, each a list of its heads. */
static json_t *heads_json(const sm_survey *s)
{
    json_t *splits = json_object();
    for (int split = 0; split < SM_SPLITS; split++) {
        if (s->rows[split] == 0) continue;
        json_t *measures = json_object();
        for (int m = 0; m < s->measures; m++) {
            json_t *layers = json_array();
            for (int l = 0; l < s->L; l++) {
                json_t *heads = json_array();
                for (int u = 0; u < s->U; u++)
                    json_array_append_new(heads,
                                          number(sm_survey_value(s, (sm_split)split, l * s->U + u,
                                                                 sm_survey_main(s), m)));
                json_array_append_new(layers, heads);
            }
            json_object_set_new(measures, s->measure_names[m], layers);
        }
        json_object_set_new(splits, sm_split_names[split], measures);
    }
    return splits;
}

static smitin_status write_json(const report *r)
{
    const sm_survey *s = r->s;
    const sm_store_meta *a = r->about;
    char pooling[32], path[4200];
    if (a->columns == 1)
        snprintf(pooling, sizeof pooling, "last");
    else
        snprintf(pooling, sizeof pooling, "mean:%d", a->columns);
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:s, s:s, s:s, s:f, s:b, s:s, s:s, s:b, s:s}",
        "model", a->model, "fingerprint", a->fingerprint, "weights", a->weights, "cache", a->cache,
        "layers", a->L, "heads", a->H, "head_size", a->D, "seconds", a->seconds, "pooling", pooling,
        "data", a->data, "task", sm_task_names[s->task], "C", s->options.C, "standardised",
        s->options.standardise, "scored", s->options.by_track ? "tracks" : "clips", "features",
        s->options.layers ? "layers" : "heads", "descending_fifths", s->options.descending,
        "ranked_by", s->measure_names[r->measure]);
    if (o == NULL) return sm_fail_memory(r->error, "a report", 0);
    json_t *clips = json_object(), *scored = json_object();
    for (int split = 0; split < SM_SPLITS; split++) {
        json_object_set_new(clips, sm_split_names[split], json_integer((json_int_t)s->rows[split]));
        json_object_set_new(scored, sm_split_names[split],
                            json_integer((json_int_t)s->scored[split]));
    }
    json_object_set_new(o, "clips", clips);
    json_object_set_new(o, "rows_scored", scored);
    json_object_set_new(o, "summary", summary_json(s));
    json_object_set_new(o, "labels", labels_json(r));
    json_object_set_new(o, "values", heads_json(s));
    char *text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (text == NULL) return sm_fail_memory(r->error, "a report", 0);
    path_of(r, "report.json", path, sizeof path);
    const smitin_status status = sm_file_write(path, text, strlen(text), r->error);
    free(text);
    return status;
}

smitin_status sm_survey_write(const sm_survey_report *in, const char *folder, smitin_error *error)
{
    const report r = {in->survey, in->about, in->measure, folder, error};
    SM_TRY(write_heads(&r));
    SM_TRY(write_labels(&r));
    SM_TRY(write_heatmap(&r));
    SM_TRY(write_histogram(&r));
    SM_TRY(write_layers(&r));
    return write_json(&r);
}

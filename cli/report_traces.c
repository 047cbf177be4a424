/* SPDX-License-Identifier: MIT */
/* What monitors heard and knobs did over time, from the traces of an experiment's pieces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/eval.h"
#include "report.h"

enum { KNOBS_MAX = 16, SINGLES = 3 };

/* One knob in the pieces of one condition: [pieces, steps], NAN where a piece has no such step. */
typedef struct lines {
    char knob[128];
    size_t pieces, steps, capacity; /* steps of them have room */
    double *presence, *gain, *dose;
    double *seconds; /* [capacity], of every step */
    double threshold;
} lines;

static void lines_free(lines *l)
{
    free(l->presence);
    free(l->gain);
    free(l->dose);
    free(l->seconds);
    memset(l, 0, sizeof *l);
}

static bool lines_open(lines *l, const char *knob, size_t pieces, size_t capacity)
{
    memset(l, 0, sizeof *l);
    snprintf(l->knob, sizeof l->knob, "%s", knob);
    l->pieces = pieces;
    l->capacity = capacity;
    l->threshold = (double)NAN;
    double **const fields[] = {&l->presence, &l->gain, &l->dose};
    l->seconds = calloc(capacity + 1, sizeof(double));
    bool done = l->seconds != NULL;
    for (int f = 0; f < 3; f++) {
        *fields[f] = malloc((pieces * capacity + 1) * sizeof(double));
        done = done && *fields[f] != NULL;
        for (size_t i = 0; *fields[f] != NULL && i < pieces * capacity; i++)
            (*fields[f])[i] = (double)NAN;
    }
    return done;
}

/* ---- Reading ---- */

typedef struct condition_traces {
    lines knobs[KNOBS_MAX];
    int count, pieces; /* pieces: that have a trace */
} condition_traces;

static lines *lines_of(condition_traces *t, const char *knob, size_t pieces, size_t capacity)
{
    for (int k = 0; k < t->count; k++)
        if (strcmp(t->knobs[k].knob, knob) == 0) return &t->knobs[k];
    if (t->count == KNOBS_MAX || !lines_open(&t->knobs[t->count], knob, pieces, capacity))
        return NULL;
    return &t->knobs[t->count++];
}

/* Take the trace of one piece; false when it is none. */
static bool take(condition_traces *t, const sm_table *table, size_t piece, size_t pieces)
{
    static const char *const names[] = {"knob", "seconds", "scheduled", "presence",
                                        "gain", "dose",    "threshold"};
    enum { KNOB, SECONDS, SCHEDULED, PRESENCE, GAIN, DOSE, THRESHOLD, COLUMNS };
    long columns[COLUMNS];
    size_t at[KNOBS_MAX] = {0};
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = sm_table_column(table, names[i]);
        if (columns[i] < 0) return false;
    }
    if (table->rows == 0 || table->uneven > 0) return false;
    for (size_t row = 0; row < table->rows; row++) {
        const char *knob = table->cells[row * table->columns + (size_t)columns[KNOB]];
        const double seconds = eval_cell(table, row, columns[SECONDS]);
        lines *l = lines_of(t, knob, pieces, table->rows);
        if (l == NULL || isnan(seconds)) return false;
        const size_t step = at[l - t->knobs]++;
        if (step >= l->capacity) continue; /* longer than the first trace: settings are the same */
        const size_t place = piece * l->capacity + step;
        const bool scheduled = eval_cell(table, row, columns[SCHEDULED]) > 0.0;
        if (step >= l->steps) l->seconds[l->steps++] = seconds;
        l->presence[place] = eval_cell(table, row, columns[PRESENCE]);
        l->gain[place] = scheduled ? eval_cell(table, row, columns[GAIN]) : (double)NAN;
        l->dose[place] = scheduled ? eval_cell(table, row, columns[DOSE]) : (double)NAN;
        l->threshold = eval_cell(table, row, columns[THRESHOLD]);
    }
    return true;
}

/* All traces of a condition; a bad one is told and left out, a missing one was told before. */
static void read_traces(report_job *job, const report_experiment *x, int c, condition_traces *t)
{
    const size_t pieces = (size_t)x->e.plan.pieces;
    for (size_t piece = 0; piece < pieces; piece++) {
        const int n = (int)piece * x->e.plan.count + c;
        char path[EXPERIMENT_PATH];
        smitin_error error = {0};
        sm_table table;
        if (!experiment_traces(&x->e, n) || !experiment_has(&x->e, n, EXPERIMENT_TRACE)) continue;
        experiment_path(&x->e, n, EXPERIMENT_TRACE, path);
        if (sm_table_read(&table, path, false, &error) != SMITIN_OK) {
            report_note(job, "%s", error.message);
            continue;
        }
        if (take(t, &table, piece, pieces))
            t->pieces++;
        else
            report_note(job, "'%s' is not a trace as \"smitin generate --trace\" writes it", path);
        sm_table_free(&table);
    }
}

/* ---- Means and quantiles ---- */

typedef struct step_values {
    double mean, low, quarter, three_quarters, high; /* of 10, 25, 75 and 90 % */
} step_values;

/* Of one step of `field` over pieces; NANs when no piece has it. scratch [pieces]. */
static step_values over_pieces(const lines *l, const double *field, size_t step, double *scratch)
{
    size_t n = 0;
    double sum = 0.0;
    for (size_t piece = 0; piece < l->pieces; piece++) {
        const double v = field[piece * l->capacity + step];
        if (isnan(v)) continue;
        scratch[n++] = v;
        sum += v;
    }
    const double none = (double)NAN;
    if (n == 0) return (step_values){none, none, none, none, none};
    sm_sort(scratch, n);
    return (step_values){sum / (double)n, sm_quantile(scratch, n, 0.1),
                         sm_quantile(scratch, n, 0.25), sm_quantile(scratch, n, 0.75),
                         sm_quantile(scratch, n, 0.9)};
}

/* The mean over pieces of those steps that have one; returns how many. */
static size_t scheduled_means(const lines *l, const double *field, double *x, double *y,
                              double *scratch)
{
    size_t n = 0;
    for (size_t step = 0; step < l->steps; step++) {
        const double mean = over_pieces(l, field, step, scratch).mean;
        if (isnan(mean)) continue;
        x[n] = l->seconds[step];
        y[n++] = mean;
    }
    return n;
}

/* ---- Figures ---- */

static double prompt_end(const report_experiment *x, int c)
{
    const json_t *seconds = json_object_get(x->settings[c], "input_seconds");
    return json_is_number(seconds) ? json_number_value(seconds) : (double)NAN;
}

enum { MEAN, LOW, QUARTER, THREE_QUARTERS, HIGH, GAIN_X, GAIN_Y, ROWS };

/* The readings of one knob under one condition. */
static int add_readings(report_job *job, const report_experiment *x, int c, const lines *l,
                        int pieces)
{
    const char *condition = x->e.plan.conditions[c].name;
    const size_t S = l->steps;
    smitin_error error = {0};
    double *data = calloc(ROWS * S + l->pieces + 1, sizeof *data);
    if (data == NULL) return eval_no_memory();
    double *row[ROWS], *scratch = data + ROWS * S;
    for (int i = 0; i < ROWS; i++) row[i] = data + (size_t)i * S;
    for (size_t step = 0; step < S; step++) {
        const step_values v = over_pieces(l, l->presence, step, scratch);
        row[MEAN][step] = v.mean;
        row[LOW][step] = v.low;
        row[QUARTER][step] = v.quarter;
        row[THREE_QUARTERS][step] = v.three_quarters;
        row[HIGH][step] = v.high;
    }
    const size_t gains = scheduled_means(l, l->gain, row[GAIN_X], row[GAIN_Y], scratch);
    const double ends[2] = {l->seconds[0], l->seconds[S - 1]};
    const double threshold[2] = {l->threshold, l->threshold};
    sm_series series[5 + SINGLES + 1];
    size_t count = 0;
    if (pieces > 1) {
        series[count++] = (sm_series){
            SM_SERIES_BAND, "10 to 90 % of pieces", 0, l->seconds, row[LOW], row[HIGH], NULL, S};
        series[count++] = (sm_series){SM_SERIES_BAND, "25 to 75 %",        0,    l->seconds,
                                      row[QUARTER],   row[THREE_QUARTERS], NULL, S};
    }
    for (size_t i = 0; pieces > 1 && i < SINGLES && i < l->pieces; i++)
        series[count++] = (sm_series){SM_SERIES_THIN,
                                      i == 0 ? "single pieces, the first seeds" : NULL,
                                      7,
                                      l->seconds,
                                      l->presence + i * l->capacity,
                                      NULL,
                                      NULL,
                                      S};
    series[count++] =
        (sm_series){SM_SERIES_LINE, "gain, mean", 1, row[GAIN_X], row[GAIN_Y], NULL, NULL, gains};
    series[count++] =
        (sm_series){SM_SERIES_LINE, "reading C(t), mean", 0, l->seconds, row[MEAN], NULL, NULL, S};
    series[count++] = (sm_series){SM_SERIES_DASHED, "threshold", 3, ends, threshold, NULL, NULL, 2};
    const double shade = prompt_end(x, c);
    char title[400], about[400], name[160], limit[32];
    snprintf(title, sizeof title, "%s: what the monitor of %s hears", condition, l->knob);
    report_number(l->threshold, limit, sizeof limit);
    snprintf(about, sizeof about,
             "Reading of the monitor and gain of the knob in %d piece%s of condition %s; the "
             "threshold is %s.",
             pieces, pieces == 1 ? "" : "s", condition, limit);
    snprintf(name, sizeof name, "e%d-trace-%s-%.40s", x->number, condition, l->knob);
    const sm_chart chart = {.title = title,
                            .about = about,
                            .x_label = "seconds",
                            .y_label = "reading, gain",
                            .x_low = isnan(shade) ? ends[0] : 0.0,
                            .x_high = (double)NAN,
                            .y_low = -0.03,
                            .y_high = 1.05,
                            .shade = shade,
                            .shade_label = "prompt",
                            .series = series,
                            .count = count};
    const smitin_status status = sm_document_chart(job->document, &chart, name, &error);
    free(data);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* The mean dose of each scheduled step of one knob, a line a condition. */
static int add_doses(report_job *job, const report_experiment *x, const condition_traces *all,
                     const char *knob)
{
    const int conditions = x->e.plan.count;
    smitin_error error = {0};
    int code = EXIT_DONE;
    sm_series *series = calloc((size_t)conditions, sizeof *series);
    double **data = calloc((size_t)conditions, sizeof *data);
    size_t count = 0;
    if (series == NULL || data == NULL) code = eval_no_memory();
    for (int c = 0; c < conditions && code == EXIT_DONE; c++)
        for (int k = 0; k < all[c].count; k++) {
            const lines *l = &all[c].knobs[k];
            if (strcmp(l->knob, knob) != 0 || l->steps == 0) continue;
            data[c] = calloc(2 * l->steps + l->pieces, sizeof **data);
            if (data[c] == NULL) code = eval_no_memory();
            if (data[c] == NULL) break;
            const size_t n =
                scheduled_means(l, l->dose, data[c], data[c] + l->steps, data[c] + 2 * l->steps);
            series[count++] = (sm_series){SM_SERIES_LINE,
                                          x->e.plan.conditions[c].name,
                                          c % SM_CHART_COLOURS,
                                          data[c],
                                          data[c] + l->steps,
                                          NULL,
                                          NULL,
                                          n};
        }
    char title[300], name[160];
    snprintf(title, sizeof title, "%s: how hard %s pushes", x->name, knob);
    snprintf(name, sizeof name, "e%d-push-%.60s", x->number, knob);
    const sm_chart chart = {.title = title,
                            .about = "Dose of each step in which the knob may push, mean over the "
                                     "pieces of a condition.",
                            .x_label = "seconds",
                            .y_label = "dose of a step",
                            .x_low = isnan(prompt_end(x, 0)) ? (double)NAN : 0.0,
                            .x_high = (double)NAN,
                            .y_low = 0.0,
                            .y_high = (double)NAN,
                            .shade = prompt_end(x, 0),
                            .shade_label = "prompt",
                            .series = series,
                            .count = count};
    if (code == EXIT_DONE && count > 0 &&
        sm_document_chart(job->document, &chart, name, &error) != SMITIN_OK)
        code = report_error(&error);
    for (int c = 0; data != NULL && c < conditions; c++) free(data[c]);
    free(data);
    free(series);
    return code;
}

static int add_all_doses(report_job *job, const report_experiment *x, const condition_traces *all)
{
    int code = EXIT_DONE;
    for (int c = 0; c < x->e.plan.count; c++)
        for (int k = 0; k < all[c].count && code == EXIT_DONE; k++) {
            bool before = false;
            for (int b = 0; b < c; b++)
                for (int j = 0; j < all[b].count; j++)
                    before = before || strcmp(all[b].knobs[j].knob, all[c].knobs[k].knob) == 0;
            if (!before) code = add_doses(job, x, all, all[c].knobs[k].knob);
        }
    return code;
}

int report_traces_write(report_job *job, const report_experiment *x)
{
    const int conditions = x->e.plan.count;
    int code = EXIT_DONE;
    if (!x->e.plan.traces) return EXIT_DONE;
    condition_traces *all = calloc((size_t)conditions, sizeof *all);
    if (all == NULL) return eval_no_memory();
    sm_document_heading(job->document, 3, "What the monitors heard");
    for (int c = 0; c < conditions && code == EXIT_DONE; c++) {
        read_traces(job, x, c, &all[c]);
        for (int k = 0; k < all[c].count && code == EXIT_DONE; k++)
            if (all[c].knobs[k].steps > 0)
                code = add_readings(job, x, c, &all[c].knobs[k], all[c].pieces);
    }
    if (code == EXIT_DONE) code = add_all_doses(job, x, all);
    for (int c = 0; c < conditions; c++)
        for (int k = 0; k < all[c].count; k++) lines_free(&all[c].knobs[k]);
    free(all);
    return code;
}

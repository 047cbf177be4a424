/* SPDX-License-Identifier: MIT */
/* The tables of an experiment's summary, and what came of which dose. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* ---- Measures ---- */

/* The tables, in their order. */
enum { SUCCESS, REMOVAL, PUSHED, HEARD, DISTANCE, AGREEMENT, LOUDNESS, OTHER, GROUPS };

typedef struct measure_kind {
    const char
        *name; /* of the column; one that ends in "_" has a knob or an instrument behind it */
    const char *title;
    int group;
} measure_kind;

static const measure_kind kinds[] = {
    {"success_half_", "Success at 0.5", SUCCESS},
    {"success_", "Success", SUCCESS},
    {"simultaneous", "Simultaneous success", SUCCESS},
    {"removal_", "Removal", REMOVAL},
    {"absence_", "Absence", REMOVAL},
    {"dose_", "Dose", PUSHED},
    {"monitor_", "Mean reading", PUSHED},
    {"presence_", "Presence", HEARD},
    {"probability_", "Probability", HEARD},
    {"frechet_reference", "Frechet distance to the reference", DISTANCE},
    {"frechet_first", "Frechet distance to the first condition", DISTANCE},
    {"similarity", "Similarity to the prompt", DISTANCE},
    {"tempo_same", "Same tempo", AGREEMENT},
    {"tempo_related", "Same tempo or octave", AGREEMENT},
    {"key_score", "Key score", AGREEMENT},
    {"lufs", "Loudness, LUFS", LOUDNESS},
    {"loudness_change", "Change of loudness, LU", LOUDNESS},
    {"peak_db", "Peak, dBFS", LOUDNESS},
    {"", "", OTHER}};

static const struct {
    const char *title, *about;
} groups[GROUPS] = {
    [SUCCESS] = {"Success",
                 "How often the knob's own monitor reads the trait: above its threshold, and above "
                 "0.5. Simultaneous success: the share of pieces in which every knob succeeds for "
                 "more than half of the time."},
    [REMOVAL] =
        {"Success of removal",
         "How often the knob's own monitor reads that the trait is away. Removal: 1 - C at the "
         "threshold or above it; absence: C below it."},
    [PUSHED] = {"Dose and monitor", "Dose: the mean push of a step. Mean reading: of the monitor."},
    [HEARD] = {"What the independent recogniser hears",
               "Presence: the share of two-second windows in which it hears the instrument; "
               "probability: its "
               "mean."},
    [DISTANCE] =
        {"Distance and likeness",
         "Frechet distances between sets of embeddings (no interval: a set gives one); similarity: "
         "cosine of the mean embeddings of a piece and its prompt."},
    [AGREEMENT] =
        {"Agreement with the prompt",
         "Tempo: the share of pieces within 4 % of the prompt's, or of its half or double; key: "
         "MIREX's weighted score."},
    [LOUDNESS] = {"Loudness", "Without the prompt."},
    [OTHER] = {"Other measures", ""}};

static const measure_kind *kind_of(const char *measure)
{
    for (size_t i = 0;; i++) {
        const size_t length = strlen(kinds[i].name);
        const bool open = length == 0 || kinds[i].name[length - 1] == '_';
        if (open ? strncmp(measure, kinds[i].name, length) == 0
                 : strcmp(measure, kinds[i].name) == 0)
            return &kinds[i];
    }
}

/* "Success, drums" of "success_drums"; what is not known by its own name. */
static void title_of(const char *measure, char *text, size_t size)
{
    const measure_kind *kind = kind_of(measure);
    const char *rest = measure + strlen(kind->name);
    snprintf(text, size, "%s%s%.100s", kind->title,
             *rest != '\0' && *kind->title != '\0' ? ", " : "", rest);
}

/* ---- Tables ---- */

typedef struct summary {
    const sm_table *table;
    long condition, measure, mean, low, high, n;
} summary;

static const char *text_of(const summary *s, size_t row, long column)
{
    return s->table->cells[row * s->table->columns + (size_t)column];
}

static summary summary_of(const report_experiment *x)
{
    const sm_table *t = &x->summary;
    return (summary){t,
                     sm_table_column(t, "condition"),
                     sm_table_column(t, "measure"),
                     sm_table_column(t, "mean"),
                     sm_table_column(t, "low"),
                     sm_table_column(t, "high"),
                     sm_table_column(t, "n")};
}

/* The row of a measure of a condition; table->rows: none. */
static size_t find(const summary *s, const char *condition, const char *measure)
{
    size_t row = 0;
    while (row < s->table->rows && (strcmp(text_of(s, row, s->condition), condition) != 0 ||
                                    strcmp(text_of(s, row, s->measure), measure) != 0))
        row++;
    return row;
}

/* "0.853 [0.804, 0.901]", and n where it is not the row's. */
static void add_cell(sm_document *d, const summary *s, size_t row, double n)
{
    char mean[32], low[32], high[32], text[160];
    if (row == s->table->rows) {
        sm_document_cell(d, "-", "");
        return;
    }
    const double from = eval_cell(s->table, row, s->low), own = eval_cell(s->table, row, s->n);
    report_number(eval_cell(s->table, row, s->mean), mean, sizeof mean);
    report_number(from, low, sizeof low);
    report_number(eval_cell(s->table, row, s->high), high, sizeof high);
    size_t used =
        (size_t)(isnan(from) ? snprintf(text, sizeof text, "%s", mean)
                             : snprintf(text, sizeof text, "%s [%s, %s]", mean, low, high));
    if (own < n) snprintf(text + used, sizeof text - used, " (n = %.0f)", own);
    sm_document_cell(d, text, text_of(s, row, s->mean));
}

/* One group's measures [count], a row a condition. */
static void add_table(report_job *job, const report_experiment *x, int group,
                      const char *const *measures, size_t count)
{
    const summary s = summary_of(x);
    sm_document *d = job->document;
    char(*titles)[160] = calloc(count + 2, sizeof *titles);
    const char **header = calloc(count + 2, sizeof *header);
    char caption[120];
    if (titles != NULL && header != NULL) {
        sm_document_heading(d, 3, groups[group].title);
        if (groups[group].about[0] != '\0') sm_document_text(d, "%s", groups[group].about);
        header[0] = "Condition";
        for (size_t m = 0; m < count; m++) {
            title_of(measures[m], titles[m], sizeof titles[m]);
            header[m + 1] = titles[m];
        }
        header[count + 1] = "n";
        snprintf(caption, sizeof caption, "%s: mean [95 %% interval]", groups[group].title);
        sm_document_table(d, caption, header, count + 2);
        for (int c = 0; c < x->e.plan.count; c++) {
            const char *condition = x->e.plan.conditions[c].name;
            double n = 0.0;
            char text[32];
            for (size_t m = 0; m < count; m++) {
                const size_t row = find(&s, condition, measures[m]);
                if (row < s.table->rows) n = fmax(n, eval_cell(s.table, row, s.n));
            }
            sm_document_cell(d, condition, NULL);
            for (size_t m = 0; m < count; m++) add_cell(d, &s, find(&s, condition, measures[m]), n);
            snprintf(text, sizeof text, n > 0.0 ? "%.0f" : "-", n);
            sm_document_cell(d, text, n > 0.0 ? text : "");
        }
        sm_document_table_end(d);
    }
    free(titles);
    free(header);
}

int report_tables_write(report_job *job, const report_experiment *x)
{
    const summary s = summary_of(x);
    const char **measures = calloc(s.table->rows + 1, sizeof *measures);
    if (measures == NULL) return eval_no_memory();
    for (int group = 0; group < GROUPS; group++) {
        size_t count = 0;
        for (size_t row = 0; row < s.table->rows; row++) {
            const char *measure = text_of(&s, row, s.measure);
            bool known = kind_of(measure)->group != group;
            for (size_t m = 0; m < count; m++) known = known || strcmp(measures[m], measure) == 0;
            if (!known) measures[count++] = measure;
        }
        if (count > 0) add_table(job, x, group, measures, count);
    }
    free(measures);
    return EXIT_DONE;
}

/* ---- Against the dose ---- */

typedef struct scatter {
    const report_experiment *x;
    sm_series *series;  /* [2 * conditions]: pieces, then means */
    double *numbers;    /* [2, rows + conditions] */
    const char **names; /* [rows + conditions] */
    size_t count;
    bool pieces; /* something to show of them */
} scatter;

static int scatter_open(scatter *s, const report_experiment *x)
{
    const size_t points = x->rows.rows + (size_t)x->e.plan.count;
    s->x = x;
    s->series = calloc(2 * (size_t)x->e.plan.count, sizeof *s->series);
    s->numbers = calloc(2 * points, sizeof *s->numbers);
    s->names = calloc(points, sizeof *s->names);
    return s->series != NULL && s->numbers != NULL && s->names != NULL ? EXIT_DONE
                                                                       : eval_no_memory();
}

static void scatter_free(scatter *s)
{
    free(s->series);
    free(s->numbers);
    free(s->names);
}

/* Pieces of each condition by the columns x and y of the table. */
static void add_pieces(scatter *s, long x_column, long y_column)
{
    const report_experiment *x = s->x;
    const long file = sm_table_column(&x->rows, "file");
    const size_t points = x->rows.rows + (size_t)x->e.plan.count, pieces = (size_t)x->e.plan.pieces;
    for (int c = 0; c < x->e.plan.count; c++) {
        const size_t from = (size_t)c * pieces;
        size_t n = 0;
        for (size_t i = from; i < from + pieces; i++) {
            const double dose = eval_cell(&x->rows, i, x_column),
                         y = eval_cell(&x->rows, i, y_column);
            if (isnan(dose) || isnan(y)) continue;
            s->numbers[from + n] = dose;
            s->numbers[points + from + n] = y;
            s->names[from + n++] = x->rows.cells[i * x->rows.columns + (size_t)file];
        }
        if (n > 0)
            s->series[s->count++] = (sm_series){SM_SERIES_DOTS,
                                                NULL,
                                                c % SM_CHART_COLOURS,
                                                s->numbers + from,
                                                s->numbers + points + from,
                                                NULL,
                                                s->names + from,
                                                n};
    }
}

/* Means of each condition by measures of the summary. */
static void add_means(scatter *s, const char *x_measure, const char *y_measure)
{
    const report_experiment *x = s->x;
    const summary sum = summary_of(x);
    const size_t points = x->rows.rows + (size_t)x->e.plan.count;
    for (int c = 0; c < x->e.plan.count; c++) {
        const char *name = x->e.plan.conditions[c].name;
        const size_t a = find(&sum, name, x_measure), b = find(&sum, name, y_measure),
                     at = x->rows.rows + (size_t)c;
        if (a == sum.table->rows || b == sum.table->rows) continue;
        s->numbers[at] = eval_cell(sum.table, a, sum.mean);
        s->numbers[points + at] = eval_cell(sum.table, b, sum.mean);
        s->names[at] = name;
        if (isnan(s->numbers[at]) || isnan(s->numbers[points + at])) continue;
        s->series[s->count++] =
            (sm_series){SM_SERIES_MARKS,          name, c % SM_CHART_COLOURS, s->numbers + at,
                        s->numbers + points + at, NULL, s->names + at,        1};
    }
}

/* One chart of `measure` against the dose of a knob; none where fewer than two means are there. */
static int add_scatter(report_job *job, const report_experiment *x, const char *knob,
                       const char *measure, bool distance)
{
    scatter s = {0};
    smitin_error error = {0};
    char dose[160], title[400], y_label[160], name[160], x_label[160];
    snprintf(dose, sizeof dose, "dose_%.100s", knob);
    title_of(measure, y_label, sizeof y_label);
    snprintf(title, sizeof title, "%s: %s against the dose of %s", x->name, y_label, knob);
    snprintf(x_label, sizeof x_label, "dose of %.100s (mean push of a step)", knob);
    snprintf(name, sizeof name, "e%d-dose-%.40s-%.40s", x->number, knob, measure);
    int code = scatter_open(&s, x);
    if (code == EXIT_DONE) {
        if (!distance)
            add_pieces(&s, sm_table_column(&x->rows, dose), sm_table_column(&x->rows, measure));
        const size_t pieces = s.count;
        add_means(&s, dose, measure);
        const bool share = !distance;
        const sm_chart chart = {
            .title = title,
            .about = distance
                         ? "A point for each condition; near the dose of 0 is the music as the "
                           "model plays it."
                         : "A small dot for each piece, a large one for the mean of a condition.",
            .x_label = x_label,
            .y_label = y_label,
            .x_low = (double)NAN,
            .x_high = (double)NAN,
            .y_low = share ? -0.05 : (double)NAN,
            .y_high = share ? 1.08 : (double)NAN,
            .shade = (double)NAN,
            .series = s.series,
            .count = s.count};
        if (s.count > pieces + 1 &&
            sm_document_chart(job->document, &chart, name, &error) != SMITIN_OK)
            code = report_error(&error);
    }
    scatter_free(&s);
    return code;
}

int report_doses_write(report_job *job, const report_experiment *x)
{
    const sm_table *t = &x->rows;
    const summary s = summary_of(x);
    bool reference = false, first = true;
    int code = EXIT_DONE;
    for (size_t row = 0; row < s.table->rows; row++)
        reference = reference || strcmp(text_of(&s, row, s.measure), "frechet_reference") == 0;
    for (size_t c = 0; c < t->columns && code == EXIT_DONE; c++) {
        char measure[160];
        if (strncmp(t->header[c], "dose_", 5) != 0) continue;
        const char *knob = t->header[c] + 5;
        if (first) sm_document_heading(job->document, 3, "Effect against dose");
        first = false;
        snprintf(measure, sizeof measure, "presence_%.100s", knob);
        if (sm_table_column(t, measure) < 0)
            snprintf(measure, sizeof measure, "monitor_%.100s", knob);
        code = add_scatter(job, x, knob, measure, false);
        if (code == EXIT_DONE)
            code =
                add_scatter(job, x, knob, reference ? "frechet_reference" : "frechet_first", true);
    }
    return code;
}

/* SPDX-License-Identifier: MIT */
/* "smitin eval merge": the rows of an experiment in one table, and what they say of each condition.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/distance.h"
#include "../src/eval/eval.h"
#include "experiment.h"

typedef struct merge_options {
    int resamples;
    double seed;
} merge_options;

typedef struct merge_job {
    merge_options options;
    experiment experiment;
    sm_sheet *rows, *summary;
    sm_table table; /* the rows again, to be looked up */
    encoders encoders;
    sm_embeddings *sets; /* [conditions] */
    sm_embeddings reference;
    json_t *made; /* what the pieces were made with, and its hash */
} merge_job;

/* ---- The table ---- */

static int check_whole(const experiment *e)
{
    const int total = experiment_total(e);
    int missing = 0, first = 0;
    char path[EXPERIMENT_PATH];
    for (int n = total - 1; n >= 0; n--) {
        if (experiment_has(e, n, ".csv")) continue;
        missing++;
        first = n;
    }
    if (missing == 0) return EXIT_DONE;
    experiment_path(e, first, ".wav", path);
    fprintf(stderr,
            "smitin: %d of %d pieces are not there, such as %s; run the experiment to its end with "
            "\"smitin eval run\"\n",
            missing, total, path);
    return EXIT_FAILED;
}

static int read_row(merge_job *job, int n)
{
    char path[EXPERIMENT_PATH];
    smitin_error error = {0};
    sm_table row;
    experiment_path(&job->experiment, n, ".csv", path);
    if (sm_table_read(&row, path, false, &error) != SMITIN_OK) return report_error(&error);
    if (row.rows != 1 || row.uneven != 0) {
        fprintf(stderr,
                "smitin: '%s' is not the row of one piece; remove it and run \"smitin eval run\" "
                "again\n",
                path);
        sm_table_free(&row);
        return EXIT_FAILED;
    }
    sm_sheet_row(job->rows);
    for (size_t c = 0; c < row.columns; c++) sm_sheet_text(job->rows, row.header[c], row.cells[c]);
    sm_table_free(&row);
    return EXIT_DONE;
}

/* Whether `what` has the hash that it had for the pieces before. */
static bool same_as_before(merge_job *job, const char *what, const json_t *hash)
{
    json_t *before = json_object_get(job->made, what);
    if (before != NULL) return json_equal(before, hash) == 1;
    json_object_set_new(job->made, what, json_deep_copy(hash));
    return true;
}

/* A model or knob that was replaced between two runs makes two experiments of one. */
static int compare_made(merge_job *job, int n)
{
    char path[EXPERIMENT_PATH];
    const char *other = NULL;
    experiment_path(&job->experiment, n, ".json", path);
    json_t *settings = json_load_file(path, 0, NULL);
    if (!same_as_before(job, "the model", json_object_get(settings, "fingerprint")))
        other = "the model";
    if (!same_as_before(job, "smitin", json_object_get(settings, "smitin"))) other = "smitin";
    const json_t *knobs = json_object_get(settings, "knobs"), *knob = NULL;
    for (size_t i = 0; (knob = json_array_get(knobs, i)) != NULL; i++) {
        const char *file = json_string_value(json_object_get(knob, "file"));
        if (file != NULL && !same_as_before(job, file, json_object_get(knob, "sha256")))
            other = file;
    }
    if (other != NULL)
        fprintf(stderr,
                "smitin: '%s': %s was another when this piece was made than for those before it; "
                "make the experiment anew in another folder\n",
                path, other);
    json_decref(settings);
    return other == NULL ? EXIT_DONE : EXIT_FAILED;
}

/* All rows, one condition after the other. */
static int read_rows(merge_job *job)
{
    const experiment *e = &job->experiment;
    smitin_error error = {0};
    char *text = NULL;
    int code = EXIT_DONE;
    for (int c = 0; c < e->plan.count; c++)
        for (int piece = 0; piece < e->plan.pieces && code == EXIT_DONE; piece++) {
            code = read_row(job, piece * e->plan.count + c);
            if (code == EXIT_DONE) code = compare_made(job, piece * e->plan.count + c);
        }
    if (code != EXIT_DONE) return code;
    smitin_status status = sm_sheet_csv(job->rows, &text, &error);
    if (status == SMITIN_OK)
        status = sm_table_parse(&job->table, text, strlen(text), "the rows", &error);
    free(text);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* ---- Means ---- */

/* What is averaged; the others are names, settings, or no quantity of its own. */
static bool is_measure(const char *column)
{
    static const char *const whole[] = {"simultaneous",    "similarity", "key_score",
                                        "loudness_change", "lufs",       "peak_db"};
    static const char *const begins[] = {"success_", "removal_",  "absence_",    "dose_",
                                         "monitor_", "presence_", "probability_"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcmp(column, whole[i]) == 0) return true;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(column, begins[i], strlen(begins[i])) == 0) return true;
    return false;
}

static void begin_row(merge_job *job, int condition, const char *measure)
{
    sm_sheet_row(job->summary);
    sm_sheet_text(job->summary, "condition", job->experiment.plan.conditions[condition].name);
    sm_sheet_text(job->summary, "measure", measure);
}

/* A column, or which of its words are counted: the measure is the share of pieces that have one of
 * them. */
typedef struct averaged {
    const char *name;
    size_t column;
    const char *words[2]; /* NULL: numbers */
} averaged;

static double value_of(const merge_job *job, size_t row, const averaged *m)
{
    if (m->words[0] == NULL) return eval_cell(&job->table, row, (long)m->column);
    const char *text = job->table.cells[row * job->table.columns + m->column];
    if (text[0] == '\0') return (double)NAN;
    for (int i = 0; i < 2 && m->words[i] != NULL; i++)
        if (strcmp(text, m->words[i]) == 0) return 1.0;
    return 0.0;
}

/* One measure of one condition; none when no piece of it has the measure. */
static smitin_status add_mean(merge_job *job, int condition, const averaged *what, double *values,
                              smitin_error *error)
{
    const int pieces = job->experiment.plan.pieces;
    sm_interval mean;
    size_t n = 0;
    for (int i = 0; i < pieces; i++) {
        const double value = value_of(job, (size_t)(condition * pieces + i), what);
        if (!isnan(value)) values[n++] = value;
    }
    if (n == 0) return SMITIN_OK;
    SM_TRY(sm_mean_interval(values, n, job->options.resamples, (uint64_t)job->options.seed, &mean,
                            error));
    begin_row(job, condition, what->name);
    sm_sheet_number(job->summary, "mean", mean.value);
    sm_sheet_number(job->summary, "low", mean.low);
    sm_sheet_number(job->summary, "high", mean.high);
    sm_sheet_number(job->summary, "n", (double)n);
    return SMITIN_OK;
}

static int add_means(merge_job *job, int condition)
{
    smitin_error error = {0};
    smitin_status status = SMITIN_OK;
    double *values = calloc((size_t)job->experiment.plan.pieces, sizeof *values);
    if (values == NULL) return eval_no_memory();
    for (size_t c = 0; c < job->table.columns && status == SMITIN_OK; c++) {
        const char *name = job->table.header[c];
        const averaged itself = {name, c, {NULL}}, same = {"tempo_same", c, {"same"}},
                       related = {"tempo_related", c, {"same", "octave"}};
        if (is_measure(name)) status = add_mean(job, condition, &itself, values, &error);
        if (strcmp(name, "tempo_agrees") != 0) continue;
        status = add_mean(job, condition, &same, values, &error);
        if (status == SMITIN_OK) status = add_mean(job, condition, &related, values, &error);
    }
    free(values);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* ---- Distances ---- */

/* The embeddings of each condition's pieces, without their prompts, and of the reference. */
static int encode_sets(merge_job *job)
{
    const experiment *e = &job->experiment;
    const long skipped = sm_table_column(&job->table, "skipped");
    const int pieces = e->plan.pieces, total = experiment_total(e);
    char path[EXPERIMENT_PATH];
    small_sets small = {0};
    int code = EXIT_DONE;
    job->sets = calloc((size_t)e->plan.count, sizeof *job->sets);
    if (job->sets == NULL) return eval_no_memory();
    for (int c = 0; c < e->plan.count && code == EXIT_DONE; c++) {
        for (int i = 0; i < pieces && code == EXIT_DONE; i++) {
            const int row = c * pieces + i;
            const double skip = eval_cell(&job->table, (size_t)row, skipped);
            experiment_path(e, i * e->plan.count + c, ".wav", path);
            code = eval_encode(&job->sets[c], &job->encoders, path, isnan(skip) ? 0.0 : skip);
            progress_bar("encoding", row + 1, total);
        }
        if (code == EXIT_DONE) eval_settle(&job->sets[c], e->plan.conditions[c].name, &small);
    }
    if (code == EXIT_DONE && e->plan.reference != NULL) {
        const text_list one = {.items = (const char *[]){e->plan.reference}, .count = 1};
        code = eval_encode_files(&job->reference, &job->encoders, &one, 0.0);
        if (code == EXIT_DONE) eval_settle(&job->reference, e->plan.reference, &small);
    }
    if (code == EXIT_DONE) eval_tell_small(&small);
    return code;
}

/* A row of the distance between a condition and another set. */
static int add_distance(merge_job *job, int condition, const char *measure, const sm_embeddings *to)
{
    const sm_embeddings *a = &job->sets[condition];
    smitin_error error = {0};
    double distance = (double)NAN;
    if (a->N < 2 || to->N < 2) {
        fprintf(stderr,
                "smitin: %s has no %s: the pieces are too short for two embeddings of a set\n",
                job->experiment.plan.conditions[condition].name, measure);
        return EXIT_DONE;
    }
    if (sm_frechet(a->rows, a->N, to->rows, to->N, a->d, &distance, &error) != SMITIN_OK)
        return report_error(&error);
    begin_row(job, condition, measure);
    sm_sheet_number(job->summary, "mean", distance);
    sm_sheet_number(job->summary, "n", (double)a->files);
    return EXIT_DONE;
}

static int add_distances(merge_job *job, int condition)
{
    int code = EXIT_DONE;
    if (job->experiment.plan.reference != NULL)
        code = add_distance(job, condition, "frechet_reference", &job->reference);
    if (code == EXIT_DONE && condition > 0)
        code = add_distance(job, condition, "frechet_first", &job->sets[0]);
    return code;
}

/* ---- The command ---- */

static int write_table(const experiment *e, const sm_sheet *sheet, const char *name)
{
    char path[EXPERIMENT_PATH], stem[64];
    smitin_error error = {0};
    snprintf(path, sizeof path, "%.1848s/%s", e->folder, name);
    snprintf(stem, sizeof stem, "%s.", name);
    experiment_sweep(e->folder, stem);
    return sm_sheet_write(sheet, path, false, &error) == SMITIN_OK ? EXIT_DONE
                                                                   : report_error(&error);
}

static int merge(merge_job *job)
{
    experiment *e = &job->experiment;
    const bool distances = !e->describe.plain && e->describe.encoder.embed != EMBED_NONE;
    bool taken = false;
    int code = check_whole(e);
    job->rows = sm_sheet_new();
    job->summary = sm_sheet_new();
    job->made = json_object();
    if (job->rows == NULL || job->summary == NULL || job->made == NULL) return eval_no_memory();
    if (code == EXIT_DONE) code = read_rows(job);
    if (code == EXIT_DONE && distances)
        code = encoders_open(&job->encoders, &e->describe.encoder, false);
    if (code == EXIT_DONE && distances) code = encode_sets(job);
    for (int c = 0; c < e->plan.count && code == EXIT_DONE; c++) {
        code = add_means(job, c);
        if (code == EXIT_DONE && distances) code = add_distances(job, c);
    }
    if (code == EXIT_DONE) code = experiment_lock(e, LOCK_TABLES, true, &taken);
    if (code == EXIT_DONE) code = write_table(e, job->rows, "table.csv");
    if (code == EXIT_DONE) code = write_table(e, job->summary, "summary.csv");
    if (taken) experiment_unlock(e, LOCK_TABLES);
    if (code == EXIT_DONE)
        fprintf(stderr, "%s/table.csv: %d pieces; %s/summary.csv: %d conditions\n", e->folder,
                experiment_total(e), e->folder, e->plan.count);
    return code;
}

static int merge_folder(merge_job *job, const char *folder)
{
    char path[EXPERIMENT_PATH];
    smitin_error error = {0};
    snprintf(path, sizeof path, "%.1848s/experiment.json", folder);
    int code = experiment_open(&job->experiment, path, folder);
    if (code == EXIT_DONE && sm_experiment_settle(&job->experiment.plan, path, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE) code = merge(job);
    sm_sheet_free(job->rows);
    sm_sheet_free(job->summary);
    sm_table_free(&job->table);
    json_decref(job->made);
    for (int c = 0; job->sets != NULL && c < job->experiment.plan.count; c++)
        sm_embeddings_free(&job->sets[c]);
    free(job->sets);
    sm_embeddings_free(&job->reference);
    encoders_close(&job->encoders);
    experiment_close(&job->experiment);
    return code;
}

int command_eval_merge(int argc, char **argv)
{
    merge_job job;
    memset(&job, 0, sizeof job);
    merge_options *o = &job.options;
    *o = (merge_options){.resamples = 2000, .seed = 1.0};
    text_list paths = {0};
    bool help = false;
    const option_spec specs[] = {
        {NULL, "--resamples", OPTION_INT, &o->resamples, 100, 1e6, NULL, "N",
         "draws of the intervals [2000]"},
        {"-s", "--seed", OPTION_DOUBLE, &o->seed, 0, 9007199254740992.0, NULL, "N",
         "of these draws [1]"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval merge [OPTIONS] DIR\n\n"
               "Join the rows that \"smitin eval run\" left in DIR: table.csv has a row a piece, "
               "summary.csv the mean of every\nmeasure of every condition with its 95 %% bootstrap "
               "interval and n, and Frechet distances to the experiment's\nreference and to its "
               "first condition, on the embeddings of its describe options, prompts left out.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE && paths.count != 1) {
        fprintf(stderr, "smitin: give the one folder of an experiment, as \"smitin eval run\" left "
                        "it\n");
        code = EXIT_USAGE;
    } else if (code == EXIT_DONE) {
        code = merge_folder(&job, paths.items[0]);
    }
    text_list_free(&paths);
    return code;
}

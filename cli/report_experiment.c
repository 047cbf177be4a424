/* SPDX-License-Identifier: MIT */
/* An experiment in a report: reading its folder, and what was run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/audio/audio.h"
#include "../src/base/path.h"
#include "report.h"

/* ---- Reading ---- */

static int read_table(sm_table *table, const report_experiment *x, const char *name)
{
    char path[EXPERIMENT_PATH];
    smitin_error error = {0};
    snprintf(path, sizeof path, "%.1848s/%s", x->folder, name);
    if (sm_table_read(table, path, false, &error) != SMITIN_OK) {
        report_error(&error);
        fprintf(stderr, "smitin: join the experiment first: smitin eval merge %s\n", x->folder);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* The tables must be those of this experiment. */
static int check_tables(const report_experiment *x)
{
    const long condition = sm_table_column(&x->rows, "condition"),
               of = sm_table_column(&x->summary, "condition");
    bool sound = condition >= 0 && of >= 0 && sm_table_column(&x->rows, "file") >= 0 &&
                 x->rows.rows == (size_t)experiment_total(&x->e) && x->rows.uneven == 0 &&
                 x->summary.uneven == 0;
    static const char *const needed[] = {"measure", "mean", "low", "high", "n"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        sound = sound && sm_table_column(&x->summary, needed[i]) >= 0;
    for (size_t i = 0; sound && i < x->summary.rows; i++)
        sound = report_condition(x, x->summary.cells[i * x->summary.columns + (size_t)of]) >= 0;
    for (size_t i = 0; sound && i < x->rows.rows; i++) {
        const char *name = x->e.plan.conditions[i / (size_t)x->e.plan.pieces].name;
        sound = strcmp(x->rows.cells[i * x->rows.columns + (size_t)condition], name) == 0;
    }
    if (sound) return EXIT_DONE;
    fprintf(stderr,
            "smitin: table.csv or summary.csv in '%s' is not that of its experiment; join it "
            "again: smitin eval merge %s\n",
            x->folder, x->folder);
    return EXIT_FAILED;
}

static void read_settings(report_experiment *x)
{
    char path[EXPERIMENT_PATH];
    for (int c = 0; c < x->e.plan.count; c++)
        for (int i = 0; i < x->e.plan.pieces && x->settings[c] == NULL; i++) {
            experiment_path(&x->e, i * x->e.plan.count + c, ".json", path);
            x->settings[c] = json_load_file(path, 0, NULL);
        }
}

int report_experiment_open(report_experiment *x, const char *folder)
{
    smitin_error error = {0};
    if (strlen(folder) > EXPERIMENT_PATH - 200) {
        fprintf(stderr, "smitin: the folder's name is too long: %.60s...; choose another\n",
                folder);
        return EXIT_USAGE;
    }
    snprintf(x->folder, sizeof x->folder, "%s", folder);
    for (size_t end = strlen(x->folder); end > 1 && x->folder[end - 1] == '/';)
        x->folder[--end] = '\0';
    x->name = sm_path_name(x->folder);
    snprintf(x->file, sizeof x->file, "%.1848s/experiment.json", x->folder);
    int code = experiment_open(&x->e, x->file, x->folder);
    if (code == EXIT_DONE && sm_experiment_settle(&x->e.plan, x->file, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE) code = read_table(&x->rows, x, "table.csv");
    if (code == EXIT_DONE) code = read_table(&x->summary, x, "summary.csv");
    if (code == EXIT_DONE) code = check_tables(x);
    if (code != EXIT_DONE) return code;
    x->settings = calloc((size_t)x->e.plan.count, sizeof *x->settings);
    if (x->settings == NULL) return eval_no_memory();
    read_settings(x);
    return EXIT_DONE;
}

void report_experiment_free(report_experiment *x)
{
    for (int c = 0; x->settings != NULL && c < x->e.plan.count; c++) json_decref(x->settings[c]);
    free(x->settings);
    sm_table_free(&x->rows);
    sm_table_free(&x->summary);
    if (x->e.folder != NULL) experiment_close(&x->e);
}

/* ---- What was run ---- */

static void add_fact(sm_document *d, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') return;
    sm_document_cell(d, name, NULL);
    sm_document_cell(d, value, NULL);
}

/* A number or text of a piece's settings, where it is there. */
static void add_setting(sm_document *d, const json_t *settings, const char *key, const char *name)
{
    char text[64];
    const json_t *value = json_object_get(settings, key);
    if (json_is_number(value)) snprintf(text, sizeof text, "%.6g", json_number_value(value));
    if (json_is_number(value)) add_fact(d, name, text);
    if (json_is_string(value)) add_fact(d, name, json_string_value(value));
}

static void add_facts(report_job *job, const report_experiment *x)
{
    static const char *const settings[][2] = {
        {"model", "Model"},          {"fingerprint", "Fingerprint of the model"},
        {"weights", "Weights"},      {"cache", "Cache"},
        {"cpu_level", "CPU level"},  {"smitin", "Version of smitin"},
        {"seconds", "Seconds"},      {"input_seconds", "Seconds of them that are the prompt"},
        {"rate", "Sample rate, Hz"}, {"temperature", "Temperature"},
        {"top_k", "Top k"},          {"top_p", "Top p"},
        {"guidance", "Guidance"}};
    const sm_experiment *plan = &x->e.plan;
    sm_document *d = job->document;
    char text[160];
    sm_document_table(d, "What was run", NULL, 2);
    add_fact(d, "Folder", x->folder);
    add_fact(d, "About", json_string_value(json_object_get(plan->root, "about")));
    snprintf(text, sizeof text, "%d of each of %d conditions: n = %d", plan->pieces, plan->count,
             experiment_total(&x->e));
    add_fact(d, "Pieces", text);
    snprintf(text, sizeof text, "%.0f to %.0f, the same for every condition", plan->seed,
             plan->seed + plan->pieces - 1);
    add_fact(d, "Seeds", text);
    snprintf(text, sizeof text, "%zu clips, %zu texts", plan->clips.count, plan->texts.count);
    if (plan->clips.count + plan->texts.count > 0) add_fact(d, "Prompts", text);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        add_setting(d, x->settings[0], settings[i][0], settings[i][1]);
    add_fact(d, "Reference of distances", plan->reference);
    sm_document_table_end(d);
}

/* Each knob once, with what tells it from others of its name. */
static void add_knobs(report_job *job, const report_experiment *x)
{
    static const char *const header[] = {"Knob", "File", "SHA-256 begins", "Threshold",
                                         "First used by"};
    sm_document *d = job->document;
    bool open = false;
    for (int c = 0; c < x->e.plan.count; c++) {
        const json_t *knobs = json_object_get(x->settings[c], "knobs"), *knob = NULL;
        for (size_t i = 0; (knob = json_array_get(knobs, i)) != NULL; i++) {
            const json_t *hash = json_object_get(knob, "sha256");
            const char *name = json_string_value(json_object_get(knob, "knob"));
            const char *file = json_string_value(json_object_get(knob, "file"));
            bool before = false;
            for (int b = 0; b < c; b++) {
                const json_t *other = NULL, *others = json_object_get(x->settings[b], "knobs");
                for (size_t j = 0; (other = json_array_get(others, j)) != NULL; j++)
                    before = before || json_equal(json_object_get(other, "sha256"), hash) == 1;
            }
            if (before || name == NULL || file == NULL || !json_is_string(hash)) continue;
            char threshold[32], short_hash[20];
            report_number(json_number_value(json_object_get(knob, "threshold")), threshold,
                          sizeof threshold);
            if (!open) sm_document_table(d, "Knobs", header, 5);
            open = true;
            sm_document_cell(d, name, NULL);
            sm_document_cell(d, file, NULL);
            snprintf(short_hash, sizeof short_hash, "%.16s", json_string_value(hash));
            sm_document_cell(d, short_hash, NULL);
            sm_document_cell(d, threshold, NULL);
            sm_document_cell(d, x->e.plan.conditions[c].name, NULL);
        }
    }
    if (open) sm_document_table_end(d);
}

static int add_conditions(report_job *job, const report_experiment *x)
{
    static const char *const header[] = {"Condition", "Options of smitin generate", "Prompt"};
    sm_document *d = job->document;
    sm_document_table(d, "Conditions", header, 3);
    for (int c = 0; c < x->e.plan.count; c++) {
        const sm_condition *condition = &x->e.plan.conditions[c];
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        for (size_t i = 0; out != NULL && i < condition->words.count; i++)
            fprintf(out, "%s%s", i > 0 ? " " : "", condition->words.items[i]);
        if (out == NULL || fclose(out) != 0) {
            free(text);
            return eval_no_memory();
        }
        sm_document_cell(d, condition->name, NULL);
        sm_document_cell(d, text, NULL);
        sm_document_cell(d,
                         condition->prompt != NULL   ? condition->prompt
                         : x->e.plan.texts.count > 0 ? "the piece's own"
                                                     : "",
                         NULL);
        free(text);
    }
    sm_document_table_end(d);
    return EXIT_DONE;
}

/* Name what is not there or cannot be read; the tables were made when it was. */
static void check_pieces(report_job *job, const report_experiment *x)
{
    const experiment *e = &x->e;
    int bad = 0;
    for (int n = 0; n < experiment_total(e); n++) {
        char path[EXPERIMENT_PATH];
        smitin_error error = {0};
        size_t frames;
        int channels, rate;
        const char *missing = !experiment_has(e, n, ".json") ? ".json"
                              : experiment_traces(e, n) && !experiment_has(e, n, EXPERIMENT_TRACE)
                                  ? EXPERIMENT_TRACE
                                  : NULL;
        experiment_path(e, n, ".wav", path);
        const bool heard = sm_audio_probe(path, &frames, &channels, &rate, &error) == SMITIN_OK;
        if (heard && missing == NULL) continue;
        if (++bad > REPORT_NOTES_MAX) continue;
        if (heard) experiment_path(e, n, missing, path);
        if (heard)
            report_note(job, "'%s' is not there", path);
        else
            report_note(job, "%s", error.message);
    }
    if (bad > REPORT_NOTES_MAX)
        report_note(job, "%d more pieces of %s, %d in all", bad - REPORT_NOTES_MAX, x->folder, bad);
}

int report_experiment_write(report_job *job, const report_experiment *x)
{
    char text[EXPERIMENT_PATH + 16];
    smitin_error error = {0};
    snprintf(text, sizeof text, "Experiment %s", x->name);
    sm_document_heading(job->document, 2, text);
    check_pieces(job, x);
    add_facts(job, x);
    int code = add_conditions(job, x);
    add_knobs(job, x);
    char *plan = NULL;
    if (code == EXIT_DONE && sm_experiment_write(&x->e.plan, &plan, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE) sm_document_listing(job->document, "The experiment file", plan);
    free(plan);
    if (code == EXIT_DONE) code = report_tables_write(job, x);
    if (code == EXIT_DONE) code = report_doses_write(job, x);
    if (code == EXIT_DONE) code = report_traces_write(job, x);
    return code == EXIT_DONE ? report_sounds_write(job, x) : code;
}

/* SPDX-License-Identifier: MIT */
/* "smitin eval run": every piece of an experiment, as "smitin generate" makes it, and its row. What
 * is there is not made again, so that a run that was killed goes on where it was. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../src/base/filemap.h"
#include "../src/base/outfile.h"
#include "experiment.h"
#include "generate.h"
#include "shard.h"

typedef struct run_options {
    const char *output, *shard;
    int threads; /* -1: not given */
    bool quiet;
} run_options;

typedef struct run_job {
    run_options options;
    experiment experiment;
    shard shard;
    generate_job player; /* holds the model for all pieces */
    describer describer;
    bool open; /* both of them */
} run_job;

/* ---- A piece's command line ---- */

typedef struct typed {
    char **words;
    int count;
    char *prompt, seed[32], threads[16], path[EXPERIMENT_PATH], trace[EXPERIMENT_PATH];
} typed;

static void type(typed *t, const char *option, const char *value)
{
    t->words[t->count++] = (char *)option;
    if (value != NULL) t->words[t->count++] = (char *)value;
}

/* The words that would make piece `n` alone. To free with typed_free in any case. */
static int typed_fill(typed *t, const run_job *job, int n)
{
    const experiment *e = &job->experiment;
    const sm_condition *condition = experiment_condition(e, n);
    const int piece = experiment_piece(e, n);
    const char *clip = sm_experiment_clip(&e->plan, piece);
    smitin_error error = {0};
    memset(t, 0, sizeof *t);
    t->words = calloc(condition->words.count + 16, sizeof *t->words);
    if (t->words == NULL) return eval_no_memory();
    if (sm_experiment_prompt(&e->plan, condition, piece, &t->prompt, &error) != SMITIN_OK)
        return report_error(&error);
    type(t, "generate", NULL);
    for (size_t i = 0; i < condition->words.count; i++) type(t, condition->words.items[i], NULL);
    if (t->prompt != NULL) type(t, "--prompt", t->prompt);
    if (clip != NULL) type(t, "--input", clip);
    snprintf(t->seed, sizeof t->seed, "%.0f", e->plan.seed + piece);
    snprintf(t->threads, sizeof t->threads, "%d", job->options.threads);
    experiment_path(e, n, ".wav", t->path);
    type(t, "--seed", t->seed);
    type(t, "--output", t->path);
    type(t, "--quiet", NULL);
    experiment_path(e, n, EXPERIMENT_TRACE, t->trace);
    if (experiment_traces(e, n)) type(t, "--trace", t->trace);
    if (job->options.threads >= 0) type(t, "--threads", t->threads);
    return EXIT_DONE;
}

static void typed_free(typed *t)
{
    free(t->words);
    free(t->prompt);
}

/* Say where in the experiment it was that the message before is about. */
static int failed_at(const experiment *e, int n, int code)
{
    if (code != EXIT_DONE)
        fprintf(stderr, "smitin: that is piece %d of condition \"%s\" of %s\n",
                experiment_piece(e, n), experiment_condition(e, n)->name, e->file);
    return code;
}

/* ---- Before the first piece ---- */

/* Every condition's options and knobs, so that the last one's mistakes are told at once. */
static int check_conditions(run_job *job)
{
    int code = EXIT_DONE;
    for (int c = 0; c < job->experiment.plan.count && code == EXIT_DONE; c++) {
        generate_job piece;
        typed t;
        bool help = false;
        memset(&piece, 0, sizeof piece);
        code = typed_fill(&t, job, c);
        if (code == EXIT_DONE) code = generate_parse(&piece, t.count, t.words, &help);
        if (code == EXIT_DONE)
            code = find_model(piece.options.model.model, piece.options.model.hf, piece.model_path,
                              sizeof piece.model_path);
        if (code == EXIT_DONE) code = steering_open(&piece.options.steering, piece.model_path);
        failed_at(&job->experiment, c, code);
        generate_close(&piece);
        typed_free(&t);
    }
    return code;
}

/* Find the clips, in an order that is the same everywhere. */
static int find_clips(experiment *e)
{
    smitin_error error = {0};
    sm_library library = {0};
    if (e->plan.clips.count == 0) return EXIT_DONE;
    text_list paths = {.items = e->plan.clips.items, .count = (int)e->plan.clips.count};
    int code = eval_files(&library, &paths);
    const char **files = calloc(library.count + 1, sizeof *files);
    if (files == NULL) code = eval_no_memory();
    for (size_t i = 0; files != NULL && i < library.count; i++) files[i] = eval_file(&library, i);
    if (code == EXIT_DONE &&
        sm_experiment_set_clips(&e->plan, files, library.count, &error) != SMITIN_OK)
        code = report_error(&error);
    free(files);
    sm_library_free(&library);
    return code;
}

static int make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0) return EXIT_DONE;
    const int reason = errno;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return EXIT_DONE;
    fprintf(stderr, "smitin: the folder %s cannot be made: %s; choose another with -o\n", path,
            strerror(reason == EEXIST ? ENOTDIR : reason));
    return EXIT_FAILED;
}

/* Write the experiment into its folder, or see that the folder is this experiment's. */
static int settle_plan(experiment *e)
{
    char path[EXPERIMENT_PATH], *text = NULL;
    smitin_error error = {0};
    sm_filemap there = {0};
    struct stat info;
    snprintf(path, sizeof path, "%.1848s/experiment.json", e->folder);
    smitin_status status = sm_experiment_write(&e->plan, &text, &error);
    if (status == SMITIN_OK && stat(path, &info) != 0) {
        experiment_sweep(e->folder, "experiment.json.");
        status = sm_file_write(path, text, strlen(text), &error);
    } else if (status == SMITIN_OK) {
        status = sm_filemap_open(&there, path, &error);
        if (status == SMITIN_OK && (there.size != strlen(text) || there.data == NULL ||
                                    memcmp(there.data, text, there.size) != 0)) {
            snprintf(error.message, sizeof error.message,
                     "%s holds pieces of another experiment than %s, as its experiment.json says; "
                     "choose another folder with -o",
                     e->folder, e->file);
            error.status = status = SMITIN_ERROR_ARGUMENT;
        }
        sm_filemap_close(&there);
    }
    free(text);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

static int prepare(run_job *job)
{
    experiment *e = &job->experiment;
    char path[EXPERIMENT_PATH];
    smitin_error error = {0};
    bool taken = false;
    int code = find_clips(e);
    if (code == EXIT_DONE && sm_experiment_settle(&e->plan, e->file, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE) code = check_conditions(job);
    if (code == EXIT_DONE) code = make_folder(e->folder);
    if (code == EXIT_DONE) code = experiment_lock(e, LOCK_PLAN, true, &taken);
    if (code == EXIT_DONE) code = settle_plan(e);
    if (taken) experiment_unlock(e, LOCK_PLAN);
    for (int c = 0; c < e->plan.count && code == EXIT_DONE; c++) {
        snprintf(path, sizeof path, "%.1848s/%s", e->folder, e->plan.conditions[c].name);
        code = make_folder(path);
    }
    return code;
}

/* ---- Pieces ---- */

/* The model and the describer, once there is something to do. */
static int open_all(run_job *job)
{
    typed t;
    bool help = false;
    if (job->open) return EXIT_DONE;
    job->open = true;
    int code = typed_fill(&t, job, 0);
    if (code == EXIT_DONE) code = generate_parse(&job->player, t.count, t.words, &help);
    if (code == EXIT_DONE) code = generate_open(&job->player);
    typed_free(&t);
    return code == EXIT_DONE ? describer_open(&job->describer, &job->experiment.describe) : code;
}

static int make_piece(run_job *job, int n)
{
    generate_job piece;
    typed t;
    bool help = false;
    memset(&piece, 0, sizeof piece);
    piece.begun = sm_clock();
    piece.below = job->experiment.folder;
    piece.plain_trace = true;
    memcpy(piece.model_path, job->player.model_path, sizeof piece.model_path);
    int code = typed_fill(&t, job, n);
    if (code == EXIT_DONE) code = generate_parse(&piece, t.count, t.words, &help);
    if (code == EXIT_DONE) code = generate_make(&piece, job->player.own_engine);
    generate_close(&piece);
    typed_free(&t);
    return code;
}

/* How much of a piece is its prompt, and where in the clip that begins, from the piece's JSON. */
static void find_prompt(const json_t *settings, described *piece)
{
    const json_t *region = json_object_get(settings, "input_region");
    const char *keep = json_string_value(json_object_get(settings, "keep_prompt"));
    piece->prompt = json_string_value(json_object_get(settings, "input"));
    if (piece->prompt == NULL) return;
    piece->prompt_skip = json_number_value(json_object_get(region, "start"));
    if (keep == NULL || strcmp(keep, "no") != 0)
        piece->skip = json_number_value(json_object_get(settings, "input_seconds"));
}

/* The row of a piece that lies there with its JSON. */
static int write_row(run_job *job, int n)
{
    const experiment *e = &job->experiment;
    char path[EXPERIMENT_PATH], beside[EXPERIMENT_PATH], to[EXPERIMENT_PATH];
    smitin_error error = {0};
    json_error_t problem;
    experiment_path(e, n, ".wav", path);
    experiment_path(e, n, ".json", beside);
    experiment_path(e, n, ".csv", to);
    json_t *settings = json_load_file(beside, 0, &problem);
    if (settings == NULL) {
        fprintf(stderr, "smitin: '%s', line %d: %s; remove it and its .wav, and run again\n",
                beside, problem.line, problem.text);
        return EXIT_FAILED;
    }
    described piece = {.path = path, .name = path + strlen(e->folder) + 1};
    find_prompt(settings, &piece);
    if (!isnan(e->describe.skip)) piece.skip = e->describe.skip;
    sm_sheet *sheet = sm_sheet_new();
    smitin_status status = sheet != NULL ? describer_row(&job->describer, sheet, &piece, &error)
                                         : sm_fail_memory(&error, "a row", 0);
    if (status == SMITIN_OK) {
        const char *text = json_string_value(json_object_get(settings, "prompt"));
        sm_sheet_number(sheet, "piece", experiment_piece(e, n));
        sm_sheet_number(sheet, "skipped", piece.skip);
        sm_sheet_text(sheet, "text", text != NULL ? text : "");
        status = sm_sheet_write(sheet, to, false, &error);
    }
    sm_sheet_free(sheet);
    json_decref(settings);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* Whatever piece `n` lacks, under its lock. */
static int complete(run_job *job, int n)
{
    experiment *e = &job->experiment;
    char folder[EXPERIMENT_PATH], stem[32];
    snprintf(folder, sizeof folder, "%.1848s/%s", e->folder, experiment_condition(e, n)->name);
    snprintf(stem, sizeof stem, "piece-%04d.", experiment_piece(e, n));
    experiment_sweep(folder, stem);
    int code = open_all(job);
    /* The JSON is written when the rest is there; who removed some of it wants it again. */
    const bool made = experiment_has(e, n, ".json") && experiment_has(e, n, ".wav") &&
                      (!experiment_traces(e, n) || experiment_has(e, n, EXPERIMENT_TRACE));
    if (code == EXIT_DONE && !made) code = make_piece(job, n);
    if (code == EXIT_DONE) code = write_row(job, n);
    if (code == EXIT_DONE && !job->options.quiet)
        fprintf(stderr, "%s/piece-%04d.wav\n", experiment_condition(e, n)->name,
                experiment_piece(e, n));
    return failed_at(e, n, code);
}

static int work_on(run_job *job, int n)
{
    experiment *e = &job->experiment;
    bool taken = false;
    if (experiment_has(e, n, ".csv")) return EXIT_DONE;
    int code = experiment_lock(e, n, false, &taken);
    /* Another process may have completed it just before. */
    if (taken && !experiment_has(e, n, ".csv")) code = complete(job, n);
    if (taken) experiment_unlock(e, n);
    return code;
}

/* Its own share; then, unless that is all it may make, what nobody else works on. */
static int run_pieces(run_job *job)
{
    const int total = experiment_total(&job->experiment);
    int code = EXIT_DONE, there = 0;
    for (int pass = 0; pass < (job->shard.only || job->shard.count == 1 ? 1 : 2); pass++) {
        for (int n = 0; n < total && code == EXIT_DONE; n++) {
            if (pass == 1 || n % job->shard.count == job->shard.index) code = work_on(job, n);
        }
    }
    for (int n = 0; n < total; n++) there += experiment_has(&job->experiment, n, ".csv");
    if (code == EXIT_DONE && !job->options.quiet)
        fprintf(stderr, "%d of %d pieces are there%s%s\n", there, total,
                there == total ? "; join them: smitin eval merge " : "",
                there == total ? job->experiment.folder : "");
    return code;
}

static int run_experiment(run_job *job, const text_list *paths)
{
    run_options *o = &job->options;
    if (paths->count != 1 || o->output == NULL) {
        fprintf(stderr, "smitin: give one experiment file, and a folder for its pieces with -o; "
                        "see \"smitin eval run --help\"\n");
        return EXIT_USAGE;
    }
    char *folder = strdup(o->output);
    if (folder == NULL) return eval_no_memory();
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/';) folder[--end] = '\0';
    int code = shard_find(&job->shard, o->shard);
    if (code == EXIT_DONE) {
        code = experiment_open(&job->experiment, paths->items[0], folder);
        if (code == EXIT_DONE) code = prepare(job);
        if (code == EXIT_DONE) code = run_pieces(job);
        experiment_close(&job->experiment);
    }
    free(folder);
    return code;
}

static const char usage[] =
    "smitin eval run [OPTIONS] FILE -o DIR\n\n"
    "Make every piece of an experiment into DIR/CONDITION/, with its settings as .json and its "
    "row of measures as .csv.\nWhat is there is not made again: after a kill, run the same "
    "command. Several processes may work in one DIR, also\non several machines that share it; "
    "under mpirun and in a Slurm array each finds its share itself.\n\n"
    "  {\n"
    "    \"clips\": \"prompts/\", \"texts\": [\"slow jazz\"], \"pieces\": 8, \"seed\": 1,\n"
    "    \"settings\": {\"model\": \"mini\", \"seconds\": 10, \"input-seconds\": 3},\n"
    "    \"conditions\": [\n"
    "      {\"name\": \"free\", \"knob\": \"drums:0\"},\n"
    "      {\"name\": \"smitin\", \"knob\": \"drums:60%\", \"every\": 5},\n"
    "      {\"name\": \"asked\", \"prompt\": \"{text}, add drums\", \"knob\": \"drums:0\"}\n"
    "    ],\n"
    "    \"traces\": true,\n"
    "    \"describe\": {\"key-profile\": \"temperley\"}, \"reference\": \"real/\"\n"
    "  }\n\n"
    "Settings and conditions take the options of \"smitin generate\" by their long names, "
    "\"describe\" those of\n\"smitin eval describe\". Without \"pieces\" each clip is played with "
    "each text once. With \"traces\" what the knobs\nheard and did stands in .trace.csv, as "
    "--trace writes it.\n\n";

int command_eval_run(int argc, char **argv)
{
    run_job job;
    memset(&job, 0, sizeof job);
    run_options *o = &job.options;
    o->threads = -1;
    text_list paths = {0};
    bool help = false;
    const option_spec specs[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "DIR", "where the pieces go"},
        {NULL, "--shard", OPTION_TEXT, &o->shard, 0, 0, NULL, "I/N",
         "only the I-th of N shares [of the array task or rank; everything]"},
        {"-t", "--threads", OPTION_INT, &o->threads, 0, 1024, NULL, "N",
         "threads; 0 is every core; no piece depends on it [the file's, 0]"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("%s", usage);
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_experiment(&job, &paths);
    }
    generate_close(&job.player);
    describer_close(&job.describer);
    text_list_free(&paths);
    return code;
}

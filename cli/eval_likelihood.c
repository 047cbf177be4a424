/* SPDX-License-Identifier: MIT */
/* "smitin eval likelihood": what a model says of the codes of music that is known, teacher-forced,
 * and how far its logits agree with those of the same model in another format. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/audio/audio.h"
#include "../src/eval/eval.h"
#include "../src/eval/likelihood.h"
#include "eval.h"

enum { FRAMES_AT_ONCE = 1600, RESAMPLES = 2000 };

typedef struct likelihood_options {
    model_options model;
    const char *shape, *prompt, *output;
    double seconds;             /* of a window; 0: the model's longest */
    double skip, length;        /* of each file; length 0: all */
    int against, against_cache; /* of the reference; against -1: there is none */
    bool by_file, json;
} likelihood_options;

typedef struct likelihood_job {
    likelihood_options o;
    smitin_engine *engine, *reference; /* reference NULL: none */
    smitin_model_info info;
    size_t window; /* frames */
    sm_library files;
    sm_likelihood *one, *all; /* of a file; of all of them */
    /* Of every file that was heard, [files, K + 1], the last one being that of all codebooks:
     * cross-entropy, and how much higher it is than the reference's. */
    double *entropy, *cost;
    size_t heard;
    sm_sheet *sheet;
} likelihood_job;

/* ---- Engines ---- */

static int open_one(smitin_engine **engine, const likelihood_options *o, const model_options *model)
{
    char path[1024];
    return o->shape != NULL ? open_random(engine, model, o->shape)
                            : open_engine(engine, model, path, sizeof path);
}

static int open_engines(likelihood_job *job)
{
    const likelihood_options *o = &job->o;
    int code = open_one(&job->engine, o, &o->model);
    if (code == EXIT_DONE && o->against >= 0) {
        model_options model = o->model;
        model.format = o->against;
        model.cache = o->against_cache;
        code = open_one(&job->reference, o, &model);
    }
    if (code != EXIT_DONE) return code;
    smitin_engine_info(job->engine, &job->info);
    const double longest = job->info.max_frames / job->info.frame_rate;
    if (o->seconds > longest) {
        fprintf(stderr, "smitin: the model hears at most %g s at once; give a shorter --seconds\n",
                longest);
        return EXIT_USAGE;
    }
    job->window = o->seconds > 0.0 ? (size_t)lround(o->seconds * job->info.frame_rate)
                                   : (size_t)job->info.max_frames;
    if (job->window < 1) job->window = 1;
    return EXIT_DONE;
}

/* ---- Listening ---- */

/* Windows of one file that go through the model together. */
typedef struct batch {
    size_t most, frames; /* windows at most; frames of each */
    int32_t *codes;      /* [most, K, frames] */
    float *logits, *reference;
} batch;

static void batch_free(batch *b)
{
    free(b->codes);
    free(b->logits);
    free(b->reference);
}

static bool batch_new(batch *b, const likelihood_job *job, size_t windows, size_t frames)
{
    const size_t K = (size_t)job->info.codebooks, V = (size_t)job->info.codebook_size;
    size_t most = FRAMES_AT_ONCE / frames;
    most = most < 1 ? 1 : most > windows ? windows : most;
    *b = (batch){.most = most, .frames = frames};
    b->codes = malloc(most * K * frames * sizeof *b->codes);
    b->logits = malloc(most * frames * K * V * sizeof *b->logits);
    if (job->reference != NULL) b->reference = malloc(most * frames * K * V * sizeof *b->logits);
    return b->codes != NULL && b->logits != NULL &&
           (job->reference == NULL || b->reference != NULL);
}

/* `windows` windows from `samples` on. Both engines hear the codes of one codec: the reference's
 * where there is one. */
static smitin_status listen(likelihood_job *job, const batch *b, const float *samples,
                            size_t windows, smitin_error *error)
{
    const smitin_model_info *info = &job->info;
    const size_t K = (size_t)info->codebooks, V = (size_t)info->codebook_size;
    const size_t count = b->frames * (size_t)info->hop * (size_t)info->channels;
    const smitin_engine *codec = job->reference != NULL ? job->reference : job->engine;
    for (size_t w = 0; w < windows; w++)
        SM_TRY(smitin_engine_encode(codec, samples + w * count, count, b->codes + w * K * b->frames,
                                    K * b->frames, error));
    SM_TRY(smitin_engine_logits(job->engine, b->codes, windows, b->frames, job->o.prompt, b->logits,
                                error));
    if (job->reference != NULL)
        SM_TRY(smitin_engine_logits(job->reference, b->codes, windows, b->frames, job->o.prompt,
                                    b->reference, error));
    for (size_t i = 0; i < windows * b->frames; i++) {
        const size_t w = i / b->frames, t = i % b->frames;
        for (size_t k = 0; k < K; k++) {
            const size_t at = (i * K + k) * V;
            SM_TRY(sm_likelihood_add(job->one, (int)k, b->logits + at,
                                     b->codes[(w * K + k) * b->frames + t],
                                     b->reference != NULL ? b->reference + at : NULL, error));
        }
    }
    return SMITIN_OK;
}

/* The whole frames of a file, in as few windows of one length as there can be: at its end less than
 * a frame for each window is left out. */
static smitin_status listen_to_file(likelihood_job *job, const char *path, smitin_error *error)
{
    const smitin_model_info *info = &job->info;
    const size_t C = (size_t)info->channels, hop = (size_t)info->hop;
    const double length = job->o.length > 0.0 ? job->o.length : -1.0;
    sm_audio audio;
    batch b = {0};
    SM_TRY(sm_audio_read_as(&audio, path, (int)C, info->sample_rate, job->o.skip, length, error));
    const size_t frames = audio.frames / hop, windows = (frames + job->window - 1) / job->window;
    smitin_status status = SMITIN_OK;
    if (frames == 0)
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "'%s' is shorter than one frame of the model, %g ms", path,
                         1000.0 / info->frame_rate);
    else if (!batch_new(&b, job, windows, frames / windows))
        status = sm_fail_memory(error, "the logits; give a shorter --seconds", 0);
    for (size_t w = 0; w < windows && status == SMITIN_OK; w += b.most) {
        const size_t left = windows - w;
        status = listen(job, &b, audio.samples + w * b.frames * hop * C,
                        left < b.most ? left : b.most, error);
    }
    batch_free(&b);
    sm_audio_free(&audio);
    return status;
}

/* ---- Figures ---- */

static void note_file(likelihood_job *job)
{
    const int K = job->info.codebooks;
    for (int k = 0; k <= K; k++) {
        sm_likelihood_result r;
        const size_t at = job->heard * ((size_t)K + 1) + (size_t)k;
        sm_likelihood_find(job->one, k < K ? k : -1, &r);
        job->entropy[at] = r.entropy;
        job->cost[at] = r.entropy - r.reference;
    }
    job->heard++;
}

static void add_result(const likelihood_job *job, const sm_likelihood_result *r)
{
    sm_sheet *s = job->sheet;
    sm_sheet_number(s, "cross_entropy", r->entropy);
    if (job->reference == NULL) return;
    sm_sheet_number(s, "reference", r->reference);
    sm_sheet_number(s, "cost", r->entropy - r->reference);
    sm_sheet_number(s, "same_likeliest", r->same);
    sm_sheet_number(s, "divergence_mean", r->divergence_mean);
    sm_sheet_number(s, "divergence_p99", r->divergence_p99);
    sm_sheet_number(s, "difference_mean", r->difference_mean);
    sm_sheet_number(s, "difference_p95", r->difference_p95);
    sm_sheet_number(s, "difference_max", r->difference_max);
}

/* The 95 % interval of the mean of column k of values [files, K + 1]. */
static smitin_status add_interval(const likelihood_job *job, const double *values, int k,
                                  const char *low, const char *high, smitin_error *error)
{
    const size_t width = (size_t)job->info.codebooks + 1;
    sm_interval interval;
    double *x = malloc((job->heard + 1) * sizeof *x);
    if (x == NULL) return sm_fail_memory(error, "an interval", job->heard * sizeof *x);
    for (size_t i = 0; i < job->heard; i++) x[i] = values[i * width + (size_t)k];
    const smitin_status status = sm_mean_interval(x, job->heard, RESAMPLES, 1, &interval, error);
    free(x);
    if (status != SMITIN_OK) return status;
    sm_sheet_number(job->sheet, low, interval.low);
    sm_sheet_number(job->sheet, high, interval.high);
    return SMITIN_OK;
}

/* Rows of a tally: all codebooks, then each. file NULL: of all files, with intervals. */
static smitin_status add_rows(likelihood_job *job, sm_likelihood *likelihood, const char *file,
                              smitin_error *error)
{
    const int K = job->info.codebooks;
    for (int row = 0; row <= K; row++) {
        sm_likelihood_result r;
        char name[16];
        snprintf(name, sizeof name, "%d", row - 1);
        sm_likelihood_find(likelihood, row - 1, &r);
        sm_sheet_row(job->sheet);
        if (job->o.by_file) sm_sheet_text(job->sheet, "file", file != NULL ? file : "all");
        sm_sheet_text(job->sheet, "codebook", row == 0 ? "all" : name);
        sm_sheet_number(job->sheet, "tokens", (double)r.tokens);
        add_result(job, &r);
        if (file != NULL) continue;
        const int k = row == 0 ? K : row - 1;
        sm_sheet_number(job->sheet, "files", (double)job->heard);
        SM_TRY(
            add_interval(job, job->entropy, k, "cross_entropy_low", "cross_entropy_high", error));
        if (job->reference != NULL)
            SM_TRY(add_interval(job, job->cost, k, "cost_low", "cost_high", error));
    }
    return SMITIN_OK;
}

/* ---- The command ---- */

/* A file that cannot be read is told and left out. */
static int measure_file(likelihood_job *job, const char *path)
{
    smitin_error error = {0};
    sm_likelihood_clear(job->one);
    smitin_status status = listen_to_file(job, path, &error);
    if (status == SMITIN_ERROR_IO || status == SMITIN_ERROR_FORMAT) {
        fprintf(stderr, "smitin: skipped: %s\n", error.message);
        return EXIT_DONE;
    }
    if (status == SMITIN_OK) {
        sm_likelihood_join(job->all, job->one);
        note_file(job);
        if (job->o.by_file) status = add_rows(job, job->one, path, &error);
    }
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

static int measure(likelihood_job *job)
{
    smitin_error error = {0};
    const size_t width = (size_t)job->info.codebooks + 1;
    job->sheet = sm_sheet_new();
    job->entropy = calloc((job->files.count + 1) * width, sizeof(double));
    job->cost = calloc((job->files.count + 1) * width, sizeof(double));
    if (job->sheet == NULL || job->entropy == NULL || job->cost == NULL) return eval_no_memory();
    if (sm_likelihood_new(&job->one, job->info.codebooks, job->info.codebook_size, &error) !=
            SMITIN_OK ||
        sm_likelihood_new(&job->all, job->info.codebooks, job->info.codebook_size, &error) !=
            SMITIN_OK)
        return report_error(&error);
    for (size_t i = 0; i < job->files.count; i++) {
        const int code = measure_file(job, eval_file(&job->files, i));
        if (code != EXIT_DONE) return code;
        progress_bar("listening", (double)(i + 1), (double)job->files.count);
    }
    if (job->heard == 0) {
        fprintf(stderr, "smitin: there is nothing to hear in these files\n");
        return EXIT_FAILED;
    }
    if (add_rows(job, job->all, NULL, &error) != SMITIN_OK) return report_error(&error);
    sm_sheet *sheet = job->sheet;
    job->sheet = NULL;
    return eval_write(sheet, job->o.output, job->o.json);
}

static int run_likelihood(likelihood_job *job, const text_list *paths)
{
    int code = eval_files(&job->files, paths);
    if (code == EXIT_DONE) code = open_engines(job);
    if (code == EXIT_DONE) code = measure(job);
    sm_library_free(&job->files);
    sm_likelihood_free(job->one);
    sm_likelihood_free(job->all);
    sm_sheet_free(job->sheet);
    free(job->entropy);
    free(job->cost);
    smitin_engine_free(job->engine);
    smitin_engine_free(job->reference);
    return code;
}

static size_t likelihood_specs(likelihood_options *o, int *shape, option_spec *specs,
                               size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--shape", OPTION_CHOICE, shape, 0, 0, model_shapes, "NAME",
         "instead of a model: musicgen-small, -medium or -large, random weights"},
        {"-p", "--prompt", OPTION_TEXT, &o->prompt, 0, 0, NULL, "TEXT",
         "condition on this text, without guidance [none]"},
        {NULL, "--seconds", OPTION_DOUBLE, &o->seconds, 0.02, 3600, NULL, "S",
         "cut files into windows of at most S seconds [the model's longest]"},
        {NULL, "--skip", OPTION_DOUBLE, &o->skip, 0, 3600, NULL, "S",
         "leave out the first S seconds of every file [0]"},
        {NULL, "--length", OPTION_DOUBLE, &o->length, 0.02, 3600, NULL, "S",
         "listen to at most S seconds of every file [all]"},
        {NULL, "--against", OPTION_CHOICE, &o->against, 0, 0, model_formats, "FORMAT",
         "compare the logits with the same model in this format"},
        {NULL, "--against-cache", OPTION_CHOICE, &o->against_cache, 0, 0, model_caches, "FORMAT",
         "whose keys and values are kept in this one [f32]"},
        {NULL, "--by-file", OPTION_FLAG, &o->by_file, 0, 0, NULL, NULL,
         "rows of every file, before those of all"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE",
         "write the table there [standard output]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL, "JSON instead of CSV"},
    };
    const size_t count = model_option_specs(&o->model, specs, capacity);
    return count +
           options_add(specs + count, capacity - count, table, sizeof table / sizeof *table);
}

static int check(likelihood_options *o, int shape, bool cache_given)
{
    if (shape >= 0 && (strcmp(o->model.model, DEFAULT_MODEL) != 0 || o->model.hf != NULL)) {
        fprintf(stderr, "smitin: --shape is instead of a model; give one of them\n");
        return EXIT_USAGE;
    }
    if (shape >= 0 && o->prompt != NULL) {
        fprintf(stderr, "smitin: random weights have no vocabulary; leave --prompt out\n");
        return EXIT_USAGE;
    }
    if (cache_given && o->against < 0) {
        fprintf(stderr, "smitin: --against-cache is the reference's; give it with --against\n");
        return EXIT_USAGE;
    }
    if (shape >= 0) o->shape = model_shapes[shape];
    if (!cache_given) o->against_cache = SMITIN_CACHE_F32;
    return EXIT_DONE;
}

int command_eval_likelihood(int argc, char **argv)
{
    likelihood_job job;
    memset(&job, 0, sizeof job);
    likelihood_options *o = &job.o;
    *o =
        (likelihood_options){.model = model_options_defaults(), .against = -1, .against_cache = -1};
    text_list paths = {0};
    bool help = false;
    int shape = -1;
    option_spec specs[24];
    const size_t count = likelihood_specs(o, &shape, specs, sizeof specs / sizeof *specs);
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval likelihood [OPTIONS] FILE-OR-FOLDER...\n\n"
               "Cross-entropy of music under a model, teacher-forced, in nats a token: over all "
               "codebooks and each.\nWith --against how far the logits agree with those of another "
               "format, on the same codes: the share of\ntokens with the same likeliest code, "
               "Kullback-Leibler divergence from the reference (nats a token), and\nthe difference "
               "of single logits. Intervals (95 %%) are over files.\n\n"
               "  smitin eval likelihood test/ -q q4 --against f32\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = check(o, shape, o->against_cache >= 0);
        if (code == EXIT_DONE) code = run_likelihood(&job, &paths);
    }
    text_list_free(&paths);
    return code;
}

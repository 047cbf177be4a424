/* SPDX-License-Identifier: MIT */
/* "smitin knob train": clips with and without a trait -> head outputs -> one probe a head ->
 * calibration -> a knob file, its accuracies as CSV and as a heat map. */
#include "calibrate.h"
#include "clips.h"
#include "extract.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A rise in mean presence that seeds alone do not make. */
static const double SMALLEST_RISE = 0.05;

/* What strengths are measured along. */
static const char *const directions[] = {"mean", "probe", NULL};

typedef struct train_options {
    model_options model;
    clip_options clips;
    const char *name, *output, *licence;
    int direction; /* index into directions */
    int calibrate_pieces;
    double C, calibrate_seconds;
    bool quiet;
} train_options;

typedef struct train_job {
    train_options options;
    char model_path[1024];
    char output[1200];
    smitin_engine *engine;
    smitin_model_info info;
    char partial[1200]; /* the folder of what was heard: until the knob is written, and for the
                         * next run when this one does not come so far */
    char draft[1280];   /* the knob that is calibrated, in it */
    sm_dataset *dataset;
    sm_collection *collection; /* of the data set, which it owns */
    extraction extraction;
    sm_pool *pool;
    sm_probe_set set;
    float *prompts; /* [calibrate_pieces, samples]: clips without the trait of the test split */
    int prompts_count;
    sm_knob_data *knob;
} train_job;

/* ---- Listening ---- */

/* Some hundred shards at most, whatever there is to hear: their list is written after each. */
static size_t shard_clips(size_t clips)
{
    enum { LEAST = 32, SHARDS = 256 };
    const size_t shared = (clips + SHARDS - 1) / SHARDS;
    return shared > LEAST ? shared : LEAST;
}

/* The heads of all clips, out of the store. */
static int take_heads(train_job *job)
{
    smitin_error error = {0};
    sm_store *store = NULL;
    if (sm_store_open(&store, job->partial, &error) != SMITIN_OK) return report_error(&error);
    const sm_store_meta *about = sm_store_about(store);
    const size_t N = sm_store_rows(store), width = (size_t)about->H * (size_t)about->D;
    const size_t layers = (size_t)about->L;
    float *z = calloc(N * layers * width + 1, sizeof *z);
    uint8_t *label = calloc(N + 1, 1), *test = calloc(N + 1, 1);
    job->set = (sm_probe_set){
        .z = z, .label = label, .test = test, .N = N, .L = about->L, .H = about->H, .D = about->D};
    const bool fine = z != NULL && label != NULL && test != NULL;
    for (size_t row = 0; row < N && fine; row++) {
        const sm_clip *clip = &sm_store_row(store, row)->clip;
        label[row] = clip->values[0] > 0.0;
        test[row] = clip->split == SM_SPLIT_TEST;
        for (size_t layer = 0; layer < layers; layer++)
            sm_store_layer(store, (int)layer, &row, 1, z + (row * layers + layer) * width);
    }
    sm_store_free(store);
    if (fine) return EXIT_DONE;
    fprintf(stderr, "smitin: there is not enough memory for the head outputs; try fewer --pairs\n");
    return EXIT_FAILED;
}

static int read_heads(train_job *job)
{
    const train_options *o = &job->options;
    smitin_error error = {0};
    sm_dataset *dataset = job->dataset;
    job->dataset = NULL; /* the collection's from here on */
    if (sm_collection_wrap(&job->collection, dataset, o->name, &error) != SMITIN_OK)
        return report_error(&error);
    job->dataset = dataset;
    job->extraction = (extraction){.engine = job->engine,
                                   .model = &o->model,
                                   .model_path = job->model_path,
                                   .collection = job->collection,
                                   .folder = job->partial,
                                   .seconds = o->clips.pairs.seconds,
                                   .seconds_option = "--clip-seconds",
                                   .columns = 1,
                                   .shard = shard_clips(sm_dataset_count(dataset)),
                                   .strict = true,
                                   .quiet = o->quiet};
    const int code = extract_run(&job->extraction);
    return code == EXIT_DONE ? take_heads(job) : code;
}

/* Clips without the trait as prompts of the calibration. */
static int read_prompts(train_job *job)
{
    smitin_error error = {0};
    const size_t count = sm_dataset_clip_samples(job->dataset), N = sm_dataset_count(job->dataset);
    job->prompts = calloc((size_t)job->options.calibrate_pieces * count + 1, sizeof(float));
    if (job->prompts == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for the clips of the calibration; try "
                        "fewer --calibrate-pieces\n");
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < N && job->prompts_count < job->options.calibrate_pieces; i++) {
        if (sm_dataset_label(job->dataset, i) || !sm_dataset_is_test(job->dataset, i)) continue;
        float *prompt = job->prompts + (size_t)job->prompts_count++ * count;
        if (sm_dataset_clip(job->dataset, i, prompt, &error) != SMITIN_OK)
            return report_error(&error);
    }
    return EXIT_DONE;
}

/* ---- Fit, calibrate, write ---- */

static void describe(train_job *job)
{
    const train_options *o = &job->options;
    sm_knob_meta *meta = &job->knob->meta;
    const char *licence = o->licence != NULL ? o->licence : sm_dataset_licence(job->dataset);
    if (licence == NULL) licence = "unknown";
    snprintf(meta->trait, sizeof meta->trait, "%s", o->name);
    model_title(job->model_path, meta->model, sizeof meta->model);
    memcpy(meta->fingerprint, job->info.fingerprint, sizeof meta->fingerprint);
    snprintf(meta->data, sizeof meta->data, "%s", sm_dataset_summary(job->dataset));
    snprintf(meta->licence, sizeof meta->licence, "%s", licence);
    snprintf(meta->site, sizeof meta->site, "self_attn.z");
    meta->along_mean = o->direction == 0;
    /* Until calibration has measured better: the published strengths. */
    meta->default_alpha = 5.0;
    meta->max_alpha = 10.0;
}

static int fit(train_job *job)
{
    smitin_error error = {0};
    const sm_probe_set *set = &job->set;
    if (sm_knob_data_new(&job->knob, set->L, set->H, set->D, &error) != SMITIN_OK ||
        sm_pool_new(&job->pool, job->options.model.threads, &error) != SMITIN_OK ||
        sm_probe_fit(job->knob, set, job->options.C, job->pool, NULL, &error) != SMITIN_OK)
        return report_error(&error);
    describe(job);
    return EXIT_DONE;
}

static int calibrate(train_job *job)
{
    const train_options *o = &job->options;
    smitin_error error = {0};
    calibration result;
    if (o->calibrate_pieces == 0) return EXIT_DONE;
    const int code = read_prompts(job);
    if (code != EXIT_DONE) return code;
    if (job->prompts_count == 0) {
        fprintf(stderr, "smitin: no clip without the trait is in the test split, so the knob is "
                        "not calibrated\n");
        return EXIT_FAILED;
    }
    if (sm_knob_data_write(job->knob, job->draft, &error) != SMITIN_OK) return report_error(&error);
    if (calibrate_knob(&result, job->engine, job->draft, job->prompts, job->prompts_count,
                       sm_dataset_clip_samples(job->dataset), o->calibrate_seconds, o->quiet,
                       &error) != SMITIN_OK)
        return report_error(&error);
    if (!o->quiet) fprintf(stderr, "   alpha   presence   dose\n");
    for (int i = 0; i < CALIBRATE_POINTS && !o->quiet; i++)
        fprintf(stderr, "%8.3g   %8.3f   %.3g\n", result.alpha[i], result.presence[i],
                result.dose[i]);
    if (result.rise < SMALLEST_RISE) {
        fprintf(stderr,
                "smitin: no strength moved what this knob hears (by %.3f at most), so its scale "
                "stays at "
                "alpha %g and %g; more or clearer examples may make a knob that works\n",
                result.rise, job->knob->meta.default_alpha, job->knob->meta.max_alpha);
        return EXIT_DONE;
    }
    job->knob->meta.default_alpha = result.default_alpha;
    job->knob->meta.max_alpha = result.max_alpha;
    return EXIT_DONE;
}

static int write_results(train_job *job)
{
    smitin_error error = {0};
    char path[sizeof job->output + 16];
    const size_t stem = strlen(job->output) - strlen(".safetensors");
    if (sm_knob_data_write(job->knob, job->output, &error) != SMITIN_OK)
        return report_error(&error);
    snprintf(path, sizeof path, "%.*s.csv", (int)stem, job->output);
    if (sm_probe_write_csv(job->knob, path, &error) != SMITIN_OK) return report_error(&error);
    snprintf(path, sizeof path, "%.*s.png", (int)stem, job->output);
    if (sm_probe_write_heatmap(job->knob, path, &error) != SMITIN_OK) return report_error(&error);
    double best = 0.0, mean = 0.0;
    const int heads = job->knob->L * job->knob->H;
    for (int i = 0; i < heads; i++) {
        best = fmax(best, (double)job->knob->accuracy_test[i]);
        mean += (double)job->knob->accuracy_test[i] / heads;
    }
    if (!job->options.quiet)
        fprintf(stderr,
                "%s: best head %.1f %%, mean %.1f %%; 50 %% is alpha %.3g, 100 %% is alpha %.3g\n",
                job->output, 100.0 * best, 100.0 * mean, job->knob->meta.default_alpha,
                job->knob->meta.max_alpha);
    return EXIT_DONE;
}

static int run_train(train_job *job)
{
    const train_options *o = &job->options;
    int code = open_engine(&job->engine, &o->model, job->model_path, sizeof job->model_path);
    if (code != EXIT_DONE) return code;
    smitin_engine_info(job->engine, &job->info);
    code = clips_open(&job->dataset, &o->clips, &job->info, o->quiet);
    if (code == EXIT_DONE) code = read_heads(job);
    if (code == EXIT_DONE) code = fit(job);
    if (code == EXIT_DONE) code = calibrate(job);
    if (code == EXIT_DONE) code = write_results(job);
    return code;
}

/* Whether anything was heard that another run would hear again. */
static bool is_worth_keeping(const train_job *job)
{
    const sm_store *store = job->extraction.store;
    for (size_t s = 0; store != NULL && s < sm_store_shards(store); s++)
        if (sm_store_has(store, s)) return true;
    return false;
}

/* What was heard goes with success; else it stays for the next run, which is said. */
static void leave_store(train_job *job, int code)
{
    if (job->extraction.store == NULL) return;
    (void)remove(job->draft);
    if (code == EXIT_DONE || !is_worth_keeping(job)) {
        sm_store_discard(job->extraction.store);
        job->extraction.store = NULL;
    } else if (job->extraction.fits && !job->options.quiet) {
        fprintf(stderr,
                "smitin: what was heard stays in '%s'; the same command goes on from there\n",
                job->partial);
    }
}

static int check_options(train_job *job)
{
    train_options *o = &job->options;
    const clip_options *c = &o->clips;
    const int code = clip_options_check(c);
    if (code != EXIT_DONE) return code;
    if (o->name == NULL) o->name = c->pairs.target != NULL ? c->pairs.target : c->trait;
    if (o->name == NULL || o->name[0] == '\0' || strlen(o->name) > 63 ||
        strchr(o->name, '/') != NULL || strchr(o->name, ':') != NULL) {
        fprintf(
            stderr,
            "smitin: name the trait with --name: up to 63 characters without \"/\" and \":\"\n");
        return EXIT_USAGE;
    }
    const char *output = o->output;
    if (output == NULL)
        snprintf(job->output, sizeof job->output, "%s.knob.safetensors", o->name);
    else
        snprintf(job->output, sizeof job->output, "%.1190s", output);
    const char *suffix = ".safetensors";
    const size_t length = strlen(job->output);
    if (length <= strlen(suffix) || strcmp(job->output + length - strlen(suffix), suffix) != 0) {
        fprintf(stderr, "smitin: %s: a knob file ends in .knob.safetensors\n", job->output);
        return EXIT_USAGE;
    }
    snprintf(job->partial, sizeof job->partial, "%.*s.partial", (int)(length - strlen(suffix)),
             job->output);
    snprintf(job->draft, sizeof job->draft, "%s/draft.knob.safetensors", job->partial);
    return EXIT_DONE;
}

static size_t train_specs(train_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--name", OPTION_TEXT, &o->name, 0, 0, NULL, "NAME",
         "of the trait [the target or label]"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE", "[NAME.knob.safetensors]"},
        {NULL, "--C", OPTION_DOUBLE, &o->C, 1e-6, 1e6, NULL, "C", "inverse regularisation [1]"},
        {NULL, "--direction", OPTION_CHOICE, &o->direction, 0, 0, directions, "NAME",
         "where it pushes: mean (mass mean shift) or probe (the regression's weights) [mean]"},
        {NULL, "--licence", OPTION_TEXT, &o->licence, 0, 0, NULL, "TEXT",
         "of the audio, kept in the file [the data set's, or unknown]"},
        {NULL, "--calibrate-pieces", OPTION_INT, &o->calibrate_pieces, 0, 256, NULL, "N",
         "pieces a strength in the calibration; 0 keeps alpha 5 and 10 [16]"},
        {NULL, "--calibrate-seconds", OPTION_DOUBLE, &o->calibrate_seconds, 0.5, 20, NULL, "S",
         "made in each [4]"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    size_t count = model_option_specs(&o->model, specs, capacity);
    count += clip_option_specs(&o->clips, specs + count, capacity - count);
    return count +
           options_add(specs + count, capacity - count, table, sizeof table / sizeof *table);
}

int command_knob_train(int argc, char **argv)
{
    train_job job;
    bool help = false;
    memset(&job, 0, sizeof job);
    train_options *o = &job.options;
    *o = (train_options){.model = model_options_defaults(),
                         .clips = clip_options_defaults(),
                         .C = 1.0,
                         .calibrate_pieces = 16,
                         .calibrate_seconds = 4.0};
    option_spec specs[32];
    const size_t count = train_specs(o, specs, sizeof specs / sizeof *specs);
    int code = options_parse(specs, count, argc, argv, NULL, &help);
    if (help) {
        printf(
            "smitin knob train --stems DIR --target NAME [OPTIONS]\n"
            "smitin knob train --labels FILE --audio DIR --trait NAME [OPTIONS]\n"
            "smitin knob train --with DIR --without DIR --name NAME [OPTIONS]\n\n"
            "Learn a trait from audio: a probe on every attention head of the model. Writes the "
            "knob, its accuracies\n"
            "as CSV and a heat map as PNG. One minute of audio is enough to start with. What was "
            "heard lies in\n"
            "NAME.knob.partial until then: a run that was cut short goes on where it ended.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = check_options(&job);
        if (code == EXIT_DONE) code = run_train(&job);
        leave_store(&job, code);
    }
    extract_close(&job.extraction);
    if (job.collection == NULL) sm_dataset_free(job.dataset);
    sm_collection_free(job.collection);
    sm_knob_data_free(job.knob);
    sm_pool_free(job.pool);
    smitin_engine_free(job.engine);
    clips_free(&job.set);
    free(job.prompts);
    return code;
}

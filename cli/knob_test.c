/* SPDX-License-Identifier: MIT */
/* "smitin knob test": a knob's probes on clips of the test split, beside the accuracies in its
 * file: what a format of the weights, or other music, costs it. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/outfile.h"
#include "clips.h"

typedef struct test_options {
    model_options model;
    clip_options clips;
    const char *output;
    bool force, json, quiet;
} test_options;

typedef struct test_job {
    test_options o;
    char model_path[1024];
    smitin_engine *engine;
    smitin_model_info info;
    sm_knob_data *knob;
    sm_dataset *dataset;
    sm_probe_set set;
    float *accuracy; /* [L, H] here */
} test_job;

/* What a table of accuracies comes to. */
typedef struct summary {
    int heads, best, farthest;      /* indices of heads: best by the file; most changed */
    double best_here, best_stored;  /* accuracy of the best head of each */
    double mean_here, mean_stored;  /* over all heads */
    double change, farthest_change; /* mean size of the change; of the most changed head */
} summary;

static summary summarise(const test_job *job)
{
    const sm_knob_data *knob = job->knob;
    summary s = {.heads = knob->L * knob->H};
    for (int i = 0; i < s.heads; i++) {
        const double stored = (double)knob->accuracy_test[i], here = (double)job->accuracy[i];
        s.mean_stored += stored / s.heads;
        s.mean_here += here / s.heads;
        s.change += fabs(here - stored) / s.heads;
        if (stored > (double)knob->accuracy_test[s.best]) s.best = i;
        if (fabs(here - stored) > fabs(s.farthest_change)) {
            s.farthest = i;
            s.farthest_change = here - stored;
        }
        s.best_here = fmax(s.best_here, here);
    }
    s.best_stored = (double)knob->accuracy_test[s.best];
    return s;
}

static void print_table(const test_job *job, const summary *s)
{
    const int H = job->knob->H;
    printf("%s: weights %s, %zu clips (the file's accuracies: %d)\n\n", job->knob->meta.trait,
           model_formats[job->info.format], job->set.N, job->knob->meta.test_count);
    printf("%-34s%9s%9s%9s\n", "accuracy, %", "file", "here", "change");
    printf("best head of the file (%3d, %3d)    %9.1f%9.1f%+9.1f\n", s->best / H, s->best % H,
           100.0 * s->best_stored, 100.0 * (double)job->accuracy[s->best],
           100.0 * ((double)job->accuracy[s->best] - s->best_stored));
    printf("%-35s%9.1f%9.1f%+9.1f\n", "best head of each", 100.0 * s->best_stored,
           100.0 * s->best_here, 100.0 * (s->best_here - s->best_stored));
    printf("%-35s%9.1f%9.1f%+9.1f\n", "mean of all heads", 100.0 * s->mean_stored,
           100.0 * s->mean_here, 100.0 * (s->mean_here - s->mean_stored));
    printf("\nheads change by %.1f on average, at most by %+.1f (layer %d, head %d)\n",
           100.0 * s->change, 100.0 * s->farthest_change, s->farthest / H, s->farthest % H);
}

static void print_json(const test_job *job, const summary *s)
{
    const int H = job->knob->H;
    json_t *o = json_object(), *best = json_object();
    json_object_set_new(o, "trait", json_string(job->knob->meta.trait));
    json_object_set_new(o, "weights", json_string(model_formats[job->info.format]));
    json_object_set_new(
        o, "same_model",
        json_boolean(strcmp(job->knob->meta.fingerprint, job->info.fingerprint) == 0));
    json_object_set_new(o, "clips", json_integer((json_int_t)job->set.N));
    json_object_set_new(o, "clips_file", json_integer(job->knob->meta.test_count));
    json_object_set_new(best, "layer", json_integer(s->best / H));
    json_object_set_new(best, "head", json_integer(s->best % H));
    json_object_set_new(best, "accuracy_file", json_real(s->best_stored));
    json_object_set_new(best, "accuracy_here", json_real((double)job->accuracy[s->best]));
    json_object_set_new(o, "best_head_of_file", best);
    json_object_set_new(o, "best_accuracy_here", json_real(s->best_here));
    json_object_set_new(o, "mean_accuracy_file", json_real(s->mean_stored));
    json_object_set_new(o, "mean_accuracy_here", json_real(s->mean_here));
    json_object_set_new(o, "mean_change", json_real(s->change));
    json_object_set_new(o, "largest_change", json_real(s->farthest_change));
    json_dumpf(o, stdout, JSON_INDENT(2));
    puts("");
    json_decref(o);
}

/* layer,head and both accuracies of every head. */
static int write_csv(const test_job *job, const summary *s)
{
    enum { LINE = 80 };
    smitin_error error = {0};
    const size_t room = LINE * ((size_t)s->heads + 1);
    char *text = malloc(room);
    if (text == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for the table\n");
        return EXIT_FAILED;
    }
    size_t used = (size_t)snprintf(text, room, "layer,head,accuracy_file,accuracy_here\n");
    for (int i = 0; i < s->heads; i++)
        used += (size_t)snprintf(text + used, room - used, "%d,%d,%.6f,%.6f\n", i / job->knob->H,
                                 i % job->knob->H, (double)job->knob->accuracy_test[i],
                                 (double)job->accuracy[i]);
    const smitin_status status = sm_file_write(job->o.output, text, used, &error);
    free(text);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* The knob's file, and whether it is for this model. */
static int open_knob(test_job *job, const char *name)
{
    char path[1200];
    smitin_error error = {0};
    if (!find_knob(name, job->model_path, path, sizeof path)) return EXIT_REFUSED;
    if (sm_knob_data_read(&job->knob, path, &error) != SMITIN_OK) {
        (void)report_error(&error);
        return error.status == SMITIN_ERROR_FORMAT ? EXIT_REFUSED : EXIT_FAILED;
    }
    if (job->o.force || strcmp(job->knob->meta.fingerprint, job->info.fingerprint) == 0)
        return EXIT_DONE;
    fprintf(stderr,
            "smitin: the knob \"%s\" was made for another model (%s, fingerprint %.12s, this model "
            "%.12s); take that model, or --force-knob\n",
            job->knob->meta.trait, job->knob->meta.model, job->knob->meta.fingerprint,
            job->info.fingerprint);
    return EXIT_REFUSED;
}

static int run(test_job *job, const char *name)
{
    const test_options *o = &job->o;
    smitin_error error = {0};
    int code = open_engine(&job->engine, &o->model, job->model_path, sizeof job->model_path);
    if (code != EXIT_DONE) return code;
    smitin_engine_info(job->engine, &job->info);
    code = open_knob(job, name);
    if (code == EXIT_DONE) code = clips_open(&job->dataset, &o->clips, &job->info, o->quiet);
    if (code == EXIT_DONE) code = clips_read_test(&job->set, job->engine, job->dataset, o->quiet);
    if (code != EXIT_DONE) return code;
    job->accuracy = calloc((size_t)job->info.layers * (size_t)job->info.heads, sizeof(float));
    if (job->accuracy == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for the table\n");
        return EXIT_FAILED;
    }
    if (sm_probe_test(job->accuracy, job->knob, &job->set, &error) != SMITIN_OK)
        return report_error(&error);
    const summary s = summarise(job);
    if (o->output != NULL) code = write_csv(job, &s);
    if (code != EXIT_DONE) return code;
    if (o->json)
        print_json(job, &s);
    else
        print_table(job, &s);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static size_t test_specs(test_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE",
         "both accuracies of every head as CSV"},
        {NULL, "--force-knob", OPTION_FLAG, &o->force, 0, 0, NULL, NULL,
         "test a knob that was made for other weights of the same shape"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL, "print JSON"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "no progress"},
    };
    size_t count = model_option_specs(&o->model, specs, capacity);
    count += clip_option_specs(&o->clips, specs + count, capacity - count);
    return count +
           options_add(specs + count, capacity - count, table, sizeof table / sizeof *table);
}

int command_knob_test(int argc, char **argv)
{
    test_job job;
    text_list names = {0};
    option_spec specs[40];
    bool help = false;
    memset(&job, 0, sizeof job);
    job.o = (test_options){.model = model_options_defaults(), .clips = clip_options_defaults()};
    const size_t count = test_specs(&job.o, specs, sizeof specs / sizeof *specs);
    int code = options_parse(specs, count, argc, argv, &names, &help);
    if (help) {
        printf(
            "smitin knob test NAME --stems DIR --target NAME [OPTIONS]\n\n"
            "How well a knob's probes tell the trait with these weights or on other music, beside "
            "the accuracies\n"
            "in its file. With the options and audio of its training the clips are those of its "
            "test split, so\n"
            "what changes is what -q costs.\n\n"
            "  smitin knob test drums --stems musdb18hq/ --target drums -q q4\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE && names.count != 1) {
        fprintf(stderr, "smitin: name one knob to test; see \"smitin knob test --help\"\n");
        code = EXIT_USAGE;
    } else if (code == EXIT_DONE) {
        code = clip_options_check(&job.o.clips);
        if (code == EXIT_DONE) code = run(&job, names.items[0]);
    }
    text_list_free(&names);
    clips_free(&job.set);
    sm_dataset_free(job.dataset);
    sm_knob_data_free(job.knob);
    smitin_engine_free(job.engine);
    free(job.accuracy);
    return code;
}

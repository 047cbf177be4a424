/* SPDX-License-Identifier: MIT */
/* "smitin convert": a model in one GGUF file. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"
#include "interrupt.h"

typedef struct convert_options {
    model_options model; /* format: that of the file */
    const char *output, *name, *licence;
    bool json, quiet;
} convert_options;

static const char usage[] =
    "smitin convert -m MODEL -o FILE.gguf [OPTIONS]\n\n"
    "Write a model into one GGUF file: weights in the format of -q, configuration, vocabulary. The "
    "file loads\n"
    "faster than the directory with the same -q, plays the same codes, and takes the same "
    "knobs.\n\n"
    "  smitin convert -q q8 -hf facebook/musicgen-small -o musicgen-small-q8.gguf\n"
    "  smitin generate -m musicgen-small-q8.gguf -p \"slow jazz\" -o jazz.wav\n\n";

static const char *const file_formats[] = {"f32", "f16", "bf16", "q8", "q4", NULL};
static const smitin_format formats[] = {SMITIN_FORMAT_F32, SMITIN_FORMAT_F16, SMITIN_FORMAT_BF16,
                                        SMITIN_FORMAT_Q8, SMITIN_FORMAT_Q4};
enum { DEFAULT_FORMAT = 3 };

static size_t convert_specs(convert_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {"-m", "--model", OPTION_TEXT, &o->model.model, 0, 0, NULL, "MODEL",
         "directory, GGUF file or name of a model [mini]"},
        {"-hf", "--hf-repo", OPTION_TEXT, &o->model.hf, 0, 0, NULL, "ORG/REPO",
         "instead of -m: a model that was pulled, with @REVISION or without"},
        {"-q", "--quantize", OPTION_CHOICE, &o->model.format, 0, 0, file_formats, "FORMAT",
         "weights in the file: f32, f16, bf16, q8, q4 [q8]"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE", "the file to write"},
        {NULL, "--name", OPTION_TEXT, &o->name, 0, 0, NULL, "NAME",
         "of the model, kept in the file [the model's]"},
        {NULL, "--licence", OPTION_TEXT, &o->licence, 0, 0, NULL, "TEXT",
         "of the weights, kept in the file [that of the model's README.md]"},
        {"-t", "--threads", OPTION_INT, &o->model.threads, 0, 1024, NULL, "N",
         "threads; 0 is every core [0]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL,
         "print what was written as JSON on standard output"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    return options_add(specs, capacity, table, sizeof table / sizeof *table);
}

static bool show(void *user, uint64_t done, uint64_t total)
{
    const convert_options *o = user;
    if (!o->quiet) progress_bar("converting", (double)done, (double)total);
    return interrupted() == 0;
}

static int print_json(const convert_options *o, const char *name, double bytes)
{
    json_t *root = json_object();
    json_object_set_new(root, "file", json_string(o->output));
    json_object_set_new(root, "model", json_string(name));
    json_object_set_new(root, "weights", json_string(file_formats[o->model.format]));
    json_object_set_new(root, "bytes", json_integer((json_int_t)bytes));
    const int bad = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (bad == 0 && printf("\n") > 0 && fflush(stdout) == 0) return EXIT_DONE;
    fprintf(stderr, "smitin: the result could not be written to standard output\n");
    return EXIT_FAILED;
}

static int convert(convert_options *o)
{
    char path[1024], title[128];
    smitin_error error = {0};
    struct stat info;
    int code = find_model(o->model.model, o->model.hf, path, sizeof path);
    if (code != EXIT_DONE) return code;
    model_title(path, title, sizeof title);
    smitin_convert_options options = smitin_convert_defaults();
    options.threads = o->model.threads;
    options.name = o->name != NULL ? o->name : title;
    options.licence = o->licence;
    options.progress = show;
    options.user = o;
    interrupt_catch(); /* no gigabytes of a half stay behind */
    if (smitin_convert(path, o->output, formats[o->model.format], &options, &error) != SMITIN_OK)
        return report_error(&error);
    const double bytes = stat(o->output, &info) == 0 ? (double)info.st_size : 0.0;
    if (!o->quiet)
        fprintf(stderr, "%s: %s in %s, %.1f MB\n", o->output, options.name,
                file_formats[o->model.format], 1e-6 * bytes);
    return o->json ? print_json(o, options.name, bytes) : EXIT_DONE;
}

int command_convert(int argc, char **argv)
{
    convert_options o = {.model = model_options_defaults()};
    option_spec specs[16];
    bool help = false;
    o.model.format = DEFAULT_FORMAT;
    const size_t count = convert_specs(&o, specs, sizeof specs / sizeof *specs);
    const int code = options_parse(specs, count, argc, argv, NULL, &help);
    if (help) {
        printf("%s", usage);
        options_print(specs, count);
        return EXIT_DONE;
    }
    if (code != EXIT_DONE) return code;
    if (o.output == NULL || strcmp(o.output, "-") == 0) {
        fprintf(stderr, "smitin: name the file to write with -o FILE.gguf; a model does not go "
                        "through a pipe\n");
        return EXIT_USAGE;
    }
    return convert(&o);
}

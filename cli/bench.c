/* SPDX-License-Identifier: MIT */
/* "smitin bench": how fast a model plays on this machine, in each format, against what the machine
 * can read. Measuring is in bench_measure.c. */
#include "bench.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FORMATS = 4 };

static const char *const shape_names[] = {"musicgen-small", "musicgen-medium", "musicgen-large",
                                          NULL};

static const char usage[] =
    "smitin bench [OPTIONS]\n\n"
    "Measure how fast a model plays: steps a second (50 are real time) early and late in a piece, "
    "loading,\n"
    "codec, memory, and how much of the machine's reading a step uses. Without -q the weights are "
    "tried as f32,\n"
    "f16, q8 and q4; those of a GGUF file stay as they are. --shape needs no model: it takes "
    "random "
    "weights of a\n"
    "published model's size.\n\n"
    "  smitin bench -m musicgen-small\n"
    "  smitin bench --shape musicgen-medium -q q4 --json\n\n";

typedef struct bench_run {
    bench_options o;
    bench_result results[MOST_FORMATS];
    int count;
    double read_rate; /* bytes per second */
    double peak;      /* f32 operations per second of registers */
    int threads;
} bench_run;

static size_t bench_specs(bench_options *o, int *shape, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--shape", OPTION_CHOICE, shape, 0, 0, shape_names, "NAME",
         "instead of a model: musicgen-small, -medium or -large, random weights"},
        {NULL, "--steps", OPTION_INT, &o->steps, 3, 1000, NULL, "N",
         "steps timed at each position [20]"},
        {NULL, "--full", OPTION_FLAG, &o->full, 0, 0, NULL, NULL,
         "play 30 s instead of reckoning their mean from the positions"},
        {NULL, "--cfg", OPTION_DOUBLE, &o->guidance, -1000, 1000, NULL, "G",
         "guidance scale; 1 makes one row instead of two [3]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL,
         "print the figures as JSON on standard output"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "no progress"},
    };
    const size_t count = model_option_specs(&o->model, specs, capacity);
    return count +
           options_add(specs + count, capacity - count, table, sizeof table / sizeof *table);
}

/* ---- Words ---- */

static const char *title(const bench_options *o)
{
    if (o->shape != NULL) return o->shape;
    return o->model.hf != NULL ? o->model.hf : o->model.model;
}

/* A number in `width` columns, or a dash where there is none. */
static void cell(int width, int digits, double value)
{
    if (isfinite(value))
        printf("%*.*f", width, digits, value);
    else
        printf("%*s", width, "-");
}

static void print_head(const bench_run *run)
{
    const smitin_model_info *info = &run->results[0].info;
    printf("%s: %d layers of %d, %.0f M weights; %d row%s, cache %s, %d thread%s, which read "
           "%.1f GB/s\n\n",
           title(&run->o), info->layers, info->hidden_size, 1e-6 * (double)info->parameters,
           run->results[0].rows, run->results[0].rows == 1 ? "" : "s",
           model_caches[run->o.model.cache], run->threads, run->threads == 1 ? "" : "s",
           1e-9 * run->read_rate);
    printf("%-6s%9s%9s%7s |%29s%8s |%21s |%8s%7s |%7s%10s |%14s\n", "", "weights", "resident",
           "load", "steps a second at frame ", "mean", "a step, ms ", "read at", "share", "first",
           "prompt", "codec, x real");
    printf("%-6s%9s%9s%7s |%8d%7d%7d%7d%8s |%7s%7s%7s |%8s%7s |%7s%10s |%7s%7s\n", "", "MB", "MB",
           "s", bench_positions[0], bench_positions[1], bench_positions[2], bench_positions[3],
           "30 s", "P50", "P95", "P99", "250", "%", "sound", "frames/s", "decode", "encode");
}

static void print_row(const bench_run *run, const bench_result *r)
{
    const double rate = r->bytes[1] / r->step[1];
    printf("%-6s", r->format);
    cell(9, 0, 1e-6 * (double)r->info.memory_bytes);
    cell(9, 0, 1e-6 * r->resident);
    cell(7, 1, r->load);
    printf(" |");
    for (int i = 0; i < BENCH_POSITIONS; i++) cell(i == 0 ? 8 : 7, 1, 1.0 / r->step[i]);
    cell(8, 1, r->mean);
    printf(" |");
    cell(7, 1, 1e3 * r->p50);
    cell(7, 1, 1e3 * r->p95);
    cell(7, 1, 1e3 * r->p99);
    printf(" |");
    cell(8, 1, 1e-9 * rate);
    cell(7, 0, 100.0 * rate / run->read_rate);
    printf(" |");
    cell(7, 2, r->first_sound);
    cell(10, 0, r->prefill);
    printf(" |");
    cell(7, 1, r->decode);
    cell(7, 1, r->encode);
    printf("\n");
}

/* What arithmetic, probing and knobs come to. */
static void print_costs(const bench_run *run)
{
    printf("\nPrompt: arithmetic, and its share of what f32 registers can do");
    if (isfinite(run->peak)) printf(", %.0f GFLOP/s", 1e-9 * run->peak);
    printf(". Probing: clips of 3 s.\nKnobs: what four of them add to a step at frame 250.\n\n");
    printf("%-6s |%8s%7s |%8s |%6s\n", "", "prompt", "share", "probing", "knobs");
    printf("%-6s |%8s%7s |%8s |%6s\n", "", "GFLOP/s", "%", "clips/s", "%");
    for (int i = 0; i < run->count; i++) {
        const bench_result *r = &run->results[i];
        printf("%-6s |", r->format);
        cell(8, 0, 1e-9 * r->prefill_flops);
        cell(7, 0, 100.0 * r->prefill_flops / run->peak);
        printf(" |");
        cell(8, 1, r->probe);
        printf(" |");
        cell(6, 1, 100.0 * r->knobs);
        printf("\n");
    }
}

/* ---- JSON ---- */

static void put(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

static json_t *result_json(const bench_run *run, const bench_result *r)
{
    json_t *one = json_object(), *positions = json_array();
    json_object_set_new(one, "weights", json_string(r->format));
    put(one, "memory_bytes", (double)r->info.memory_bytes);
    put(one, "resident_bytes", r->resident);
    put(one, "load_seconds", r->load);
    for (int i = 0; i < BENCH_POSITIONS; i++) {
        json_t *at = json_object();
        json_object_set_new(at, "frame", json_integer(bench_positions[i]));
        put(at, "steps_per_second", 1.0 / r->step[i]);
        put(at, "bytes_per_step", r->bytes[i]);
        put(at, "bytes_per_second", r->bytes[i] / r->step[i]);
        put(at, "share_of_reading", r->bytes[i] / r->step[i] / run->read_rate);
        json_array_append_new(positions, at);
    }
    json_object_set_new(one, "positions", positions);
    put(one, "mean_steps_per_second", r->mean);
    put(one, "step_p50_seconds", r->p50);
    put(one, "step_p95_seconds", r->p95);
    put(one, "step_p99_seconds", r->p99);
    put(one, "first_sound_seconds", r->first_sound);
    put(one, "prompt_frames_per_second", r->prefill);
    put(one, "prompt_operations_per_second", r->prefill_flops);
    put(one, "prompt_share_of_peak", r->prefill_flops / run->peak);
    put(one, "probe_clips_per_second", r->probe);
    put(one, "four_knobs_share_of_step", r->knobs);
    put(one, "decode_times_real_time", r->decode);
    put(one, "encode_times_real_time", r->encode);
    return one;
}

static int print_json(const bench_run *run)
{
    const smitin_model_info *info = &run->results[0].info;
    json_t *root = json_object(), *formats = json_array();
    json_object_set_new(root, "smitin", json_string(smitin_version()));
    json_object_set_new(root, "model", json_string(title(&run->o)));
    json_object_set_new(root, "random_weights", json_boolean(run->o.shape != NULL));
    json_object_set_new(root, "parameters", json_integer((json_int_t)info->parameters));
    json_object_set_new(root, "frame_rate", json_real(info->frame_rate));
    json_object_set_new(root, "threads", json_integer(run->threads));
    json_object_set_new(root, "cache", json_string(model_caches[run->o.model.cache]));
    json_object_set_new(root, "rows", json_integer(run->results[0].rows));
    json_object_set_new(root, "whole_run", json_boolean(run->o.full));
    put(root, "read_bytes_per_second", run->read_rate);
    put(root, "peak_operations_per_second", run->peak);
    for (int i = 0; i < run->count; i++)
        json_array_append_new(formats, result_json(run, &run->results[i]));
    json_object_set_new(root, "formats", formats);
    const int bad = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (bad == 0 && printf("\n") > 0 && fflush(stdout) == 0) return EXIT_DONE;
    fprintf(stderr, "smitin: the figures could not be written to standard output\n");
    return EXIT_FAILED;
}

/* ---- The command ---- */

/* Whether the model is one file, which has a format of its own. */
static bool is_single(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static int run_bench(bench_run *run)
{
    static const int each[MOST_FORMATS] = {1, 2, 4, 5}; /* f32, f16, q8, q4 */
    int asked = run->o.model.format;
    char path[1024];
    int code = EXIT_DONE;
    if (run->o.shape == NULL)
        code = find_model(run->o.model.model, run->o.model.hf, path, sizeof path);
    if (code != EXIT_DONE) return code;
    if (asked < 0 && run->o.shape == NULL && is_single(path)) asked = 0;
    code = bench_machine(run->o.model.threads, &run->read_rate, &run->peak, &run->threads);
    for (int i = 0; i < (asked < 0 ? MOST_FORMATS : 1) && code == EXIT_DONE; i++) {
        bench_result *result = &run->results[i];
        const int format = asked < 0 ? each[i] : asked;
        code = bench_measure(&run->o, format, result);
        if (code != EXIT_DONE) break;
        run->count++;
        if (run->o.json) continue;
        if (i == 0) print_head(run);
        print_row(run, result);
        fflush(stdout);
    }
    if (code == EXIT_DONE && !run->o.json) print_costs(run);
    return code == EXIT_DONE && run->o.json ? print_json(run) : code;
}

int command_bench(int argc, char **argv)
{
    bench_run run;
    option_spec specs[32];
    bool help = false;
    int shape = -1;
    memset(&run, 0, sizeof run);
    run.o = (bench_options){.model = model_options_defaults(), .steps = 20, .guidance = 3.0};
    run.o.model.format = -1;
    const char *model = run.o.model.model;
    const size_t count = bench_specs(&run.o, &shape, specs, sizeof specs / sizeof *specs);
    const int code = options_parse(specs, count, argc, argv, NULL, &help);
    if (help) {
        printf("%s", usage);
        options_print(specs, count);
        return EXIT_DONE;
    }
    if (code != EXIT_DONE) return code;
    if (shape >= 0 && (run.o.model.model != model || run.o.model.hf != NULL)) {
        fprintf(stderr, "smitin: --shape is instead of a model; give one of them\n");
        return EXIT_USAGE;
    }
    if (shape >= 0) run.o.shape = shape_names[shape];
    if (shape < 0 && run.o.model.hf != NULL) run.o.model.model = DEFAULT_MODEL;
    return run_bench(&run);
}

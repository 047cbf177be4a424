/* SPDX-License-Identifier: MIT */
/* "smitin bench": how fast a model plays on this machine, in each format, against what the machine
 * can read. Measuring is in bench_measure.c. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static size_t bench_specs(bench_options *o, int *shape, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--shape", OPTION_CHOICE, shape, 0, 0, model_shapes, "NAME",
         "instead of a model: musicgen-small, -medium or -large, random weights"},
        {NULL, "--steps", OPTION_INT, &o->steps, 3, 1000, NULL, "N",
         "steps timed at each position [20]"},
        {NULL, "--full", OPTION_FLAG, &o->full, 0, 0, NULL, NULL,
         "make 30 s from text to a WAV file, too; their mean is then measured, not reckoned from "
         "the positions"},
        {NULL, "--profile", OPTION_FLAG, &o->profile, 0, 0, NULL, NULL,
         "tell where the time of a step goes"},
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

/* ---- The command ---- */

/* Whether the model is one file, which has a format of its own. */
static bool is_single(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static int know_machine(bench_run *run)
{
    bench_machine *machine = NULL;
    const int code = bench_machine_open(&machine, run->o.model.threads);
    if (code != EXIT_DONE) return code;
    run->threads = bench_machine_threads(machine);
    run->read_rate = bench_machine_rate(machine);
    run->peak = bench_machine_peak(machine);
    bench_machine_close(machine);
    return EXIT_DONE;
}

static int run_bench(bench_run *run)
{
    static const int each[BENCH_FORMATS] = {1, 2, 4, 5}; /* f32, f16, q8, q4 */
    int asked = run->o.model.format;
    char path[1024];
    int code = EXIT_DONE;
    if (run->o.shape == NULL)
        code = find_model(run->o.model.model, run->o.model.hf, path, sizeof path);
    if (code != EXIT_DONE) return code;
    if (asked < 0 && run->o.shape == NULL && is_single(path)) asked = 0;
    if (code == EXIT_DONE) code = know_machine(run);
    for (int i = 0; i < (asked < 0 ? BENCH_FORMATS : 1) && code == EXIT_DONE; i++) {
        bench_result *result = &run->results[i];
        const int format = asked < 0 ? each[i] : asked;
        code = bench_measure(&run->o, format, result);
        if (code != EXIT_DONE) break;
        run->count++;
        if (run->o.json) continue;
        if (i == 0) bench_print_head(run);
        bench_print_row(result);
        fflush(stdout);
    }
    if (code == EXIT_DONE && !run->o.json) bench_print_rest(run);
    return code == EXIT_DONE && run->o.json ? bench_print_json(run) : code;
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
    if (shape >= 0) run.o.shape = model_shapes[shape];
    if (shape < 0 && run.o.model.hf != NULL) run.o.model.model = DEFAULT_MODEL;
    return run_bench(&run);
}

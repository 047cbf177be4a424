/* SPDX-License-Identifier: MIT */
/* "smitin eval report": joined experiments and probes for people to read, and to print. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/base/path.h"
#include "report.h"

void report_note(report_job *job, const char *format, ...)
{
    char text[2600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    job->bad++;
    fprintf(stderr, "smitin: left out: %s\n", text);
    sm_document_warning(job->document, text);
}

void report_number(double value, char *text, size_t size)
{
    const double large = fabs(value);
    if (isnan(value))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*f", large < 10.0 ? 3 : large < 100.0 ? 2 : 1, value);
}

int report_condition(const report_experiment *x, const char *name)
{
    for (int c = 0; c < x->e.plan.count; c++)
        if (strcmp(x->e.plan.conditions[c].name, name) == 0) return c;
    return -1;
}

bool report_pair(const report_experiment *x, const char *pair, int *a, int *b)
{
    char name[80];
    const char *colon = strchr(pair, ':');
    if (colon == NULL) return false;
    snprintf(name, sizeof name, "%.*s", (int)(colon - pair), pair);
    *a = report_condition(x, name);
    *b = report_condition(x, colon + 1);
    return *a >= 0 && *b >= 0 && *a != *b;
}

/* ---- What is reported ---- */

static bool is_there(const char *folder, const char *name)
{
    char path[EXPERIMENT_PATH];
    snprintf(path, sizeof path, "%.1900s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static int open_one(report_job *job, const char *path)
{
    struct stat info;
    const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (folder && is_there(path, "experiment.json")) {
        report_experiment *x = &job->experiments[job->experiments_count++];
        x->number = job->experiments_count;
        return report_experiment_open(x, path);
    }
    if (!folder || is_there(path, "heads.csv")) {
        report_probe *p = &job->probes[job->probes_count++];
        p->number = job->probes_count;
        return report_probe_open(p, path);
    }
    fprintf(stderr,
            "smitin: '%s' holds neither an experiment (experiment.json, as \"smitin eval run\" "
            "leaves it) nor a probe's report (heads.csv); name the folder of one\n",
            path);
    return EXIT_USAGE;
}

/* Every A:B must name conditions of one of the experiments. */
static int check_compare(const report_job *job)
{
    for (int i = 0; i < job->options.compare.count; i++) {
        const char *pair = job->options.compare.items[i];
        bool found = false;
        int a, b;
        for (int n = 0; n < job->experiments_count; n++)
            found = found || report_pair(&job->experiments[n], pair, &a, &b);
        if (found) continue;
        fprintf(stderr,
                "smitin: --compare %s: give two different conditions of one experiment as A:B\n",
                pair);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* ---- The command ---- */

static int write_report(report_job *job)
{
    smitin_error error = {0};
    int code = EXIT_DONE;
    if (sm_path_make(job->options.output, &error) != SMITIN_OK ||
        sm_document_new(&job->document, job->options.output, job->options.title, &error) !=
            SMITIN_OK)
        return report_error(&error);
    sm_document_text(
        job->document,
        "Made by smitin %s. Values are means over pieces with the 95 %% bootstrap "
        "interval in brackets and the number of pieces as n; every figure has its data "
        "below it.",
        smitin_version());
    for (int i = 0; i < job->experiments_count && code == EXIT_DONE; i++)
        code = report_experiment_write(job, &job->experiments[i]);
    for (int i = 0; i < job->probes_count && code == EXIT_DONE; i++)
        code = report_probe_write(job, &job->probes[i]);
    if (code == EXIT_DONE && sm_document_write(job->document, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code == EXIT_DONE)
        fprintf(stderr, "%s/report.html, %s/report.md: %d experiment%s, %d probe%s%s\n",
                job->options.output, job->options.output, job->experiments_count,
                job->experiments_count == 1 ? "" : "s", job->probes_count,
                job->probes_count == 1 ? "" : "s",
                job->bad > 0 ? "; what was left out is in it" : "");
    return code;
}

static int run_report(report_job *job, const text_list *paths)
{
    report_options *o = &job->options;
    if (paths->count == 0 || o->output == NULL) {
        fprintf(stderr, "smitin: name the folders of experiments, and a folder for the report with "
                        "-o; see \"smitin eval report --help\"\n");
        return EXIT_USAGE;
    }
    job->experiments = calloc((size_t)paths->count, sizeof *job->experiments);
    job->probes = calloc((size_t)paths->count, sizeof *job->probes);
    if (job->experiments == NULL || job->probes == NULL) return eval_no_memory();
    int code = EXIT_DONE;
    for (int i = 0; i < paths->count && code == EXIT_DONE; i++)
        code = open_one(job, paths->items[i]);
    if (code == EXIT_DONE) code = check_compare(job);
    return code == EXIT_DONE ? write_report(job) : code;
}

static void job_free(report_job *job)
{
    for (int i = 0; i < job->experiments_count; i++) report_experiment_free(&job->experiments[i]);
    for (int i = 0; i < job->probes_count; i++) report_probe_free(&job->probes[i]);
    free(job->experiments);
    free(job->probes);
    sm_document_free(job->document);
    text_list_free(&job->options.compare);
}

int command_eval_report(int argc, char **argv)
{
    report_job job;
    memset(&job, 0, sizeof job);
    report_options *o = &job.options;
    *o = (report_options){.title = "Report", .samples = 3};
    text_list paths = {0};
    bool help = false;
    const option_spec specs[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "DIR",
         "for report.md, report.html, and the figures and sounds of the first"},
        {NULL, "--title", OPTION_TEXT, &o->title, 0, 0, NULL, "TEXT", "[Report]"},
        {NULL, "--samples", OPTION_INT, &o->samples, 0, 100, NULL, "N",
         "pieces to hear and see: the first N seeds, whatever came of them [3]"},
        {NULL, "--compare", OPTION_LIST, &o->compare, 0, 0, NULL, "A:B",
         "condition B beside A there; may be given several times [all beside the first]"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf(
            "smitin eval report [OPTIONS] DIR... -o OUT\n\n"
            "Experiments that \"smitin eval merge\" has joined as Markdown, and as one HTML page "
            "that holds everything: what was run,\ntables with intervals, success and distance "
            "against dose, what the monitors heard, spectrograms and sounds of\nthe same seeds. "
            "DIR may also be the folder of a \"smitin probe\" report or the CSV of a knob: heat "
            "map, histogram, layers.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_report(&job, &paths);
    }
    job_free(&job);
    text_list_free(&paths);
    return code;
}

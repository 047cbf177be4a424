/* SPDX-License-Identifier: MIT */
#include "steering.h"

#include "recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const method_names[] = {"smitin", "sparse", "iti", "decay", "pid", NULL};
static const char *const direction_names[] = {"own", "probe", "mean", "random", "raw", NULL};
static const char *const weights_names[] = {"own", "soft", "top", NULL};
static const char *const branch_names[] = {"both", "cond", "uncond", NULL};
static const char *const decay_names[] = {"linear", "exponential", NULL};
static const char *const schedule_names[] = {"constant", "up", "down", "window", NULL};
static const char *const statistic_names[] = {"median", "mean", NULL};

steering_options steering_options_defaults(void)
{
    const smitin_steering d = smitin_steering_defaults();
    steering_options options;
    memset(&options, 0, sizeof options);
    options.method = (int)d.method;
    options.direction = (int)d.direction;
    options.weights = (int)d.weights;
    options.branch = (int)d.branch;
    options.decay = (int)d.decay;
    options.statistic = (int)d.statistic;
    options.every = d.every;
    options.top_heads = d.top_heads;
    options.monitor_heads = d.monitor_heads;
    options.power = d.power;
    options.threshold = d.threshold;
    options.decay_rate = d.decay_rate;
    options.schedule = -1;
    return options;
}

size_t steering_option_specs(steering_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--knob", OPTION_LIST, &o->specs, 0, 0, NULL, "NAME:STRENGTH",
         "turn a knob: drums:60% or a raw alpha, drums:5; negative removes"},
        {NULL, "--method", OPTION_CHOICE, &o->method, 0, 0, method_names, "NAME",
         "smitin, sparse (no monitor), iti (original), decay or pid [smitin]"},
        {NULL, "--direction", OPTION_CHOICE, &o->direction, 0, 0, direction_names, "NAME",
         "probe, raw (not of unit length), mean (mass mean shift) or random [the knob's own]"},
        {NULL, "--every", OPTION_INT, &o->every, 1, 1e6, NULL, "S", "push every S-th step [5]"},
        {NULL, "--power", OPTION_DOUBLE, &o->power, 0, 100, NULL, "P",
         "exponent of the soft weights [3]"},
        {NULL, "--weights", OPTION_CHOICE, &o->weights, 0, 0, weights_names, "NAME",
         "of the heads: soft, by accuracy, or top, the K best alike [top of iti and decay]"},
        {NULL, "--top-heads", OPTION_INT, &o->top_heads, 0, 1e6, NULL, "K",
         "heads of --weights top [a third of all, at most 48]"},
        {NULL, "--monitor-heads", OPTION_INT, &o->monitor_heads, 0, 1e6, NULL, "K",
         "heads that listen [a sixth of all, at most 16]"},
        {NULL, "--statistic", OPTION_CHOICE, &o->statistic, 0, 0, statistic_names, "NAME",
         "of the monitor: median or mean [median]"},
        {NULL, "--threshold", OPTION_DOUBLE, &o->threshold, 0, 1, NULL, "TAU",
         "the trait is there from here on [median - std of accuracies]"},
        {NULL, "--lag", OPTION_FLAG, &o->lag, 0, 0, NULL, NULL,
         "apply a reading at the next scheduled step"},
        {NULL, "--branch", OPTION_CHOICE, &o->branch, 0, 0, branch_names, "NAME",
         "rows of guidance to push: both, cond or uncond [both]"},
        {NULL, "--decay", OPTION_CHOICE, &o->decay, 0, 0, decay_names, "NAME",
         "of --method decay: linear or exponential [linear]"},
        {NULL, "--decay-rate", OPTION_DOUBLE, &o->decay_rate, 0, 1, NULL, "R",
         "per step, exponential [0.995]"},
        {NULL, "--pid", OPTION_TEXT, &o->pid, 0, 0, NULL, "P,I,D",
         "gains of --method pid, per push [2,0.1,0]"},
        {NULL, "--schedule", OPTION_CHOICE, &o->schedule, 0, 0, schedule_names, "SHAPE",
         "of the strength: constant, up, down (ramps) or window [constant]"},
        {NULL, "--schedule-from", OPTION_DOUBLE, &o->schedule_from, 0, 86400, NULL, "S",
         "where it begins, in seconds of the new part [0]"},
        {NULL, "--schedule-to", OPTION_DOUBLE, &o->schedule_to, 0, 86400, NULL, "S",
         "and where it ends [0: with the piece]"},
        {NULL, "--direction-seed", OPTION_DOUBLE, &o->direction_seed, 0, 9007199254740992.0, NULL,
         "N", "seed of --direction random [0]"},
        {NULL, "--orthogonal", OPTION_FLAG, &o->orthogonal, 0, 0, NULL, NULL,
         "a knob leaves the directions of those before it alone"},
        {NULL, "--force-knob", OPTION_FLAG, &o->force, 0, 0, NULL, NULL,
         "use a knob made for other weights of the same shape"},
    };
    return options_add(specs, capacity, table, sizeof table / sizeof *table);
}

/* "NAME:5" or "NAME:60%" or "NAME" (strength 50 %). */
static int parse_spec(const char *spec, knob_use *use, smitin_steering *steering)
{
    const char *colon = strrchr(spec, ':');
    const size_t length = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    if (length == 0 || length >= sizeof use->path) {
        fprintf(stderr, "smitin: --knob \"%s\" names no knob; write it as drums:60%% or drums:5\n",
                spec);
        return EXIT_USAGE;
    }
    snprintf(use->path, sizeof use->path, "%.*s", (int)length, spec);
    steering->strength = 0.5;
    if (colon == NULL) return EXIT_DONE;
    char *end = NULL;
    const double value = strtod(colon + 1, &end);
    const bool percent = *end == '%';
    if (end == colon + 1 || !isfinite(value) || end[percent ? 1 : 0] != '\0' || fabs(value) > 1e4 ||
        (percent && fabs(value) > 100.0)) {
        fprintf(stderr,
                "smitin: --knob \"%s\": the strength is a percentage from -100%% to 100%%, or a "
                "raw alpha such as 5 or "
                "-5\n",
                spec);
        return EXIT_USAGE;
    }
    if (percent)
        steering->strength = value / 100.0;
    else
        steering->alpha = value;
    return EXIT_DONE;
}

/* "2,0.1,0" into the gains of a controller. */
static int parse_pid(const char *text, smitin_steering *steering)
{
    float *const gains[3] = {&steering->pid_p, &steering->pid_i, &steering->pid_d};
    const char *rest = text;
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        *gains[i] = strtof(rest, &end);
        if (end == rest || *end != (i < 2 ? ',' : '\0') || !isfinite(*gains[i])) {
            fprintf(
                stderr,
                "smitin: --pid \"%s\" is not three numbers with commas; write P,I,D as 2,0.1,0\n",
                text);
            return EXIT_USAGE;
        }
        rest = end + 1;
    }
    return EXIT_DONE;
}

int steering_open(steering_options *options, const char *model_path)
{
    if (options->specs.count > KNOBS_MAX) {
        fprintf(stderr, "smitin: %d knobs were given; at most %d work at once\n",
                options->specs.count, KNOBS_MAX);
        return EXIT_USAGE;
    }
    if (options->schedule < 0 && (options->schedule_from > 0.0 || options->schedule_to > 0.0)) {
        fprintf(stderr, "smitin: --schedule-from and --schedule-to need a shape; add --schedule "
                        "up, down or window\n");
        return EXIT_USAGE;
    }
    for (int i = 0; i < options->specs.count; i++) {
        knob_use *use = &options->uses[i];
        smitin_steering *s = &use->steering;
        smitin_error error = {0};
        *s = smitin_steering_defaults();
        s->method = (smitin_method)options->method;
        s->direction = (smitin_direction)options->direction;
        s->weights = (smitin_weights)options->weights;
        s->branch = (smitin_branch)options->branch;
        s->decay = (smitin_decay)options->decay;
        s->statistic = (smitin_statistic)options->statistic;
        s->every = options->every;
        s->top_heads = options->top_heads;
        s->monitor_heads = options->monitor_heads;
        s->power = options->power;
        s->threshold = options->threshold;
        s->decay_rate = options->decay_rate;
        s->schedule = options->schedule < 0 ? s->schedule : (smitin_schedule)options->schedule;
        s->schedule_from = (float)options->schedule_from;
        s->schedule_to = (float)options->schedule_to;
        s->direction_seed = (uint64_t)options->direction_seed;
        s->lag = options->lag;
        s->orthogonal = options->orthogonal;
        s->force = options->force;

        int code = options->pid != NULL ? parse_pid(options->pid, s) : EXIT_DONE;
        if (code == EXIT_DONE) code = parse_spec(options->specs.items[i], use, s);
        if (code != EXIT_DONE) return code;
        char path[sizeof use->path];
        if (!find_knob(use->path, model_path, path, sizeof path)) return EXIT_REFUSED;
        memcpy(use->path, path, sizeof path);
        if (smitin_knob_load(&use->knob, path, &error) != SMITIN_OK) return report_error(&error);
        recipe_hash_file(path, use->hash);
        options->uses_count = i + 1;
        smitin_knob_describe(use->knob, &use->info);
        snprintf(use->name, sizeof use->name, "%s", use->info.trait);
    }
    return EXIT_DONE;
}

void steering_close(steering_options *options)
{
    for (int i = 0; i < options->uses_count; i++) smitin_knob_free(options->uses[i].knob);
    text_list_free(&options->specs);
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

typedef char float_text[24];

/* The shortest decimal that is read as this float again. */
static const char *print_float(float value, float_text text)
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(float_text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    return text;
}

static json_t *json_float(float value)
{
    float_text text;
    return json_real(strtod(print_float(value, text), NULL));
}

/* As --pid takes them. */
static json_t *pid_json(const smitin_steering *s)
{
    float_text P, I, D;
    return json_sprintf("%s,%s,%s", print_float(s->pid_p, P), print_float(s->pid_i, I),
                        print_float(s->pid_d, D));
}

/* Settings: all of them, or those that are not the default, so that tags have room for many knobs.
 */
static void add_settings(json_t *o, const smitin_steering *s, bool all)
{
    const smitin_steering d = smitin_steering_defaults();
    const struct {
        const char *key;
        bool changed;
        json_t *value;
    } settings[] = {
        {"method", s->method != d.method, json_string(method_names[s->method])},
        {"direction", s->direction != d.direction, json_string(direction_names[s->direction])},
        {"branch", s->branch != d.branch, json_string(branch_names[s->branch])},
        {"every", s->every != d.every, json_integer(s->every)},
        {"power", s->power < d.power || s->power > d.power, json_real(s->power)},
        {"weights", s->weights != d.weights, json_string(weights_names[s->weights])},
        {"top_heads", s->top_heads != d.top_heads, json_integer(s->top_heads)},
        {"monitor_heads", s->monitor_heads != d.monitor_heads, json_integer(s->monitor_heads)},
        {"statistic", s->statistic != d.statistic, json_string(statistic_names[s->statistic])},
        {"decay", s->decay != d.decay, json_string(decay_names[s->decay])},
        {"decay_rate", s->decay_rate < d.decay_rate || s->decay_rate > d.decay_rate,
         json_real(s->decay_rate)},
        {"pid", s->pid_p != d.pid_p || s->pid_i != d.pid_i || s->pid_d != d.pid_d, pid_json(s)},
        {"schedule", s->schedule != d.schedule, json_string(schedule_names[s->schedule])},
        {"schedule_from", s->schedule_from != d.schedule_from, json_float(s->schedule_from)},
        {"schedule_to", s->schedule_to != d.schedule_to, json_float(s->schedule_to)},
        {"lag", s->lag != d.lag, json_boolean(s->lag)},
        {"orthogonal", s->orthogonal != d.orthogonal, json_boolean(s->orthogonal)},
        {"direction_seed", s->direction_seed != d.direction_seed,
         json_integer((json_int_t)s->direction_seed)},
        {"forced", s->force != d.force, json_boolean(s->force)},
        {"threshold_set", isfinite(s->threshold), number_or_null(s->threshold)},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (all || settings[i].changed)
            json_object_set_new(o, settings[i].key, settings[i].value);
        else
            json_decref(settings[i].value);
    }
}

/* Guidance makes u + (c - u) G of the rows' logits: what a push that moves either row by 1 comes
 * to. */
static double branch_factor(smitin_branch branch, double guidance)
{
    if (isnan(guidance)) return 1.0;
    if (branch == SMITIN_BRANCH_COND) return guidance;
    return branch == SMITIN_BRANCH_UNCOND ? 1.0 - guidance : 1.0;
}

json_t *steering_json(const steering_options *options, int index, const smitin_knob_report *report,
                      double guidance, bool results)
{
    const knob_use *use = &options->uses[index];
    json_t *o = json_object();
    json_object_set_new(o, "knob", json_string(use->name));
    json_object_set_new(o, "file", json_string(use->path));
    json_object_set_new(o, "sha256", json_string(use->hash));
    json_object_set_new(o, "alpha", json_real(report->alpha));
    add_settings(o, &use->steering, results);
    if (!results) return o;
    json_object_set_new(o, "threshold", json_real(report->threshold));
    json_object_set_new(o, "weight_sum", json_real(report->weight_sum));
    json_object_set_new(o, "dose", json_real(report->dose));
    const double factor = branch_factor(use->steering.branch, guidance);
    json_object_set_new(o, "branch_factor", json_real(factor));
    json_object_set_new(o, "guided_dose", json_real(fabs(factor) * report->dose));
    json_object_set_new(o, "success", number_or_null(report->success));
    json_object_set_new(o, "success_half", number_or_null(report->success_half));
    json_object_set_new(o, "removal", number_or_null(report->removal));
    json_object_set_new(o, "absence", number_or_null(report->absence));
    json_object_set_new(o, "presence", number_or_null(report->mean_presence));
    json_object_set_new(o, "tripped", json_boolean(report->tripped));
    return o;
}

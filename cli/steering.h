/* SPDX-License-Identifier: MIT */
/* The knobs of one command line: "--knob NAME:ALPHA" or "--knob NAME:PERCENT%", and the settings
 * they share. */
#ifndef SMITIN_CLI_STEERING_H
#define SMITIN_CLI_STEERING_H

#include <jansson.h>

#include "common.h"

enum { KNOBS_MAX = 8 };

typedef struct knob_use {
    char name[64];
    char path[1200];
    char hash[65]; /* SHA-256 of the file */
    smitin_knob *knob;
    smitin_knob_info info;
    smitin_steering steering;
} knob_use;

typedef struct steering_options {
    text_list specs; /* of --knob */
    int method, direction, weights, branch, decay, statistic;
    int schedule; /* -1: not given */
    int every, top_heads, monitor_heads;
    double power, threshold, decay_rate, direction_seed;
    double schedule_from, schedule_to; /* seconds */
    const char *pid;                   /* "P,I,D"; NULL: the default */
    bool lag, orthogonal, force;
    knob_use uses[KNOBS_MAX];
    int uses_count;
} steering_options;

steering_options steering_options_defaults(void);

/* Rows of the option table for these settings; fills at most `capacity`, returns how many. */
size_t steering_option_specs(steering_options *options, option_spec *specs, size_t capacity);

/* Find, load and parse every --knob. Returns an exit code, having said what is wrong. */
int steering_open(steering_options *options, const char *model_path);
void steering_close(steering_options *options);

/* The settings of knob `index` that are not the default; with `results` all of them, and what it
 * did in a piece of this guidance scale; NAN when the piece has one row, which every branch
 * pushes. */
json_t *steering_json(const steering_options *options, int index, const smitin_knob_report *report,
                      double guidance, bool results);

#endif

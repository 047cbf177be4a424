/* SPDX-License-Identifier: MIT */
/* Clips with a trait and without it, as the commands that learn from them are told of them: stems,
 * or two folders. */
#ifndef SMITIN_CLI_PAIRS_H
#define SMITIN_CLI_PAIRS_H

#include "../src/data/dataset.h"
#include "common.h"

typedef struct pairs_options {
    const char *stems, *target, *with, *without;
    int recipe, layout; /* indices into their names */
    int pairs;
    double seconds, test_share, seed;
} pairs_options;

extern const char *const pairs_recipes[], *const pairs_layouts[]; /* NULL at the end */
enum { PAIRS_LAYOUT_STEMS = 1, PAIRS_LAYOUTS = 5 };

pairs_options pairs_defaults(void);
/* Append the options to a table; returns how many. Not those of what the layout is called and how
 * long a clip is. */
size_t pairs_specs(pairs_options *o, option_spec *specs, size_t capacity);
/* The settings of clips for a model. */
sm_dataset_options pairs_dataset_options(const pairs_options *o, const smitin_model_info *info);
/* Open the stems or the folders. */
smitin_status pairs_open(sm_dataset **dataset, const pairs_options *o,
                         const smitin_model_info *info, smitin_error *error);

/* The head outputs of clips, in passes of several. `fill` makes the samples of one; it returns an
 * exit code, and may leave the clip out with *skip. */
typedef struct listener {
    const smitin_engine *engine;
    size_t samples; /* of a clip */
    size_t width;   /* L * H * D */
    int columns;    /* last steps averaged */
    int (*fill)(void *user, size_t clip, float *samples, bool *skip);
    void *user;
    size_t total; /* of the progress bar; 0: none */
} listener;

/* Clips first..first + count - 1 to z [*heard, width]. Returns an exit code. */
int listen_to(const listener *l, size_t first, size_t count, float *z, size_t *heard);

#endif

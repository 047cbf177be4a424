/* SPDX-License-Identifier: MIT */
/* Clips with and without one trait, as "smitin knob train" and "smitin knob test" take them: pairs
 * or a table of labels, and what the model's heads say of every clip. */
#ifndef SMITIN_CLI_CLIPS_H
#define SMITIN_CLI_CLIPS_H

#include "../src/probe/probe.h"
#include "pairs.h"

typedef struct clip_options {
    pairs_options pairs;
    const char *labels, *audio, *trait;
} clip_options;

clip_options clip_options_defaults(void);
/* Append the options to a table; returns how many, 0 when there is no room. */
size_t clip_option_specs(clip_options *o, option_spec *specs, size_t capacity);
/* One source of clips and all that belongs to it; else says what is missing. */
int clip_options_check(const clip_options *o);

/* Open the data set; its notes, and unless `quiet` its summary, go to standard error. */
int clips_open(sm_dataset **dataset, const clip_options *o, const smitin_model_info *info,
               bool quiet);

/* Heads of the clips of the test split; free with clips_free. */
int clips_read_test(sm_probe_set *set, const smitin_engine *engine, sm_dataset *dataset,
                    bool quiet);
void clips_free(sm_probe_set *set); /* safe on a zeroed struct */

#endif

/* SPDX-License-Identifier: MIT */
/* What the subcommands share: errors to exit codes, finding models and knobs, a progress bar. */
#ifndef SMITIN_CLI_COMMON_H
#define SMITIN_CLI_COMMON_H

#include <smitin/smitin.h>

#include "options.h"

/* Print the message on standard error and return the exit code for its status. */
int report_error(const smitin_error *error);

#define DEFAULT_MODEL "mini"

/* Where a model named `name` lies: a path as it is; else NAME or models/NAME from here, from
 * $SMITIN_MODELS, and from the installed data. With `hf` (not NULL), "org/repo" or
 * "org/repo@revision", instead its snapshot in the cache of the Hugging Face hub. Fills `path`;
 * else says where it looked and returns an exit code. Opens no connection. */
int find_model(const char *name, const char *hf, char *path, size_t size);
/* Without words: NAME or models/NAME from here, from $SMITIN_MODELS, and from the installed data.
 */
bool find_installed(const char *name, char *path, size_t size);
/* What to call the model at `path`: "org/repo" for a snapshot of the cache, else the name of its
 * folder or GGUF file. */
void model_title(const char *path, char *title, size_t size);
/* Likewise a knob: a path; else NAME.knob.safetensors here, in $SMITIN_KNOBS, in
 * ~/.local/share/smitin/knobs (or under $XDG_DATA_HOME), and among the model's own knobs, in the
 * folder "knobs" of its directory or beside its GGUF file. */
bool find_knob(const char *name, const char *model_path, char *path, size_t size);

/* A bar on standard error when that is a terminal, else nothing. `done` of `total` units; the last
 * call has them equal. */
void progress_bar(const char *what, double done, double total);

/* What every command that plays a model can be told of it. */
typedef struct model_options {
    const char *model, *hf, *cpu_level;
    int threads;
    int format, cache; /* indices into model_formats; into model_caches, a smitin_cache */
} model_options;

extern const char *const model_formats[], *const model_caches[]; /* NULL at the end */
model_options model_options_defaults(void);
/* Append the options to a table; returns how many. */
size_t model_option_specs(model_options *o, option_spec *specs, size_t capacity);

/* Open an engine; report and return an exit code on failure. `path` receives where the model
 * lies. */
int open_engine(smitin_engine **engine, const model_options *o, char *path, size_t path_size);
extern const char *const model_shapes[]; /* of published models; NULL at the end */
/* The same with random weights in the shape of a published model. */
int open_random(smitin_engine **engine, const model_options *o, const char *shape);

/* Subcommands: argv[0] is the subcommand's name. */
int command_generate(int argc, char **argv);
int command_knob(int argc, char **argv); /* "knob train", "knob test", "knob info" */
int command_knob_train(int argc, char **argv);
int command_knob_test(int argc, char **argv);
int command_eval(int argc, char **argv);  /* "eval distance", "eval describe", ... */
int command_probe(int argc, char **argv); /* "probe extract", "probe fit", "probe run" */
int command_bench(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_models(int argc, char **argv); /* "models pull", "models list" */

#endif

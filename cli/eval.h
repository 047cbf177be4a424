/* SPDX-License-Identifier: MIT */
/* What the eval commands share: the encoders, lists of files, tables in and out. */
#ifndef SMITIN_CLI_EVAL_H
#define SMITIN_CLI_EVAL_H

#include "../src/data/library.h"
#include "../src/data/table.h"
#include "../src/eval/describe.h"
#include "../src/eval/embeddings.h"
#include "../src/eval/recogniser.h"
#include "../src/eval/sheet.h"
#include "common.h"

/* ---- The encoders built in: eval_encoder.c ---- */

enum { EMBED_NONE = 0, EMBED_CODEC, EMBED_RECOGNISER };
extern const char *const eval_embed_names[]; /* "none", "codec", "recogniser" */

typedef struct encoder_options {
    model_options model;    /* whose codec */
    const char *recogniser; /* file; NULL: the installed one */
    int embed;
} encoder_options;

encoder_options encoder_options_defaults(int embed);
/* -m, -hf, -t, --recogniser, --embed; returns how many. */
size_t encoder_option_specs(encoder_options *o, option_spec *specs, size_t capacity);

typedef struct encoders {
    sm_recogniser *recogniser; /* NULL: neither asked for nor needed */
    smitin_engine *engine;
    sm_encoder encoder; /* name NULL: none */
    char name[160];
} encoders;

/* Open what `o` asks for, and the recogniser anyway when `hear`. Reports. */
int encoders_open(encoders *e, const encoder_options *o, bool hear);
void encoders_close(encoders *e); /* safe on a zeroed struct */

/* Append the rows of audio from `skip` seconds on; a file that cannot be encoded is told and left
 * out. Returns an exit code (these three: eval_distance.c). */
int eval_encode(sm_embeddings *set, const encoders *e, const char *path, double skip);
/* The same of everything at `paths`; none that can be encoded is an error. */
int eval_encode_files(sm_embeddings *set, const encoders *e, const text_list *paths, double skip);
/* Sets that are too small for an unbiased distance. */
typedef struct small_sets {
    int count;
    const char *name; /* of the first, and its size */
    size_t N;
    int d;
} small_sets;
/* Put a finished set in order, and note it when it is too small. `name` is kept. */
void eval_settle(sm_embeddings *set, const char *name, small_sets *small);
/* Say once what was noted. */
void eval_tell_small(const small_sets *small);

/* ---- A row a piece: eval_describe.c ---- */

typedef struct describe_options {
    encoder_options encoder;
    double skip; /* NAN: not given */
    int profile;
    bool plain;
} describe_options;

describe_options describe_options_defaults(void);
size_t describe_option_specs(describe_options *o, option_spec *specs, size_t capacity);

typedef struct describer {
    encoders encoders;
    sm_describe_options how;
    char prompt_path[2048]; /* of the description below; "" for none */
    double prompt_skip;
    sm_description prompt; /* the latest that was asked for */
} describer;

int describer_open(describer *by, const describe_options *o); /* reports */
void describer_close(describer *by);                          /* safe on a zeroed struct */

typedef struct described {
    const char *path, *name; /* of the file; as it stands in the row */
    double skip;             /* seconds at its beginning that are left out */
    const char *prompt;      /* the clip it goes on from; NULL: none */
    double prompt_skip;
} described;

/* Append the row; on failure there is none. */
smitin_status describer_row(describer *by, sm_sheet *sheet, const described *piece,
                            smitin_error *error);

/* ---- Files and tables: eval.c ---- */

/* Audio files named one by one or by folder, in the order given. Notes go to standard error. */
int eval_files(sm_library *library, const text_list *paths);
static inline const char *eval_file(const sm_library *library, size_t i)
{
    return library->tracks[i].stems[0].path;
}
/* The folder a file lies in, without the folders before it; "" for none: the condition of pieces
 * that were made into one folder a condition. */
void eval_condition(const char *path, char *name, size_t size);
/* Write the sheet to `output` (NULL: standard output), and free it. Reports. */
int eval_write(sm_sheet *sheet, const char *output, bool json);
/* One message for a failed allocation. */
int eval_no_memory(void);

/* Read tables; tables [paths->count] to free with eval_tables_free. Uneven rows are told. */
int eval_tables_read(sm_table **tables, const text_list *paths);
void eval_tables_free(sm_table *tables, int count);
/* A number of a table; NAN for an empty cell, another text, or no such column (-1). */
double eval_cell(const sm_table *table, size_t row, long column);

/* Rows of a correlation, one a group, their mean and the whole, into the sheet. */
typedef struct correlate_options {
    const char *file, *x, *y, *by;
    int resamples;
    double seed;
} correlate_options;
int eval_correlate(sm_sheet *sheet, const sm_table *tables, const char *const *names, int count,
                   const correlate_options *o);

int command_eval_distance(int argc, char **argv);
int command_eval_embed(int argc, char **argv);
int command_eval_likelihood(int argc, char **argv);
int command_eval_describe(int argc, char **argv);
int command_eval_correlate(int argc, char **argv);
int command_eval_mos(int argc, char **argv);
int command_eval_export(int argc, char **argv);
int command_eval_listen(int argc, char **argv);
int command_eval_run(int argc, char **argv);
int command_eval_merge(int argc, char **argv);
int command_eval_report(int argc, char **argv);

#endif

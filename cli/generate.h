/* SPDX-License-Identifier: MIT */
/* One run of "smitin generate", shared by its two files. */
#ifndef SMITIN_CLI_GENERATE_H
#define SMITIN_CLI_GENERATE_H

#include "../src/audio/audio.h"
#include "steering.h"

typedef struct generate_options {
    const char *model, *hf, *prompt, *output, *trace, *cpu_level;
    text_list inputs;
    double input_seconds; /* 0 = all */
    double seed;          /* -1 = from the clock */
    int batch, threads;
    int bits;        /* index into 16, 24, 32 */
    int keep_prompt; /* index into generate_yes_no */
    bool json, quiet;
    smitin_session_options session;
    steering_options steering;
} generate_options;

typedef struct generate_job {
    generate_options options;
    smitin_engine *engine;
    smitin_model_info info;
    char model_path[1024];
    sm_audio *clips; /* [inputs] */
    smitin_session *session;
    double run_seconds;
} generate_job;

extern const char *const generate_yes_no[];

/* Whether the outputs can be written, before any music is made. Returns an exit code. */
int generate_check_output(const generate_job *job);
/* Audio, settings and traces of every piece. Returns an exit code. */
int generate_write(generate_job *job);

#endif

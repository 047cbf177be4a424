/* SPDX-License-Identifier: MIT */
/* One run of "smitin generate", shared by its files and by experiments. */
#ifndef SMITIN_CLI_GENERATE_H
#define SMITIN_CLI_GENERATE_H

#include "../src/base/clock.h"
#include "../src/audio/audio.h"
#include "common.h"
#include "recipe.h"
#include "steering.h"

typedef struct generate_options {
    model_options model;
    const char *prompt, *melody, *output, *trace, *from;
    text_list inputs;
    double input_seconds; /* 0 = all */
    double seed;          /* -1 = from the clock */
    double seconds;       /* NAN: not given */
    double bars, bpm;     /* NAN: not given; then the length is `seconds` */
    int beats_per_bar;    /* while options are read, 0: not given */
    int long_method;      /* index into generate_longs, in the order of smitin_long */
    int batch;
    int bits;        /* index into 16, 24, 32, 32f */
    int from_bits;   /* the same of the file of --from */
    int format;      /* of files in a folder: index into generate_formats; -1: not given */
    int rate;        /* Hz of the output; 0 = the model's */
    double lufs;     /* NAN: as loud as the model plays */
    int level;       /* index into generate_levels; -1: exact for files, running for a pipe */
    int keep_prompt; /* index into generate_yes_no */
    bool json, quiet;
    smitin_session_options session;
    steering_options steering;
} generate_options;

/* What is heard of a piece. */
typedef struct piece_sound {
    size_t count;      /* samples of each channel */
    double gain_db;    /* the constant gain to its loudness; 0: none */
    double limited_db; /* the limiter's lowest gain; 0: nothing was changed */
    double lufs;
} piece_sound;

typedef struct generate_clip {
    sm_audio audio;        /* as many channels as the model's, at its rate */
    double start, seconds; /* read from the file; seconds < 0: to its end */
    char hash[65];
} generate_clip;

typedef struct generate_job {
    generate_options options;
    recipe recipe;               /* of --from; empty without */
    smitin_engine *own_engine;   /* NULL: it plays on somebody else's */
    const smitin_engine *engine; /* that plays */
    smitin_model_info info;
    char model_path[1024];
    bool plain_trace;  /* --trace writes its CSV only */
    const char *below; /* what is written tells its own path from this folder on; NULL: as given */
    generate_clip *clips; /* [inputs] */
    generate_clip melody; /* empty without */
    smitin_session *session;
    double begun, run_seconds;
    piece_sound played; /* the piece that went to standard output */
    double first_sound; /* seconds from the start of the command to its first samples */
} generate_job;

extern const char *const generate_yes_no[];
extern const char *const generate_formats[]; /* "wav", "flac", ... */
extern const char *const generate_levels[];
extern const char *const generate_longs[];
enum { LEVEL_EXACT = 0, LEVEL_RUNNING = 1 };

/* The command line of "smitin generate": options, those of --from, and their agreement
 * (generate_options.c). Returns an exit code; *help: the help was asked for and printed. */
int generate_parse(generate_job *job, int argc, char **argv, bool *help);

/* A zeroed and parsed job: find and open its model (own_engine, model_path). Returns an exit code.
 */
int generate_open(generate_job *job);
/* Make and write everything that was asked for, on an engine that has the model at model_path.
 * Returns an exit code. */
int generate_make(generate_job *job, const smitin_engine *engine);
void generate_close(generate_job *job); /* safe on a zeroed struct */

/* The progress bar; always true. */
bool generate_progress(generate_job *job, const smitin_progress *progress);

/* Sound (generate_sound.c). */
/* Samples of the output that a piece of `frames` frames makes: exactly the bars asked for. */
size_t generate_samples(const generate_job *job, int index, size_t frames);
/* Samples of the clip in front of a piece that are not to be heard again. */
size_t generate_skipped(const generate_job *job, int index);
int generate_bits(const generate_job *job);
int generate_rate(const generate_job *job);  /* of the output, in Hz */
int generate_level(const generate_job *job); /* how a loudness is reached */
bool generate_to_stdout(const generate_job *job);
/* Write piece `index` of a session that has ended to the file `path`. Returns an exit code. */
int generate_take_sound(generate_job *job, int index, const char *path, piece_sound *sound);
/* Run the session and send its one piece to standard output on the way; what was heard is in
 * job->played. Returns an exit code. */
int generate_play(generate_job *job);

/* Results (generate_write.c). */
/* Whether the outputs can be written, before any music is made. Returns an exit code. */
int generate_check_output(const generate_job *job);
/* The settings of a piece that a file's tags hold, known when it begins; to free(). */
char *generate_comment(const generate_job *job, int index);
#define GENERATE_TAGS(comment)                                                                     \
    {                                                                                              \
        {"software", "smitin"}, {"comment", (comment) != NULL ? (comment) : ""},                   \
    }
/* Audio, settings and traces of every piece. Returns an exit code. */
int generate_write(generate_job *job);

#endif

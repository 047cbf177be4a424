/* SPDX-License-Identifier: MIT */
/* From a session to samples that can be heard: the prompt cut off when asked, another rate, a
 * loudness, peaks limited. The same chain for files, once a piece is made, and for standard output,
 * while it is made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/audio/master.h"
#include "generate.h"
#include "interrupt.h"

/* Frames decoded at once while a piece plays: the decoder's weights are read from memory once for
 * all of them. */
enum { PLAY_FRAMES = 4 };

static const int bits_values[] = {16, 24, 32, 32};

const char *const generate_levels[] = {"exact", "running", NULL};

int generate_bits(const generate_job *job)
{
    return bits_values[job->options.bits];
}

int generate_rate(const generate_job *job)
{
    return job->options.rate > 0 ? job->options.rate : job->info.sample_rate;
}

int generate_level(const generate_job *job)
{
    if (job->options.level >= 0) return job->options.level;
    return generate_to_stdout(job) ? LEVEL_RUNNING : LEVEL_EXACT;
}

bool generate_to_stdout(const generate_job *job)
{
    return strcmp(job->options.output, "-") == 0;
}

size_t generate_skipped(const generate_job *job, int index)
{
    const generate_options *o = &job->options;
    if (strcmp(generate_yes_no[o->keep_prompt], "no") != 0 || o->inputs.count == 0) return 0;
    const size_t hop = (size_t)job->info.hop;
    return (job->clips[index / o->batch].audio.frames + hop - 1) / hop * hop;
}

/* One piece on its way out. */
typedef struct performance {
    generate_job *job;
    int index;
    size_t channels;
    size_t skip; /* samples of each channel still to be left out */
    sm_master *master;
    sm_audio_stream *stream;
    float *kept; /* [room, channels]: samples that wait for their gain */
    size_t kept_count, room;
    size_t whole, decoded; /* samples of each channel of a piece that has ended, for the bar */
    smitin_status status;
    smitin_error error;
} performance;

static smitin_status send(void *user, const float *samples, size_t frames, smitin_error *error)
{
    performance *p = user;
    SM_TRY(sm_audio_stream_write(p->stream, samples, frames, error));
    if (p->job->first_sound <= 0.0) p->job->first_sound = sm_clock() - p->job->begun;
    return SMITIN_OK;
}

static smitin_status keep(void *user, const float *samples, size_t frames, smitin_error *error)
{
    performance *p = user;
    (void)error;
    memcpy(p->kept + p->kept_count * p->channels, samples, frames * p->channels * sizeof *samples);
    p->kept_count += frames;
    return SMITIN_OK;
}

/* Samples of the model's rate become `room` of the output's. */
static sm_master_options chain(const performance *p)
{
    const generate_job *job = p->job;
    return (sm_master_options){.channels = (int)p->channels,
                               .rate = job->info.sample_rate,
                               .out_rate = generate_rate(job),
                               .frames = p->room,
                               .lufs = (double)NAN,
                               .limit = true};
}

static bool waits_for_its_gain(const generate_job *job)
{
    return !isnan(job->options.lufs) && generate_level(job) == LEVEL_EXACT;
}

/* A piece of `frames` frames begins. */
static smitin_status begin(performance *p, const char *path, size_t frames, smitin_error *error)
{
    const generate_job *job = p->job;
    p->channels = (size_t)job->info.channels;
    p->skip = generate_skipped(job, p->index);
    p->room = generate_samples(job, p->index, frames);
    char *comment = generate_comment(job, p->index);
    const sm_audio_tag tags[] = GENERATE_TAGS(comment);
    const smitin_status status =
        sm_audio_stream_open(&p->stream, path, p->room, job->info.channels, generate_rate(job),
                             generate_bits(job), tags, sizeof tags / sizeof *tags, error);
    free(comment);
    SM_TRY(status);
    sm_master_options options = chain(p);
    const bool waits = waits_for_its_gain(job);
    options.limit = !waits;
    if (!waits) options.lufs = job->options.lufs;
    const size_t bytes = p->room * p->channels * sizeof *p->kept;
    if (waits) p->kept = malloc(bytes);
    if (waits && p->kept == NULL)
        return sm_fail_memory(error, "a piece that waits for its loudness", bytes);
    return sm_master_new(&p->master, &options, waits ? keep : send, p, error);
}

/* All samples that are final by now. */
static smitin_status move_on(performance *p, smitin_error *error)
{
    float block[4096];
    size_t count = 0;
    do {
        SM_TRY(interrupt_check(error));
        SM_TRY(smitin_session_read(p->job->session, p->index, block, sizeof block / sizeof *block,
                                   &count, error));
        const size_t frames = count / p->channels, left_out = frames < p->skip ? frames : p->skip;
        p->skip -= left_out;
        SM_TRY(sm_master_push(p->master, block + left_out * p->channels, frames - left_out, error));
        p->decoded += frames;
        if (p->whole > 0 && count > 0 && !p->job->options.quiet)
            progress_bar("decoding", (double)p->decoded, (double)p->whole);
    } while (count > 0);
    return SMITIN_OK;
}

/* What was kept gets its gain and leaves. */
static smitin_status raise(performance *p, piece_sound *sound, smitin_error *error)
{
    double reached = 0.0;
    sm_master_options options = chain(p);
    options.rate = options.out_rate;
    SM_TRY(sm_master_find_gain(p->kept, p->room, options.channels, options.rate,
                               p->job->options.lufs, &sound->gain_db, &reached, error));
    options.gain_db = sound->gain_db;
    sm_master_free(p->master);
    p->master = NULL;
    SM_TRY(sm_master_new(&p->master, &options, send, p, error));
    SM_TRY(sm_master_push(p->master, p->kept, p->kept_count, error));
    return sm_master_finish(p->master, error);
}

/* The piece has ended. */
static smitin_status end(performance *p, piece_sound *sound, smitin_error *error)
{
    memset(sound, 0, sizeof *sound);
    SM_TRY(sm_master_finish(p->master, error));
    if (p->kept != NULL) SM_TRY(raise(p, sound, error));
    sound->count = p->room;
    sound->limited_db = sm_master_limited_db(p->master);
    SM_TRY(sm_master_lufs(p->master, &sound->lufs, error));
    sm_audio_stream *stream = p->stream;
    p->stream = NULL;
    return sm_audio_stream_close(stream, error);
}

static void leave(performance *p)
{
    sm_audio_stream_discard(p->stream);
    sm_master_free(p->master);
    free(p->kept);
}

static smitin_status take(performance *p, const char *path, piece_sound *sound, smitin_error *error)
{
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    SM_TRY(smitin_session_codes(p->job->session, p->index, &codes, &frames, &stride, error));
    p->whole = frames * (size_t)p->job->info.hop;
    SM_TRY(begin(p, path, frames, error));
    SM_TRY(move_on(p, error));
    return end(p, sound, error);
}

int generate_take_sound(generate_job *job, int index, const char *path, piece_sound *sound)
{
    performance p = {.job = job, .index = index};
    const smitin_status status = take(&p, path, sound, &p.error);
    leave(&p);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&p.error);
}

/* ---- While it is made
 * ------------------------------------------------------------------------------------ */

static bool play_step(void *user, const smitin_progress *progress)
{
    performance *p = user;
    const bool due = progress->frame % PLAY_FRAMES == 0 || progress->frame == progress->frames;
    if (p->master == NULL) p->status = begin(p, "-", (size_t)progress->frames, &p->error);
    if (p->status == SMITIN_OK && due) p->status = move_on(p, &p->error);
    return p->status == SMITIN_OK && generate_progress(p->job, progress);
}

int generate_play(generate_job *job)
{
    performance p = {.job = job};
    smitin_error error = {0};
    const smitin_status status = smitin_session_run(job->session, play_step, &p, &error);
    if (p.status == SMITIN_OK && status == SMITIN_OK) p.status = end(&p, &job->played, &p.error);
    leave(&p);
    if (p.status != SMITIN_OK) return report_error(&p.error);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* SPDX-License-Identifier: MIT */
/* From a session to samples that can be played: the prompt cut off when asked, peaks limited. The
 * same for files, once a piece is made, and for standard output, while it is made. */
#include <stdlib.h>
#include <string.h>

#include "../src/audio/limiter.h"
#include "generate.h"

/* Frames decoded at once while a piece plays: the decoder's weights are read from memory once for
 * all of them. */
enum { PLAY_FRAMES = 4 };

static const int bits_values[] = {16, 24, 32};

int generate_bits(const generate_job *job)
{
    return bits_values[job->options.bits];
}

bool generate_to_stdout(const generate_job *job)
{
    return strcmp(job->options.output, "-") == 0;
}

/* Samples of the clip in front of a piece that are not to be heard again. */
static size_t skipped(const generate_job *job, int index)
{
    const generate_options *o = &job->options;
    if (strcmp(generate_yes_no[o->keep_prompt], "no") != 0 || o->inputs.count == 0) return 0;
    const size_t hop = (size_t)job->info.hop;
    return (job->clips[index / o->batch].frames + hop - 1) / hop * hop;
}

static smitin_status new_limiter(const generate_job *job, sm_limiter **limiter, smitin_error *error)
{
    return sm_limiter_new(limiter, 1, job->info.sample_rate, SM_LIMITER_CEILING_DB, error);
}

static smitin_status take(generate_job *job, int index, piece_sound *sound, smitin_error *error)
{
    const float *made = NULL;
    size_t count = 0;
    SM_TRY(smitin_session_audio(job->session, index, &made, &count, error));
    const size_t skip = skipped(job, index);
    sm_limiter *limiter = NULL;
    SM_TRY(new_limiter(job, &limiter, error));
    sound->samples = malloc((count - skip) * sizeof *sound->samples);
    if (sound->samples != NULL) {
        sound->count = sm_limiter_run(limiter, made + skip, count - skip, sound->samples);
        sound->count += sm_limiter_finish(limiter, sound->samples + sound->count);
        sound->limited_db = sm_limiter_lowest_db(limiter);
    }
    sm_limiter_free(limiter);
    return sound->samples != NULL ? SMITIN_OK
                                  : sm_fail_memory(error, "a piece's samples",
                                                   (count - skip) * sizeof *sound->samples);
}

int generate_take_sound(generate_job *job, int index, piece_sound *sound)
{
    smitin_error error = {0};
    memset(sound, 0, sizeof *sound);
    return take(job, index, sound, &error) == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* ---- While it is made
 * ------------------------------------------------------------------------------------ */

typedef struct player {
    generate_job *job;
    sm_limiter *limiter;
    sm_audio_stream *stream;
    size_t skip, room; /* samples still to be left out; of the whole piece */
    smitin_status status;
    smitin_error error;
} player;

static smitin_status open_player(player *p, int frames)
{
    generate_job *job = p->job;
    p->skip = skipped(job, 0);
    p->room = (size_t)frames * (size_t)job->info.hop - p->skip;
    job->played.samples = malloc(p->room * sizeof *job->played.samples);
    if (job->played.samples == NULL)
        return sm_fail_memory(&p->error, "the piece's samples",
                              p->room * sizeof *job->played.samples);
    SM_TRY(new_limiter(job, &p->limiter, &p->error));
    char *comment = generate_comment(job, 0);
    const sm_audio_tag tags[] = GENERATE_TAGS(comment);
    const smitin_status status =
        sm_audio_stream_open(&p->stream, p->room, 1, job->info.sample_rate, generate_bits(job),
                             tags, sizeof tags / sizeof *tags, &p->error);
    free(comment);
    return status;
}

/* Send the `count` samples that were put behind those already played. */
static smitin_status play(player *p, size_t count)
{
    piece_sound *played = &p->job->played;
    SM_TRY(sm_audio_stream_write(p->stream, played->samples + played->count, count, &p->error));
    if (played->count == 0 && count > 0) p->job->first_sound = generate_now() - p->job->begun;
    played->count += count;
    return SMITIN_OK;
}

/* All samples that are final by now. */
static smitin_status play_new(player *p)
{
    float block[4096];
    size_t count = 0;
    do {
        SM_TRY(smitin_session_read(p->job->session, 0, block, sizeof block / sizeof *block, &count,
                                   &p->error));
        const size_t left_out = count < p->skip ? count : p->skip;
        p->skip -= left_out;
        piece_sound *played = &p->job->played;
        SM_TRY(play(p, sm_limiter_run(p->limiter, block + left_out, count - left_out,
                                      played->samples + played->count)));
    } while (count > 0);
    return SMITIN_OK;
}

static bool play_step(void *user, const smitin_progress *progress)
{
    player *p = user;
    const bool due = progress->frame % PLAY_FRAMES == 0 || progress->frame == progress->frames;
    if (p->stream == NULL) p->status = open_player(p, progress->frames);
    if (p->status == SMITIN_OK && due) p->status = play_new(p);
    return p->status == SMITIN_OK && generate_progress(p->job, progress);
}

int generate_play(generate_job *job)
{
    player p = {.job = job};
    smitin_error error = {0};
    const smitin_status status = smitin_session_run(job->session, play_step, &p, &error);
    if (p.status == SMITIN_OK && status == SMITIN_OK) {
        piece_sound *played = &job->played;
        p.status = play(&p, sm_limiter_finish(p.limiter, played->samples + played->count));
        played->limited_db = sm_limiter_lowest_db(p.limiter);
    }
    const bool sound = p.status == SMITIN_OK && status == SMITIN_OK;
    const smitin_status closed = sm_audio_stream_close(p.stream, sound ? &p.error : NULL);
    sm_limiter_free(p.limiter);
    if (sound) p.status = closed;
    if (p.status != SMITIN_OK) return report_error(&p.error);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

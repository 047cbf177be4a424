/* SPDX-License-Identifier: MIT */
/* A whole piece for "smitin bench": text, steps, codec, file, by the calls that "smitin generate"
 * makes. The codec follows the steps there, too: both keep every core busy, so running them side by
 * side would save nothing. */
#include <math.h>
#include <string.h>

#include "../src/audio/audio.h"
#include "../src/audio/master.h"
#include "../src/base/error.h"
#include "bench.h"

/* Steps to the end of the piece, each in b->times but the first, which takes memory. */
static smitin_status make_steps(bench *b, smitin_session *session, int *timed)
{
    bench_pipeline *p = &b->result->pipeline;
    smitin_profile profile = {0};
    bool done = false;
    *timed = 0;
    smitin_session_profile(session, &profile);
    const double start = sm_clock();
    double last = start;
    SM_TRY(smitin_session_step(session, &done, &b->error));
    while (!done && *timed < BENCH_FRAMES + 64) {
        const double before = sm_clock();
        SM_TRY(smitin_session_step(session, &done, &b->error));
        last = sm_clock();
        b->times[(*timed)++] = last - before;
    }
    p->steps = last - start;
    p->sampling = profile.seconds[SMITIN_PART_SAMPLING];
    return SMITIN_OK;
}

typedef struct sound {
    sm_master *master;
    sm_audio_stream *stream;
} sound;

static smitin_status send(void *user, const float *samples, size_t frames, smitin_error *error)
{
    return sm_audio_stream_write(((sound *)user)->stream, samples, frames, error);
}

/* Decode what was made and write it: 16 bits, peaks limited, its loudness measured. */
static smitin_status write_sound(bench *b, smitin_session *session, sound *s, const char *path,
                                 size_t frames)
{
    const smitin_model_info *info = &b->result->info;
    bench_pipeline *p = &b->result->pipeline;
    const size_t channels = (size_t)info->channels;
    const sm_master_options options = {.channels = info->channels,
                                       .rate = info->sample_rate,
                                       .out_rate = info->sample_rate,
                                       .frames = frames,
                                       .lufs = (double)NAN,
                                       .limit = true};
    float block[4096];
    size_t count = 0;
    double lufs;
    const double start = sm_clock();
    SM_TRY(sm_audio_stream_open(&s->stream, path, frames, info->channels, info->sample_rate, 16,
                                NULL, 0, &b->error));
    SM_TRY(sm_master_new(&s->master, &options, send, s, &b->error));
    do {
        const double before = sm_clock();
        SM_TRY(smitin_session_read(session, 0, block, sizeof block / sizeof *block, &count,
                                   &b->error));
        p->codec += sm_clock() - before;
        SM_TRY(sm_master_push(s->master, block, count / channels, &b->error));
    } while (count > 0);
    SM_TRY(sm_master_finish(s->master, &b->error));
    SM_TRY(sm_master_lufs(s->master, &lufs, &b->error));
    sm_audio_stream *stream = s->stream;
    s->stream = NULL;
    SM_TRY(sm_audio_stream_close(stream, &b->error));
    p->file = sm_clock() - start - p->codec;
    return SMITIN_OK;
}

/* What the bytes of all steps take at the rate that was read at the positions nearby. */
static double reading_time(const bench *b, int frames)
{
    double seconds = 0.0;
    int place = 0;
    for (int frame = 1; frame <= frames; frame++) {
        while (place + 1 < BENCH_POSITIONS && bench_positions[place] < frame &&
               isfinite(b->result->places[place + 1].reading))
            place++;
        seconds += bench_step_bytes(b, frame) / b->result->places[place].reading;
    }
    return seconds;
}

static smitin_status make_piece(bench *b, smitin_session **session, sound *s, const char *path,
                                int frames)
{
    bench_result *r = b->result;
    bench_pipeline *p = &r->pipeline;
    smitin_session_options options = smitin_session_defaults();
    int timed = 0;
    options.seconds = p->seconds = frames / r->info.frame_rate;
    options.guidance = b->o->guidance;
    options.seed = 1;
    const double start = sm_clock();
    SM_TRY(smitin_session_new(session, b->engine, &options, &b->error));
    SM_TRY(bench_set_text(b, *session));
    p->text = sm_clock() - start;
    SM_TRY(make_steps(b, *session, &timed));
    p->resident_bytes = bench_resident();
    SM_TRY(write_sound(b, *session, s, path, (size_t)frames * (size_t)r->info.hop));
    p->whole = sm_clock() - start;
    p->bound = p->whole - p->steps + reading_time(b, frames);
    if (timed == 0) return SMITIN_OK;
    double total = 0.0;
    for (int i = 0; i < timed; i++) total += b->times[i];
    r->mean = timed / total;
    r->p50 = bench_quantile(b->times, timed, 0.5);
    r->p95 = bench_quantile(b->times, timed, 0.95);
    r->p99 = bench_quantile(b->times, timed, 0.99);
    return SMITIN_OK;
}

smitin_status bench_whole_piece(bench *b)
{
    const int longest = b->result->info.max_frames;
    smitin_session *session = NULL;
    sound s = {NULL, NULL};
    bench_scratch scratch;
    SM_TRY(bench_scratch_begin(&scratch, "piece.wav", &b->error));
    const smitin_status status =
        make_piece(b, &session, &s, scratch.file, longest < BENCH_FRAMES ? longest : BENCH_FRAMES);
    sm_audio_stream_discard(s.stream);
    sm_master_free(s.master);
    smitin_session_free(session);
    bench_scratch_end(&scratch);
    return status;
}

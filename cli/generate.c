/* SPDX-License-Identifier: MIT */
/* "smitin generate": prompts and knobs in, pieces out. Writing the results is in generate_write.c.
 */
#include "generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/audio/audio.h"
#include "../src/audio/master.h"
#include "../src/base/error.h"
#include "interrupt.h"

/* A seed nobody chose: from the clock, small enough to be typed again. */
static uint64_t clock_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec) % 1000000000u;
}

/* ---- Prompts ---- */

/* The last `seconds` of a clip (0: all of it) at the model's rate; with --from what was read then.
 */
static smitin_status read_clip(generate_job *job, int index, smitin_error *error)
{
    const char *path = job->options.inputs.items[index];
    generate_clip *clip = &job->clips[index];
    const double last = job->options.input_seconds;
    clip->start = 0.0;
    clip->seconds = last > 0.0 ? last : -1.0;
    if (job->recipe.clip.known) {
        clip->start = job->recipe.clip.start;
        clip->seconds = job->recipe.clip.seconds;
    } else if (last > 0.0) {
        size_t frames = 0;
        int channels = 0, rate = 0;
        SM_TRY(sm_audio_probe(path, &frames, &channels, &rate, error));
        clip->start = fmax(0.0, (double)frames / rate - last);
    }
    SM_TRY(sm_audio_read_as(&clip->audio, path, job->info.channels, job->info.sample_rate,
                            clip->start, clip->seconds, error));
    const size_t used = job->recipe.clip.samples;
    if (job->recipe.clip.known && used > 0 && used < clip->audio.frames) clip->audio.frames = used;
    return SMITIN_OK;
}

static void hash_clip(generate_clip *clip)
{
    const sm_audio *audio = &clip->audio;
    recipe_hash(audio->samples, audio->frames * (size_t)audio->channels * sizeof *audio->samples,
                clip->hash);
}

static int read_clips(generate_job *job)
{
    const generate_options *o = &job->options;
    smitin_error error = {0};
    size_t shortest = SIZE_MAX;
    job->clips = calloc((size_t)o->inputs.count + 1, sizeof *job->clips);
    if (job->clips == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for %d clips\n", o->inputs.count);
        return EXIT_FAILED;
    }
    for (int i = 0; i < o->inputs.count; i++) {
        if (read_clip(job, i, &error) != SMITIN_OK) return report_error(&error);
        if (job->clips[i].audio.frames < shortest) shortest = job->clips[i].audio.frames;
    }
    for (int i = 0; i < o->inputs.count; i++) {
        if (job->clips[i].audio.frames != shortest && !o->quiet)
            fprintf(stderr, "smitin: %s is cut to %.2f s, the shortest of the clips\n",
                    o->inputs.items[i], (double)shortest / job->info.sample_rate);
        sm_audio *audio = &job->clips[i].audio;
        audio->frames = shortest;
        hash_clip(&job->clips[i]);
    }
    return EXIT_DONE;
}

static int read_melody(generate_job *job)
{
    smitin_error error = {0};
    if (job->options.melody == NULL) return EXIT_DONE;
    if (sm_audio_read_as(&job->melody.audio, job->options.melody, job->info.channels,
                         job->info.sample_rate, 0.0, -1.0, &error) != SMITIN_OK)
        return report_error(&error);
    hash_clip(&job->melody);
    return EXIT_DONE;
}

/* Clip `i` as the prompt of its variations; a single clip is every piece's, encoded once. */
static smitin_status set_clip(generate_job *job, int i, smitin_error *error)
{
    const int batch = job->options.batch;
    const sm_audio *clip = &job->clips[i].audio;
    const size_t count = clip->frames * (size_t)clip->channels;
    if (job->options.inputs.count == 1)
        return smitin_session_set_audio(job->session, SMITIN_ALL_PIECES, clip->samples, count,
                                        error);
    for (int piece = i * batch; piece < (i + 1) * batch; piece++)
        SM_TRY(smitin_session_set_audio(job->session, piece, clip->samples, count, error));
    return SMITIN_OK;
}

static int set_prompts(generate_job *job)
{
    const generate_options *o = &job->options;
    smitin_error error = {0};
    if (o->prompt != NULL &&
        smitin_session_set_text(job->session, SMITIN_ALL_PIECES, o->prompt, &error) != SMITIN_OK)
        return report_error(&error);
    const sm_audio *melody = &job->melody.audio;
    if (o->melody != NULL &&
        smitin_session_set_melody(job->session, SMITIN_ALL_PIECES, melody->samples,
                                  melody->frames * (size_t)melody->channels, &error) != SMITIN_OK)
        return report_error(&error);
    for (int i = 0; i < o->inputs.count; i++) {
        if (set_clip(job, i, &error) != SMITIN_OK) return report_error(&error);
    }
    for (int i = 0; i < o->steering.uses_count; i++) {
        const knob_use *use = &o->steering.uses[i];
        if (smitin_session_add_knob(job->session, use->knob, &use->steering, &error) != SMITIN_OK)
            return report_error(&error);
    }
    return EXIT_DONE;
}

/* ---- Run ---- */

bool generate_progress(generate_job *job, const smitin_progress *progress)
{
    if (!job->options.quiet) progress_bar("making music", progress->frame, progress->frames);
    return interrupted() == 0;
}

static bool show_progress(void *user, const smitin_progress *progress)
{
    return generate_progress(user, progress);
}

static int run_session(generate_job *job)
{
    smitin_error error = {0};
    const double start = sm_clock();
    int code = EXIT_DONE;
    if (generate_to_stdout(job)) {
        code = generate_play(job);
    } else if (smitin_session_run(job->session, show_progress, job, &error) != SMITIN_OK) {
        code = report_error(&error);
    }
    job->run_seconds = sm_clock() - start;
    return code;
}

/* ---- Length ---- */

static double loop_seconds(const generate_options *o)
{
    return o->bars * o->beats_per_bar * 60.0 / o->bpm;
}

/* Bars are what is written: a clip that is not written again comes on top. */
static void choose_length(generate_job *job)
{
    generate_options *o = &job->options;
    o->session.seconds = isnan(o->seconds) ? smitin_session_defaults().seconds : o->seconds;
    if (isnan(o->bars)) return;
    /* A loop that ends on a frame must not gain one by rounding. */
    const double frames = ceil(loop_seconds(o) * job->info.frame_rate - 1e-6);
    const size_t skipped = generate_skipped(job, 0) / (size_t)job->info.hop;
    o->session.seconds = (fmax(frames, 1.0) + (double)skipped) / job->info.frame_rate;
}

size_t generate_samples(const generate_job *job, int index, size_t frames)
{
    const generate_options *o = &job->options;
    if (!isnan(o->bars)) {
        const long long samples = llround(loop_seconds(o) * generate_rate(job));
        return samples > 1 ? (size_t)samples : 1;
    }
    return sm_master_frames(frames * (size_t)job->info.hop - generate_skipped(job, index),
                            job->info.sample_rate, generate_rate(job));
}

/* ---- The same again ---- */

static void differs(const generate_job *job, const char *what, const char *before, const char *now)
{
    fprintf(stderr,
            "smitin: %s was made with another %s (%.12s, now %.12s); what follows is another "
            "piece\n",
            job->options.from, what, before, now);
}

/* Say whether the model, a knob or the clip is another one than the file of --from was made with.
 */
static void compare_recipe(const generate_job *job)
{
    const recipe *r = &job->recipe;
    if (r->root == NULL) return;
    const char *fingerprint = recipe_text(r, "fingerprint"), *hash = recipe_text(r, "input_sha256");
    const char *version = recipe_text(r, "smitin");
    if (strcmp(version, smitin_version()) != 0) differs(job, "smitin", version, smitin_version());
    if (strcmp(fingerprint, job->info.fingerprint) != 0)
        differs(job, "model", fingerprint, job->info.fingerprint);
    if (r->clip.known && job->options.inputs.count > 0 && strcmp(hash, job->clips[0].hash) != 0)
        differs(job, "clip", hash, job->clips[0].hash);
    const char *melody = recipe_text(r, "melody_sha256");
    if (job->options.melody != NULL && melody[0] != '\0' && strcmp(melody, job->melody.hash) != 0)
        differs(job, "melody", melody, job->melody.hash);
    for (int i = 0; i < job->options.steering.uses_count; i++) {
        const knob_use *use = &job->options.steering.uses[i];
        const json_t *knob = recipe_knob(r, i);
        const char *path = json_string_value(json_object_get(knob, "file"));
        const char *before = json_string_value(json_object_get(knob, "sha256"));
        if (path != NULL && before != NULL && strcmp(path, use->path) == 0 &&
            strcmp(before, use->hash) != 0)
            differs(job, "knob", before, use->hash);
    }
}

int generate_open(generate_job *job)
{
    return open_engine(&job->own_engine, &job->options.model, job->model_path,
                       sizeof job->model_path);
}

int generate_make(generate_job *job, const smitin_engine *engine)
{
    generate_options *o = &job->options;
    smitin_error error = {0};
    job->engine = engine;
    smitin_engine_info(job->engine, &job->info);
    int code = steering_open(&o->steering, job->model_path);
    if (code == EXIT_DONE) code = read_clips(job);
    if (code == EXIT_DONE) code = read_melody(job);
    if (code != EXIT_DONE) return code;

    const int clips = o->inputs.count > 0 ? o->inputs.count : 1;
    o->session.pieces = clips * o->batch;
    o->session.max_knobs = KNOBS_MAX;
    o->session.long_method = (smitin_long)o->long_method;
    compare_recipe(job);
    choose_length(job);
    o->session.seed = o->seed < 0.0 ? clock_seed() : (uint64_t)o->seed;
    code = generate_check_output(job);
    if (code != EXIT_DONE) return code;
    if (smitin_session_new(&job->session, job->engine, &o->session, &error) != SMITIN_OK)
        return report_error(&error);
    code = set_prompts(job);
    if (code == EXIT_DONE) code = run_session(job);
    if (code == EXIT_DONE) code = generate_write(job);
    return code;
}

void generate_close(generate_job *job)
{
    smitin_session_free(job->session);
    steering_close(&job->options.steering);
    for (int i = 0; job->clips != NULL && i < job->options.inputs.count; i++)
        sm_audio_free(&job->clips[i].audio);
    free(job->clips);
    sm_audio_free(&job->melody.audio);
    text_list_free(&job->options.inputs);
    recipe_free(&job->recipe);
    smitin_engine_free(job->own_engine);
}

int command_generate(int argc, char **argv)
{
    generate_job job;
    bool help = false;
    memset(&job, 0, sizeof job);
    job.begun = sm_clock();
    int code = generate_parse(&job, argc, argv, &help);
    if (code == EXIT_DONE && !help) {
        code = generate_open(&job);
        interrupt_catch();
        if (code == EXIT_DONE) code = generate_make(&job, job.own_engine);
    }
    generate_close(&job);
    return code;
}

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

static const char *const bits_names[] = {"16", "24", "32", "32f", NULL};
const char *const generate_formats[] = {"wav", "flac", "ogg", "mp3", NULL};

static const char usage[] =
    "smitin generate [OPTIONS]\n\n"
    "Make music. Without -p and -i it plays freely; -p follows a text; -i continues a clip "
    "(several -i continue\n"
    "several clips side by side). The settings are written beside every file as .json.\n\n"
    "  smitin generate -d 10 -o free.wav\n"
    "  smitin generate -p \"slow jazz swing with piano and bass\" --knob drums:60% -o jazz.wav\n"
    "  smitin generate -i clip.wav --input-seconds 3 --knob drums:60% --trace trace.csv -o "
    "more.wav\n\n";

static size_t generate_specs(generate_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {"-m", "--model", OPTION_TEXT, &o->model, 0, 0, NULL, "MODEL",
         "directory or name of a model [mini]"},
        {"-hf", "--hf-repo", OPTION_TEXT, &o->hf, 0, 0, NULL, "ORG/REPO",
         "instead of -m: a model that was pulled, with @REVISION or without"},
        {"-p", "--prompt", OPTION_TEXT, &o->prompt, 0, 0, NULL, "TEXT", "what to play"},
        {"-i", "--input", OPTION_LIST, &o->inputs, 0, 0, NULL, "FILE",
         "continue this clip; may be repeated"},
        {NULL, "--input-seconds", OPTION_DOUBLE, &o->input_seconds, 0.02, 3600, NULL, "S",
         "use only the last S seconds of each clip"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE",
         "WAV, FLAC, Ogg or MP3 by suffix; a folder; - plays WAV to standard output [out.wav]"},
        {NULL, "--format", OPTION_CHOICE, &o->format, 0, 0, generate_formats, "NAME",
         "of files in a folder: wav, flac, ogg or mp3 [wav]"},
        {"-d", "--seconds", OPTION_DOUBLE, &o->session.seconds, 0.02, 3600, NULL, "S",
         "length of a piece, its clip included [10]"},
        {"-s", "--seed", OPTION_DOUBLE, &o->seed, -1, 9007199254740992.0, NULL, "N",
         "same seed, same music; -1 takes one from the clock [-1]"},
        {"-b", "--batch", OPTION_INT, &o->batch, 1, 1024, NULL, "N",
         "variations (of each clip), consecutive seeds [1]"},
        {NULL, "--temp", OPTION_DOUBLE, &o->session.temperature, 0, 100, NULL, "T",
         "temperature; 0 is greedy [1]"},
        {NULL, "--top-k", OPTION_INT, &o->session.top_k, 0, 1e6, NULL, "K",
         "draw from the K likeliest codes [250]"},
        {NULL, "--top-p", OPTION_DOUBLE, &o->session.top_p, 0, 1, NULL, "P",
         "draw from the likeliest P instead [off]"},
        {NULL, "--cfg", OPTION_DOUBLE, &o->session.guidance, -1000, 1000, NULL, "G",
         "guidance scale of text; 1 is none [3]"},
        {NULL, "--trace", OPTION_TEXT, &o->trace, 0, 0, NULL, "FILE.csv",
         "write the monitor's readings, and a plot beside them"},
        {NULL, "--bits", OPTION_CHOICE, &o->bits, 0, 0, bits_names, "N",
         "of WAV and FLAC: 16, 24 or, WAV only, 32 (float) [16]"},
        {NULL, "--rate", OPTION_INT, &o->rate, SM_AUDIO_RATE_MIN, 192000, NULL, "HZ",
         "sample rate of the output, such as 44100 or 48000 [the model's]"},
        {NULL, "--lufs", OPTION_DOUBLE, &o->lufs, SM_MASTER_LUFS_MIN, SM_MASTER_LUFS_MAX, NULL, "L",
         "loudness to reach, such as -14 [as the model plays]"},
        {NULL, "--level", OPTION_CHOICE, &o->level, 0, 0, generate_levels, "HOW",
         "exact: one measured gain; running: follows what was heard [exact; a pipe: running]"},
        {NULL, "--keep-prompt", OPTION_CHOICE, &o->keep_prompt, 0, 0, generate_yes_no, "yes|no",
         "write the clip in front of what was made [yes]"},
        {"-t", "--threads", OPTION_INT, &o->threads, 0, 1024, NULL, "N",
         "threads; 0 is every core [0]"},
        {NULL, "--cpu-level", OPTION_TEXT, &o->cpu_level, 0, 0, NULL, "NAME",
         "ref, avx2, avx_vnni, avx512, avx512_vnni [the best]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL,
         "print the results as JSON on standard output"},
        {"-q", "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    const size_t count = sizeof table / sizeof *table;
    if (count > capacity) return 0;
    memcpy(specs, table, sizeof table);
    return count + steering_option_specs(&o->steering, specs + count, capacity - count);
}

const char *const generate_yes_no[] = {"yes", "no", NULL};

static void fill_defaults(generate_options *o)
{
    memset(o, 0, sizeof *o);
    o->session = smitin_session_defaults();
    o->steering = steering_options_defaults();
    o->model = DEFAULT_MODEL;
    o->output = "out.wav";
    o->seed = -1.0;
    o->batch = 1;
    o->lufs = (double)NAN;
    o->level = -1;
}

/* A seed nobody chose: from the clock, small enough to be typed again. */
static uint64_t clock_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec) % 1000000000u;
}

/* ---- Prompts ---- */

/* The last `seconds` of a clip (0: all of it) at the model's rate. */
static smitin_status read_clip(const generate_job *job, const char *path, sm_audio *clip,
                               smitin_error *error)
{
    const double seconds = job->options.input_seconds;
    double start = 0.0;
    if (seconds > 0.0) {
        size_t frames = 0;
        int channels = 0, rate = 0;
        SM_TRY(sm_audio_probe(path, &frames, &channels, &rate, error));
        start = fmax(0.0, (double)frames / rate - seconds);
    }
    return sm_audio_read_mono(clip, path, job->info.sample_rate, start,
                              seconds > 0.0 ? seconds : -1.0, error);
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
        sm_audio *clip = &job->clips[i];
        if (read_clip(job, o->inputs.items[i], clip, &error) != SMITIN_OK)
            return report_error(&error);
        if (clip->frames < shortest) shortest = clip->frames;
    }
    for (int i = 0; i < o->inputs.count; i++) {
        if (job->clips[i].frames != shortest && !o->quiet)
            fprintf(stderr, "smitin: %s is cut to %.2f s, the shortest of the clips\n",
                    o->inputs.items[i], (double)shortest / job->info.sample_rate);
        job->clips[i].frames = shortest;
    }
    return EXIT_DONE;
}

/* Clip `i` as the prompt of its variations; a single clip is every piece's, encoded once. */
static smitin_status set_clip(generate_job *job, int i, smitin_error *error)
{
    const int batch = job->options.batch;
    const sm_audio *clip = &job->clips[i];
    if (job->options.inputs.count == 1)
        return smitin_session_set_audio(job->session, SMITIN_ALL_PIECES, clip->samples,
                                        clip->frames, error);
    for (int piece = i * batch; piece < (i + 1) * batch; piece++)
        SM_TRY(smitin_session_set_audio(job->session, piece, clip->samples, clip->frames, error));
    return SMITIN_OK;
}

static int set_prompts(generate_job *job)
{
    const generate_options *o = &job->options;
    smitin_error error = {0};
    if (o->prompt != NULL &&
        smitin_session_set_text(job->session, SMITIN_ALL_PIECES, o->prompt, &error) != SMITIN_OK)
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

double generate_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool generate_progress(generate_job *job, const smitin_progress *progress)
{
    if (!job->options.quiet) progress_bar("making music", progress->frame, progress->frames);
    return true;
}

static bool show_progress(void *user, const smitin_progress *progress)
{
    return generate_progress(user, progress);
}

static int run_session(generate_job *job)
{
    smitin_error error = {0};
    const double start = generate_now();
    int code = EXIT_DONE;
    if (generate_to_stdout(job)) {
        code = generate_play(job);
    } else if (smitin_session_run(job->session, show_progress, job, &error) != SMITIN_OK) {
        code = report_error(&error);
    }
    job->run_seconds = generate_now() - start;
    return code;
}

static int run_job(generate_job *job)
{
    generate_options *o = &job->options;
    smitin_error error = {0};
    int code = open_engine(&job->engine, o->model, o->hf, o->cpu_level, o->threads, job->model_path,
                           sizeof job->model_path);
    if (code != EXIT_DONE) return code;
    smitin_engine_info(job->engine, &job->info);
    code = steering_open(&o->steering, job->model_path);
    if (code == EXIT_DONE) code = read_clips(job);
    if (code != EXIT_DONE) return code;

    const int clips = o->inputs.count > 0 ? o->inputs.count : 1;
    o->session.pieces = clips * o->batch;
    o->session.max_knobs = KNOBS_MAX;
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

int command_generate(int argc, char **argv)
{
    generate_job job;
    option_spec specs[64];
    bool help = false;
    memset(&job, 0, sizeof job);
    job.begun = generate_now();
    fill_defaults(&job.options);
    const size_t count = generate_specs(&job.options, specs, sizeof specs / sizeof *specs);
    int code = options_parse(specs, count, argc, argv, NULL, &help);
    if (help) {
        printf("%s", usage);
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_job(&job);
    }
    smitin_session_free(job.session);
    steering_close(&job.options.steering);
    for (int i = 0; job.clips != NULL && i < job.options.inputs.count; i++)
        sm_audio_free(&job.clips[i]);
    free(job.clips);
    text_list_free(&job.options.inputs);
    smitin_engine_free(job.engine);
    return code;
}

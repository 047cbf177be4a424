/* SPDX-License-Identifier: MIT */
/* "smitin eval export" and "smitin eval listen": clips of pieces for others to hear. */
#include "eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/audio/audio.h"
#include "../src/base/path.h"
#include "../src/eval/listen.h"

static const char *const format_names[] = {"wav", "flac", "ogg", "mp3", NULL};
enum { FORMAT_WAV = 0, FORMAT_FLAC };

typedef struct clips_options {
    sm_excerpt_options clip;
    const char *output, *title, *webmushra, *manifest;
    text_list ask;
    int format, bits;
    bool hear_prompt;
} clips_options;

typedef struct clips_job {
    clips_options options;
    char folder[1024];
    sm_library files;
    sm_listen_clip *clips; /* [count]: path, file, condition are owned */
    size_t count;
    sm_sheet *sheet; /* the manifest */
} clips_job;

static int make_folder(const char *path)
{
    smitin_error error = {0};
    return sm_path_make(path, &error) == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* "CONDITION-NAME.SUFFIX", made plain, and with a number when there is one already. */
static void name_clip(const clips_job *job, const char *path, const char *condition, char *out,
                      size_t size)
{
    char base[300], plain[300];
    const char *name = sm_path_name(path);
    const int length = (int)sm_path_stem(name);
    snprintf(base, sizeof base, "%.120s%s%.*s", condition, condition[0] != '\0' ? "-" : "",
             length < 120 ? length : 120, name);
    size_t n = 0;
    for (const char *at = base; *at != '\0' && n + 1 < sizeof plain; at++)
        plain[n++] = strchr(" \\/:*?\"<>|'`$&;", *at) != NULL || *at < ' ' ? '_' : *at;
    plain[n] = '\0';
    const char *suffix = format_names[job->options.format];
    snprintf(out, size, "%s/%s.%s", job->folder, plain, suffix);
    for (int number = 2;; number++) {
        bool taken = false;
        for (size_t i = 0; i < job->count; i++)
            taken = taken || strcmp(job->clips[i].path, out) == 0;
        if (!taken) return;
        snprintf(out, size, "%s/%s-%d.%s", job->folder, plain, number, suffix);
    }
}

static void add_manifest(clips_job *job, const char *clip_path, const char *file,
                         const char *condition, const sm_excerpt *clip)
{
    sm_sheet *s = job->sheet;
    sm_sheet_row(s);
    sm_sheet_text(s, "clip", sm_path_name(clip_path));
    sm_sheet_text(s, "file", file);
    sm_sheet_text(s, "condition", condition);
    sm_sheet_number(s, "start", job->options.clip.skip);
    sm_sheet_number(s, "seconds", clip->seconds);
    sm_sheet_number(s, "rate", clip->rate);
    sm_sheet_number(s, "channels", clip->channels);
    sm_sheet_number(s, "lufs_before", clip->lufs_before);
    sm_sheet_number(s, "lufs", clip->lufs);
    sm_sheet_number(s, "gain_db", clip->gain_db);
    sm_sheet_number(s, "peak_db", clip->peak_db);
    sm_sheet_number(s, "limited_db", clip->limited_db);
}

/* One clip to disk and into the list; a file that cannot be read is told and left out. */
static int add_clip(clips_job *job, const char *path)
{
    const clips_options *o = &job->options;
    smitin_error error = {0};
    char condition[128], where[2048];
    sm_excerpt clip;
    if (sm_excerpt_make(&clip, path, &o->clip, &error) != SMITIN_OK) {
        if (error.status == SMITIN_ERROR_MEMORY) return report_error(&error);
        fprintf(stderr, "smitin: skipped: %s\n", error.message);
        return EXIT_DONE;
    }
    eval_condition(path, condition, sizeof condition);
    name_clip(job, path, condition, where, sizeof where);
    const smitin_status status = sm_audio_write(where, clip.samples, clip.frames, clip.channels,
                                                clip.rate, o->bits, NULL, 0, &error);
    if (status == SMITIN_OK) {
        sm_listen_clip *at = &job->clips[job->count];
        *at = (sm_listen_clip){strdup(where), strdup(path), strdup(condition), clip.seconds};
        if (at->path == NULL || at->file == NULL || at->condition == NULL) {
            sm_excerpt_free(&clip);
            return eval_no_memory();
        }
        job->count++;
        add_manifest(job, where, path, condition, &clip);
        if (!isnan(o->clip.lufs) && !(fabs(clip.lufs - o->clip.lufs) < 0.5))
            fprintf(stderr, "smitin: '%s' has %.1f LUFS where %.1f were asked for\n", where,
                    clip.lufs, o->clip.lufs);
    }
    sm_excerpt_free(&clip);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

static int make_clips(clips_job *job, const text_list *paths)
{
    int code = eval_files(&job->files, paths);
    if (code == EXIT_DONE) code = make_folder(job->folder);
    job->clips = calloc(job->files.count + 1, sizeof *job->clips);
    job->sheet = sm_sheet_new();
    if (job->clips == NULL || job->sheet == NULL) return eval_no_memory();
    for (size_t i = 0; i < job->files.count && code == EXIT_DONE; i++) {
        code = add_clip(job, eval_file(&job->files, i));
        progress_bar("cutting", (double)(i + 1), (double)job->files.count);
    }
    if (code == EXIT_DONE && job->count == 0) {
        fprintf(stderr, "smitin: there is nothing to hear in these files\n");
        code = EXIT_FAILED;
    }
    return code;
}

/* The clips' files, and their folder when it is then empty. */
static void remove_clips(clips_job *job)
{
    for (size_t i = 0; i < job->count; i++) unlink(job->clips[i].path);
    rmdir(job->folder);
}

static void job_free(clips_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        free((void *)(uintptr_t)job->clips[i].path);
        free((void *)(uintptr_t)job->clips[i].file);
        free((void *)(uintptr_t)job->clips[i].condition);
    }
    free(job->clips);
    sm_sheet_free(job->sheet);
    sm_library_free(&job->files);
    text_list_free(&job->options.ask);
}

/* ---- export ---- */

static int run_export(clips_job *job, const text_list *paths)
{
    char manifest[1100];
    smitin_error error = {0};
    if (job->options.output == NULL) {
        fprintf(stderr, "smitin: name the folder for the clips with -o DIR\n");
        return EXIT_USAGE;
    }
    snprintf(job->folder, sizeof job->folder, "%s", job->options.output);
    int code = make_clips(job, paths);
    snprintf(manifest, sizeof manifest, "%s/manifest.csv", job->folder);
    if (code == EXIT_DONE && sm_sheet_write(job->sheet, manifest, false, &error) != SMITIN_OK)
        code = report_error(&error);
    if (code != EXIT_DONE) {
        remove_clips(job);
        return code;
    }
    fprintf(stderr, "%s: %zu clips\n", manifest, job->count);
    return EXIT_DONE;
}

int command_eval_export(int argc, char **argv)
{
    clips_job job;
    memset(&job, 0, sizeof job);
    clips_options *o = &job.options;
    double seconds = 0.0, lufs = (double)NAN;
    *o = (clips_options){.bits = 16, .format = FORMAT_WAV};
    text_list paths = {0};
    bool help = false;
    const option_spec specs[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "DIR",
         "for the clips and manifest.csv"},
        {NULL, "--skip", OPTION_DOUBLE, &o->clip.skip, 0, 3600, NULL, "S",
         "leave out the first S seconds, a prompt [0]"},
        {NULL, "--seconds", OPTION_DOUBLE, &seconds, 0, 3600, NULL, "S",
         "of a clip; 0 is to the end [0]"},
        {NULL, "--lufs", OPTION_DOUBLE, &lufs, -60, -5, NULL, "L", "loudness [as it is]"},
        {NULL, "--rate", OPTION_INT, &o->clip.rate, SM_AUDIO_RATE_MIN, SM_AUDIO_RATE_MAX, NULL,
         "HZ", "[the file's]"},
        {NULL, "--format", OPTION_CHOICE, &o->format, 0, 0, format_names, "NAME",
         "wav, flac, ogg or mp3 [wav]"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval export [OPTIONS] -o DIR FILE-OR-FOLDER...\n\n"
               "Clips for recognisers from elsewhere, and manifest.csv, which names the piece and "
               "the condition (its folder) of every\nclip, its loudness before and after and its "
               "peak. A table of theirs with a column \"file\" is what eval correlate "
               "joins;\nexamples/recognisers makes such tables.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        o->clip.seconds = seconds > 0.0 ? seconds : -1.0;
        o->clip.lufs = lufs;
        code = run_export(&job, &paths);
    }
    job_free(&job);
    text_list_free(&paths);
    return code;
}

/* ---- listen ---- */

static int check_questions(const text_list *ask)
{
    for (int i = 0; i < ask->count; i++)
        if (ask->items[i][0] == '\0' || strlen(ask->items[i]) > 50 ||
            strpbrk(ask->items[i], ",\"\n\r") != NULL) {
            fprintf(stderr,
                    "smitin: --ask names what to hear in up to 50 bytes without commas and quotes, "
                    "not \"%s\"\n",
                    ask->items[i]);
            return EXIT_USAGE;
        }
    return EXIT_DONE;
}

/* webMUSHRA's clips stay beside its configuration; the page holds its own. */
static int write_tests(clips_job *job)
{
    const clips_options *o = &job->options;
    const sm_listen_test test = {.title = o->title,
                                 .ask = o->ask.items,
                                 .ask_count = o->ask.count,
                                 .ignore = o->hear_prompt ? o->clip.skip : 0.0,
                                 .clips = job->clips,
                                 .count = job->count};
    smitin_error error = {0};
    char path[1200], id[17] = "";
    smitin_status status = SMITIN_OK;
    if (o->webmushra != NULL) {
        snprintf(path, sizeof path, "%s/smitin.yaml", o->webmushra);
        status = sm_listen_webmushra(path, &test, "configs/resources/smitin", &error);
    } else {
        status = sm_listen_page(o->output, &test, id, &error);
    }
    if (status == SMITIN_OK && o->manifest != NULL)
        status = sm_sheet_write(job->sheet, o->manifest, false, &error);
    if (status != SMITIN_OK) return report_error(&error);
    if (o->webmushra != NULL)
        fprintf(stderr,
                "%s: %zu clips; copy it into webMUSHRA's configs/, and %s into "
                "configs/resources/smitin/\n",
                path, job->count, job->folder);
    else
        fprintf(stderr, "%s: %zu clips, test %s; open it in a browser or put it on a server\n",
                o->output, job->count, id);
    return EXIT_DONE;
}

static int run_listen(clips_job *job, const text_list *paths)
{
    clips_options *o = &job->options;
    int code = check_questions(&o->ask);
    if (code != EXIT_DONE) return code;
    if ((o->output != NULL) == (o->webmushra != NULL)) {
        fprintf(stderr, "smitin: name the page with -o FILE.html, or a folder with --webmushra\n");
        return EXIT_USAGE;
    }
    if (o->webmushra != NULL) {
        o->format = FORMAT_WAV;
        code = make_folder(o->webmushra);
        snprintf(job->folder, sizeof job->folder, "%s/clips", o->webmushra);
    } else {
        /* Beside the page, and gone when it is written. */
        snprintf(job->folder, sizeof job->folder, "%s.%ld.clips", o->output, (long)getpid());
    }
    const double skip = o->clip.skip;
    if (o->hear_prompt) {
        o->clip.skip = 0.0;
        o->clip.seconds += skip;
    }
    if (code == EXIT_DONE) code = make_clips(job, paths);
    o->clip.skip = skip;
    if (code == EXIT_DONE) code = write_tests(job);
    if (o->webmushra == NULL || code != EXIT_DONE) remove_clips(job);
    return code;
}

int command_eval_listen(int argc, char **argv)
{
    clips_job job;
    memset(&job, 0, sizeof job);
    clips_options *o = &job.options;
    *o = (clips_options){.clip = {.skip = 3.0, .seconds = 10.0, .lufs = -12.0},
                         .title = "Listening test",
                         .bits = 16,
                         .format = FORMAT_FLAC};
    text_list paths = {0};
    bool help = false;
    const option_spec specs[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE.html",
         "one page with everything in it"},
        {NULL, "--webmushra", OPTION_TEXT, &o->webmushra, 0, 0, NULL, "DIR",
         "instead: smitin.yaml for webMUSHRA, and clips as WAV"},
        {NULL, "--ask", OPTION_LIST, &o->ask, 0, 0, NULL, "NAME",
         "\"do you hear NAME?\"; may be given several times"},
        {NULL, "--title", OPTION_TEXT, &o->title, 0, 0, NULL, "TEXT", "[Listening test]"},
        {NULL, "--seconds", OPTION_DOUBLE, &o->clip.seconds, 0.5, 600, NULL, "S", "of a clip [10]"},
        {NULL, "--skip", OPTION_DOUBLE, &o->clip.skip, 0, 600, NULL, "S",
         "leave out the first S seconds of a piece, its prompt [3]"},
        {NULL, "--hear-prompt", OPTION_FLAG, &o->hear_prompt, 0, 0, NULL, NULL,
         "keep them in front of the clip, and tell listeners to ignore them"},
        {NULL, "--lufs", OPTION_DOUBLE, &o->clip.lufs, -60, -5, NULL, "L",
         "loudness of every clip [-12]"},
        {NULL, "--format", OPTION_CHOICE, &o->format, 0, 0, format_names, "NAME",
         "of the clips in the page: wav, flac, ogg or mp3 [flac]"},
        {NULL, "--manifest", OPTION_TEXT, &o->manifest, 0, 0, NULL, "FILE.csv",
         "write the clips' loudness and peaks"},
    };
    const size_t count = sizeof specs / sizeof *specs;
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval listen [OPTIONS] -o FILE.html FILE-OR-FOLDER...\n\n"
               "A listening test: clips in another order for every listener, quality from 1 to 5 "
               "and what is heard, by mouse or\nkeyboard. Answers download as CSV, which \"smitin "
               "eval mos\" reads. The folder of a piece is its condition.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_listen(&job, &paths);
    }
    job_free(&job);
    text_list_free(&paths);
    return code;
}

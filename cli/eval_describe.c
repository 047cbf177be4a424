/* SPDX-License-Identifier: MIT */
/* "smitin eval describe": a row a file of what can be heard in it, how it agrees with its prompt,
 * and what the JSON beside it says of its knobs. */
#include "eval.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/describe.h"
#include "../src/probe/task.h"

static const char *const profile_names[] = {"temperley", "krumhansl", NULL};

typedef struct describe_options {
    encoder_options encoder;
    const char *prompt, *prompts, *output;
    double skip;
    int profile;
    bool json, plain;
} describe_options;

typedef struct describe_job {
    describe_options options;
    encoders encoders;
    sm_describe_options how;
    sm_library prompts;     /* with --prompts */
    char prompt_path[2048]; /* of the description below */
    sm_description prompt;  /* the latest that was asked for */
    sm_sheet *sheet;
} describe_job;

static const char *key_name(const sm_key *key)
{
    return key->key < 0 ? "" : sm_key_names[key->key];
}

static void add_description(describe_job *job, const char *path, const sm_description *d)
{
    sm_sheet *s = job->sheet;
    char name[96];
    sm_sheet_row(s);
    sm_sheet_text(s, "file", path);
    eval_condition(path, name, sizeof name);
    sm_sheet_text(s, "condition", name);
    sm_sheet_number(s, "seconds", d->seconds);
    sm_sheet_number(s, "lufs", d->lufs);
    sm_sheet_number(s, "peak_db", d->peak_db);
    sm_sheet_number(s, "bpm", d->tempo.bpm);
    sm_sheet_number(s, "bpm_strength", d->tempo.strength);
    sm_sheet_text(s, "key", key_name(&d->key));
    sm_sheet_number(s, "key_correlation", d->key.correlation);
    sm_sheet_number(s, "key_margin", d->key.margin);
    const sm_recogniser *r = job->encoders.recogniser;
    for (int c = 0; r != NULL && c < sm_recogniser_classes(r); c++) {
        const bool heard = d->windows > 0;
        snprintf(name, sizeof name, "presence_%s", sm_recogniser_class(r, c));
        sm_sheet_number(s, name, heard ? d->presence[c] : (double)NAN);
        snprintf(name, sizeof name, "probability_%s", sm_recogniser_class(r, c));
        sm_sheet_number(s, name, heard ? d->probability[c] : (double)NAN);
    }
}

static void add_agreement(describe_job *job, const sm_description *d)
{
    const sm_agreement a = sm_description_agree(d, &job->prompt);
    sm_sheet_text(job->sheet, "prompt", job->prompt_path);
    sm_sheet_number(job->sheet, "similarity", a.similarity);
    sm_sheet_number(job->sheet, "prompt_bpm", job->prompt.tempo.bpm);
    sm_sheet_text(job->sheet, "tempo_agrees", sm_tempo_relation_name(a.tempo));
    sm_sheet_text(job->sheet, "prompt_key", key_name(&job->prompt.key));
    sm_sheet_number(job->sheet, "key_score", a.key);
    sm_sheet_number(job->sheet, "loudness_change", a.loudness);
}

/* NAME.wav -> NAME.json */
static void path_beside(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const int length =
        dot != NULL && (slash == NULL || dot > slash + 1) ? (int)(dot - path) : (int)strlen(path);
    snprintf(out, size, "%.*s.json", length, path);
}

static double json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* What "smitin generate" wrote beside a piece; a file of somebody else's is no error. */
static void add_knobs(sm_sheet *s, const char *path)
{
    static const char *const fields[] = {"alpha", "dose", "success", "success_half"};
    char beside[2048], column[160];
    path_beside(path, beside, sizeof beside);
    json_t *root = json_load_file(beside, 0, NULL);
    const json_t *seed = json_object_get(root, "seed");
    if (json_is_integer(seed)) sm_sheet_number(s, "seed", (double)json_integer_value(seed));
    const json_t *knobs = json_object_get(root, "knobs"), *knob = NULL;
    for (size_t i = 0; (knob = json_array_get(knobs, i)) != NULL; i++) {
        const char *name = json_string_value(json_object_get(knob, "knob"));
        for (size_t f = 0; name != NULL && f < sizeof fields / sizeof *fields; f++) {
            snprintf(column, sizeof column, "%s_%.100s", fields[f], name);
            sm_sheet_number(s, column, json_number(knob, fields[f]));
        }
    }
    json_decref(root);
}

/* The prompt of a piece: the one of --prompt, or the file of the same name among --prompts. */
static const char *prompt_of(const describe_job *job, const char *path)
{
    if (job->options.prompt != NULL) return job->options.prompt;
    char wanted[2048], have[2048];
    const char *name = strrchr(path, '/');
    path_beside(name != NULL ? name + 1 : path, wanted, sizeof wanted);
    for (size_t i = 0; i < job->prompts.count; i++) {
        const char *other = eval_file(&job->prompts, i);
        name = strrchr(other, '/');
        path_beside(name != NULL ? name + 1 : other, have, sizeof have);
        if (strcmp(wanted, have) == 0) return other;
    }
    return NULL;
}

static smitin_status load_prompt(describe_job *job, const char *path, smitin_error *error)
{
    if (strcmp(job->prompt_path, path) == 0) return SMITIN_OK;
    sm_describe_options how = job->how;
    how.skip = 0.0;
    sm_description_free(&job->prompt);
    job->prompt_path[0] = '\0';
    const smitin_status status = sm_describe_file(&job->prompt, path, &how, error);
    if (status == SMITIN_OK) snprintf(job->prompt_path, sizeof job->prompt_path, "%s", path);
    return status;
}

/* One row; false, and a line on standard error, when the file or its prompt cannot be read. */
static bool describe(describe_job *job, const char *path)
{
    const bool beside = job->options.prompt != NULL || job->options.prompts != NULL;
    smitin_error error = {0};
    sm_description d;
    const char *prompt = beside ? prompt_of(job, path) : NULL;
    if (beside && prompt == NULL) {
        fprintf(stderr, "smitin: skipped: '%s' has no prompt of its name in '%s'\n", path,
                job->options.prompts);
        return false;
    }
    smitin_status status = SMITIN_OK;
    if (prompt != NULL) status = load_prompt(job, prompt, &error);
    if (status == SMITIN_OK) status = sm_describe_file(&d, path, &job->how, &error);
    if (status != SMITIN_OK) {
        fprintf(stderr, "smitin: skipped: %s\n", error.message);
        return false;
    }
    add_description(job, path, &d);
    if (prompt != NULL) add_agreement(job, &d);
    add_knobs(job->sheet, path);
    sm_description_free(&d);
    return true;
}

static int run_describe(describe_job *job, const text_list *paths)
{
    const describe_options *o = &job->options;
    sm_library library = {0};
    size_t rows = 0;
    if (o->prompt != NULL && o->prompts != NULL) {
        fprintf(stderr, "smitin: give one prompt with --prompt, or a folder with --prompts\n");
        return EXIT_USAGE;
    }
    int code = eval_files(&library, paths);
    if (code == EXIT_DONE && o->prompts != NULL) {
        const char *folder = o->prompts;
        const text_list one = {.items = &folder, .count = 1};
        code = eval_files(&job->prompts, &one);
    }
    const encoder_options none = encoder_options_defaults(EMBED_NONE);
    if (code == EXIT_DONE)
        code = encoders_open(&job->encoders, o->plain ? &none : &o->encoder, !o->plain);
    job->how = (sm_describe_options){
        .recogniser = job->encoders.recogniser,
        .encoder = job->encoders.encoder.name != NULL ? &job->encoders.encoder : NULL,
        .profile = (sm_key_profile)o->profile,
        .skip = o->skip};
    job->sheet = sm_sheet_new();
    if (job->sheet == NULL) code = eval_no_memory();
    for (size_t i = 0; i < library.count && code == EXIT_DONE; i++) {
        rows += describe(job, eval_file(&library, i));
        progress_bar("listening", (double)(i + 1), (double)library.count);
    }
    sm_library_free(&library);
    if (code == EXIT_DONE && rows == 0) {
        fprintf(stderr, "smitin: no file could be described\n");
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE)
        code = eval_write(job->sheet, o->output, o->json);
    else
        sm_sheet_free(job->sheet);
    return code;
}

int command_eval_describe(int argc, char **argv)
{
    describe_job job;
    memset(&job, 0, sizeof job);
    describe_options *o = &job.options;
    o->encoder = encoder_options_defaults(EMBED_RECOGNISER);
    text_list paths = {0};
    bool help = false;
    option_spec specs[24] = {
        {NULL, "--prompt", OPTION_TEXT, &o->prompt, 0, 0, NULL, "FILE",
         "the clip that all pieces go on from: tempo, key and likeness beside it"},
        {NULL, "--prompts", OPTION_TEXT, &o->prompts, 0, 0, NULL, "DIR",
         "likewise, a clip of the same name for each piece"},
        {NULL, "--skip", OPTION_DOUBLE, &o->skip, 0, 3600, NULL, "S",
         "leave out the first S seconds of a piece, its prompt [0]"},
        {NULL, "--key-profile", OPTION_CHOICE, &o->profile, 0, 0, profile_names, "NAME",
         "temperley or krumhansl [temperley]"},
        {NULL, "--plain", OPTION_FLAG, &o->plain, 0, 0, NULL, NULL,
         "without instruments and likeness, so without a recogniser"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE", "[standard output]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL, "JSON instead of CSV"},
    };
    const size_t count = 7 + encoder_option_specs(&o->encoder, specs + 7, 17);
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf(
            "smitin eval describe [OPTIONS] FILE-OR-FOLDER...\n\n"
            "A row a file: length, loudness (LUFS), peak, tempo, key, presence of every "
            "instrument; beside a prompt how tempo\nand key agree and how alike they are (cosine "
            "of embeddings); and from the JSON beside a piece what its knobs did.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_describe(&job, &paths);
    }
    sm_description_free(&job.prompt);
    sm_library_free(&job.prompts);
    encoders_close(&job.encoders);
    text_list_free(&paths);
    return code;
}

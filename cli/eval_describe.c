/* SPDX-License-Identifier: MIT */
/* "smitin eval describe": a row a file of what can be heard in it, how it agrees with its prompt,
 * and what the JSON beside it says of its knobs. */
#include "eval.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/path.h"
#include "../src/eval/describe.h"
#include "../src/probe/task.h"

static const char *const profile_names[] = {"temperley", "krumhansl", NULL};

typedef struct command_options {
    describe_options how;
    const char *prompt, *prompts, *output;
    bool json;
} command_options;

static const char *key_name(const sm_key *key)
{
    return key->key < 0 ? "" : sm_key_names[key->key];
}

static void add_description(sm_sheet *s, const sm_recogniser *r, const char *path,
                            const sm_description *d)
{
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
    for (int c = 0; r != NULL && c < sm_recogniser_classes(r); c++) {
        const bool heard = d->windows > 0;
        snprintf(name, sizeof name, "presence_%s", sm_recogniser_class(r, c));
        sm_sheet_number(s, name, heard ? d->presence[c] : (double)NAN);
        snprintf(name, sizeof name, "probability_%s", sm_recogniser_class(r, c));
        sm_sheet_number(s, name, heard ? d->probability[c] : (double)NAN);
    }
}

static void add_agreement(sm_sheet *s, const describer *by, const sm_description *d)
{
    const sm_agreement a = sm_description_agree(d, &by->prompt);
    sm_sheet_text(s, "prompt", by->prompt_path);
    sm_sheet_number(s, "similarity", a.similarity);
    sm_sheet_number(s, "prompt_bpm", by->prompt.tempo.bpm);
    sm_sheet_text(s, "tempo_agrees", sm_tempo_relation_name(a.tempo));
    sm_sheet_text(s, "prompt_key", key_name(&by->prompt.key));
    sm_sheet_number(s, "key_score", a.key);
    sm_sheet_number(s, "loudness_change", a.loudness);
}

/* NAME.wav -> NAME.json */
static void path_beside(const char *path, char *out, size_t size)
{
    const char *name = sm_path_name(path);
    snprintf(out, size, "%.*s.json", (int)((size_t)(name - path) + sm_path_stem(name)), path);
}

static double json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* What "smitin generate" wrote beside a piece; a file of somebody else's is no error. All traits
 * are there at once when each is for more than half of the time. */
static void add_knobs(sm_sheet *s, const char *path)
{
    static const char *const fields[][2] = {
        {"alpha", "alpha"},     {"dose", "dose"},
        {"success", "success"}, {"success_half", "success_half"},
        {"removal", "removal"}, {"absence", "absence"},
        {"presence", "monitor"}};
    char beside[2048], column[160];
    double all = 1.0;
    path_beside(path, beside, sizeof beside);
    json_t *root = json_load_file(beside, 0, NULL);
    const json_t *seed = json_object_get(root, "seed");
    if (json_is_integer(seed)) sm_sheet_number(s, "seed", (double)json_integer_value(seed));
    const json_t *knobs = json_object_get(root, "knobs"), *knob = NULL;
    for (size_t i = 0; (knob = json_array_get(knobs, i)) != NULL; i++) {
        const char *name = json_string_value(json_object_get(knob, "knob"));
        const double success = json_number(knob, "success");
        all = isnan(success) || isnan(all) ? (double)NAN : success > 0.5 ? all : 0.0;
        for (size_t f = 0; name != NULL && f < sizeof fields / sizeof *fields; f++) {
            snprintf(column, sizeof column, "%s_%.100s", fields[f][1], name);
            sm_sheet_number(s, column, json_number(knob, fields[f][0]));
        }
    }
    if (json_array_size(knobs) > 1) sm_sheet_number(s, "simultaneous", all);
    json_decref(root);
}

static smitin_status load_prompt(describer *by, const char *path, double skip, smitin_error *error)
{
    if (strcmp(by->prompt_path, path) == 0 && !(by->prompt_skip < skip || by->prompt_skip > skip))
        return SMITIN_OK;
    sm_describe_options how = by->how;
    how.skip = skip;
    sm_description_free(&by->prompt);
    by->prompt_path[0] = '\0';
    SM_TRY(sm_describe_file(&by->prompt, path, &how, error));
    snprintf(by->prompt_path, sizeof by->prompt_path, "%s", path);
    by->prompt_skip = skip;
    return SMITIN_OK;
}

smitin_status describer_row(describer *by, sm_sheet *sheet, const described *piece,
                            smitin_error *error)
{
    sm_description d;
    sm_describe_options how = by->how;
    how.skip = piece->skip;
    if (piece->prompt != NULL) SM_TRY(load_prompt(by, piece->prompt, piece->prompt_skip, error));
    SM_TRY(sm_describe_file(&d, piece->path, &how, error));
    add_description(sheet, by->encoders.recogniser, piece->name, &d);
    if (piece->prompt != NULL) add_agreement(sheet, by, &d);
    add_knobs(sheet, piece->path);
    sm_description_free(&d);
    return SMITIN_OK;
}

int describer_open(describer *by, const describe_options *o)
{
    const encoder_options none = encoder_options_defaults(EMBED_NONE);
    memset(by, 0, sizeof *by);
    const int code = encoders_open(&by->encoders, o->plain ? &none : &o->encoder, !o->plain);
    by->how = (sm_describe_options){
        .recogniser = by->encoders.recogniser,
        .encoder = by->encoders.encoder.name != NULL ? &by->encoders.encoder : NULL,
        .profile = (sm_key_profile)o->profile};
    return code;
}

void describer_close(describer *by)
{
    sm_description_free(&by->prompt);
    encoders_close(&by->encoders);
}

describe_options describe_options_defaults(void)
{
    return (describe_options){.encoder = encoder_options_defaults(EMBED_RECOGNISER),
                              .skip = (double)NAN};
}

size_t describe_option_specs(describe_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--skip", OPTION_DOUBLE, &o->skip, 0, 3600, NULL, "S",
         "leave out the first S seconds of a piece, its prompt [0]"},
        {NULL, "--key-profile", OPTION_CHOICE, &o->profile, 0, 0, profile_names, "NAME",
         "temperley or krumhansl [temperley]"},
        {NULL, "--plain", OPTION_FLAG, &o->plain, 0, 0, NULL, NULL,
         "without instruments and likeness, so without a recogniser"},
    };
    const size_t count = options_add(specs, capacity, table, sizeof table / sizeof *table);
    return count + encoder_option_specs(&o->encoder, specs + count, capacity - count);
}

/* ---- The command ---- */

/* The prompt of a piece: the one of --prompt, or the file of the same name among --prompts. */
static const char *prompt_of(const command_options *o, const sm_library *prompts, const char *path)
{
    if (o->prompt != NULL) return o->prompt;
    char wanted[2048], have[2048];
    path_beside(sm_path_name(path), wanted, sizeof wanted);
    for (size_t i = 0; i < prompts->count; i++) {
        const char *other = eval_file(prompts, i);
        path_beside(sm_path_name(other), have, sizeof have);
        if (strcmp(wanted, have) == 0) return other;
    }
    return NULL;
}

/* One row; false, and a line on standard error, when the file or its prompt cannot be read. */
static bool describe(const command_options *o, describer *by, const sm_library *prompts,
                     sm_sheet *sheet, const char *path)
{
    const bool beside = o->prompt != NULL || o->prompts != NULL;
    smitin_error error = {0};
    described piece = {.path = path, .name = path};
    if (!isnan(o->how.skip)) piece.skip = o->how.skip;
    if (beside) piece.prompt = prompt_of(o, prompts, path);
    if (beside && piece.prompt == NULL) {
        fprintf(stderr, "smitin: skipped: '%s' has no prompt of its name in '%s'\n", path,
                o->prompts);
        return false;
    }
    if (describer_row(by, sheet, &piece, &error) == SMITIN_OK) return true;
    fprintf(stderr, "smitin: skipped: %s\n", error.message);
    return false;
}

static int run_describe(const command_options *o, const text_list *paths)
{
    sm_library library = {0}, prompts = {0};
    describer by = {0};
    size_t rows = 0;
    if (o->prompt != NULL && o->prompts != NULL) {
        fprintf(stderr, "smitin: give one prompt with --prompt, or a folder with --prompts\n");
        return EXIT_USAGE;
    }
    int code = eval_files(&library, paths);
    if (code == EXIT_DONE && o->prompts != NULL) {
        const char *folder = o->prompts;
        const text_list one = {.items = &folder, .count = 1};
        code = eval_files(&prompts, &one);
    }
    if (code == EXIT_DONE) code = describer_open(&by, &o->how);
    sm_sheet *sheet = sm_sheet_new();
    if (sheet == NULL) code = eval_no_memory();
    for (size_t i = 0; i < library.count && code == EXIT_DONE; i++) {
        rows += describe(o, &by, &prompts, sheet, eval_file(&library, i));
        progress_bar("listening", (double)(i + 1), (double)library.count);
    }
    if (code == EXIT_DONE && rows == 0) {
        fprintf(stderr, "smitin: no file could be described\n");
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE)
        code = eval_write(sheet, o->output, o->json);
    else
        sm_sheet_free(sheet);
    describer_close(&by);
    sm_library_free(&library);
    sm_library_free(&prompts);
    return code;
}

int command_eval_describe(int argc, char **argv)
{
    command_options o = {.how = describe_options_defaults()};
    text_list paths = {0};
    bool help = false;
    option_spec specs[24] = {
        {NULL, "--prompt", OPTION_TEXT, &o.prompt, 0, 0, NULL, "FILE",
         "the clip that all pieces go on from: tempo, key and likeness beside it"},
        {NULL, "--prompts", OPTION_TEXT, &o.prompts, 0, 0, NULL, "DIR",
         "likewise, a clip of the same name for each piece"},
        {"-o", "--output", OPTION_TEXT, &o.output, 0, 0, NULL, "FILE", "[standard output]"},
        {NULL, "--json", OPTION_FLAG, &o.json, 0, 0, NULL, NULL, "JSON instead of CSV"},
    };
    const size_t count = 4 + describe_option_specs(&o.how, specs + 4, 20);
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf(
            "smitin eval describe [OPTIONS] FILE-OR-FOLDER...\n\n"
            "A row a file: length, loudness (LUFS), peak, tempo, key, presence of every "
            "instrument; beside a prompt how tempo\nand key agree and how alike they are (cosine "
            "of embeddings); and from the JSON beside a piece what its knobs did.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_describe(&o, &paths);
    }
    text_list_free(&paths);
    return code;
}

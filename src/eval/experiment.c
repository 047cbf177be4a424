/* SPDX-License-Identifier: MIT */
/* Owns reading experiment files: every key known, every value of its kind, every name fit for a
 * folder. */
#include "experiment.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/filemap.h"

typedef struct reader {
    sm_experiment *experiment;
    const char *name; /* of the file */
    smitin_error *error;
} reader;

static smitin_status no_memory(smitin_error *error)
{
    return sm_fail_memory(error, "an experiment", 0);
}

/* Texts live as long as the JSON does; only what is made from numbers is copied. */
static const char *copy(const reader *r, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *to = SM_TAKE(r->experiment->arena, size, char);
    if (to != NULL) memcpy(to, text, size);
    return to;
}

static smitin_status wrong(const reader *r, const char *where, const char *key, const char *what)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT, "'%s': %s\"%.80s\" %s", r->name, where, key,
                   what);
}

/* ---- Texts and lists of them ---- */

static smitin_status read_texts(const reader *r, const char *key, bool alone, sm_words *out)
{
    const json_t *value = json_object_get(r->experiment->root, key);
    const bool one = alone && json_is_string(value);
    const char *what = alone ? "must be a path or a list of paths" : "must be a list of texts";
    if (value == NULL) return SMITIN_OK;
    out->count = one ? 1 : json_array_size(value);
    if (out->count == 0) return wrong(r, "", key, what);
    out->items = SM_TAKE(r->experiment->arena, out->count, const char *);
    if (out->items == NULL) return no_memory(r->error);
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = json_string_value(one ? value : json_array_get(value, i));
        if (out->items[i] == NULL || out->items[i][0] == '\0') return wrong(r, "", key, what);
    }
    return SMITIN_OK;
}

static smitin_status read_text(const reader *r, const char *key, const char **out)
{
    const json_t *value = json_object_get(r->experiment->root, key);
    if (value == NULL) return SMITIN_OK;
    *out = json_string_value(value);
    return *out != NULL && **out != '\0' ? SMITIN_OK : wrong(r, "", key, "must be a text");
}

/* A whole number low..high; left as it is without the key. */
static smitin_status read_whole(const reader *r, const char *key, double low, double high,
                                double *out)
{
    const json_t *value = json_object_get(r->experiment->root, key);
    if (value == NULL) return SMITIN_OK;
    const double number = json_is_number(value) ? json_number_value(value) : (double)NAN;
    if (!(number >= low && number <= high && number == floor(number)))
        return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                       "'%s': \"%s\" must be a whole number from %.0f to %.0f", r->name, key, low,
                       high);
    *out = number;
    return SMITIN_OK;
}

/* True or false; left as it is without the key. */
static smitin_status read_flag(const reader *r, const char *key, bool *out)
{
    const json_t *value = json_object_get(r->experiment->root, key);
    if (value == NULL) return SMITIN_OK;
    if (!json_is_boolean(value)) return wrong(r, "", key, "must be true or false");
    *out = json_is_true(value);
    return SMITIN_OK;
}

/* ---- Options as words ---- */

static bool is_option_name(const char *key)
{
    return key[0] >= 'a' && key[0] <= 'z' &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(key);
}

/* The text of a value as it would be typed; NULL: it has none, or memory is short. */
static const char *typed(const reader *r, const json_t *value)
{
    char text[48];
    if (json_is_string(value)) return json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        /* As short as it can be read back exactly. */
        snprintf(text, sizeof text, "%.15g", json_real_value(value));
        if (strtod(text, NULL) != json_real_value(value))
            snprintf(text, sizeof text, "%.17g", json_real_value(value));
    } else {
        return NULL;
    }
    return copy(r, text);
}

/* "--key", "value"; a list says the option again for each; true says it alone, false not at all. */
static smitin_status add_option(const reader *r, const char *where, const char *key,
                                const json_t *value, sm_words *words)
{
    const char *const what =
        "must be a text, a number, true, false, or a list of texts and numbers";
    if (!is_option_name(key))
        return wrong(r, where, key, "is no name of an option; write \"top-k\" for --top-k");
    if (json_is_false(value)) return SMITIN_OK;
    char text[128];
    snprintf(text, sizeof text, "--%.100s", key);
    const char *option = copy(r, text);
    if (option == NULL) return no_memory(r->error);
    if (json_is_true(value)) {
        words->items[words->count++] = option;
        return SMITIN_OK;
    }
    const bool list = json_is_array(value);
    const size_t count = list ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *word = typed(r, list ? json_array_get(value, i) : value);
        if (word == NULL) return wrong(r, where, key, what);
        words->items[words->count++] = option;
        words->items[words->count++] = word;
    }
    return SMITIN_OK;
}

/* What settings and conditions may not say, because the experiment says it. */
static const char *const taken[] = {"output", "format", "from", "json", "quiet", "trace",
                                    "input",  "batch",  "seed", "help", NULL};
static const char *const of_all[] = {"model",   "hf-repo",   "quantize", "cache",
                                     "threads", "cpu-level", NULL};

static bool among(const char *const *names, const char *key)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, key) == 0) return true;
    return false;
}

/* Words of `options`, which is an object; NULL gives none. */
static smitin_status read_options(const reader *r, const char *where, json_t *options,
                                  sm_words *words)
{
    size_t room = 0;
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value) room +=
        json_is_array(value) ? json_array_size(value) : 1;
    words->items = SM_TAKE(r->experiment->arena, 2 * room + 1, const char *);
    if (words->items == NULL) return no_memory(r->error);
    json_object_foreach(options, key, value)
    {
        SM_TRY(add_option(r, where, key, value, words));
    }
    return SMITIN_OK;
}

/* ---- Conditions ---- */

static bool is_folder_name(const char *name)
{
    const size_t length = strlen(name);
    return length > 0 && length <= 64 && name[0] != '.' && name[0] != '-' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               length;
}

static smitin_status check_keys(const reader *r, const char *where, json_t *options,
                                const char *const *refused, const char *why)
{
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value)
    {
        if (among(refused, key)) return wrong(r, where, key, why);
    }
    return SMITIN_OK;
}

static smitin_status fill_condition(const reader *r, const char *where, json_t *options,
                                    sm_condition *condition)
{
    const json_t *prompt = json_object_get(options, "prompt");
    condition->prompt = json_string_value(prompt);
    if (prompt != NULL && condition->prompt == NULL)
        return wrong(r, where, "prompt", "must be a text");
    if (condition->prompt != NULL && r->experiment->texts.count == 0 &&
        strstr(condition->prompt, SM_EXPERIMENT_TEXT) != NULL)
        return wrong(r, where, "prompt", "has a {text}, but there are no \"texts\" to put there");
    json_object_del(options, "prompt");
    json_object_del(options, "name");
    return read_options(r, where, options, &condition->words);
}

static smitin_status read_condition(const reader *r, int index, json_t *settings)
{
    sm_experiment *e = r->experiment;
    const json_t *list = json_object_get(e->root, "conditions");
    json_t *own = json_array_get(list, (size_t)index);
    sm_condition *condition = &e->conditions[index];
    char where[128];
    snprintf(where, sizeof where, "condition %d: ", index + 1);
    condition->name = json_string_value(json_object_get(own, "name"));
    if (condition->name == NULL || !is_folder_name(condition->name))
        return wrong(r, where, "name",
                     "must be a name for a folder: letters, digits, \"-\", \"_\" and \".\"");
    for (int i = 0; i < index; i++) {
        if (strcmp(e->conditions[i].name, condition->name) == 0)
            return wrong(r, where, condition->name, "is the name of another condition as well");
    }
    snprintf(where, sizeof where, "condition \"%s\": ", condition->name);
    SM_TRY(check_keys(r, where, own, taken, "is given by the experiment itself; leave it out"));
    SM_TRY(check_keys(r, where, own, of_all, "is the same for all conditions; put it in settings"));
    /* A shallow copy: the values, and with them the texts of words, stay the file's. */
    json_t *both = settings != NULL ? json_copy(settings) : json_object();
    smitin_status status = SMITIN_OK;
    if (both == NULL || json_object_update(both, own) != 0) status = no_memory(r->error);
    if (status == SMITIN_OK) status = fill_condition(r, where, both, condition);
    json_decref(both);
    return status;
}

static smitin_status read_conditions(const reader *r)
{
    sm_experiment *e = r->experiment;
    json_t *settings = json_object_get(e->root, "settings");
    const json_t *list = json_object_get(e->root, "conditions");
    const size_t count = json_array_size(list);
    if (settings != NULL && !json_is_object(settings))
        return wrong(r, "", "settings", "must be an object of options, {\"seconds\": 10}");
    SM_TRY(check_keys(r, "settings: ", settings, taken,
                      "is given by the experiment itself; leave it out"));
    if (json_object_get(settings, "name") != NULL)
        return wrong(r, "settings: ", "name", "belongs to a condition");
    if (count == 0 || count > SM_EXPERIMENT_CONDITIONS_MAX)
        return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                       "'%s': \"conditions\" must be a list of 1 to %d objects, such as {\"name\": "
                       "\"free\"}",
                       r->name, SM_EXPERIMENT_CONDITIONS_MAX);
    e->conditions = SM_TAKE(e->arena, count, sm_condition);
    if (e->conditions == NULL) return no_memory(r->error);
    for (e->count = 0; e->count < (int)count; e->count++)
        SM_TRY(read_condition(r, e->count, settings));
    return SMITIN_OK;
}

/* ---- The whole ---- */

static smitin_status read_describe(const reader *r)
{
    static const char *const refused[] = {"output", "json", "prompt", "prompts", "help", NULL};
    json_t *describe = json_object_get(r->experiment->root, "describe");
    if (describe != NULL && !json_is_object(describe))
        return wrong(r, "", "describe", "must be an object of options, {\"plain\": true}");
    SM_TRY(check_keys(r, "describe: ", describe, refused,
                      "is given by the experiment itself; leave it out"));
    return read_options(r, "describe: ", describe, &r->experiment->describe);
}

static smitin_status read_all(const reader *r)
{
    static const char *const known[] = {"about",    "clips",    "texts",      "pieces",
                                        "seed",     "settings", "conditions", "reference",
                                        "describe", "traces",   NULL};
    sm_experiment *e = r->experiment;
    const char *key, *about = NULL;
    json_t *value;
    double pieces = 0.0;
    json_object_foreach((json_t *)e->root, key, value)
    {
        if (!among(known, key))
            return wrong(r, "", key,
                         "is no key of an experiment (about, clips, texts, pieces, seed, settings, "
                         "conditions, traces, describe, reference); options go into settings");
    }
    e->seed = 1.0;
    SM_TRY(read_text(r, "about", &about));
    SM_TRY(read_texts(r, "clips", true, &e->clips));
    SM_TRY(read_texts(r, "texts", false, &e->texts));
    SM_TRY(read_whole(r, "pieces", 1, SM_EXPERIMENT_PIECES_MAX, &pieces));
    /* The seed of the last piece must still be a whole number in double. */
    SM_TRY(read_whole(r, "seed", 0, 9007199254740992.0 - SM_EXPERIMENT_PIECES_MAX, &e->seed));
    SM_TRY(read_text(r, "reference", &e->reference));
    SM_TRY(read_flag(r, "traces", &e->traces));
    e->pieces = (int)pieces;
    SM_TRY(read_conditions(r));
    return read_describe(r);
}

smitin_status sm_experiment_parse(sm_experiment *e, const char *text, size_t size, const char *name,
                                  smitin_error *error)
{
    json_error_t problem;
    const reader r = {.experiment = e, .name = name, .error = error};
    memset(e, 0, sizeof *e);
    if (size == 0 || size > SM_EXPERIMENT_BYTES_MAX)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' is no experiment: it is %s; see \"smitin eval run --help\"", name,
                       size == 0 ? "empty" : "larger than 16 MiB");
    e->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (e->root == NULL && json_error_code(&problem) == json_error_out_of_memory)
        return no_memory(error);
    if (e->root == NULL)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s', line %d: %s; correct the JSON there",
                       name, problem.line, problem.text);
    smitin_status status = SMITIN_OK;
    e->arena = sm_arena_new();
    if (e->arena == NULL)
        status = no_memory(error);
    else if (!json_is_object((json_t *)e->root))
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "'%s' is no experiment: it must be one JSON object; see \"smitin eval run "
                         "--help\"",
                         name);
    else
        status = read_all(&r);
    if (status != SMITIN_OK) sm_experiment_free(e);
    return status;
}

smitin_status sm_experiment_read(sm_experiment *e, const char *path, smitin_error *error)
{
    sm_filemap map = {0};
    memset(e, 0, sizeof *e);
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status =
        sm_experiment_parse(e, (const char *)map.data, map.size, path, error);
    sm_filemap_close(&map);
    return status;
}

void sm_experiment_free(sm_experiment *e)
{
    json_decref(e->root);
    sm_arena_free(e->arena);
    memset(e, 0, sizeof *e);
}

/* ---- Prompts ---- */

smitin_status sm_experiment_set_clips(sm_experiment *e, const char *const *files, size_t count,
                                      smitin_error *error)
{
    json_t *list = json_array();
    sm_words clips = {.items = SM_TAKE(e->arena, count, const char *)};
    for (size_t i = 0; i < count; i++) {
        json_t *text = json_string(files[i]);
        if (text == NULL) {
            json_decref(list);
            return sm_fail(error, SMITIN_ERROR_FORMAT,
                           "the clip '%s' has a name that is not UTF-8; rename it", files[i]);
        }
        if (clips.items != NULL) clips.items[clips.count++] = json_string_value(text);
        if (json_array_append_new(list, text) != 0) clips.items = NULL;
    }
    /* This frees the texts of the old list. */
    const bool done = clips.items != NULL && json_object_set(e->root, "clips", list) == 0;
    json_decref(list);
    if (!done) return no_memory(error);
    e->clips = clips;
    return SMITIN_OK;
}

smitin_status sm_experiment_settle(sm_experiment *e, const char *name, smitin_error *error)
{
    if (e->pieces > 0) return SMITIN_OK;
    const size_t clips = e->clips.count > 0 ? e->clips.count : 1;
    const size_t texts = e->texts.count > 0 ? e->texts.count : 1;
    if (clips > SM_EXPERIMENT_PIECES_MAX / texts)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s': every clip with every text are %zu times %zu pieces; say with "
                       "\"pieces\" how many you want, at most %d",
                       name, clips, texts, SM_EXPERIMENT_PIECES_MAX);
    e->pieces = (int)(clips * texts);
    return SMITIN_OK;
}

const char *sm_experiment_clip(const sm_experiment *e, int piece)
{
    return e->clips.count > 0 ? e->clips.items[(size_t)piece % e->clips.count] : NULL;
}

const char *sm_experiment_text(const sm_experiment *e, int piece)
{
    const size_t turn = (size_t)piece / (e->clips.count > 0 ? e->clips.count : 1);
    return e->texts.count > 0 ? e->texts.items[turn % e->texts.count] : NULL;
}

smitin_status sm_experiment_prompt(const sm_experiment *e, const sm_condition *condition, int piece,
                                   char **prompt, smitin_error *error)
{
    const char *text = sm_experiment_text(e, piece);
    const char *form = condition->prompt != NULL ? condition->prompt : text;
    const size_t mark = strlen(SM_EXPERIMENT_TEXT);
    *prompt = NULL;
    if (form == NULL || form[0] == '\0') return SMITIN_OK;
    char *filled = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&filled, &size);
    if (out == NULL) return no_memory(error);
    /* A text of the list stays as it is, whatever it holds. */
    const bool whole = condition->prompt == NULL;
    for (const char *at = form, *next; *at != '\0'; at = next) {
        next = whole ? NULL : strstr(at, SM_EXPERIMENT_TEXT);
        const size_t length = next != NULL ? (size_t)(next - at) : strlen(at);
        fwrite(at, 1, length, out);
        if (next != NULL) fputs(text != NULL ? text : "", out);
        next = next != NULL ? next + mark : at + length;
    }
    if (fclose(out) != 0) {
        free(filled);
        return no_memory(error);
    }
    *prompt = filled;
    return SMITIN_OK;
}

smitin_status sm_experiment_write(const sm_experiment *e, char **text, smitin_error *error)
{
    *text = json_dumps(e->root, JSON_INDENT(2));
    return *text != NULL ? SMITIN_OK : no_memory(error);
}

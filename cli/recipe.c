/* SPDX-License-Identifier: MIT */
#include "recipe.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/audio/audio.h"
#include "../src/base/filemap.h"
#include "common.h"

/* Which setting is which option. */
typedef struct setting {
    const char *key, *option;
} setting;

static const setting piece_settings[] = {
    {"model", "--model"},
    {"prompt", "--prompt"},
    {"input", "--input"},
    {"keep_prompt", "--keep-prompt"},
    {"melody", "--melody"},
    {"seconds", "--seconds"},
    {"bars", "--bars"},
    {"bpm", "--bpm"},
    {"beats_per_bar", "--beats-per-bar"},
    {"seed", "--seed"},
    {"temperature", "--temp"},
    {"top_k", "--top-k"},
    {"top_p", "--top-p"},
    {"guidance", "--cfg"},
    {"cpu_level", "--cpu-level"},
    {"rate", "--rate"},
    {"bits", "--bits"},
    {"lufs_target", "--lufs"},
    {"level", "--level"},
    {"weights", "--quantize"},
    {"cache", "--cache"},
    {"long", "--long"},
    {"window", "--window"},
    {"stride", "--stride"},
};

/* One value for all knobs of a command line, so the first knob's will do. */
static const setting knob_settings[] = {
    {"method", "--method"},
    {"direction", "--direction"},
    {"branch", "--branch"},
    {"every", "--every"},
    {"power", "--power"},
    {"weights", "--weights"},
    {"top_heads", "--top-heads"},
    {"statistic", "--statistic"},
    {"monitor_heads", "--monitor-heads"},
    {"decay", "--decay"},
    {"decay_rate", "--decay-rate"},
    {"pid", "--pid"},
    {"schedule", "--schedule"},
    {"schedule_from", "--schedule-from"},
    {"schedule_to", "--schedule-to"},
    {"lag", "--lag"},
    {"orthogonal", "--orthogonal"},
    {"direction_seed", "--direction-seed"},
    {"forced", "--force-knob"},
    {"threshold_set", "--threshold"},
};

static int damaged(const char *path, const char *what)
{
    fprintf(stderr,
            "smitin: the settings in %s are damaged: %s; give the .json beside the file, or the "
            "settings as options\n",
            path, what);
    return EXIT_FAILED;
}

static int out_of_memory(void)
{
    fprintf(stderr, "smitin: there is not enough memory for the settings of --from\n");
    return EXIT_FAILED;
}

static bool add_word(recipe *r, const char *word)
{
    if (r->count == RECIPE_WORDS) return false;
    r->words[r->count] = strdup(word);
    return r->words[r->count] != NULL && ++r->count;
}

/* "--option value", or "--option" alone for true; null and false are as if they were not there. */
static int add_setting(recipe *r, const char *path, const json_t *from, const setting *one)
{
    const json_t *value = json_object_get(from, one->key);
    char number[40] = "";
    const char *text = number;
    if (value == NULL || json_is_null(value) || json_is_false(value)) return EXIT_DONE;
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, sizeof number, "%.17g", json_real_value(value));
    else if (json_is_string(value))
        text = json_string_value(value);
    else if (!json_is_true(value))
        return damaged(path, one->key);
    const bool flag = json_is_true(value);
    if (!add_word(r, one->option) || (!flag && !add_word(r, text))) return out_of_memory();
    return EXIT_DONE;
}

static int add_settings(recipe *r, const char *path, const json_t *from, const setting *settings,
                        size_t count)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < count && code == EXIT_DONE; i++)
        code = add_setting(r, path, from, &settings[i]);
    return code;
}

const json_t *recipe_knob(const recipe *r, int index)
{
    return json_array_get(json_object_get(r->root, "knobs"), (size_t)index);
}

static int add_knobs(recipe *r, const char *path)
{
    char word[2048];
    for (int i = 0; recipe_knob(r, i) != NULL; i++) {
        const json_t *knob = recipe_knob(r, i);
        const char *file = json_string_value(json_object_get(knob, "file"));
        const json_t *alpha = json_object_get(knob, "alpha");
        if (file == NULL || !json_is_number(alpha)) return damaged(path, "a knob has no file");
        snprintf(word, sizeof word, "%.1900s:%.17g", file, json_number_value(alpha));
        if (!add_word(r, "--knob") || !add_word(r, word)) return out_of_memory();
    }
    return add_settings(r, path, recipe_knob(r, 0), knob_settings,
                        sizeof knob_settings / sizeof *knob_settings);
}

static void read_clip(recipe *r)
{
    const json_t *region = json_object_get(r->root, "input_region");
    const json_t *seconds = json_object_get(region, "seconds");
    r->clip.known = json_is_object(region);
    r->clip.start = json_number_value(json_object_get(region, "start"));
    r->clip.seconds = json_is_number(seconds) ? json_number_value(seconds) : -1.0;
    r->clip.samples = (size_t)json_integer_value(json_object_get(region, "samples"));
}

/* A length comes from bars where there are any; "seconds" is then what follows from them. */
static void prefer_bars(recipe *r)
{
    if (json_is_number(json_object_get(r->root, "bars"))) json_object_del(r->root, "seconds");
}

static bool is_json(const char *path)
{
    const size_t length = strlen(path);
    return length >= 5 && strcmp(path + length - 5, ".json") == 0;
}

static int load(recipe *r, const char *path)
{
    smitin_error error = {0};
    json_error_t problem;
    if (is_json(path)) {
        sm_filemap map;
        if (sm_filemap_open(&map, path, &error) != SMITIN_OK) return report_error(&error);
        r->root = json_loadb((const char *)map.data, map.size, JSON_REJECT_DUPLICATES, &problem);
        sm_filemap_close(&map);
    } else {
        char *comment = NULL;
        if (sm_audio_read_tag(&comment, path, "comment", &error) != SMITIN_OK)
            return report_error(&error);
        if (comment == NULL) {
            fprintf(stderr,
                    "smitin: %s has no settings in its tags; give a file that smitin wrote, or its "
                    ".json\n",
                    path);
            return EXIT_FAILED;
        }
        const size_t length = strlen(comment);
        r->root = json_loads(comment, JSON_REJECT_DUPLICATES, &problem);
        free(comment);
        if (r->root == NULL && length >= SM_AUDIO_TAG_MAX - 3) {
            fprintf(stderr,
                    "smitin: the settings were too long for the tags of %s; give the .json beside "
                    "it\n",
                    path);
            return EXIT_FAILED;
        }
    }
    if (r->root == NULL) return damaged(path, problem.text);
    if (!json_is_string(json_object_get(r->root, "smitin")))
        return damaged(path, "they are not smitin's");
    return EXIT_DONE;
}

int recipe_read(recipe *r, const char *path)
{
    memset(r, 0, sizeof *r);
    int code = load(r, path);
    if (code == EXIT_DONE && !add_word(r, "generate")) code = out_of_memory();
    if (code != EXIT_DONE) return code;
    prefer_bars(r);
    code = add_settings(r, path, r->root, piece_settings,
                        sizeof piece_settings / sizeof *piece_settings);
    if (code == EXIT_DONE) code = add_knobs(r, path);
    read_clip(r);
    return code;
}

void recipe_free(recipe *r)
{
    json_decref(r->root);
    for (int i = 0; i < r->count; i++) free(r->words[i]);
    memset(r, 0, sizeof *r);
}

const char *recipe_text(const recipe *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->root, key));
    return text != NULL ? text : "";
}

void recipe_hash(const void *data, size_t size, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    if (EVP_Digest(data, size, digest, &length, EVP_sha256(), NULL) != 1) return;
    for (unsigned i = 0; i < length && i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void recipe_hash_file(const char *path, char hex[65])
{
    sm_filemap map;
    hex[0] = '\0';
    if (sm_filemap_open(&map, path, NULL) != SMITIN_OK) return;
    recipe_hash(map.data, map.size, hex);
    sm_filemap_close(&map);
}

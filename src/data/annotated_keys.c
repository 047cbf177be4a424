/* SPDX-License-Identifier: MIT */
/* Owns keys: the two GiantSteps sets, one to train and one to test. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/filemap.h"
#include "entries.h"
#include "layout.h"

static const char *const test_name = "giantsteps-key-dataset";
static const char *const train_name = "giantsteps-mtg-key-dataset";

typedef struct keys {
    sm_entries *entries;
    const char *root;
    char folder[512]; /* of the set below the root, "" for the root itself */
    json_t *artists;  /* name in lower case -> whether it is in the valid split */
    json_t *of_track; /* id -> "artist, artist" in lower case */
} keys;

static void path_in(const keys *k, char *out, size_t size, const char *rest)
{
    snprintf(out, size, "%.1500s%s%s/%s", k->root, k->folder[0] != '\0' ? "/" : "", k->folder,
             rest);
}

/* Lower case of ASCII, Latin-1 and Latin Extended-A in UTF-8: as far as names of artists go. */
static void lower(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text != '\0' && n + 2 < size; text++) {
        const unsigned char a = (unsigned char)*text, b = (unsigned char)text[1];
        if (a == 0xC3 && b >= 0x80 && b <= 0x9E && b != 0x97) {
            out[n++] = *text++;
            out[n++] = (char)(b + 0x20);
        } else if ((a == 0xC4 || a == 0xC5) && b >= 0x80) {
            const unsigned code = (unsigned)(a & 0x1F) << 6 | (b & 0x3F);
            const bool odd_is_capital = (code >= 0x139 && code <= 0x148) || code >= 0x179;
            const bool capital = code != 0x130 && code != 0x138 && code != 0x149 && code != 0x178 &&
                                 code != 0x17F && (code % 2 == 1) == odd_is_capital;
            const unsigned small = code + capital;
            out[n++] = (char)(0xC0 | small >> 6);
            out[n++] = (char)(0x80 | (small & 0x3F));
            text++;
        } else {
            out[n++] = (char)tolower(a);
        }
    }
    out[n] = '\0';
}

/* The next artist of a list that "," separates, without blanks around. */
static bool next_artist(const char **at, char *out, size_t size)
{
    while (**at == ',' || **at == ' ') (*at)++;
    size_t length = strcspn(*at, ",");
    const char *begin = *at;
    *at += length;
    while (length > 0 && begin[length - 1] == ' ') length--;
    snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), begin);
    return length > 0;
}

/* The published split: SHA-1 of an artist modulo 116, below 100 to train; whoever worked with an
 * artist of the valid split is in it, too, looked at twice. */
static smitin_status split_artists(keys *k, smitin_error *error)
{
    const char *id, *at;
    json_t *list;
    char artist[512];
    json_object_foreach(k->of_track, id, list)
    {
        for (at = json_string_value(list); next_artist(&at, artist, sizeof artist);) {
            unsigned share;
            SM_TRY(sm_sha1_modulo(artist, 116, &share, error));
            json_object_set_new(k->artists, artist, json_boolean(share >= 100));
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        json_object_foreach(k->of_track, id, list)
        {
            bool valid = false;
            for (at = json_string_value(list); next_artist(&at, artist, sizeof artist);)
                valid = valid || json_is_true(json_object_get(k->artists, artist));
            for (at = json_string_value(list); valid && next_artist(&at, artist, sizeof artist);)
                json_object_set_new(k->artists, artist, json_true());
        }
    }
    return SMITIN_OK;
}

/* Names of artists; without the file every track stands for itself. */
static smitin_status read_artists(keys *k, smitin_error *error)
{
    char path[2400], names[512];
    sm_table table;
    path_in(k, path, sizeof path, "annotations/beatport_metadata.txt");
    if (sm_table_read(&table, path, true, NULL) != SMITIN_OK) {
        sm_library_note(&k->entries->notes, "'%s' cannot be read, so artists are not known", path);
        return SMITIN_OK;
    }
    const long id = sm_table_column(&table, "ID"), artist = sm_table_column(&table, "ARTIST");
    for (size_t i = 0; i < table.rows && id >= 0 && artist >= 0; i++) {
        char **cells = table.cells + i * table.columns;
        lower(names, sizeof names, cells[artist]);
        if (names[0] != '\0') json_object_set_new(k->of_track, cells[id], json_string(names));
    }
    sm_table_free(&table);
    return split_artists(k, error);
}

/* Add a track whose key is that of the text. */
static smitin_status add_track(keys *k, const char *id, const char *text, int split,
                               smitin_error *error)
{
    char folder[600], file[1400], stem[256], track[600];
    const int key = sm_key_parse(text);
    const char *artists = json_string_value(json_object_get(k->of_track, id)), *at = artists;
    if (key < 0) {
        sm_library_note(&k->entries->notes, "skipped: '%s' has no single key but '%.40s'", id,
                        text);
        return SMITIN_OK;
    }
    snprintf(folder, sizeof folder, "%s%saudio", k->folder, k->folder[0] != '\0' ? "/" : "");
    snprintf(stem, sizeof stem, "%.200s.LOFI", id);
    snprintf(track, sizeof track, "%s%s%.80s", k->folder, k->folder[0] != '\0' ? "/" : "", id);
    bool found = sm_find_audio(k->root, folder, stem, file, sizeof file);
    if (!found) {
        snprintf(stem, sizeof stem, "%.200s", id);
        found = sm_find_audio(k->root, folder, stem, file, sizeof file);
    }
    if (!found)
        snprintf(file, sizeof file, "%s/%.200s.LOFI.mp3", folder, id); /* named as missing */
    char artist[512] = "";
    if (artists != NULL) next_artist(&at, artist, sizeof artist);
    if (split == SM_SPLIT_TRAIN && json_is_true(json_object_get(k->artists, artist)))
        split = SM_SPLIT_VALID;
    sm_entry *entry = NULL;
    SM_TRY(sm_entries_add(k->entries, k->root, file, track, artist[0] != '\0' ? artist : track,
                          split, &entry, error));
    return sm_entries_label(k->entries, entry, sm_key_names[key], error);
}

/* The set to train: a table with confidences; only sure and single keys are used. */
static smitin_status read_confident(keys *k, smitin_error *error)
{
    char path[2400];
    sm_table table;
    path_in(k, path, sizeof path, "annotations/annotations.txt");
    SM_TRY(sm_table_read(&table, path, true, error));
    const long id = sm_table_column(&table, "ID"), key = sm_table_column(&table, "MANUAL KEY"),
               sure = sm_table_column(&table, "C");
    smitin_status status = SMITIN_OK;
    size_t unsure = 0;
    if (id < 0 || key < 0 || sure < 0)
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "'%s' has no columns ID, MANUAL KEY and C, separated by tabs", path);
    if (status == SMITIN_OK) status = read_artists(k, error);
    for (size_t i = 0; i < table.rows && status == SMITIN_OK; i++) {
        char **cells = table.cells + i * table.columns;
        if (strcmp(cells[sure], "2") != 0 || !sm_plain_name(cells[id]))
            unsure++;
        else
            status = add_track(k, cells[id], cells[key], SM_SPLIT_TRAIN, error);
    }
    if (unsure > 0)
        sm_library_note(&k->entries->notes,
                        "skipped: the keys of %zu tracks of '%s' are not sure (C is not 2)", unsure,
                        path);
    sm_table_free(&table);
    return status;
}

/* One .key file. */
static smitin_status read_key_file(keys *k, const char *folder, const char *name,
                                   smitin_error *error)
{
    char id[256], text[256];
    sm_filemap map;
    char *path = sm_path_join(folder, name);
    if (path == NULL) return sm_fail_memory(error, name, 0);
    smitin_error problem;
    const smitin_status status = sm_filemap_open(&map, path, &problem);
    free(path);
    if (status != SMITIN_OK) {
        sm_library_note(&k->entries->notes, "skipped: %s", problem.message);
        return SMITIN_OK;
    }
    snprintf(text, sizeof text, "%.*s", (int)(map.size < 200 ? map.size : 200),
             map.data != NULL ? (const char *)map.data : "");
    sm_filemap_close(&map);
    snprintf(id, sizeof id, "%.*s", (int)(strlen(name) - strlen(".key")), name);
    const size_t length = strlen(id);
    if (length > 5 && strcmp(id + length - 5, ".LOFI") == 0) id[length - 5] = '\0';
    return add_track(k, id, text, SM_SPLIT_TEST, error);
}

/* The set to test: a file for each track. */
static smitin_status read_key_files(keys *k, smitin_error *error)
{
    static const char *const places[] = {"annotations/key", "keys"};
    char path[2400];
    struct dirent **names = NULL;
    int count = -1;
    for (int i = 0; i < 2 && count < 0; i++) {
        path_in(k, path, sizeof path, places[i]);
        count = sm_path_list(path, &names);
    }
    smitin_status status = SMITIN_OK;
    if (count < 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' is not GiantSteps: it has no folder annotations/key; point at %s, at "
                       "%s, or at the folder that holds both",
                       k->root, test_name, train_name);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(names[i]->d_name, '.');
        if (status == SMITIN_OK && dot != NULL && strcmp(dot, ".key") == 0)
            status = read_key_file(k, path, names[i]->d_name, error);
        free(names[i]);
    }
    free(names);
    return status;
}

/* Whichever set lies in the folder below the root. */
static smitin_status read_set(keys *k, const char *folder, smitin_error *error)
{
    char path[2400];
    snprintf(k->folder, sizeof k->folder, "%s", folder);
    path_in(k, path, sizeof path, "annotations");
    if (sm_path_exists(path, "annotations.txt")) return read_confident(k, error);
    return read_key_files(k, error);
}

static bool has_folder(const char *root, const char *name)
{
    struct dirent **names = NULL;
    char *path = sm_path_join(root, name);
    const int count = path != NULL ? sm_path_list(path, &names) : -1;
    for (int i = 0; i < count; i++) free(names[i]);
    if (count >= 0) free(names);
    free(path);
    return count >= 0;
}

static smitin_status read_giantsteps(sm_entries *entries, const sm_collection_options *options,
                                     smitin_error *error)
{
    keys k = {.entries = entries,
              .root = options->root,
              .artists = json_object(),
              .of_track = json_object()};
    smitin_status status = SMITIN_OK;
    const bool train = has_folder(options->root, train_name),
               test = has_folder(options->root, test_name);
    for (int i = 0; i < SM_KEYS && status == SMITIN_OK; i++) {
        int number;
        status = sm_entries_name(entries, sm_key_names[i], &number, error);
    }
    entries->ordered = true;
    if (status == SMITIN_OK && train) status = read_set(&k, train_name, error);
    if (status == SMITIN_OK && test) status = read_set(&k, test_name, error);
    if (status == SMITIN_OK && !train && !test) status = read_set(&k, "", error);
    json_decref(k.artists);
    json_decref(k.of_track);
    return status;
}

const sm_annotations sm_annotations_giantsteps = {.name = "giantsteps",
                                                  .title = "GiantSteps key",
                                                  .task = SM_TASK_MULTICLASS,
                                                  .read = read_giantsteps};

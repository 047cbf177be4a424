/* SPDX-License-Identifier: MIT */
/* Owns classes that are folders: the user's own, and GTZAN's genres with their published split. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "layout.h"

/* "a/b", or "b" when a is empty. */
static void join(char *out, size_t size, const char *a, const char *b)
{
    snprintf(out, size, "%.1900s%s%.300s", a, a[0] != '\0' && b[0] != '\0' ? "/" : "", b);
}

/* The last part of a path without its suffix. */
static void stem_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    snprintf(out, size, "%.*s", (int)(dot != NULL ? (size_t)(dot - name) : strlen(name)), name);
}

/* The audio files directly in root/folder, all of the class. `splits` (NULL: there are none) says
 * by file stem which are used, and where. */
static smitin_status add_class(sm_entries *entries, const char *root, const char *folder,
                               const char *class, const json_t *splits, smitin_error *error)
{
    char path[2300], stem[256];
    struct dirent **names = NULL;
    join(path, sizeof path, root, folder);
    const int count = sm_path_list(path, &names);
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        stem_of(name, stem, sizeof stem);
        join(path, sizeof path, folder, name);
        const json_t *split = json_object_get(splits, stem);
        if (status == SMITIN_OK && sm_path_is_audio(name) && (splits == NULL || split != NULL)) {
            sm_entry *entry = NULL;
            status = sm_entries_add(entries, root, path, path, path,
                                    split != NULL ? (int)json_integer_value(split) : SM_SPLIT_ANY,
                                    &entry, error);
            if (status == SMITIN_OK) status = sm_entries_label(entries, entry, class, error);
        }
        free(names[i]);
    }
    if (count >= 0) free(names);
    return status;
}

/* Every folder in root/below is a class. */
static smitin_status add_classes(sm_entries *entries, const char *root, const char *below,
                                 const json_t *splits, smitin_error *error)
{
    char path[2300];
    struct dirent **names = NULL;
    join(path, sizeof path, root, below);
    const int count = sm_path_list(path, &names);
    if (count < 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot look into the folder '%s'; check the path",
                       path);
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < count; i++) {
        join(path, sizeof path, below, names[i]->d_name);
        if (status == SMITIN_OK)
            status = add_class(entries, root, path, names[i]->d_name, splits, error);
        free(names[i]);
    }
    free(names);
    return status;
}

static smitin_status read_folders(sm_entries *entries, const sm_collection_options *options,
                                  smitin_error *error)
{
    return add_classes(entries, options->root, "", NULL, error);
}

const sm_annotations sm_annotations_folders = {
    .name = "folders", .title = "folders", .task = SM_TASK_MULTICLASS, .read = read_folders};

/* ---- GTZAN: genres / "blues" / "blues.00000.wav", and perhaps lists of a split ---- */

/* Where below the root the genres lie; false when nowhere. */
static bool find_genres(const char *root, const char **below)
{
    static const char *const places[] = {"", "genres", "genres_original", "Data/genres_original"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char folder[2300], path[2400];
        struct dirent **names = NULL;
        join(folder, sizeof folder, root, places[i]);
        snprintf(path, sizeof path, "%s/blues", folder);
        const int count = sm_path_list(path, &names);
        for (int n = 0; n < count; n++) free(names[n]);
        if (count < 0) continue;
        free(names);
        *below = places[i];
        return true;
    }
    return false;
}

/* The files of one list, by their stems. */
static void read_list(sm_entries *entries, json_t *splits, const char *path, sm_split split)
{
    FILE *file = fopen(path, "r");
    char line[1024], stem[256];
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0') continue;
        stem_of(line, stem, sizeof stem);
        const json_t *other = json_object_get(splits, stem);
        if (other != NULL)
            sm_library_note(&entries->notes, "'%s' is listed twice; the %s split has it", stem,
                            sm_split_names[json_integer_value(other)]);
        else if (json_object_set_new(splits, stem, json_integer(split)) != 0)
            sm_library_note(&entries->notes, "skipped: a line of '%s' is not UTF-8", path);
    }
    fclose(file);
}

/* What the lists name and the folders lack. */
static void note_missing(sm_entries *entries, json_t *splits)
{
    const char *name;
    json_t *split;
    char stem[256];
    for (size_t i = 0; i < entries->count; i++) {
        stem_of(entries->items[i].track, stem, sizeof stem);
        json_object_del(splits, stem);
    }
    json_object_foreach(splits, name, split)
    {
        sm_library_note(&entries->notes, "skipped: '%s' of the %s list is missing", name,
                        sm_split_names[json_integer_value(split)]);
    }
}

static smitin_status read_gtzan(sm_entries *entries, const sm_collection_options *options,
                                smitin_error *error)
{
    const char *below = NULL;
    if (!find_genres(options->root, &below))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' is not GTZAN: there is no folder 'blues' in it, in 'genres' or in "
                       "'genres_original'; for other classes take --dataset folders",
                       options->root);
    json_t *splits = json_object();
    if (splits == NULL) return sm_fail_memory(error, "a split", 0);
    for (int s = 0; s < SM_SPLITS; s++) {
        char folder[2300], path[2400];
        snprintf(path, sizeof path, "%.2000s/%s_filtered.txt", options->root, sm_split_names[s]);
        read_list(entries, splits, path, (sm_split)s);
        if (below[0] == '\0') continue;
        join(folder, sizeof folder, options->root, below);
        snprintf(path, sizeof path, "%s/%s_filtered.txt", folder, sm_split_names[s]);
        read_list(entries, splits, path, (sm_split)s);
    }
    const bool listed = json_object_size(splits) > 0;
    const smitin_status status =
        add_classes(entries, options->root, below, listed ? splits : NULL, error);
    if (listed)
        note_missing(entries, splits);
    else
        sm_library_note(
            &entries->notes,
            "GTZAN: there are no lists train_filtered.txt, valid_filtered.txt and "
            "test_filtered.txt, so files are held out by chance and artists are on both "
            "sides: do not compare the scores with published ones");
    json_decref(splits);
    return status;
}

const sm_annotations sm_annotations_gtzan = {
    .name = "gtzan", .title = "GTZAN", .task = SM_TASK_MULTICLASS, .read = read_gtzan};

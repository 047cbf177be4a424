/* SPDX-License-Identifier: MIT */
/* Owns MoisesDB's tracks: data.json lists the stems, each the sum of one or more recordings in
 * STEM/ID.EXTENSION. The set has no split of its own; here the artist's name decides. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "layout.h"

static const char *text_of(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : fallback;
}

/* FNV-1a of the lower-case name modulo 10: 1 and 2 are held out, the same for everyone. */
static sm_side side_of_artist(const char *artist, char *key, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    size_t length = 0;
    for (; *artist != '\0' && length + 1 < size; artist++) {
        key[length] = (char)tolower((unsigned char)*artist);
        hash = (hash ^ (unsigned char)key[length++]) * UINT64_C(1099511628211);
    }
    key[length] = '\0';
    return hash % 10 == 1 || hash % 10 == 2 ? SM_SIDE_TEST : SM_SIDE_TRAIN;
}

static size_t count_files(const json_t *stems)
{
    size_t total = 0;
    for (size_t i = 0; i < json_array_size(stems); i++)
        total += json_array_size(json_object_get(json_array_get(stems, i), "tracks"));
    return total;
}

/* One recording: noted and left out, or added. */
static smitin_status add_recording(sm_library *library, sm_track *track, const char *folder,
                                   const char *stem, const json_t *recording, bool target,
                                   smitin_error *error)
{
    const char *id = text_of(recording, "id", ""),
               *extension = text_of(recording, "extension", "wav");
    char file[640];
    if (!sm_plain_name(stem) || !sm_plain_name(id) || !sm_plain_name(extension)) {
        sm_library_note(library,
                        "skipped: '%s/data.json' names a recording that is not a plain file name",
                        folder);
        return SMITIN_OK;
    }
    snprintf(file, sizeof file, "%s/%s.%s", stem, id, extension);
    if (json_is_true(json_object_get(recording, "has_bleed"))) {
        sm_library_note(library, "skipped: in '%s/%s' other instruments can be heard", folder,
                        file);
    } else if (strcmp(text_of(recording, "trackType", ""), "click track") == 0) {
        sm_library_note(library, "skipped: '%s/%s' is a click track", folder, file);
    } else if (!sm_path_exists(folder, file)) {
        sm_library_note(library, "skipped: '%s/%s' is missing", folder, file);
    } else {
        return sm_library_stem(library, track, folder, file, target, error);
    }
    return SMITIN_OK;
}

static smitin_status add_all(sm_library *library, const json_t *root, const char *folder,
                             const char *name, const char *target, smitin_error *error)
{
    const json_t *stems = json_object_get(root, "stems");
    const char *artist = text_of(root, "artist", "");
    const size_t files = count_files(stems);
    char key[256];
    if (files == 0 || files > 10000) {
        sm_library_note(library, "skipped: '%s/data.json' lists %zu recordings", folder, files);
        return SMITIN_OK;
    }
    /* Artists without a name are not one artist. */
    const sm_side side = side_of_artist(artist[0] != '\0' ? artist : name, key, sizeof key);
    sm_track *track = NULL;
    SM_TRY(sm_library_track(library, name, key, (int)files, &track, error));
    track->side = side;
    for (size_t i = 0; i < json_array_size(stems); i++) {
        const json_t *stem = json_array_get(stems, i);
        const char *stem_name = text_of(stem, "stemName", "");
        const json_t *recordings = json_object_get(stem, "tracks");
        for (size_t j = 0; j < json_array_size(recordings); j++)
            SM_TRY(add_recording(library, track, folder, stem_name, json_array_get(recordings, j),
                                 sm_target_has(target, stem_name), error));
    }
    if (track->count == 0) {
        library->count--;
        sm_library_note(library, "skipped: '%s' has no usable recording", folder);
    }
    return SMITIN_OK;
}

static smitin_status read_moisesdb(sm_library *library, const char *folder, const char *name,
                                   sm_side side, const char *target, smitin_error *error)
{
    (void)side; /* no folder says it */
    char *path = sm_path_join(folder, "data.json");
    if (path == NULL) return sm_fail_memory(error, folder, 0);
    json_error_t problem;
    json_t *root = json_load_file(path, 0, &problem);
    smitin_status status = SMITIN_OK;
    if (root == NULL)
        sm_library_note(library, "skipped: '%s', line %d: %s", path, problem.line, problem.text);
    else
        status = add_all(library, root, folder, name, target, error);
    json_decref(root);
    free(path);
    return status;
}

const sm_layout sm_layout_moisesdb = {
    .name = "moisesdb",
    .title = "MoisesDB",
    .licence = "CC BY-NC-SA 4.0 (MoisesDB)",
    .marker = "data.json",
    .complete = {240},
    .read = read_moisesdb,
};

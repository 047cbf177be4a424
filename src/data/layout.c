/* SPDX-License-Identifier: MIT */
/* Owns finding the tracks of a data set: which folders are tracks and which split they are in. */
#include "layout.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const sm_layout *const layouts[] = {&sm_layout_musdb, &sm_layout_moisesdb, &sm_layout_slakh};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

const sm_layout *sm_layout_named(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i]->name, name) == 0) return layouts[i];
    return NULL;
}

static int folded(char c)
{
    return c == ' ' ? '_' : tolower((unsigned char)c);
}

bool sm_target_has(const char *target, const char *name)
{
    for (const char *at = target; *at != '\0';) {
        const size_t length = strcspn(at, "+");
        size_t i = 0;
        while (i < length && name[i] != '\0' && folded(at[i]) == folded(name[i])) i++;
        if (length > 0 && i == length && name[i] == '\0') return true;
        at += length + (at[length] == '+');
    }
    return false;
}

bool sm_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strlen(name) < 200 && strchr(name, '/') == NULL;
}

static bool exists(const char *path, bool folder)
{
    struct stat info;
    return stat(path, &info) == 0 && (folder ? S_ISDIR(info.st_mode) : !S_ISDIR(info.st_mode));
}

bool sm_path_exists(const char *folder, const char *name)
{
    char *path = sm_path_join(folder, name);
    const bool found = path != NULL && exists(path, false);
    free(path);
    return found;
}

/* Last component of a path, without slashes at its end, in `out`. */
static void last_name(const char *path, char *out, size_t size)
{
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    snprintf(out, size, "%.*s", (int)(end - start < size ? end - start : size - 1), path + start);
}

static const struct sm_layout_split *split_of(const sm_layout *layout, const char *folder)
{
    char name[256];
    last_name(folder, name, sizeof name);
    for (size_t i = 0; i < sizeof layout->splits / sizeof *layout->splits; i++) {
        if (layout->splits[i].folder == NULL) break;
        if (strcmp(layout->splits[i].folder, name) == 0) return &layout->splits[i];
    }
    return NULL;
}

/* One look at a data set: what was found on the way. */
typedef struct visit {
    const sm_layout *layout;
    sm_library *library; /* NULL: only detect */
    const char *target;
    size_t found, omitted, packed; /* tracks, those in splits left out, .stem.mp4 files */
} visit;

static bool is_track(const sm_layout *layout, const char *folder,
                     const struct sm_layout_split *split)
{
    return layout->marker != NULL ? sm_path_exists(folder, layout->marker) : split != NULL;
}

static smitin_status take(visit *v, const char *folder, const char *name,
                          const struct sm_layout_split *split, smitin_error *error)
{
    if (split != NULL && split->side == SM_SIDE_ANY) {
        v->omitted++;
        return SMITIN_OK;
    }
    v->found++;
    if (v->library == NULL) return SMITIN_OK;
    const sm_side side = split != NULL ? split->side : SM_SIDE_ANY;
    return v->layout->read(v->library, folder, name, side, v->target, error);
}

/* The tracks in `folder`, itself `name` below the root; where it holds none and `below` is given,
 * the same for its folders, whose `below` is NULL. */
static smitin_status visit_level(visit *v, const char *folder, const char *name, char ***below,
                                 size_t *below_count, smitin_error *error)
{
    struct dirent **names = NULL;
    const int count = sm_path_list(folder, &names);
    if (count < 0) {
        if (v->library != NULL)
            sm_library_note(v->library, "skipped: cannot look into '%s': %s", folder,
                            strerror(errno));
        return SMITIN_OK;
    }
    const struct sm_layout_split *split = split_of(v->layout, folder);
    smitin_status status = SMITIN_OK;
    char **kept = below != NULL ? calloc((size_t)count + 1, sizeof *kept) : NULL;
    if (below != NULL && kept == NULL)
        status = sm_fail_memory(error, folder, (size_t)count * sizeof *kept);
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        const char *entry = names[i]->d_name, *dot = strstr(entry, ".stem.mp4");
        char *path = status == SMITIN_OK ? sm_path_join(folder, entry) : NULL;
        char *full = name[0] != '\0' ? sm_path_join(name, entry) : strdup(entry);
        if (status == SMITIN_OK && (path == NULL || full == NULL))
            status = sm_fail_memory(error, entry, 0);
        if (status == SMITIN_OK && exists(path, true)) {
            if (is_track(v->layout, path, split)) {
                status = take(v, path, full, split, error);
            } else if (kept != NULL) {
                kept[n++] = full;
                full = NULL;
            }
        } else if (dot != NULL && dot[strlen(".stem.mp4")] == '\0') {
            v->packed++;
        }
        free(path);
        free(full);
        free(names[i]);
    }
    free(names);
    if (below != NULL) {
        *below = kept;
        *below_count = n;
    }
    return status;
}

/* Breadth first, without recursion: the root, and the folders in it. */
static smitin_status visit_all(visit *v, const char *root, smitin_error *error)
{
    char **folders = NULL, last[256];
    size_t count = 0;
    if (v->layout->marker != NULL && sm_path_exists(root, v->layout->marker)) {
        last_name(root, last, sizeof last);
        return take(v, root, last, NULL, error);
    }
    smitin_status status = visit_level(v, root, "", &folders, &count, error);
    for (size_t i = 0; i < count; i++) {
        char *path = status == SMITIN_OK ? sm_path_join(root, folders[i]) : NULL;
        if (status == SMITIN_OK && path == NULL) status = sm_fail_memory(error, root, 0);
        if (status == SMITIN_OK) status = visit_level(v, path, folders[i], NULL, NULL, error);
        free(path);
        free(folders[i]);
    }
    free(folders);
    return status;
}

/* Whether a folder has a mixture and its four stems: other sets have folders called "train", too.
 */
static bool looks_like_musdb(const char *root)
{
    for (size_t i = 0; i < 2; i++) {
        char *split = sm_path_join(root, i == 0 ? "train" : "test");
        struct dirent **names = NULL;
        const int count = split != NULL ? sm_path_list(split, &names) : -1;
        bool found = false;
        for (int j = 0; j < count; j++) {
            char *track = sm_path_join(split, names[j]->d_name);
            const char *packed = strstr(names[j]->d_name, ".stem.mp4");
            found = found || packed != NULL ||
                    (track != NULL && sm_path_exists(track, "mixture.wav") &&
                     (sm_path_exists(track, "vocals.wav") || sm_path_exists(track, "drums.wav") ||
                      sm_path_exists(track, "bass.wav") || sm_path_exists(track, "other.wav")));
            free(track);
            free(names[j]);
        }
        if (count >= 0) free(names);
        free(split);
        if (found) return true;
    }
    return false;
}

const sm_layout *sm_layout_detect(const char *root)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        visit v = {.layout = layouts[i]};
        if (layouts[i]->marker == NULL) {
            if (looks_like_musdb(root)) return layouts[i];
        } else if (visit_all(&v, root, NULL) == SMITIN_OK && v.found + v.omitted > 0) {
            return layouts[i];
        }
    }
    return NULL;
}

smitin_status sm_layout_find(const char *name, const char *root, const sm_layout **layout,
                             smitin_error *error)
{
    *layout = NULL;
    if (strcmp(name, "stems") == 0) return SMITIN_OK;
    const bool detect = strcmp(name, "auto") == 0;
    *layout = detect ? sm_layout_detect(root) : sm_layout_named(name);
    if (*layout == NULL && !detect)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is no layout '%s'; take musdb18hq, moisesdb, slakh, stems or auto",
                       name);
    return SMITIN_OK;
}

/* Tracks say which side they are on, or none does: where only one side is there, the library's own
 * way of holding tracks out is used. */
void sm_library_settle_sides(sm_library *library, const char *title)
{
    size_t sides[3] = {0, 0, 0};
    for (size_t i = 0; i < library->count; i++) sides[library->tracks[i].side]++;
    const bool whole =
        sides[SM_SIDE_ANY] == 0 && sides[SM_SIDE_TRAIN] > 0 && sides[SM_SIDE_TEST] > 0;
    for (size_t i = 0; i < library->count && !whole; i++) library->tracks[i].side = SM_SIDE_ANY;
    if (whole)
        sm_library_note(library, "%s: %zu tracks to learn from and %zu held out, as the set says",
                        title, sides[SM_SIDE_TRAIN], sides[SM_SIDE_TEST]);
    else
        sm_library_note(library,
                        "%s: %zu tracks, not in both of its splits, so that tracks are held out by "
                        "the seed",
                        title, library->count);
}

static void note_counts(const visit *v)
{
    bool complete = false;
    for (int i = 0; i < 3; i++) complete = complete || v->found == (size_t)v->layout->complete[i];
    if (!complete)
        sm_library_note(v->library, "%s: found %zu tracks, the complete set has %d",
                        v->layout->title, v->found, v->layout->complete[0]);
    if (v->omitted > 0)
        sm_library_note(v->library, "%s: left out %zu tracks that the set itself omits",
                        v->layout->title, v->omitted);
    if (v->packed > 0)
        sm_library_note(v->library,
                        "skipped: %zu files end in .stem.mp4; convert them to folders of WAV files "
                        "with musdbconvert",
                        v->packed);
}

smitin_status sm_layout_add(const sm_layout *layout, sm_library *library, const char *root,
                            const char *target, smitin_error *error)
{
    visit v = {.layout = layout, .library = library, .target = target};
    if (layout->check != NULL) SM_TRY(layout->check(target, error));
    if (!exists(root, true))
        return sm_fail(error, SMITIN_ERROR_IO, "there is no folder '%s'; check the path", root);
    SM_TRY(visit_all(&v, root, error));
    if (library->count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' has no usable track of %s%s%s%s; check the path", root, layout->title,
                       v.packed > 0 ? ", only .stem.mp4 files: convert them with musdbconvert" : "",
                       library->notes_count > 0 ? "; the first: " : "",
                       library->notes_count > 0 ? library->notes[0] : "");
    sm_library_sort(library);
    sm_library_settle_sides(library, layout->title);
    note_counts(&v);
    return SMITIN_OK;
}

/* ---- MUSDB18-HQ: train|test / "Artist - Title" / five WAV files ---- */

static smitin_status read_musdb(sm_library *library, const char *folder, const char *name,
                                sm_side side, const char *target, smitin_error *error)
{
    static const char *const stems[] = {"drums", "bass", "other", "vocals"};
    char key[256];
    last_name(name, key, sizeof key);
    char *dash = strstr(key, " - "); /* songs of one artist stay together */
    if (dash != NULL) *dash = '\0';
    sm_track *track = NULL;
    SM_TRY(sm_library_track(library, name, key, 4, &track, error));
    track->side = side;
    for (size_t i = 0; i < 4; i++) {
        char file[16];
        snprintf(file, sizeof file, "%s.wav", stems[i]);
        if (!sm_path_exists(folder, file))
            sm_library_note(library, "skipped: '%s/%s' is missing", folder, file);
        else
            SM_TRY(sm_library_stem(library, track, folder, file, sm_target_has(target, stems[i]),
                                   error));
    }
    if (track->count == 0) library->count--;
    return SMITIN_OK;
}

const sm_layout sm_layout_musdb = {
    .name = "musdb18hq",
    .title = "MUSDB18-HQ",
    .licence = "academic use only (MUSDB18-HQ)",
    .splits = {{"train", SM_SIDE_TRAIN}, {"test", SM_SIDE_TEST}},
    .complete = {150},
    .read = read_musdb,
};

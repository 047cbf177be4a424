/* SPDX-License-Identifier: MIT */
/* Owns finding audio files in the user's folders, in an order that is the same everywhere. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "library.h"

#define DEPTH_MAX 32 /* below the root; stops links that lead in circles */

/* Folders still to be looked into. */
typedef struct queue {
    struct folder {
        char *path;
        int depth;
    } * items;
    size_t count, capacity;
} queue;

/* What is done with the audio files of one folder: names [count], sorted. */
typedef smitin_status (*folder_found)(void *user, const char *path, struct dirent **names,
                                      int count, smitin_error *error);

smitin_status sm_library_init(sm_library *library, smitin_error *error)
{
    memset(library, 0, sizeof *library);
    library->arena = sm_arena_new();
    return library->arena != NULL ? SMITIN_OK : sm_fail_memory(error, "a list of tracks", 0);
}

void sm_library_free(sm_library *library)
{
    sm_arena_free(library->arena);
    free(library->tracks);
    free(library->notes);
    memset(library, 0, sizeof *library);
}

char *sm_arena_text(sm_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = SM_TAKE(arena, size, char);
    if (copy != NULL) memcpy(copy, text, size);
    return copy;
}

void sm_library_note(sm_library *library, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (library->notes_count == library->notes_capacity) {
        size_t wanted = library->notes_capacity == 0 ? 16 : 2 * library->notes_capacity;
        char **larger = realloc(library->notes, wanted * sizeof *larger);
        if (larger == NULL) return;
        library->notes = larger;
        library->notes_capacity = wanted;
    }
    char *copy = sm_arena_text(library->arena, line);
    if (copy != NULL) library->notes[library->notes_count++] = copy;
}

smitin_status sm_library_track(sm_library *library, const char *name, const char *key, int stems,
                               sm_track **out, smitin_error *error)
{
    if (library->count == library->capacity) {
        size_t wanted = library->capacity == 0 ? 64 : 2 * library->capacity;
        sm_track *larger = realloc(library->tracks, wanted * sizeof *larger);
        if (larger == NULL)
            return sm_fail_memory(error, "a list of tracks", wanted * sizeof *larger);
        library->tracks = larger;
        library->capacity = wanted;
    }
    sm_track track = {.name = sm_arena_text(library->arena, name),
                      .key = sm_arena_text(library->arena, key),
                      .stems = SM_TAKE(library->arena, stems, sm_stem)};
    if (track.name == NULL || track.key == NULL || track.stems == NULL)
        return sm_fail_memory(error, name, (size_t)stems);
    *out = &library->tracks[library->count++];
    **out = track;
    return SMITIN_OK;
}

char *sm_path_join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

smitin_status sm_library_stem(sm_library *library, sm_track *track, const char *folder,
                              const char *name, bool target, smitin_error *error)
{
    char *path = sm_path_join(folder, name);
    sm_stem stem = {.path = path == NULL ? NULL : sm_arena_text(library->arena, path),
                    .target = target};
    free(path);
    if (stem.path == NULL) return sm_fail_memory(error, name, 0);
    track->stems[track->count++] = stem;
    return SMITIN_OK;
}

bool sm_path_is_audio(const char *name)
{
    static const char *const suffixes[] = {".wav", ".flac", ".ogg",  ".oga",  ".opus",
                                           ".mp3", ".aif",  ".aiff", ".aifc", ".au",
                                           ".snd", ".caf",  ".w64",  ".rf64"};
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix != NULL && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(suffix, suffixes[i]) == 0) return true;
    return false;
}

/* Hidden files and what other systems leave in archives. */
static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "__MACOSX") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int sm_path_list(const char *folder, struct dirent ***names)
{
    return scandir(folder, names, is_visible, by_bytes);
}

/* Takes `path`. */
static smitin_status push(queue *folders, char *path, int depth, smitin_error *error)
{
    if (path != NULL && folders->count == folders->capacity) {
        size_t wanted = folders->capacity == 0 ? 64 : 2 * folders->capacity;
        struct folder *larger = realloc(folders->items, wanted * sizeof *larger);
        if (larger == NULL) {
            free(path);
            path = NULL;
        } else {
            folders->items = larger;
            folders->capacity = wanted;
        }
    }
    if (path == NULL) return sm_fail_memory(error, "a list of folders", folders->capacity);
    folders->items[folders->count++] = (struct folder){path, depth};
    return SMITIN_OK;
}

/* Queue the folders among `names` and move the audio files to the front, in order; their number
 * goes to *audio. */
static smitin_status sort_entries(queue *folders, const char *path, int depth,
                                  struct dirent **names, int count, int *audio, smitin_error *error)
{
    *audio = 0;
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < count && status == SMITIN_OK; i++) {
        char *full = sm_path_join(path, names[i]->d_name);
        struct stat info;
        if (full == NULL) return sm_fail_memory(error, names[i]->d_name, 0);
        bool found = stat(full, &info) == 0;
        if (found && S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
            status = push(folders, full, depth + 1, error);
            continue;
        }
        /* What cannot be looked at is handed on, so that its reader can say why. */
        if (sm_path_is_audio(names[i]->d_name) && (!found || S_ISREG(info.st_mode))) {
            struct dirent *entry = names[i];
            memmove(names + *audio + 1, names + *audio, (size_t)(i - *audio) * sizeof *names);
            names[(*audio)++] = entry;
        }
        free(full);
    }
    return status;
}

static smitin_status look_into(sm_library *library, queue *folders, size_t index,
                               folder_found found, void *user, smitin_error *error)
{
    struct folder folder = folders->items[index];
    struct dirent **names = NULL;
    int audio = 0, count = sm_path_list(folder.path, &names);
    if (count < 0 && folder.depth > 0) { /* one closed folder must not close the rest */
        sm_library_note(library, "skipped: cannot look into '%s': %s", folder.path,
                        strerror(errno));
        return SMITIN_OK;
    }
    if (count < 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "cannot look into the folder '%s': %s; check the path", folder.path,
                       strerror(errno));
    smitin_status status =
        sort_entries(folders, folder.path, folder.depth, names, count, &audio, error);
    if (status == SMITIN_OK && audio > 0) status = found(user, folder.path, names, audio, error);
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    return status;
}

/* Call `found` for every folder with audio files, the root included. */
static smitin_status walk(sm_library *library, const char *root, folder_found found, void *user,
                          smitin_error *error)
{
    queue folders = {0};
    smitin_status status = push(&folders, strdup(root), 0, error);
    for (size_t i = 0; i < folders.count && status == SMITIN_OK; i++)
        status = look_into(library, &folders, i, found, user, error);
    for (size_t i = 0; i < folders.count; i++) free(folders.items[i].path);
    free(folders.items);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const sm_track *)a)->name, ((const sm_track *)b)->name);
}

void sm_library_sort(sm_library *library)
{
    if (library->count > 0)
        qsort(library->tracks, library->count, sizeof *library->tracks, by_name);
}

typedef struct search {
    sm_library *library;
    const char *root, *target;
    bool is_target; /* of whole files */
} search;

/* The part of `path` below the root; the last component of the root for the root itself. */
static const char *below(const char *root, const char *path)
{
    size_t n = strlen(root);
    const char *rest = path + n;
    while (*rest == '/') rest++;
    if (*rest != '\0') return rest;
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* Whether `name` without its suffix is `stem`, without regard to case. */
static bool is_stem(const char *name, const char *stem)
{
    size_t n = strlen(stem);
    return strncasecmp(name, stem, n) == 0 && name[n] == '.' && strchr(name + n + 1, '.') == NULL;
}

int sm_split_named(const char *text, size_t length)
{
    static const struct {
        const char *word;
        sm_split split;
    } words[] = {{"test", SM_SPLIT_TEST},   {"train", SM_SPLIT_TRAIN},
                 {"valid", SM_SPLIT_VALID}, {"validation", SM_SPLIT_VALID},
                 {"val", SM_SPLIT_VALID},   {"dev", SM_SPLIT_VALID}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length && strncasecmp(text, words[i].word, length) == 0)
            return (int)words[i].split;
    return SM_SPLIT_ANY;
}

sm_side sm_side_named(const char *text, size_t length)
{
    const int split = sm_split_named(text, length);
    if (split == SM_SPLIT_ANY) return SM_SIDE_ANY;
    return split == SM_SPLIT_TEST ? SM_SIDE_TEST : SM_SIDE_TRAIN;
}

/* The side that the first folder of a track's name says; ANY for a track right below the root. */
static sm_side side_of(const char *name)
{
    const size_t length = strcspn(name, "/");
    return name[length] == '/' ? sm_side_named(name, length) : SM_SIDE_ANY;
}

static smitin_status found_stems(void *user, const char *path, struct dirent **names, int count,
                                 smitin_error *error)
{
    const search *s = user;
    sm_track *track = NULL;
    SM_TRY(sm_library_track(s->library, below(s->root, path), below(s->root, path), count, &track,
                            error));
    track->side = side_of(track->name);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (is_stem(name, "mixture") || is_stem(name, "mix")) continue;
        SM_TRY(sm_library_stem(s->library, track, path, name, is_stem(name, s->target), error));
    }
    if (track->count == 0) s->library->count--; /* mixtures only */
    return SMITIN_OK;
}

static smitin_status found_files(void *user, const char *path, struct dirent **names, int count,
                                 smitin_error *error)
{
    const search *s = user;
    for (int i = 0; i < count; i++) {
        char *full = sm_path_join(path, names[i]->d_name);
        if (full == NULL) return sm_fail_memory(error, names[i]->d_name, 0);
        sm_track *track = NULL;
        smitin_status status =
            sm_library_track(s->library, full, below(s->root, full), 1, &track, error);
        free(full);
        SM_TRY(status);
        SM_TRY(sm_library_stem(s->library, track, path, names[i]->d_name, s->is_target, error));
    }
    return SMITIN_OK;
}

smitin_status sm_library_add_stems(sm_library *library, const char *root, const char *target,
                                   smitin_error *error)
{
    search s = {library, root, target, false};
    SM_TRY(walk(library, root, found_stems, &s, error));
    sm_library_sort(library);
    if (library->count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there are no stems below '%s'; it should hold one folder per track with "
                       "files such as drums.wav "
                       "and bass.wav",
                       root);
    bool sides = false;
    for (size_t i = 0; i < library->count; i++) sides |= library->tracks[i].side != SM_SIDE_ANY;
    if (sides) sm_library_settle_sides(library, root);
    return SMITIN_OK;
}

smitin_status sm_library_add_files(sm_library *library, const char *root, bool target,
                                   smitin_error *error)
{
    size_t before = library->count;
    search s = {library, root, NULL, target};
    SM_TRY(walk(library, root, found_files, &s, error));
    sm_library_sort(library);
    if (library->count == before)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there are no audio files below '%s'; put some WAV or FLAC files there",
                       root);
    return SMITIN_OK;
}

smitin_status sm_library_add_path(sm_library *library, const char *path, smitin_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return sm_fail(error, SMITIN_ERROR_IO, "'%s' cannot be read: %s; check the path", path,
                       strerror(errno));
    if (S_ISDIR(info.st_mode)) return sm_library_add_files(library, path, false, error);
    sm_track *track = NULL;
    SM_TRY(sm_library_track(library, path, path, 1, &track, error));
    track->stems[track->count++] = (sm_stem){.path = track->name};
    return SMITIN_OK;
}

/* SPDX-License-Identifier: MIT */
/* Owns sets of embeddings and fadtk's layout of them on disk. */
#include "embeddings.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "../audio/audio.h"
#include "../base/path.h"
#include "../data/library.h"
#include "../format/npy.h"
#include "distance.h"

void sm_embeddings_free(sm_embeddings *set)
{
    free(set->rows);
    memset(set, 0, sizeof *set);
}

smitin_status sm_embeddings_add(sm_embeddings *set, const float *rows, size_t n, int d,
                                const char *name, smitin_error *error)
{
    if (d < 1 || d > SM_EMBEDDING_MAX)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' has embeddings of %d dimensions; 1 to %d are possible", name, d,
                       SM_EMBEDDING_MAX);
    if (set->d != 0 && set->d != d)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' has embeddings of %d dimensions, those before it have %d; put "
                       "embeddings of one encoder together",
                       name, d, set->d);
    const size_t wanted = set->N + n, width = (size_t)d * sizeof *rows;
    if (wanted > set->capacity) {
        const size_t capacity = wanted > 2 * set->capacity ? wanted : 2 * set->capacity;
        float *larger = capacity <= SIZE_MAX / width ? realloc(set->rows, capacity * width) : NULL;
        if (larger == NULL) return sm_fail_memory(error, "embeddings", capacity * width);
        set->rows = larger;
        set->capacity = capacity;
    }
    if (n > 0) memcpy(set->rows + set->N * (size_t)d, rows, n * width);
    set->N = wanted;
    set->d = d;
    set->files++;
    return SMITIN_OK;
}

typedef struct keyed {
    const float *row;
    int d;
} keyed;

static int by_numbers(const void *x, const void *y)
{
    const keyed *a = x, *b = y;
    for (int j = 0; j < a->d; j++)
        if (a->row[j] != b->row[j]) return a->row[j] < b->row[j] ? -1 : 1;
    return 0;
}

void sm_embeddings_settle(sm_embeddings *set)
{
    keyed *keys = malloc((set->N > 0 ? set->N : 1) * sizeof *keys);
    const size_t d = (size_t)set->d;
    float *sorted = malloc((set->N * d > 0 ? set->N * d : 1) * sizeof *sorted);
    if (keys != NULL && sorted != NULL && set->N > 0) {
        for (size_t i = 0; i < set->N; i++) keys[i] = (keyed){set->rows + i * d, set->d};
        qsort(keys, set->N, sizeof *keys, by_numbers);
        for (size_t i = 0; i < set->N; i++) memcpy(sorted + i * d, keys[i].row, d * sizeof *sorted);
        free(set->rows);
        set->rows = sorted;
        set->capacity = set->N;
        sorted = NULL;
    }
    free(keys);
    free(sorted);
}

/* ---- On disk ---- */

static bool is_npy(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && strcasecmp(name + n - 4, ".npy") == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static smitin_status read_file(sm_embeddings *set, const char *path, smitin_error *error)
{
    sm_npy array;
    SM_TRY(sm_npy_read(&array, path, error));
    smitin_status status = SMITIN_OK;
    const size_t d = array.dims > 0 ? (size_t)array.shape[array.dims - 1] : 0;
    if ((array.dims != 1 && array.dims != 2) || d == 0 || d > SM_EMBEDDING_MAX)
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "'%s' is no array of embeddings: it should have the shape [N, d], d up to "
                         "%d",
                         path, SM_EMBEDDING_MAX);
    float *rows = status == SMITIN_OK ? malloc((array.count + 1) * sizeof *rows) : NULL;
    if (status == SMITIN_OK && rows == NULL)
        status = sm_fail_memory(error, path, array.count * sizeof *rows);
    if (status == SMITIN_OK) {
        const sm_tensor view = {
            .name = path, .dtype = array.dtype, .data = array.data, .count = array.count};
        status = sm_tensor_to_f32(&view, 0, array.count, rows, error);
    }
    for (size_t i = 0; status == SMITIN_OK && i < array.count; i++)
        if (!isfinite(rows[i]))
            status = sm_fail(error, SMITIN_ERROR_FORMAT,
                             "'%s' holds a value that is not a number, in row %zu; make the "
                             "embeddings again",
                             path, i / d);
    if (status == SMITIN_OK)
        status = sm_embeddings_add(set, rows, array.count / d, (int)d, path, error);
    free(rows);
    sm_npy_free(&array);
    return status;
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
}

/* Every .npy of a folder; *found of them. */
static smitin_status read_folder(sm_embeddings *set, const char *folder, int *found,
                                 smitin_error *error)
{
    struct dirent **names = NULL;
    const int count = sm_path_list(folder, &names);
    smitin_status status = SMITIN_OK;
    *found = 0;
    if (count < 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot look into the folder '%s': %s", folder,
                       strerror(errno));
    for (int i = 0; i < count && status == SMITIN_OK; i++) {
        if (!is_npy(names[i]->d_name)) continue;
        char *path = sm_path_join(folder, names[i]->d_name);
        status =
            path != NULL ? read_file(set, path, error) : sm_fail_memory(error, names[i]->d_name, 0);
        free(path);
        (*found)++;
    }
    free_names(names, count);
    return status;
}

/* The only folder below `cache`, to free(); NULL and a message when there is not exactly one. */
static char *only_model(const char *cache, const char *path, smitin_error *error)
{
    struct dirent **names = NULL;
    char list[256] = "", *only = NULL;
    const int count = sm_path_list(cache, &names);
    int models = 0;
    for (int i = 0; i < count; i++) {
        char *full = sm_path_join(cache, names[i]->d_name);
        if (full == NULL || !is_folder(full)) {
            free(full);
            continue;
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.60s", models > 0 ? ", " : "",
                 names[i]->d_name);
        if (models++ == 0)
            only = full;
        else
            free(full);
    }
    if (count >= 0) free_names(names, count);
    if (models == 1) return only;
    free(only);
    if (models == 0)
        sm_fail(error, SMITIN_ERROR_IO,
                "there are no embeddings in '%s', neither .npy files nor embeddings/MODEL/*.npy; "
                "make them with fadtk or \"smitin eval embed\", or name an encoder with --embed",
                path);
    else
        sm_fail(error, SMITIN_ERROR_ARGUMENT,
                "'%s' has embeddings of several encoders: %s; choose one with --cache NAME", path,
                list);
    return NULL;
}

static smitin_status read_cache(sm_embeddings *set, const char *path, const char *model,
                                smitin_error *error)
{
    char *cache = sm_path_join(path, "embeddings"), *folder = NULL;
    if (cache == NULL) return sm_fail_memory(error, path, 0);
    folder = model != NULL ? sm_path_join(cache, model) : only_model(cache, path, error);
    free(cache);
    if (folder == NULL) return error != NULL ? error->status : SMITIN_ERROR_IO;
    int found = 0;
    smitin_status status = read_folder(set, folder, &found, error);
    if (status == SMITIN_OK && found == 0)
        status = sm_fail(error, SMITIN_ERROR_IO, "there are no .npy files in '%s'", folder);
    free(folder);
    return status;
}

smitin_status sm_embeddings_read(sm_embeddings *set, const char *path, const char *model,
                                 smitin_error *error)
{
    if (!is_folder(path)) return read_file(set, path, error);
    int found = 0;
    if (model == NULL) SM_TRY(read_folder(set, path, &found, error));
    return found > 0 ? SMITIN_OK : read_cache(set, path, model, error);
}

bool sm_embeddings_stored(const char *path)
{
    if (!is_folder(path)) return is_npy(path);
    char *cache = sm_path_join(path, "embeddings");
    bool stored = cache != NULL && is_folder(cache);
    free(cache);
    struct dirent **names = NULL;
    const int count = stored ? -1 : sm_path_list(path, &names);
    for (int i = 0; i < count; i++) stored = stored || is_npy(names[i]->d_name);
    if (count >= 0) free_names(names, count);
    return stored;
}

smitin_status sm_embeddings_write(const char *audio, const char *model, const float *rows, size_t n,
                                  int d, char *where, size_t size, smitin_error *error)
{
    const char *name = sm_path_name(audio);
    const int folder = (int)(name - audio), length = (int)sm_path_stem(name);
    const int needed =
        snprintf(where, size, "%.*sembeddings/%s/%.*s.npy", folder, audio, model, length, name);
    if (needed < 0 || (size_t)needed >= size)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the path of '%s' is too long", audio);
    snprintf(where, size, "%.*sembeddings", folder, audio);
    SM_TRY(sm_path_make(where, error));
    snprintf(where, size, "%.*sembeddings/%s", folder, audio, model);
    SM_TRY(sm_path_make(where, error));
    snprintf(where, size, "%.*sembeddings/%s/%.*s.npy", folder, audio, model, length, name);
    const int64_t shape[2] = {(int64_t)n, d};
    return sm_npy_write(where, SM_F32, 2, shape, rows, error);
}

smitin_status sm_encode_file(const sm_encoder *encoder, const char *path, double skip, float **rows,
                             size_t *n, smitin_error *error)
{
    sm_audio audio;
    *rows = NULL;
    *n = 0;
    SM_TRY(sm_audio_read_mono(&audio, path, encoder->rate, skip, -1.0, error));
    smitin_error inner = {0};
    smitin_status status =
        encoder->run(encoder->context, audio.samples, audio.frames, rows, n, &inner);
    if (status != SMITIN_OK) sm_fail(error, status, "'%s': %s", path, inner.message);
    sm_audio_free(&audio);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns the table of a source's tensors, the files behind them, and the transformers forms: single
 * and sharded, safetensors and PyTorch. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/filemap.h"
#include "index.h"
#include "source_inside.h"

size_t sm_container_count(const sm_container *container)
{
    if (container->gguf != NULL) return sm_gguf_count(container->gguf);
    return container->torch != NULL ? sm_torch_count(container->torch)
                                    : sm_safetensors_count(container->safetensors);
}

const sm_tensor *sm_container_at(const sm_container *container, size_t index)
{
    if (container->gguf != NULL) return sm_gguf_at(container->gguf, index);
    return container->torch != NULL ? sm_torch_at(container->torch, index)
                                    : sm_safetensors_at(container->safetensors, index);
}

const sm_tensor *sm_container_find(const sm_container *container, const char *name)
{
    if (container->gguf != NULL) return sm_gguf_find(container->gguf, name);
    return container->torch != NULL ? sm_torch_find(container->torch, name)
                                    : sm_safetensors_find(container->safetensors, name);
}

smitin_status sm_source_join(char path[SM_PATH_SIZE], const char *folder, const char *name,
                             smitin_error *error)
{
    const int length = snprintf(path, SM_PATH_SIZE, "%s/%s", folder, name);
    if (length >= 0 && length < SM_PATH_SIZE) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "the path of '%.100s' is longer than %d bytes; move the model to a shorter one",
                   name, SM_PATH_SIZE - 1);
}

bool sm_source_has(const char *folder, const char *name)
{
    char path[SM_PATH_SIZE];
    struct stat info;
    return sm_source_join(path, folder, name, NULL) == SMITIN_OK && lstat(path, &info) == 0;
}

/* Room for one more of `size` bytes behind `count`. */
static smitin_status reserve(void **data, size_t count, size_t *capacity, size_t size,
                             smitin_error *error)
{
    if (count < *capacity) return SMITIN_OK;
    const size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*data, wanted * size);
    if (grown == NULL) return sm_fail_memory(error, "a table of tensors", wanted * size);
    *data = grown;
    *capacity = wanted;
    return SMITIN_OK;
}

static void container_free(sm_container *container)
{
    sm_safetensors_close(container->safetensors);
    sm_torch_close(container->torch);
    sm_gguf_close(container->gguf);
    free(container->path);
}

smitin_status sm_source_hold(sm_source *source, sm_container made, smitin_error *error)
{
    void *containers = source->containers;
    const smitin_status status =
        reserve(&containers, source->containers_count, &source->containers_capacity,
                sizeof *source->containers, error);
    source->containers = containers;
    if (status != SMITIN_OK)
        container_free(&made);
    else
        source->containers[source->containers_count++] = made;
    return status;
}

smitin_status sm_source_map(sm_source *source, const char *folder, const char *name, size_t *place,
                            smitin_error *error)
{
    static const char suffix[] = ".safetensors";
    char path[SM_PATH_SIZE];
    SM_TRY(sm_source_join(path, folder, name, error));
    sm_container made = {.path = strdup(path)};
    if (made.path == NULL) return sm_fail_memory(error, "a file name", strlen(path));
    const size_t length = strlen(name), tail = sizeof suffix - 1;
    const bool plain = length > tail && strcmp(name + length - tail, suffix) == 0;
    const smitin_status opened = plain ? sm_safetensors_open(&made.safetensors, path, error)
                                       : sm_torch_open(&made.torch, path, error);
    if (opened != SMITIN_OK) {
        free(made.path);
        return opened;
    }
    *place = source->containers_count;
    return sm_source_hold(source, made, error);
}

smitin_status sm_source_add(sm_source *source, const sm_tensor *view, const char *name,
                            smitin_error *error)
{
    void *tensors = source->tensors;
    const smitin_status status =
        reserve(&tensors, source->count, &source->capacity, sizeof *source->tensors, error);
    source->tensors = tensors;
    SM_TRY(status);
    sm_tensor *made = &source->tensors[source->count];
    *made = *view;
    if (name != NULL) {
        char *copy = SM_TAKE(source->arena, strlen(name) + 1, char);
        if (copy == NULL) return sm_fail_memory(error, "a tensor's name", strlen(name));
        strcpy(copy, name);
        made->name = copy;
    }
    source->count++;
    return SMITIN_OK;
}

static smitin_status take_same(sm_source *source, const sm_tensor *view, smitin_error *error)
{
    return sm_source_add(source, view, NULL, error);
}

static smitin_status take_file(sm_source *source, const char *folder, const char *name,
                               sm_source_taker take, smitin_error *error)
{
    size_t place = 0;
    SM_TRY(sm_source_map(source, folder, name, &place, error));
    for (size_t i = 0; i < sm_container_count(&source->containers[place]); i++) {
        SM_TRY(take(source, sm_container_at(&source->containers[place], i), error));
    }
    return SMITIN_OK;
}

/* Map all shards of an index. All that are missing are counted, the first is named. */
static smitin_status map_shards(sm_source *source, const char *folder, const char *name,
                                const sm_index *index, size_t *first, smitin_error *error)
{
    const char *missing = NULL;
    size_t missing_count = 0;
    for (size_t i = 0; i < index->shards_count; i++) {
        if (sm_source_has(folder, index->shards[i])) continue;
        if (missing_count++ == 0) missing = index->shards[i];
    }
    if (missing_count > 0) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s/%s names the shard '%.100s', which is not beside it (%zu of %zu are "
                       "missing); fetch the missing ones",
                       folder, name, missing, missing_count, index->shards_count);
    }
    *first = source->containers_count;
    for (size_t i = 0; i < index->shards_count; i++) {
        size_t place = 0;
        SM_TRY(sm_source_map(source, folder, index->shards[i], &place, error));
    }
    return SMITIN_OK;
}

/* Every tensor that the index promises, from the shard it promises. */
static smitin_status take_entries(sm_source *source, const char *folder, const char *name,
                                  const sm_index *index, sm_source_taker take, smitin_error *error)
{
    size_t first = 0, missing_count = 0;
    const sm_index_entry *missing = NULL;
    SM_TRY(map_shards(source, folder, name, index, &first, error));
    for (size_t i = 0; i < index->count; i++) {
        const sm_index_entry *entry = &index->entries[i];
        const sm_tensor *view =
            sm_container_find(&source->containers[first + entry->shard], entry->tensor);
        if (view != NULL) {
            SM_TRY(take(source, view, error));
        } else if (missing_count++ == 0) {
            missing = entry;
        }
    }
    if (missing_count == 0) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "%s/%s promises %s in the shard '%.100s', which lacks it (%zu such tensors); "
                   "index and shards are of different versions, fetch them again together",
                   folder, name, missing->tensor, index->shards[missing->shard], missing_count);
}

static smitin_status take_sharded(sm_source *source, const char *folder, const char *name,
                                  sm_source_taker take, smitin_error *error)
{
    char path[SM_PATH_SIZE];
    sm_filemap map;
    sm_index index;
    SM_TRY(sm_source_join(path, folder, name, error));
    SM_TRY(sm_filemap_open(&map, path, error));
    smitin_status status = sm_index_parse(&index, (const char *)map.data, map.size, path, error);
    if (status == SMITIN_OK) status = take_entries(source, folder, name, &index, take, error);
    sm_index_free(&index);
    sm_filemap_close(&map);
    return status;
}

smitin_status sm_source_take_folder(sm_source *source, const char *folder, sm_source_taker take,
                                    bool *found, smitin_error *error)
{
    static const struct {
        const char *name;
        smitin_status (*take)(sm_source *, const char *, const char *, sm_source_taker,
                              smitin_error *);
    } forms[] = {
        {"model.safetensors", take_file},
        {"model.safetensors.index.json", take_sharded},
        {"pytorch_model.bin", take_file},
        {"pytorch_model.bin.index.json", take_sharded},
    };
    *found = false;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!sm_source_has(folder, forms[i].name)) continue;
        *found = true;
        return forms[i].take(source, folder, forms[i].name, take, error);
    }
    return SMITIN_OK;
}

static int compare_names(const void *a, const void *b)
{
    const sm_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static smitin_status take_everything(sm_source *source, smitin_error *error)
{
    bool found;
    struct stat info;
    if (stat(source->path, &info) == 0 && !S_ISDIR(info.st_mode))
        return sm_source_take_gguf(source, source->path, error);
    SM_TRY(sm_source_take_folder(source, source->path, take_same, &found, error));
    if (!found) {
        if (!sm_source_has(source->path, "state_dict.bin")) {
            return sm_fail(error, SMITIN_ERROR_MODEL,
                           "no weights in %s: it has no model.safetensors, pytorch_model.bin (nor "
                           "an .index.json of either) and no state_dict.bin; fetch one of them",
                           source->path);
        }
        SM_TRY(sm_source_take_audiocraft(source, source->path, error));
    }
    return sm_source_mend_codec(source, source->path, error);
}

static smitin_status fill(sm_source *source, const char *path, smitin_error *error)
{
    source->arena = sm_arena_new();
    source->path = strdup(path);
    if (source->arena == NULL || source->path == NULL)
        return sm_fail_memory(error, "a source of weights", sizeof *source);
    SM_TRY(take_everything(source, error));
    if (source->count == 0) {
        return sm_fail(error, SMITIN_ERROR_MODEL, "%s holds no tensor; fetch it again",
                       sm_source_file(source, 0));
    }
    qsort(source->tensors, source->count, sizeof *source->tensors, compare_names);
    for (size_t i = 1; i < source->count; i++) {
        if (strcmp(source->tensors[i - 1].name, source->tensors[i].name) != 0) continue;
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "the weights in %s hold %s twice; fetch them again", source->path,
                       source->tensors[i].name);
    }
    return SMITIN_OK;
}

smitin_status sm_source_open(sm_source **source, const char *path, smitin_error *error)
{
    *source = NULL;
    sm_source *made = calloc(1, sizeof *made);
    if (made == NULL) return sm_fail_memory(error, "a source of weights", sizeof *made);
    const smitin_status status = fill(made, path, error);
    if (status != SMITIN_OK) {
        sm_source_close(made);
        return status;
    }
    *source = made;
    return SMITIN_OK;
}

void sm_source_close(sm_source *source)
{
    if (source == NULL) return;
    for (size_t i = 0; i < source->containers_count; i++) container_free(&source->containers[i]);
    free(source->containers);
    free(source->tensors);
    sm_arena_free(source->arena);
    free(source->path);
    free(source);
}

const char *sm_source_path(const sm_source *source)
{
    return source->path;
}

const sm_gguf *sm_source_gguf(const sm_source *source)
{
    return source->containers_count > 0 ? source->containers[0].gguf : NULL;
}

size_t sm_source_count(const sm_source *source)
{
    return source->count;
}

const sm_tensor *sm_source_at(const sm_source *source, size_t index)
{
    return index < source->count ? &source->tensors[index] : NULL;
}

const sm_tensor *sm_source_find(const sm_source *source, const char *name)
{
    const sm_tensor key = {.name = name};
    return bsearch(&key, source->tensors, source->count, sizeof key, compare_names);
}

size_t sm_source_files(const sm_source *source)
{
    return source->containers_count;
}

const char *sm_source_file(const sm_source *source, size_t index)
{
    return index < source->containers_count ? source->containers[index].path : NULL;
}

/* SPDX-License-Identifier: MIT */
/* Owns reading the index of sharded weights. A shard is a file beside the index: a name that could
 * lead anywhere else is refused. */
#include "index.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Far beyond any model; keeps the search for a known shard short. */
#define SHARDS_MAX 256

static smitin_status refuse(const char *path, const char *why, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound index of shards: %s; fetch it again", path, why);
}

static bool printable(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f) return false;
    }
    return name[0] != '\0' && strlen(name) <= 200;
}

static bool plain_name(const char *name)
{
    return printable(name) && name[0] != '.' && strpbrk(name, "/\\") == NULL;
}

static smitin_status add_entry(sm_index *index, const char *tensor, const json_t *value,
                               const char *path, smitin_error *error)
{
    const char *shard = json_string_value(value);
    if (!printable(tensor)) return refuse(path, "a tensor's name is empty or not text", error);
    if (shard == NULL || !printable(shard))
        return refuse(path, "weight_map holds what is not a file name", error);
    if (!plain_name(shard)) {
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' is not a sound index of shards: '%.100s' is not a plain file name, "
                       "and shards lie beside their index; fetch it again",
                       path, shard);
    }
    size_t place = 0;
    while (place < index->shards_count && strcmp(index->shards[place], shard) != 0) place++;
    if (place == SHARDS_MAX) return refuse(path, "it names more than 256 shards", error);
    if (place == index->shards_count) index->shards[index->shards_count++] = shard;
    index->entries[index->count++] = (sm_index_entry){tensor, place};
    return SMITIN_OK;
}

static smitin_status read_map(sm_index *index, const char *path, smitin_error *error)
{
    const json_t *metadata = json_object_get(index->json, "metadata");
    json_t *map = json_object_get(index->json, "weight_map");
    if (metadata != NULL && !json_is_object(metadata))
        return refuse(path, "metadata is not an object", error);
    const size_t count = json_object_size(map);
    if (count == 0) return refuse(path, "it has no weight_map with tensors", error);
    index->entries = calloc(count, sizeof *index->entries);
    index->shards = calloc(SHARDS_MAX, sizeof *index->shards);
    if (index->entries == NULL || index->shards == NULL)
        return sm_fail_memory(error, "an index", count * sizeof *index->entries);
    const char *tensor;
    json_t *shard;
    json_object_foreach(map, tensor, shard)
    {
        SM_TRY(add_entry(index, tensor, shard, path, error));
    }
    return SMITIN_OK;
}

smitin_status sm_index_parse(sm_index *index, const char *json, size_t size, const char *path,
                             smitin_error *error)
{
    *index = (sm_index){0};
    json_error_t problem;
    if (size == 0) return refuse(path, "it is empty", error);
    index->json = json_loadb(json, size, JSON_REJECT_DUPLICATES, &problem);
    if (index->json == NULL && json_error_code(&problem) == json_error_out_of_memory)
        return sm_fail_memory(error, "an index", size);
    if (index->json == NULL) {
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' is not a sound index of shards: it does not parse at byte %d; fetch "
                       "it again",
                       path, problem.position);
    }
    const smitin_status status = read_map(index, path, error);
    if (status != SMITIN_OK) sm_index_free(index);
    return status;
}

void sm_index_free(sm_index *index)
{
    json_decref(index->json);
    free(index->entries);
    free(index->shards);
    *index = (sm_index){0};
}

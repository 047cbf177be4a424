/* SPDX-License-Identifier: MIT */
/* The index of sharded weights: model.safetensors.index.json, pytorch_model.bin.index.json. */
#ifndef SMITIN_FORMAT_INDEX_H
#define SMITIN_FORMAT_INDEX_H

#include <stddef.h>
#include "../base/error.h"

typedef struct sm_index_entry {
    const char *tensor;
    size_t shard; /* its place among the shards */
} sm_index_entry;

typedef struct sm_index {
    void *json;              /* owns every text */
    sm_index_entry *entries; /* [count] */
    size_t count;
    const char **shards; /* [shards_count] plain file names: no folder, no ".." */
    size_t shards_count;
} sm_index;

/* Read the text of an index: {"metadata": {...}, "weight_map": {tensor: shard}}. `path` is used in
 * messages. On failure `index` is left zeroed. */
smitin_status sm_index_parse(sm_index *index, const char *json, size_t size, const char *path,
                             smitin_error *error);
void sm_index_free(sm_index *index); /* safe on a zeroed struct */

#endif

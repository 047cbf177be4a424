/* SPDX-License-Identifier: MIT */
/* Fuzz target: the text of an index of shards. No shard that was accepted may lead out of its
 * folder. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_index index;
    if (sm_index_parse(&index, (const char *)data, size, "fuzz", &error) != SMITIN_OK) {
        if (index.json != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    if (index.count == 0 || index.shards_count == 0 || index.shards_count > index.count) abort();
    for (size_t i = 0; i < index.shards_count; i++) {
        const char *shard = index.shards[i];
        if (shard[0] == '\0' || shard[0] == '.' || strchr(shard, '/') != NULL) abort();
    }
    for (size_t i = 0; i < index.count; i++) {
        if (index.entries[i].shard >= index.shards_count || index.entries[i].tensor[0] == '\0')
            abort();
    }
    sm_index_free(&index);
    return 0;
}

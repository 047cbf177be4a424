/* SPDX-License-Identifier: MIT */
/* Fuzz target: the manifest of stored activations. What was accepted is whole: every clip has its
 * labels in range and its place in a shard. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/probe/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_store *store = NULL;
    if (sm_store_parse(&store, (const char *)data, size, "fuzz", &error) != SMITIN_OK) {
        if (store != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    const sm_store_meta *about = sm_store_about(store);
    const int width = sm_task_width(about->task, about->classes);
    for (int k = 0; k < about->classes; k++)
        if (strlen(about->names[k]) > size) abort();
    for (size_t i = 0; i < sm_store_count(store); i++) {
        const sm_store_clip *c = sm_store_clip_at(store, i);
        if (strlen(c->clip.path) > size || (int)c->clip.split < 0 ||
            (int)c->clip.split >= SM_SPLITS)
            abort();
        for (int k = 0; k < width; k++) {
            const double v = c->clip.values[k];
            if (about->task == SM_TASK_MULTICLASS && !(v >= 0.0 && v < about->classes)) abort();
            if (about->task != SM_TASK_MULTICLASS && about->task != SM_TASK_REGRESSION &&
                v != 0.0 && v != 1.0)
                abort();
        }
        if (c->shard >= sm_store_shards(store) || c->row >= about->shard_clips) abort();
        if (c->hash[0] != '\0' && (!sm_store_has(store, c->shard) || c->skipped != NULL)) abort();
    }
    sm_store_free(store);
    return 0;
}

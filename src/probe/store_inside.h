/* SPDX-License-Identifier: MIT */
/* The inside of a store. Internal to this room. */
#ifndef SMITIN_PROBE_STORE_INSIDE_H
#define SMITIN_PROBE_STORE_INSIDE_H

#include "../base/arena.h"
#include "../base/filemap.h"
#include "store.h"

typedef struct sm_shard {
    bool done;
    size_t rows;
    sm_filemap map; /* of an opened store */
    size_t offset;
} sm_shard;

struct sm_store {
    sm_arena *arena; /* every string and array */
    char *folder;    /* NULL: a parsed text */
    int lock;        /* the folder, held by an extraction; -1 */
    sm_store_meta meta;
    sm_store_clip *clips; /* [count] */
    size_t count;
    sm_shard *shards; /* [shards_count] */
    size_t shards_count;
    size_t *rows; /* [rows_count]: places of clips that were heard */
    size_t rows_count;
};

/* An empty store with room for the clips. */
smitin_status sm_store_new(sm_store **store, size_t count, size_t shard_clips, smitin_error *error);
/* A copy in the arena; NULL for NULL, or when memory is short. */
char *sm_store_text(sm_store *store, const char *text);
/* The manifest's text, to free(). */
smitin_status sm_store_print(const sm_store *store, char **text, size_t *size, smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* From a collection of clips to a store of what the model's heads say of them: shard by shard,
 * going on where an earlier run has ended. */
#ifndef SMITIN_CLI_EXTRACT_H
#define SMITIN_CLI_EXTRACT_H

#include "../src/data/collection.h"
#include "../src/probe/store.h"
#include "common.h"

typedef struct extraction {
    const smitin_engine *engine;
    const model_options *model; /* as which the engine was opened */
    const char *model_path;
    sm_collection *collection;
    const char *folder; /* of the store */
    double seconds;     /* of a clip */
    const char *seconds_option;
    int columns;  /* last steps averaged */
    size_t shard; /* clips */
    bool strict;  /* a clip that cannot be read ends it; else it is left out */
    bool quiet;
    /* What came of it. */
    sm_store *store;
    bool fits;      /* what lay in the folder, if anything, is of these clips */
    size_t resumed; /* clips of shards that were there */
    size_t skipped;
    /* Inside. */
    smitin_model_info info;
    float *samples; /* of one clip */
    float *z;       /* [shard, L, H * D] */
} extraction;

/* Whether the model can hear such clips; says so and returns an exit code. Nothing is written. */
int extract_check(const smitin_model_info *info, double seconds, const char *seconds_option,
                  int columns);
/* Begin or go on, to the end; returns an exit code. `store` is then open, and locked against
 * others, until extract_close. */
int extract_run(extraction *e);
void extract_close(extraction *e); /* safe on one that was only filled in, and twice */

#endif

/* SPDX-License-Identifier: MIT */
/* From annotated files to the clips of a collection. Internal to this room. */
#ifndef SMITIN_DATA_COLLECTION_PLAN_H
#define SMITIN_DATA_COLLECTION_PLAN_H

#include "entries.h"

typedef struct sm_planned {
    sm_clip clip;
    const sm_entry *entry; /* NULL: of a mix */
    size_t track;          /* of a mix: the track, */
    int start;             /* the block where it begins, */
    uint32_t kinds;        /* and the kinds of stems that are in it */
} sm_planned;

typedef struct sm_collection_plan {
    sm_planned *clips; /* by path, then start; in the arena of the entries, as all else */
    size_t count, files;
    const char **names; /* [classes] */
    int classes;
    bool own_split; /* the set's own */
} sm_collection_plan;

/* Choose the names (the `top` most frequent labels, 0 = all), look at the files' headers, settle
 * the splits, cut windows. The entries are sorted and thinned out. */
smitin_status sm_collection_make_plan(sm_collection_plan *plan, sm_entries *entries,
                                      const sm_collection_options *options, int top,
                                      smitin_error *error);

#endif

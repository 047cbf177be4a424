/* SPDX-License-Identifier: MIT */
/* Which stretch of which track becomes which clip. Internal to this room. */
#ifndef SMITIN_DATA_DEAL_H
#define SMITIN_DATA_DEAL_H

#include "library.h"

/* Where clips may start, in blocks, in a shuffled order; taken one after the other. */
typedef struct sm_windows {
    int *starts;
    size_t count, next;
} sm_windows;

/* A stretch of one track that belongs to one split. */
typedef struct sm_source {
    size_t track;
    int first, last; /* blocks first..last-1 */
    bool test;
    sm_windows with;    /* the target sounds (and in the paired recipe something else, too) */
    sm_windows without; /* enough sounds apart from the target */
} sm_source;

typedef struct sm_clip_plan {
    bool label, test;
    bool with_target; /* the background track's own target stem is heard */
    long background;  /* track, -1 = none */
    int background_start;
    long target; /* track of an added target stem, -1 = none */
    int target_start;
} sm_clip_plan;

typedef enum sm_dealing { SM_DEAL_RANDOM, SM_DEAL_PAIRED, SM_DEAL_FOLDERS } sm_dealing;

typedef struct sm_deal {
    sm_dealing kind;
    int length; /* of a clip in blocks */
    double test_share;
    int pairs;
    uint64_t seed;
    sm_source *sources; /* in the arena */
    size_t sources_count;
    sm_clip_plan *clips; /* [2 pairs], positives and negatives in turn, train first; in the arena */
    size_t clips_count;
} sm_deal;

/* Cut the tracks into sources, hold some out, and choose the clips. kind, length, test_share, pairs
 * and seed are given; pairs may become fewer. */
smitin_status sm_deal_clips(sm_deal *deal, sm_library *library, smitin_error *error);

/* FNV-1a over the seed and the name, stirred: near names must not stay neighbours. */
uint64_t sm_hash_name(uint64_t seed, const char *name);

#endif

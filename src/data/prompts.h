/* SPDX-License-Identifier: MIT */
/* The texts of MusicCaps: captions and tags, for prompts and for labels. */
#ifndef SMITIN_DATA_PROMPTS_H
#define SMITIN_DATA_PROMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/arena.h"
#include "../base/error.h"

typedef struct sm_prompt {
    const char *id;       /* of the clip: 11 characters, which may begin with "-" */
    int start, end;       /* seconds of the source */
    const char *caption;  /* free text, may hold line ends */
    const char *tag_text; /* the tags, joined by ", ": a prompt for text-to-music models */
    const char **tags;    /* [tags_count] */
    int tags_count;
    bool evaluation; /* is_audioset_eval */
} sm_prompt;

typedef struct sm_prompts {
    sm_arena *arena;
    sm_prompt *items;
    size_t count;
    const char **notes; /* [notes_count], of rows that were left out */
    size_t notes_count;
} sm_prompts;

/* Read musiccaps-public.csv; columns are found by name. Rows that cannot be read are noted and left
 * out. On failure `prompts` is zeroed. */
smitin_status sm_prompts_read(sm_prompts *prompts, const char *path, smitin_error *error);
void sm_prompts_free(sm_prompts *prompts); /* safe on a zeroed struct */

#endif

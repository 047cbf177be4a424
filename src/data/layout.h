/* SPDX-License-Identifier: MIT */
/* Data sets as they lie on disk: one descriptor each. Internal to this room.
 *
 * A track is a folder. Where it lies says which split it is in, its reader says which of its files
 * sum up to the mixture and which of them are the target. */
#ifndef SMITIN_DATA_LAYOUT_H
#define SMITIN_DATA_LAYOUT_H

#include "library.h"

typedef struct sm_layout sm_layout;

struct sm_layout {
    const char *name;    /* on the command line */
    const char *title;   /* for people */
    const char *licence; /* of the audio */
    const char *marker;  /* a file that makes a folder a track; NULL: every folder in a split is */
    struct sm_layout_split {
        const char *folder;
        sm_side side; /* SM_SIDE_ANY: left out */
    } splits[6];      /* up to the first without a name */
    int complete[3];  /* how many tracks the editions have, 0 = no more */
    /* Whether the target can be had at all; NULL: always. */
    smitin_status (*check)(const char *target, smitin_error *error);
    /* Add the track in `folder`, called `name`. What is wrong with it is noted; only a lack of
     * memory is an error. A reader that knows better sets the track's side. */
    smitin_status (*read)(sm_library *library, const char *folder, const char *name, sm_side side,
                          const char *target, smitin_error *error);
};

extern const sm_layout sm_layout_musdb, sm_layout_moisesdb, sm_layout_slakh;

/* By name; NULL when there is none. */
const sm_layout *sm_layout_named(const char *name);
/* The layout below `root`, up to two levels deep; NULL when it is none of these. */
const sm_layout *sm_layout_detect(const char *root);

/* By what the user calls it: "stems" and, where it is none of these, "auto" give NULL; fails for a
 * name that is not known. */
smitin_status sm_layout_find(const char *name, const char *root, const sm_layout **layout,
                             smitin_error *error);

/* Add the tracks of a data set below `root`. Points at whichever level the user has: the folder of
 * the splits, one split, for a set without splits one level above as well. */
smitin_status sm_layout_add(const sm_layout *layout, sm_library *library, const char *root,
                            const char *target, smitin_error *error);

/* Whether `name` is one of the names in `target`, which "+" joins; without regard to case, with
 * spaces and underscores equal. */
bool sm_target_has(const char *target, const char *name);
/* Whether `name` can be one file or folder name below a track: what a data set's own tables say
 * must not lead elsewhere. */
bool sm_plain_name(const char *name);
bool sm_path_exists(const char *folder, const char *name);

#endif

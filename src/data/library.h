/* SPDX-License-Identifier: MIT */
/* The user's audio as found on disk: tracks, their stems, and where each of them sounds. Internal
 * to this room. */
#ifndef SMITIN_DATA_LIBRARY_H
#define SMITIN_DATA_LIBRARY_H

#include "../base/arena.h"
#include "dataset.h"

#define SM_BLOCKS_PER_SECOND 10

typedef struct sm_stem {
    const char *path;
    bool target;
    int rate; /* Hz, of the file */
    double seconds;
    int blocks;      /* of 100 ms, the last one may be short */
    uint8_t *active; /* [blocks] */
} sm_stem;

typedef struct sm_track {
    const char *name; /* path below the root, for people */
    const char *
        key; /* what the split hashes: equal names in two folders of one recording go to one side */
    sm_stem *stems;
    int count;
    int blocks; /* of the longest stem */
} sm_track;

typedef struct sm_library {
    sm_arena *arena;  /* names, stems and activity */
    sm_track *tracks; /* by name */
    size_t count, capacity;
    char **notes;
    size_t notes_count, notes_capacity;
} sm_library;

smitin_status sm_library_init(sm_library *library, smitin_error *error);
void sm_library_free(sm_library *library); /* safe on a zeroed struct */

/* Remember one line for the user. A note that finds no memory is dropped. */
void sm_library_note(sm_library *library, const char *format, ...) SM_PRINTF(2, 3);

/* Add every folder below `root` that holds audio as a track of stems; names are relative to the
 * root. */
smitin_status sm_library_add_stems(sm_library *library, const char *root, const char *target,
                                   smitin_error *error);
/* Add every audio file below `root` as a track of one stem, a target one when `target`; names begin
 * with the root. */
smitin_status sm_library_add_files(sm_library *library, const char *root, bool target,
                                   smitin_error *error);

/* Fill in rate, length and activity of every stem; stems that cannot be read are noted and removed,
 * and with its last stem a track. */
smitin_status sm_library_listen(sm_library *library, smitin_error *error);

/* `frames` frames of `channels` (1 or 2) at `rate` from `block` on, added to `samples`,
 * interleaved; past its end a stem is silent. */
smitin_status sm_stem_add(const sm_stem *stem, int block, int channels, int rate, float *samples,
                          size_t frames, smitin_error *error);

#endif

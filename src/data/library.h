/* SPDX-License-Identifier: MIT */
/* The user's audio as found on disk: tracks, their stems, and where each of them sounds. For this
 * room and those that measure files. */
#ifndef SMITIN_DATA_LIBRARY_H
#define SMITIN_DATA_LIBRARY_H

#include <dirent.h>
#include "../base/arena.h"
#include "../probe/task.h"
#include "dataset.h"

#define SM_BLOCKS_PER_SECOND 10

typedef struct sm_stem {
    const char *path;
    bool target;
    int kind; /* of mixes: which of several targets, -1: none */
    int rate; /* Hz, of the file */
    double seconds;
    int blocks;      /* of 100 ms, the last one may be short */
    uint8_t *active; /* [blocks] */
} sm_stem;

/* Which split a track belongs to where its data set says so. */
typedef enum sm_side { SM_SIDE_ANY = 0, SM_SIDE_TRAIN, SM_SIDE_TEST } sm_side;

enum { SM_SPLIT_ANY = -1 };

/* The sm_split that a set's own word means, without regard to case; SM_SPLIT_ANY for other words.
 */
int sm_split_named(const char *text, size_t length);
/* The side that a set's own word means, without regard to case: validation is learnt from. ANY for
 * other words. */
sm_side sm_side_named(const char *text, size_t length);

typedef struct sm_track {
    const char *name; /* path below the root, for people */
    const char *key;  /* what the split hashes; tracks with equal keys go to one side: two
                       * folders of one recording, songs of one artist */
    sm_stem *stems;
    int count;
    int blocks; /* of the longest stem */
    sm_side side;
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
 * root. When all lie in folders called train, valid and test there, these are the sides. */
smitin_status sm_library_add_stems(sm_library *library, const char *root, const char *target,
                                   smitin_error *error);
/* Add every audio file below `root` as a track of one stem, a target one when `target`; names begin
 * with the root. */
smitin_status sm_library_add_files(sm_library *library, const char *root, bool target,
                                   smitin_error *error);

/* Add what a user named on a command line: a folder as sm_library_add_files, a file as a track of
 * one stem, called as it was given. SMITIN_ERROR_IO when there is no such path. */
smitin_status sm_library_add_path(sm_library *library, const char *path, smitin_error *error);

/* Add a track with room for `stems` stems, which are then added; *track is valid until the next one
 * is added. The strings are copied. */
smitin_status sm_library_track(sm_library *library, const char *name, const char *key, int stems,
                               sm_track **track, smitin_error *error);
smitin_status sm_library_stem(sm_library *library, sm_track *track, const char *folder,
                              const char *name, bool target, smitin_error *error);
/* Add every row of a CSV table (columns path, labels, and if it likes split and artist) as a track
 * of one stem, a target one when `trait` is among its labels. */
smitin_status sm_library_add_labels(sm_library *library, const char *file, const char *audio,
                                    const char *trait, smitin_error *error);
/* Keep the sides where every track has one and both are there, else forget them; a note says which.
 */
void sm_library_settle_sides(sm_library *library, const char *title);
/* By name, as they must be when clips are chosen. */
void sm_library_sort(sm_library *library);

/* Whether `trait` is one of the labels, which ";" or "|" separates; without regard to case and to
 * blanks around. */
bool sm_labels_have(const char *list, const char *trait);
/* Whether a path from a table stays below the folder it is joined to. */
bool sm_path_stays_below(const char *path);
/* Whether a name ends like one of an audio file. */
bool sm_path_is_audio(const char *name);
/* A copy in the arena; NULL when memory is short. */
char *sm_arena_text(sm_arena *arena, const char *text);
/* "folder/name", to free(); NULL when memory is short. */
char *sm_path_join(const char *folder, const char *name);
/* Visible entries of a folder in bytewise order, with scandir's ownership and result. */
int sm_path_list(const char *folder, struct dirent ***names);

/* Fill in rate, length and activity of every stem; stems that cannot be read are noted and removed,
 * and with its last stem a track. */
smitin_status sm_library_listen(sm_library *library, smitin_error *error);

/* `frames` frames of `channels` (1 or 2) at `rate` from `start` seconds of a file on, added to
 * `samples`, interleaved; *made is how many there were before the file's end. The file's own rate
 * and length are what its header says. */
smitin_status sm_sound_add(const char *path, int file_rate, double file_seconds, double start,
                           int channels, int rate, float *samples, size_t frames, size_t *made,
                           smitin_error *error);
/* The same of a stem from `block` on; past its end a stem is silent. */
smitin_status sm_stem_add(const sm_stem *stem, int block, int channels, int rate, float *samples,
                          size_t frames, smitin_error *error);

#endif

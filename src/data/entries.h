/* SPDX-License-Identifier: MIT */
/* Annotated files, as the readers of data sets find them. Internal to this room. */
#ifndef SMITIN_DATA_ENTRIES_H
#define SMITIN_DATA_ENTRIES_H

#include <jansson.h>
#include "collection.h"
#include "library.h"
#include "table.h"

typedef struct sm_entry {
    const char *path;  /* below the root; NULL: annotated, but there is no audio */
    const char *track; /* of its clips, for people and for scores by track */
    const char *group; /* what a split keeps together: an artist, or the track */
    size_t place;      /* among the annotations */
    int split;         /* an sm_split, or SM_SPLIT_ANY */
    double start, end; /* seconds of the file that the labels are about; end < 0: to its end */
    int *labels;       /* numbers of names */
    int labels_count;
    double *values; /* [sm_task_width] */
    int rate;       /* Hz, of the file */
    double seconds; /* of the file */
} sm_entry;

typedef struct sm_entries {
    sm_library notes; /* its arena and its notes; it has no tracks */
    sm_task task;
    sm_entry *items;
    size_t count, capacity;
    json_t *numbers;    /* name -> number */
    const char **names; /* [names_count], of labels, classes or targets */
    int names_count, names_capacity;
    bool ordered; /* the names are in the order they are to have */
} sm_entries;

/* What a reader of a data set is given. */
typedef struct sm_annotations {
    const char *name, *title, *licence;
    sm_task task; /* a table's is the user's */
    int top;      /* its habit: most frequent labels that are kept, 0 = all */
    /* What is wrong with a file is noted; annotations that cannot be read are an error. */
    smitin_status (*read)(sm_entries *entries, const sm_collection_options *options,
                          smitin_error *error);

} sm_annotations;

extern const sm_annotations sm_annotations_table, sm_annotations_folders, sm_annotations_gtzan,
    sm_annotations_magnatagatune, sm_annotations_musiccaps, sm_annotations_giantsteps,
    sm_annotations_emomusic;

/* Add a file below `root`; the strings are copied. With `path` NULL, or not there, which is noted,
 * it only counts for the frequency of labels. *entry is valid until the next one is added. */
smitin_status sm_entries_add(sm_entries *entries, const char *root, const char *path,
                             const char *track, const char *group, int split, sm_entry **entry,
                             smitin_error *error);
/* The number of a name, which is added when it is new; -1 and an error when memory is short. */
smitin_status sm_entries_name(sm_entries *entries, const char *name, int *number,
                              smitin_error *error);
/* Give an entry its label, or one more of several; those it has are kept once. */
smitin_status sm_entries_label(sm_entries *entries, sm_entry *entry, const char *name,
                               smitin_error *error);
/* Room for its numbers. */
smitin_status sm_entries_values(sm_entries *entries, sm_entry *entry, int count,
                                smitin_error *error);

/* A file below root/folder called `stem` with any suffix of audio, as a path below the root in out;
 * false when there is none. `folder` may be "". */
bool sm_find_audio(const char *root, const char *folder, const char *stem, char *out, size_t size);
/* The integer that SHA-1 of the text is, modulo m. */
smitin_status sm_sha1_modulo(const char *text, unsigned m, unsigned *out, smitin_error *error);
/* A whole, finite number, blanks around it allowed. */
bool sm_parse_number(const char *text, double *value);

/* The class of sm_key_names that a text such as "C minor", "d# minor" or "Bb major" begins with; -1
 * when it is none, or several. */
int sm_key_parse(const char *text);
/* The next item of a Python list of strings, ['one', "it's two"]: unquoted into out, which has room
 * for the rest of the list. *at begins at the list. 1, 0 at its end, -1 when it is none. */
int sm_list_next(const char **at, char *out);

#endif

/* SPDX-License-Identifier: MIT */
/* Clips with labels of any kind, for probing: from tables and from data sets as they lie on disk.
 * Files are cut into windows; levels are left as they are. Splits are those of the data set, else
 * by track or artist; never by clip. */
#ifndef SMITIN_DATA_COLLECTION_H
#define SMITIN_DATA_COLLECTION_H

#include "../probe/task.h"
#include "dataset.h"

typedef struct sm_collection_options {
    const char *dataset; /* see sm_collection_sets */
    const char *root;    /* the data set's folder; of a table, where its paths begin */
    const char *table;   /* the CSV of a table; of MusicCaps, when it lies elsewhere; else NULL */
    sm_task task;        /* of a table */
    const char *columns; /* of a table: NULL, or the columns of labels ("genre", "tempo,energy") */
    const char *trait;   /* of a table's binary task: the label */
    int top;             /* most frequent labels kept; 0 all, -1 the set's own habit */
    bool labelled_only;  /* leave out files without any of the labels that are kept */
    double seconds;      /* of a clip */
    int per_file;        /* clips of a file, evenly spread; 0: as many as fit */
    int sample_rate;     /* Hz */
    int channels;        /* 1 or 2 */
    double test_share;   /* held out where the set has no split */
    uint64_t seed;       /* of that split */
} sm_collection_options;

typedef struct sm_collection sm_collection;

/* "table", "folders", "magnatagatune", "gtzan", "giantsteps", "emomusic", "musiccaps"; NULL at the
 * end. */
extern const char *const sm_collection_sets[];

/* Read annotations, look at the header of every file, and plan the clips. Files that are missing,
 * broken or too short are left out with a note each. SMITIN_ERROR_ARGUMENT when nothing is left or
 * a split has nothing in it, SMITIN_ERROR_FORMAT when the annotations cannot be read. */
smitin_status sm_collection_open(sm_collection **collection, const sm_collection_options *options,
                                 smitin_error *error);
/* The clips of a data set with a trait and without it as a binary task. Takes `dataset`, also on
 * failure. */
smitin_status sm_collection_wrap(sm_collection **collection, sm_dataset *dataset, const char *trait,
                                 smitin_error *error);
/* Mixes of a track's stems, each of the targets in it or not, as a multi-label task. `layout` is
 * that of sm_dataset_open_layout, or "stems"; the targets are separated by ",". */
smitin_status sm_collection_open_mixes(sm_collection **collection, const char *layout,
                                       const char *root, const char *targets,
                                       const sm_dataset_options *options, smitin_error *error);
void sm_collection_free(sm_collection *collection); /* NULL is allowed */

sm_task sm_collection_task(const sm_collection *collection);
int sm_collection_classes(const sm_collection *collection); /* of traits, classes or targets */
const char *sm_collection_class(const sm_collection *collection, int index);
size_t sm_collection_count(const sm_collection *collection);
/* By path, then start. Valid as long as the collection. */
const sm_clip *sm_collection_clip(const sm_collection *collection, size_t clip);
size_t sm_collection_clip_samples(const sm_collection *collection); /* all channels together */
/* Fill samples [clip_samples], interleaved. Fails for a file that is broken behind its header. */
smitin_status sm_collection_samples(sm_collection *collection, size_t clip, float *samples,
                                    smitin_error *error);

/* What was left out and why, one line each; n counts from 0; NULL past the end. */
const char *sm_collection_note(const sm_collection *collection, size_t n);
const char *sm_collection_title(const sm_collection *collection);   /* "MagnaTagATune" */
const char *sm_collection_licence(const sm_collection *collection); /* NULL: not known */
/* One line: "GTZAN: 930 files, 9300 clips of 3 s (4430 train, 1970 valid, 2900 test), 10 classes".
 */
const char *sm_collection_summary(const sm_collection *collection);

#endif

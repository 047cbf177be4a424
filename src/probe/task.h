/* SPDX-License-Identifier: MIT */
/* What a probe is asked: the kinds of tasks, and which rows are for what. */
#ifndef SMITIN_PROBE_TASK_H
#define SMITIN_PROBE_TASK_H

typedef enum sm_task {
    SM_TASK_BINARY = 0, /* one trait, there or not */
    SM_TASK_MULTILABEL, /* several traits, each there or not */
    SM_TASK_MULTICLASS, /* one of several classes */
    SM_TASK_REGRESSION, /* numbers */
} sm_task;

enum { SM_TASKS = 4 };
extern const char *const sm_task_names[SM_TASKS + 1]; /* "binary", ...; NULL at the end */

typedef enum sm_split { SM_SPLIT_TRAIN = 0, SM_SPLIT_VALID, SM_SPLIT_TEST } sm_split;

enum { SM_SPLITS = 3 };
extern const char *const sm_split_names[SM_SPLITS + 1]; /* "train", "valid", "test" */

/* The 24 keys in the order of the classes of a key task: 2 * pitch class + (minor), "C major",
 * "C minor", "Db major", ... */
enum { SM_KEYS = 24 };
extern const char *const sm_key_names[SM_KEYS + 1];

/* Numbers that a row carries: one of each trait or target, and the number of its class. */
static inline int sm_task_width(sm_task task, int classes)
{
    return task == SM_TASK_MULTICLASS ? 1 : classes;
}

/* One labelled stretch of audio. */
typedef struct sm_clip {
    const char *path;  /* below the folder of the audio */
    const char *track; /* clips of one recording share it */
    double start;      /* seconds into the file */
    sm_split split;
    const double
        *values; /* [sm_task_width]: 0 or 1 of each trait, the class's number, or numbers */
} sm_clip;

#endif

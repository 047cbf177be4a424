/* SPDX-License-Identifier: MIT */
/* Binding a checkpoint's tensors to a model: every tensor is looked up by name, checked for type,
 * shape and finite values, and copied to f32 in an arena. All misses are collected and reported at
 * once. */
#ifndef SMITIN_FORMAT_WEIGHTS_H
#define SMITIN_FORMAT_WEIGHTS_H

#include "../base/arena.h"
#include "source.h"

typedef struct sm_binder {
    const sm_safetensors *file; /* this or the next one, the other is NULL */
    const sm_source *source;
    sm_arena *arena;
    uint64_t parameters; /* bound so far */
    int misses;          /* problems so far */
    int reported;        /* of these, in the report */
    bool lacks_lstm;     /* one of them is a missing tensor of an LSTM */
    bool out_of_memory;  /* one of them was a failed allocation: finish gives SMITIN_ERROR_MEMORY */
    char report[840];    /* the first of them, for the message */
    size_t report_length;
} sm_binder;

/* Bind from one file, or from a folder's weights whatever container they lie in. */
void sm_binder_init(sm_binder *binder, const sm_safetensors *file, sm_arena *arena);
void sm_binder_init_source(sm_binder *binder, const sm_source *source, sm_arena *arena);

/* The tensor called by the printf-style name with exactly `shape` (`dims` of them), as f32 in the
 * arena. On a miss the problem is noted and NULL is returned; go on binding and ask
 * sm_binder_finish at the end. */
float *sm_bind(sm_binder *binder, int dims, const int64_t *shape, const char *name_format, ...)
    SM_PRINTF(4, 5);
/* Whether a tensor of that name exists. */
bool sm_binder_has(const sm_binder *binder, const char *name_format, ...) SM_PRINTF(2, 3);
/* Note a problem of the caller's own. */
void sm_binder_miss(sm_binder *binder, const char *format, ...) SM_PRINTF(2, 3);

/* SMITIN_OK, or SMITIN_ERROR_MODEL with all that was noted. */
smitin_status sm_binder_finish(const sm_binder *binder, const char *part, smitin_error *error);

#endif

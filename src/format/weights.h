/* SPDX-License-Identifier: MIT */
/* Binding a checkpoint's tensors to a model: every tensor is looked up by name, checked for type,
 * shape and finite values, and copied to an arena, vectors in f32 and matrices in the format asked
 * for. All misses are collected and reported at once. */
#ifndef SMITIN_FORMAT_WEIGHTS_H
#define SMITIN_FORMAT_WEIGHTS_H

#include "../base/arena.h"
#include "../base/pool.h"
#include "../kernels/matrix.h"
#include "source.h"

enum { SM_NAMES_SIZE = 1024 }; /* of one tensor's name or of several */

/* What is known of a tensor before it is bound: where it comes from and what it is to become. Its
 * rows are those of dimension 0, a vector is one row. */
typedef struct sm_bound {
    const char *name; /* of the whole: "...conv.weight" of a weight norm, too */
    int dims;
    int64_t shape[SM_MAX_DIMS];
    sm_format format;        /* in memory */
    const sm_tensor *tensor; /* the numbers, or the directions of a weight norm */
    const sm_tensor *norm;   /* its magnitudes [rows]; NULL: none */
} sm_bound;

typedef struct sm_binder {
    const sm_safetensors *file; /* one of these three, the others are NULL and false */
    const sm_source *source;
    bool random; /* every tensor is there, and nobody is told of it */
    sm_arena *arena;
    sm_format format; /* of linear layers: f32 unless set after init */
    bool as_file;     /* instead: as each has it in the file, f32, f16 or bf16 */
    sm_pool *pool;    /* shares the work of converting; NULL: the caller alone */
    /* Told of every tensor bound, in the order of the calls, while it can still be read; NULL: no
     * one. */
    void (*watch)(void *watcher, const sm_tensor *tensor);
    void *watcher;
    /* Set: tensors are looked up, checked and told of one by one, but nothing is copied. sm_bind
     * gives NULL and sm_bind_matrix an empty matrix then, as on a miss, and nothing is noted. Of
     * random weights nothing is told. */
    void (*list)(void *lister, const sm_bound *bound);
    void *lister;
    /* Of the decoder, where the file states it as its numbers are rounded; NULL: it is taken. */
    const char *fingerprint;
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
/* Or from nothing: matrices of random numbers with a deviation of 1 / sqrt(inputs), biases of 0,
 * other vectors of 1. Each number depends on the (first) name and its place alone. */
void sm_binder_init_random(sm_binder *binder, sm_arena *arena);
void sm_binder_init_source(sm_binder *binder, const sm_source *source, sm_arena *arena);

/* The tensor called by the printf-style name with exactly `shape` (`dims` of them), as f32 in the
 * arena. On a miss the problem is noted and NULL is returned; go on binding and ask
 * sm_binder_finish at the end. */
float *sm_bind(sm_binder *binder, int dims, const int64_t *shape, const char *name_format, ...)
    SM_PRINTF(4, 5);

/* The weight of a convolution [d0, d1, d2] called by the printf-style name without its ".weight":
 * as such, or from a weight norm in either spelling, w = g v / |v| for each index of dimension 0
 * over all others. As f32 in the arena; told to a lister in the binder's format. */
float *sm_bind_normed(sm_binder *binder, const int64_t shape[3], const char *name_format, ...)
    SM_PRINTF(3, 4);

/* Rows n0..n1-1 of what is to be bound, as f32: out [n1 - n0, columns]. Fails with
 * SMITIN_ERROR_MODEL for a weight norm whose direction has no length. */
smitin_status sm_bound_read(const sm_bound *bound, float *out, int n0, int n1, smitin_error *error);
int sm_bound_rows(const sm_bound *bound);
size_t sm_bound_columns(const sm_bound *bound);

/* The weights of a linear layer [N, M] in the binder's format. Several names with spaces between
 * them are tensors [N / names, M] each, stacked one above the other, so that layers with the same
 * input are one product. False, and `out` all zero, on a miss. */
bool sm_bind_matrix(sm_binder *binder, sm_matrix *out, int N, int M, const char *names_format, ...)
    SM_PRINTF(5, 6);
/* A table of N vectors of M numbers to be looked up: as the file, or f32, when the binder says so;
 * for 16 bits the file's own, if it has such, else f16; for q8 and q4 q8. */
bool sm_bind_table(sm_binder *binder, sm_matrix *out, int N, int M, const char *name_format, ...)
    SM_PRINTF(5, 6);

/* The tensor of that name with its shape and type checked; NULL, and the problem noted, when
 * something is wrong with it. */
const sm_tensor *sm_binder_tensor(sm_binder *binder, int dims, const int64_t *shape,
                                  const char *name);
/* The same where the type may also be that of `format` in blocks of GGUF. */
const sm_tensor *sm_binder_blocks(sm_binder *binder, sm_format format, int dims,
                                  const int64_t *shape, const char *name);
/* Whether a tensor of that name exists. */
bool sm_binder_has(const sm_binder *binder, const char *name_format, ...) SM_PRINTF(2, 3);
/* Note a problem of the caller's own. */
void sm_binder_miss(sm_binder *binder, const char *format, ...) SM_PRINTF(2, 3);

/* Note that memory is short for `what`. */
void sm_binder_short(sm_binder *binder, const char *what);

/* What a random binder binds: numbers first.. of the tensor with that seed. */
uint64_t sm_random_seed(const char *name);
void sm_random_weights(float *out, uint64_t seed, size_t first, size_t count, double size);

/* SMITIN_OK, or SMITIN_ERROR_MODEL with all that was noted. */
smitin_status sm_binder_finish(const sm_binder *binder, const char *part, smitin_error *error);

#endif

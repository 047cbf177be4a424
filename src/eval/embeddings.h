/* SPDX-License-Identifier: MIT */
/* Sets of embeddings: read from .npy files as fadtk keeps them, or made from audio by an encoder.
 */
#ifndef SMITIN_EVAL_EMBEDDINGS_H
#define SMITIN_EVAL_EMBEDDINGS_H

#include <stdbool.h>
#include "../base/error.h"

typedef struct sm_embeddings {
    float *rows; /* [N, d]; owned */
    size_t N, capacity;
    int d;
    size_t files; /* they come from */
} sm_embeddings;

void sm_embeddings_free(sm_embeddings *set); /* safe on a zeroed struct */
/* Append n rows of d numbers, copied; `name` stands in messages. The first rows decide d. */
smitin_status sm_embeddings_add(sm_embeddings *set, const float *rows, size_t n, int d,
                                const char *name, smitin_error *error);
/* Put the rows in the order of their numbers, so that what is computed from the set does not depend
 * on the order of files. */
void sm_embeddings_settle(sm_embeddings *set);

/* Append what is at `path`:
 *   - an .npy file, [N, d] or [d], of f32, f16 or f64
 *   - a folder with .npy files in it: all of these
 *   - a folder of audio with fadtk's cache: FOLDER/embeddings/MODEL/NAME.npy. `model` says which;
 *     NULL: the only one that is there.
 * On failure the set may hold a part. */
smitin_status sm_embeddings_read(sm_embeddings *set, const char *path, const char *model,
                                 smitin_error *error);
/* Whether `path` is one of these; else it is a folder of audio to be encoded. */
bool sm_embeddings_stored(const char *path);
/* Write the rows of one audio file where fadtk looks for them: FOLDER/embeddings/MODEL/NAME.npy for
 * FOLDER/NAME.wav. Folders are made. `where` [size] receives the path. */
smitin_status sm_embeddings_write(const char *audio, const char *model, const float *rows, size_t n,
                                  int d, char *where, size_t size, smitin_error *error);

/* An encoder: something that turns audio into rows. */
typedef struct sm_encoder {
    const char *name; /* as a folder of the cache */
    int rate;         /* Hz of the mono samples it wants */
    int d;
    /* samples[count] -> *rows [*n, d], to free(). */
    smitin_status (*run)(void *context, const float *samples, size_t count, float **rows, size_t *n,
                         smitin_error *error);
    void *context;
} sm_encoder;

/* The rows of one audio file from `skip` seconds on. */
smitin_status sm_encode_file(const sm_encoder *encoder, const char *path, double skip, float **rows,
                             size_t *n, smitin_error *error);

#endif

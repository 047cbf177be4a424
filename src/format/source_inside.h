/* SPDX-License-Identifier: MIT */
/* The inside of a source, shared by the files that fill it. */
#ifndef SMITIN_FORMAT_SOURCE_INSIDE_H
#define SMITIN_FORMAT_SOURCE_INSIDE_H

#include "../base/arena.h"
#include "gguf.h"
#include "source.h"
#include "torch_file.h"

#define SM_PATH_SIZE 1024

/* Every MusicGen has the codec of this model. */
#define SM_CODEC_REPO "facebook/encodec_32khz"

/* One mapped file: exactly one of the three is set. */
typedef struct sm_container {
    char *path;
    sm_safetensors *safetensors;
    sm_torch *torch;
    sm_gguf *gguf;
} sm_container;

struct sm_source {
    char *path;
    sm_arena *arena;          /* names that are not in a container */
    sm_container *containers; /* [containers_count] */
    size_t containers_count, containers_capacity;
    sm_tensor *tensors; /* [count], sorted by name once all are there */
    size_t count, capacity;
};

size_t sm_container_count(const sm_container *container);
const sm_tensor *sm_container_at(const sm_container *container, size_t index);
const sm_tensor *sm_container_find(const sm_container *container, const char *name);

/* "FOLDER/NAME"; an error when it is longer than the buffer. */
smitin_status sm_source_join(char path[SM_PATH_SIZE], const char *folder, const char *name,
                             smitin_error *error);
/* Whether FOLDER/NAME is there, be it a link to nowhere (which is then an error to be told, not a
 * reason to look elsewhere). */
bool sm_source_has(const char *folder, const char *name);

/* Put a container, whose parts it takes over also when it fails, among the others. */
smitin_status sm_source_hold(sm_source *source, sm_container made, smitin_error *error);
/* Map FOLDER/NAME (".safetensors", else PyTorch's); its place among the containers. */
smitin_status sm_source_map(sm_source *source, const char *folder, const char *name, size_t *place,
                            smitin_error *error);
/* Add a view under another name, which is copied; NULL keeps the view's. */
smitin_status sm_source_add(sm_source *source, const sm_tensor *view, const char *name,
                            smitin_error *error);

/* Map `path`, a GGUF file, and add its tensors under the names of the transformers layout. */
smitin_status sm_source_take_gguf(sm_source *source, const char *path, smitin_error *error);

/* Puts one tensor of a folder into a source, under whichever name, or passes over it. */
typedef smitin_status (*sm_source_taker)(sm_source *source, const sm_tensor *view,
                                         smitin_error *error);

/* Forms 1 to 4 in `folder`: `take` is given every tensor. `found` false: there is none of them. */
smitin_status sm_source_take_folder(sm_source *source, const char *folder, sm_source_taker take,
                                    bool *found, smitin_error *error);
/* From the folders beside `folder` that source.h names; an error when they are not there. */
smitin_status sm_source_take_codec(sm_source *source, const char *folder, const char *repo,
                                   smitin_error *error);
smitin_status sm_source_take_text(sm_source *source, const char *folder, smitin_error *error);
/* A codec that lacks tensors of its LSTMs is replaced by the one beside the model, if it is there;
 * else all stays as it is. Before the tensors are sorted. */
smitin_status sm_source_mend_codec(sm_source *source, const char *folder, smitin_error *error);
/* Form 5. */
smitin_status sm_source_take_audiocraft(sm_source *source, const char *folder, smitin_error *error);

#endif

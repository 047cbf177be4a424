/* SPDX-License-Identifier: MIT */
/* PyTorch's files (pytorch_model.bin, state_dict.bin): a ZIP archive with a pickle that describes
 * tensors and one stored member per storage. Read by the restricted reader of pickle.h. */
#ifndef SMITIN_FORMAT_TORCH_FILE_H
#define SMITIN_FORMAT_TORCH_FILE_H

#include "safetensors.h"

typedef struct sm_torch sm_torch;

/* Map `path` and describe its tensors: those of the top dict by their key, those of a dict inside
 * it as "key/name". Whatever else the top dict holds is passed over, texts excepted. Every tensor
 * lies within its storage; one whose strides are not row-major is copied. */
smitin_status sm_torch_open(sm_torch **file, const char *path, smitin_error *error);
/* The same from memory, borrowed until close. `path` is used in messages. */
smitin_status sm_torch_parse(sm_torch **file, const void *data, size_t size, const char *path,
                             smitin_error *error);
void sm_torch_close(sm_torch *file); /* NULL is allowed */

size_t sm_torch_count(const sm_torch *file);
/* Sorted by name. */
const sm_tensor *sm_torch_at(const sm_torch *file, size_t index);
const sm_tensor *sm_torch_find(const sm_torch *file, const char *name);
/* A short text of the top dict, or NULL. */
const char *sm_torch_text(const sm_torch *file, const char *key);

#endif

/* SPDX-License-Identifier: MIT */
/* Where a model's weights come from: a folder, whatever container they lie in, or one GGUF file.
 * Tensors are found by the names of the transformers layout and are views of memory-mapped files.
 *
 * In a folder are looked for in this order; the first that is there is taken, the others are not
 * touched:
 *   1. model.safetensors
 *   2. model.safetensors.index.json and its shards
 *   3. pytorch_model.bin
 *   4. pytorch_model.bin.index.json and its shards
 *   5. state_dict.bin, audiocraft's own, with
 *      - the codec from compression_state_dict.bin; when that is absent, or only points to a
 *        pretrained codec, from the folder of facebook/encodec_32khz
 *      - the text encoder from the folder of t5-base
 * Forms 1 to 4 whose codec lacks tensors of its LSTMs, as early uploads of melody models do, take
 * the whole codec from the folder of facebook/encodec_32khz if it is there.
 * Such a folder is looked for as FOLDER/NAME, FOLDER/../NAME, and, when FOLDER is a snapshot in a
 * Hugging Face cache, as that cache's snapshot of it. It holds one of the forms 1 to 4. */
#ifndef SMITIN_FORMAT_SOURCE_H
#define SMITIN_FORMAT_SOURCE_H

#include "gguf.h"
#include "safetensors.h"

typedef struct sm_source sm_source;

/* Map every file needed and list its tensors. `path` is a folder, or a GGUF file. */
smitin_status sm_source_open(sm_source **source, const char *path, smitin_error *error);
void sm_source_close(sm_source *source); /* NULL is allowed; every tensor's data goes with it */

const char *sm_source_path(const sm_source *source); /* as it was given */
/* The GGUF file, for its metadata; NULL when the source is a folder. */
const sm_gguf *sm_source_gguf(const sm_source *source);
size_t sm_source_count(const sm_source *source);
const sm_tensor *sm_source_at(const sm_source *source, size_t index);       /* sorted by name */
const sm_tensor *sm_source_find(const sm_source *source, const char *name); /* NULL when absent */
/* The files that are mapped, in the order they were opened. */
size_t sm_source_files(const sm_source *source);
const char *sm_source_file(const sm_source *source, size_t index);

#endif

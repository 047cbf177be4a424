/* SPDX-License-Identifier: MIT */
/* A restricted reader of pickles, as PyTorch writes them (protocol 2). It builds plain containers,
 * descriptions of tensors, and nothing else: no code of the pickle's choosing is ever run, and any
 * other operation or import is refused with its name. */
#ifndef SMITIN_FORMAT_PICKLE_H
#define SMITIN_FORMAT_PICKLE_H

#include <stdbool.h>
#include <stdint.h>
#include "safetensors.h"

typedef enum sm_pickle_kind {
    SM_PICKLE_NONE = 0,
    SM_PICKLE_BOOL,
    SM_PICKLE_INT,
    SM_PICKLE_TEXT,
    SM_PICKLE_TUPLE,
    SM_PICKLE_LIST,
    SM_PICKLE_DICT,
    SM_PICKLE_IMPORT,  /* one of the few known names */
    SM_PICKLE_STORAGE, /* made of a tuple ("storage", type, key, location, elements) */
    SM_PICKLE_TENSOR   /* made of a tuple (storage, offset, shape, strides, grad, hooks) */
} sm_pickle_kind;

typedef struct sm_pickle_value {
    sm_pickle_kind kind;
    uint32_t length; /* bytes of a text; items of a container; of a storage or tensor: its tuple's
                      */
    union {
        int64_t number;   /* bool, int; of an import its place in the list of known names */
        const char *text; /* [length], not terminated; inside the pickle */
        struct {
            uint32_t first, last;
        } cells; /* containers, storages and tensors */
    } u;
} sm_pickle_value;

typedef struct sm_pickle sm_pickle;

/* Read a pickle of `size` bytes, which is borrowed and must outlive the result. Memory is bounded
 * by a multiple of `size`, time too; nothing recurses. `path` is used in messages. */
smitin_status sm_pickle_parse(sm_pickle **pickle, const void *data, size_t size, const char *path,
                              smitin_error *error);
void sm_pickle_free(sm_pickle *pickle); /* NULL is allowed */

const sm_pickle_value *sm_pickle_root(const sm_pickle *pickle);
/* Item `index` of a tuple, list, storage or tensor, counted from 0; NULL behind the end. Walks. */
const sm_pickle_value *sm_pickle_item(const sm_pickle *pickle, const sm_pickle_value *of,
                                      uint32_t index);
/* Whether a text is this one. */
bool sm_pickle_is(const sm_pickle_value *value, const char *text);
/* The element type of a storage class; false for any other import. */
bool sm_pickle_dtype(const sm_pickle_value *import, sm_dtype *dtype);

/* Walking the items of a container in their order; keys are NULL in tuples and lists. */
typedef struct sm_pickle_walk {
    uint32_t left, cell;
    const sm_pickle_value *key, *value;
} sm_pickle_walk;

sm_pickle_walk sm_pickle_begin(const sm_pickle_value *of);
bool sm_pickle_next(const sm_pickle *pickle, sm_pickle_walk *walk);

#endif

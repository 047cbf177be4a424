/* SPDX-License-Identifier: MIT */
/* The names of the pickle world: the few imports that are known, and what operations are called in
 * messages. */
#ifndef SMITIN_FORMAT_PICKLE_NAMES_H
#define SMITIN_FORMAT_PICKLE_NAMES_H

#include <stdbool.h>
#include "safetensors.h"

enum {
    SM_IMPORT_DICT = 0,   /* collections.OrderedDict */
    SM_IMPORT_TENSOR = 1, /* torch._utils._rebuild_tensor_v2 */
    SM_IMPORT_STORAGES    /* from here on: storage classes */
};

/* The place of "module\nname" in the list of known imports, or -1. */
int sm_pickle_import(const char *name, size_t length);
/* The element type of a storage class; false when the import is none. */
bool sm_pickle_storage_type(int import, sm_dtype *dtype);
/* "REDUCE"; "unknown" for a byte that is no operation. */
const char *sm_pickle_operation(unsigned char code);

#endif

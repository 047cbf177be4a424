/* SPDX-License-Identifier: MIT */
/* Cases stored as "NAME.part" in a safetensors file. */
#ifndef SMITIN_TESTS_PROBE_GOLDEN_H
#define SMITIN_TESTS_PROBE_GOLDEN_H

#include "../common.h"
#include "../../src/format/safetensors.h"

static inline const sm_tensor *find(const sm_safetensors *file, const char *name, const char *part)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, part);
    const sm_tensor *tensor = sm_safetensors_find(file, full);
    if (tensor == NULL) fail_msg("%s is missing", full);
    return tensor;
}

/* A copy of a tensor's bytes, which need not be aligned in the file. */
static inline void *copy(const sm_tensor *tensor)
{
    const size_t size = tensor->count * sm_dtype_size(tensor->dtype);
    void *out = malloc(size > 0 ? size : 1);
    assert_non_null(out);
    memcpy(out, tensor->data, size);
    return out;
}

#endif

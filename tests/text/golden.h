/* SPDX-License-Identifier: MIT */
/* Golden files of tests/golden; SM_GOLDEN is that folder. */
#ifndef SMITIN_TESTS_TEXT_GOLDEN_H
#define SMITIN_TESTS_TEXT_GOLDEN_H

#include "../common.h"

#include "../../src/text/t5.h"

static inline sm_safetensors *open_golden(const char *name)
{
    char path[1024];
    smitin_error error;
    sm_safetensors *file;
    snprintf(path, sizeof(path), "%s/%s", SM_GOLDEN, name);
    ASSERT_OK(sm_safetensors_open(&file, path, &error));
    return file;
}

static inline const sm_tensor *golden_tensor(const sm_safetensors *file, const char *name)
{
    const sm_tensor *tensor = sm_safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no golden tensor %s", name);
    return tensor;
}

static inline int32_t golden_int(const sm_tensor *tensor, size_t index)
{
    int32_t value;
    assert_true(tensor->dtype == SM_I32 && index < tensor->count);
    memcpy(&value, (const char *)tensor->data + 4 * index, 4);
    return value;
}

#endif

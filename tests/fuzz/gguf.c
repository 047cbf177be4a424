/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a GGUF file. What was accepted must lie inside them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/gguf.h"
#include "../../src/kernels/quant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t bytes_of(const sm_tensor *tensor)
{
    if (sm_dtype_size(tensor->dtype) > 0) return tensor->count * sm_dtype_size(tensor->dtype);
    const size_t inner = (size_t)tensor->shape[tensor->dims - 1];
    return tensor->count / inner *
           sm_row_bytes(tensor->dtype == SM_Q8_0 ? SM_FORMAT_Q8 : SM_FORMAT_Q4, (int)inner);
}

static void check_inside(const void *begin, size_t bytes, const uint8_t *data, size_t size)
{
    const uint8_t *at = begin;
    if (at < data || at > data + size || bytes > (size_t)(data + size - at)) abort();
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i += bytes / 16 + 1) sum = (uint8_t)(sum + at[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"general.architecture", "general.alignment", "smitin.config",
                                       "k"};
    smitin_error error = {0};
    sm_gguf *file;
    if (sm_gguf_parse(&file, data, size, "fuzz", &error) != SMITIN_OK) {
        if (file != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    for (size_t i = 0; i < sm_gguf_count(file); i++) {
        const sm_tensor *tensor = sm_gguf_at(file, i);
        if (tensor->dims < 1 || tensor->dims > 4) abort();
        if (sm_gguf_find(file, tensor->name) != tensor) abort();
        check_inside(tensor->data, bytes_of(tensor), data, size);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const sm_gguf_value *value = sm_gguf_meta(file, keys[i]);
        if (value != NULL) check_inside(value->data, value->size, data, size);
    }
    sm_gguf_close(file);
    return 0;
}

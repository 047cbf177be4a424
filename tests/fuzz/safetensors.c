/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a safetensors file. What was accepted must lie inside them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const sm_safetensors *file, const sm_tensor *tensor, const uint8_t *data,
                         size_t size)
{
    const uint8_t *begin = tensor->data;
    size_t bytes = tensor->count * sm_dtype_size(tensor->dtype);
    if (begin < data || begin > data + size || bytes > (size_t)(data + size - begin)) abort();
    if (sm_safetensors_find(file, tensor->name) != tensor) abort();
    if (tensor->dims < 0 || tensor->dims > SM_MAX_DIMS) abort();
    for (size_t i = 0; i < tensor->count; i += tensor->count / 16 + 1) {
        float value;
        smitin_status status = sm_tensor_to_f32(tensor, i, 1, &value, NULL);
        if (status != SMITIN_OK && tensor->dtype <= SM_F64) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_safetensors *file;
    if (sm_safetensors_parse(&file, data, size, "fuzz", &error) != SMITIN_OK) {
        if (file != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        check_tensor(file, sm_safetensors_at(file, i), data, size);
    }
    if (sm_safetensors_find(file, "__metadata__") != NULL) abort();
    sm_safetensors_meta(file, "format");
    sm_safetensors_close(file);
    return 0;
}

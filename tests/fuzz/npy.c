/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of an .npy file. What was accepted must have as many bytes as its shape
 * says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_npy array;
    if (sm_npy_parse(&array, data, size, "fuzz", &error) != SMITIN_OK) {
        if (array.data != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    size_t bytes = array.count * sm_dtype_size(array.dtype);
    if (bytes > size || memcmp(array.data, data + size - bytes, bytes) != 0) abort();
    sm_npy_free(&array);
    return 0;
}

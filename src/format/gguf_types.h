/* SPDX-License-Identifier: MIT */
/* What reading and writing GGUF share. For these two only. */
#ifndef SMITIN_FORMAT_GGUF_TYPES_H
#define SMITIN_FORMAT_GGUF_TYPES_H

#include "safetensors.h"

enum {
    SM_GGUF_NAME = 64, /* bytes of a tensor's name, as the format bounds it; ggml takes one less */
    SM_GGUF_DIMS = 4,
};

static const struct {
    sm_dtype dtype;
    uint32_t number;
} sm_gguf_types[] = {{SM_F32, 0},  {SM_F16, 1},     {SM_BF16, 30},
                     {SM_Q8_0, 8}, {SM_IQ4_NL, 20}, {SM_F64, 28}};
enum { SM_GGUF_TYPES = sizeof sm_gguf_types / sizeof sm_gguf_types[0] };

/* The next multiple; sizes lie within a file that was mapped or is being written, far below the
 * end of size_t. */
static inline size_t sm_gguf_align(size_t at, size_t alignment)
{
    return (at + alignment - 1) / alignment * alignment;
}

#endif

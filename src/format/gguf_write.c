/* SPDX-License-Identifier: MIT */
/* Owns writing the head of GGUF files. */
#include <stdlib.h>
#include <string.h>

#include "../kernels/quant.h"
#include "gguf.h"
#include "gguf_types.h"

enum { ALIGNMENT = 32 };

/* The head while it grows. */
typedef struct head {
    unsigned char *data;
    size_t size, capacity;
    bool short_of_memory;
} head;

static void put(head *h, const void *data, size_t size)
{
    if (h->short_of_memory) return;
    if (size > h->capacity - h->size) {
        const size_t wanted = 2 * (h->size + size) + 4096;
        unsigned char *grown = realloc(h->data, wanted);
        h->short_of_memory = grown == NULL;
        if (grown == NULL) return;
        h->data = grown;
        h->capacity = wanted;
    }
    if (size > 0) memcpy(h->data + h->size, data, size);
    h->size += size;
}

static void put_u32(head *h, uint32_t value)
{
    put(h, &value, sizeof value);
}

static void put_u64(head *h, uint64_t value)
{
    put(h, &value, sizeof value);
}

static void put_text(head *h, const void *text, size_t size)
{
    put_u64(h, size);
    put(h, text, size);
}

static void put_meta(head *h, const sm_gguf_meta_out *meta)
{
    put_text(h, meta->key, strlen(meta->key));
    if (meta->kind == SM_GGUF_U32) {
        put_u32(h, SM_GGUF_U32);
        put_u32(h, meta->number);
    } else if (meta->kind == SM_GGUF_TEXT) {
        put_u32(h, SM_GGUF_TEXT);
        put_text(h, meta->data, meta->size);
    } else {
        put_u32(h, SM_GGUF_ARRAY);
        put_u32(h, SM_GGUF_U8);
        put_text(h, meta->data, meta->size); /* a count and the bytes, too */
    }
}

size_t sm_gguf_bytes(const sm_tensor_out *tensor)
{
    size_t rows = 1;
    const size_t inner = (size_t)tensor->shape[tensor->dims - 1];
    for (int i = 0; i + 1 < tensor->dims; i++) rows *= (size_t)tensor->shape[i];
    if (sm_dtype_size(tensor->dtype) > 0) return rows * inner * sm_dtype_size(tensor->dtype);
    return rows * sm_row_bytes(tensor->dtype == SM_Q8_0 ? SM_FORMAT_Q8 : SM_FORMAT_Q4, (int)inner);
}

/* The number of a type that GGUF has; others are not handed to the writer. */
static uint32_t type_number(sm_dtype dtype)
{
    uint32_t number = UINT32_MAX;
    for (size_t i = 0; i < SM_GGUF_TYPES; i++) {
        if (sm_gguf_types[i].dtype == dtype) number = sm_gguf_types[i].number;
    }
    return number;
}

static smitin_status check_tensor(const sm_tensor_out *tensor, smitin_error *error)
{
    if (strlen(tensor->name) < SM_GGUF_NAME && tensor->dims >= 1 && tensor->dims <= SM_GGUF_DIMS &&
        type_number(tensor->dtype) != UINT32_MAX)
        return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "tensor '%.120s' does not fit into GGUF, which has names of 63 bytes and 4 "
                   "dimensions and no type %s; give it another name or type",
                   tensor->name, sm_dtype_name(tensor->dtype));
}

static void put_tensor(head *h, const sm_tensor_out *tensor, size_t place)
{
    put_text(h, tensor->name, strlen(tensor->name));
    put_u32(h, (uint32_t)tensor->dims);
    for (int i = tensor->dims - 1; i >= 0; i--) put_u64(h, (uint64_t)tensor->shape[i]);
    put_u32(h, type_number(tensor->dtype));
    put_u64(h, place);
}

smitin_status sm_gguf_write_head(sm_outfile *file, const sm_tensor_out *tensors,
                                 size_t tensors_count, const sm_gguf_meta_out *meta,
                                 size_t meta_count, size_t *places, size_t *end,
                                 smitin_error *error)
{
    head h = {0};
    const sm_gguf_meta_out alignment = {
        .key = "general.alignment", .kind = SM_GGUF_U32, .number = ALIGNMENT};
    put(&h, "GGUF", 4);
    put_u32(&h, 3);
    put_u64(&h, tensors_count);
    put_u64(&h, meta_count + 1);
    for (size_t i = 0; i < meta_count; i++) put_meta(&h, &meta[i]);
    put_meta(&h, &alignment);
    smitin_status status = SMITIN_OK;
    size_t place = 0;
    for (size_t i = 0; i < tensors_count && status == SMITIN_OK; i++) {
        status = check_tensor(&tensors[i], error);
        if (status != SMITIN_OK) break;
        put_tensor(&h, &tensors[i], place);
        places[i] = place;
        place = sm_gguf_align(place + sm_gguf_bytes(&tensors[i]), ALIGNMENT);
    }
    const size_t start = sm_gguf_align(h.size, ALIGNMENT);
    for (size_t i = 0; i < tensors_count && status == SMITIN_OK; i++) places[i] += start;
    *end = start + place;
    if (status == SMITIN_OK && h.short_of_memory)
        status = sm_fail_memory(error, "the head of a GGUF file", h.size);
    if (status == SMITIN_OK) (void)sm_outfile_put(file, 0, h.data, h.size);
    free(h.data);
    return status;
}

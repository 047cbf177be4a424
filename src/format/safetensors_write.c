/* SPDX-License-Identifier: MIT */
/* Owns writing safetensors: the header is built, the data laid behind it, and the whole handed to
 * the one function that writes files all or nothing. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/outfile.h"

/* Bytes of one tensor; false when its description is impossible. */
static bool tensor_bytes(const sm_tensor_out *tensor, size_t *bytes)
{
    if (tensor->dims < 0 || tensor->dims > SM_MAX_DIMS) return false;
    *bytes = sm_dtype_size(tensor->dtype);
    if (*bytes == 0) return false;
    for (int i = 0; i < tensor->dims; i++) {
        if (tensor->shape[i] < 0) return false;
        if (__builtin_mul_overflow(*bytes, (uint64_t)tensor->shape[i], bytes)) return false;
    }
    return tensor->data != NULL || *bytes == 0;
}

/* {"dtype": .., "shape": [..], "data_offsets": [..]}; NULL when memory is short. */
static json_t *tensor_entry(const sm_tensor_out *tensor, size_t begin, size_t end)
{
    json_t *shape = json_array();
    for (int i = 0; shape != NULL && i < tensor->dims; i++) {
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) == 0) continue;
        json_decref(shape);
        return NULL;
    }
    /* The packer takes `shape` over, and releases it when it fails. */
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", sm_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static smitin_status add_meta(json_t *header, const sm_meta_out *meta, size_t count,
                              smitin_error *error)
{
    if (count == 0) return SMITIN_OK;
    json_t *object = json_object();
    if (json_object_set_new(header, "__metadata__", object) != 0) {
        return sm_fail_memory(error, "a header", count);
    }
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_string(meta[i].value);
        if (value == NULL) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the value of '%s' is not UTF-8 text",
                           meta[i].key);
        }
        if (json_object_set_new(object, meta[i].key, value) != 0) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "metadata key %zu is not UTF-8 text", i);
        }
    }
    return SMITIN_OK;
}

/* Fill `header`; *total receives the bytes of the data section. */
static smitin_status add_tensors(json_t *header, const sm_tensor_out *tensors, size_t count,
                                 size_t *total, smitin_error *error)
{
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        const sm_tensor_out *tensor = &tensors[i];
        size_t bytes, end;
        if (tensor->name == NULL || tensor->name[0] == 0 ||
            strcmp(tensor->name, "__metadata__") == 0 ||
            json_object_get(header, tensor->name) != NULL) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "tensor %zu has no name, a reserved name or that of another", i);
        }
        if (!tensor_bytes(tensor, &bytes) || __builtin_add_overflow(*total, bytes, &end) ||
            end > INT64_MAX) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "tensor '%s' has an impossible type, shape or data", tensor->name);
        }
        if (json_object_set_new(header, tensor->name, tensor_entry(tensor, *total, end)) != 0) {
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "tensor %zu has a name that is not UTF-8 text, or memory is short", i);
        }
        *total = end;
    }
    return SMITIN_OK;
}

/* Lay the file out in memory and write it. `text` is the header. */
static smitin_status write_file(const char *path, const char *text, const sm_tensor_out *tensors,
                                size_t count, size_t total, smitin_error *error)
{
    /* Spaces after the header make the data start at a multiple of 64, so that maps are aligned. */
    size_t length = strlen(text), begin = (8 + length + 63) / 64 * 64, size;
    if (__builtin_add_overflow(begin, total, &size))
        return sm_fail_memory(error, "a file", SIZE_MAX);
    unsigned char *bytes = malloc(size);
    if (bytes == NULL) return sm_fail_memory(error, "a file", size);
    uint64_t header_length = begin - 8;
    memcpy(bytes, &header_length, 8);
    memset(bytes + 8, ' ', begin - 8);
    memcpy(bytes + 8, text, length);
    size_t position = begin;
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        if (!tensor_bytes(&tensors[i], &n) || n == 0) continue;
        memcpy(bytes + position, tensors[i].data, n);
        position += n;
    }
    smitin_status status = sm_file_write(path, bytes, size, error);
    free(bytes);
    return status;
}

/* The header's text; NULL when memory is short. Into a buffer of known size: the variant that grows
 * its own loses a key when an allocation fails, and says nothing. */
static char *dump_header(const json_t *header)
{
    size_t size = json_dumpb(header, NULL, 0, JSON_COMPACT);
    char *text = size > 0 ? malloc(size + 1) : NULL;
    if (text == NULL) return NULL;
    if (json_dumpb(header, text, size, JSON_COMPACT) != size) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

smitin_status sm_safetensors_write(const char *path, const sm_tensor_out *tensors,
                                   size_t tensors_count, const sm_meta_out *meta, size_t meta_count,
                                   smitin_error *error)
{
    json_t *header = json_object();
    if (header == NULL) return sm_fail_memory(error, "a header", 0);
    char *text = NULL;
    size_t total = 0;
    smitin_status status = add_meta(header, meta, meta_count, error);
    if (status == SMITIN_OK) status = add_tensors(header, tensors, tensors_count, &total, error);
    if (status != SMITIN_OK) goto done;
    text = dump_header(header);
    if (text == NULL) {
        status = sm_fail_memory(error, "a header", 0);
        goto done;
    }
    status = write_file(path, text, tensors, tensors_count, total, error);
done:
    free(text);
    json_decref(header);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns reading safetensors: the map of the file, its parsed header, and the table of tensors.
 * Nothing of the header is believed before it is checked against the size of the file. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/filemap.h"

/* The same limit as the format's reference reader. */
#define HEADER_MAX  100000000u
#define TENSORS_MAX 1000000u

struct sm_safetensors {
    sm_filemap map; /* empty when the bytes are borrowed */
    char *path;
    json_t *header;         /* owns every name and metadata string */
    const json_t *metadata; /* inside header; NULL when absent */
    sm_tensor *tensors;     /* [count], in the order of their data */
    const sm_tensor **by_name;
    size_t count;
};

static smitin_status refuse(const sm_safetensors *file, const char *why, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound safetensors file: %s; fetch or write it again", file->path,
                   why);
}

static smitin_status refuse_tensor(const sm_safetensors *file, const char *name, const char *why,
                                   smitin_error *error)
{
    return sm_fail(
        error, SMITIN_ERROR_FORMAT,
        "'%s' is not a sound safetensors file: tensor '%.120s' %s; fetch or write it again",
        file->path, name, why);
}

static bool parse_dtype(sm_dtype *dtype, const char *name)
{
    for (int i = 0; i < SM_DTYPES; i++) {
        if (strcmp(name, sm_dtype_name((sm_dtype)i)) != 0) continue;
        *dtype = (sm_dtype)i;
        return true;
    }
    return false;
}

/* Names end up in messages, which are one line. */
static bool printable(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f) return false;
    }
    return name[0] != 0;
}

/* Shape and element count. NULL, or what is wrong. */
static const char *parse_shape(sm_tensor *tensor, const json_t *shape)
{
    if (!json_is_array(shape)) return "has no shape";
    if (json_array_size(shape) > SM_MAX_DIMS) return "has too many dimensions";
    tensor->dims = (int)json_array_size(shape);
    tensor->count = 1;
    for (int i = 0; i < tensor->dims; i++) {
        const json_t *item = json_array_get(shape, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            return "has a dimension that is not a number from 0 up";
        }
        tensor->shape[i] = json_integer_value(item);
        if (__builtin_mul_overflow(tensor->count, (uint64_t)tensor->shape[i], &tensor->count)) {
            return "has more elements than any memory";
        }
    }
    return NULL;
}

/* One entry of the header against the data section, `size` bytes at `data`. NULL, or what is wrong.
 */
static const char *parse_tensor(sm_tensor *tensor, const json_t *entry, const unsigned char *data,
                                size_t size)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (dtype == NULL) return "has no dtype";
    if (!parse_dtype(&tensor->dtype, dtype)) {
        return "has an unknown dtype (known: F32, F16, BF16, F64, I64, I32, U8)";
    }
    const char *problem = parse_shape(tensor, json_object_get(entry, "shape"));
    if (problem != NULL) return problem;

    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last)) {
        return "has no pair of data_offsets";
    }
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > size)
        return "lies outside the file (cut short?)";
    size_t bytes;
    if (__builtin_mul_overflow(tensor->count, sm_dtype_size(tensor->dtype), &bytes) ||
        bytes != (uint64_t)end - (uint64_t)begin) {
        return "has a shape that does not fit its data_offsets";
    }
    tensor->data = data + begin;
    return NULL;
}

static int compare_data(const void *a, const void *b)
{
    const sm_tensor *x = a, *y = b;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    /* Empty tensors stand before the one that begins where they do. */
    if (x->count != y->count) return x->count < y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_name(const void *a, const void *b)
{
    const sm_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The format wants the data section covered without holes or overlaps. */
static smitin_status check_cover(const sm_safetensors *file, const unsigned char *data, size_t size,
                                 smitin_error *error)
{
    size_t position = 0;
    for (size_t i = 0; i < file->count; i++) {
        const sm_tensor *tensor = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - data);
        if (begin < position) return refuse_tensor(file, tensor->name, "overlaps another", error);
        if (begin > position) {
            return refuse_tensor(file, tensor->name, "begins after a hole in the data", error);
        }
        position += tensor->count * sm_dtype_size(tensor->dtype);
    }
    if (position != size) return refuse(file, "bytes follow the last tensor", error);
    return SMITIN_OK;
}

static smitin_status check_metadata(sm_safetensors *file, smitin_error *error)
{
    file->metadata = json_object_get(file->header, "__metadata__");
    if (file->metadata == NULL) return SMITIN_OK;
    if (!json_is_object(file->metadata))
        return refuse(file, "__metadata__ is not an object", error);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)file->metadata, key, value)
    {
        if (!json_is_string(value)) return refuse(file, "__metadata__ holds a non-string", error);
    }
    return SMITIN_OK;
}

static smitin_status build_table(sm_safetensors *file, const unsigned char *data, size_t size,
                                 smitin_error *error)
{
    size_t entries = json_object_size(file->header);
    if (entries > TENSORS_MAX) return refuse(file, "it has more than a million tensors", error);
    file->tensors = calloc(entries + 1, sizeof(*file->tensors));
    file->by_name = calloc(entries + 1, sizeof(*file->by_name));
    if (file->tensors == NULL || file->by_name == NULL) {
        return sm_fail_memory(error, "a table of tensors", entries * sizeof(*file->tensors));
    }
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (!printable(name)) return refuse(file, "a tensor's name is empty or not text", error);
        sm_tensor *tensor = &file->tensors[file->count];
        tensor->name = name;
        const char *problem = parse_tensor(tensor, entry, data, size);
        if (problem != NULL) return refuse_tensor(file, name, problem, error);
        file->count++;
    }
    qsort(file->tensors, file->count, sizeof(*file->tensors), compare_data);
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof(*file->by_name), compare_name);
    return check_cover(file, data, size, error);
}

static smitin_status parse_header(sm_safetensors *file, const unsigned char *data, size_t size,
                                  smitin_error *error)
{
    if (size < 8) return refuse(file, "it has fewer than 8 bytes", error);
    uint64_t length;
    memcpy(&length, data, sizeof(length));
    if (length > HEADER_MAX) return refuse(file, "its header length is beyond all measure", error);
    if (length > size - 8) return refuse(file, "it ends inside its header", error);
    if (length < 2 || data[8] != '{') return refuse(file, "its header is not a JSON object", error);

    json_error_t problem;
    file->header =
        json_loadb((const char *)data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (file->header == NULL && json_error_code(&problem) == json_error_out_of_memory) {
        return sm_fail_memory(error, "a header", (size_t)length);
    }
    if (file->header == NULL) {
        return sm_fail(
            error, SMITIN_ERROR_FORMAT,
            "'%s' is not a sound safetensors file: its header does not parse at byte %d; "
            "fetch or write it again",
            file->path, problem.position);
    }
    SM_TRY(check_metadata(file, error));
    return build_table(file, data + 8 + length, size - 8 - (size_t)length, error);
}

static smitin_status new_file(sm_safetensors **file, const char *path, smitin_error *error)
{
    *file = calloc(1, sizeof(**file));
    if (*file == NULL) return sm_fail_memory(error, "a file", sizeof(**file));
    (*file)->path = strdup(path);
    if ((*file)->path != NULL) return SMITIN_OK;
    free(*file);
    *file = NULL;
    return sm_fail_memory(error, "a file name", strlen(path));
}

smitin_status sm_safetensors_parse(sm_safetensors **file, const void *data, size_t size,
                                   const char *name, smitin_error *error)
{
    *file = NULL;
    sm_safetensors *made;
    SM_TRY(new_file(&made, name, error));
    smitin_status status = parse_header(made, data, size, error);
    if (status != SMITIN_OK) {
        sm_safetensors_close(made);
        return status;
    }
    *file = made;
    return SMITIN_OK;
}

smitin_status sm_safetensors_open(sm_safetensors **file, const char *path, smitin_error *error)
{
    *file = NULL;
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    smitin_status status = sm_safetensors_parse(file, map.data, map.size, path, error);
    if (status != SMITIN_OK) {
        sm_filemap_close(&map);
        return status;
    }
    (*file)->map = map;
    return SMITIN_OK;
}

void sm_safetensors_close(sm_safetensors *file)
{
    if (file == NULL) return;
    json_decref(file->header);
    free(file->tensors);
    free(file->by_name);
    free(file->path);
    sm_filemap_close(&file->map);
    free(file);
}

const char *sm_safetensors_path(const sm_safetensors *file)
{
    return file->path;
}

size_t sm_safetensors_count(const sm_safetensors *file)
{
    return file->count;
}

const sm_tensor *sm_safetensors_at(const sm_safetensors *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

const sm_tensor *sm_safetensors_find(const sm_safetensors *file, const char *name)
{
    sm_tensor key = {.name = name};
    const sm_tensor *wanted = &key;
    const sm_tensor **found =
        bsearch(&wanted, file->by_name, file->count, sizeof(*file->by_name), compare_name);
    return found == NULL ? NULL : *found;
}

const char *sm_safetensors_meta(const sm_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

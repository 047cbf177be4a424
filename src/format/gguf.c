/* SPDX-License-Identifier: MIT */
/* Owns reading GGUF files: the map of the file, its metadata and its table of tensors. */
#include "gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/filemap.h"
#include "../kernels/quant.h"
#include "gguf_types.h"

enum {
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MAX = 1 << 20,
    KEY_MAX = 65535,
    META_LEAST = 8 + 1 + 4 + 1,           /* bytes of the shortest metadata entry */
    TENSOR_LEAST = 8 + 1 + 4 + 8 + 4 + 8, /* and of a tensor's */
};

struct sm_gguf {
    sm_filemap map; /* empty when the bytes are borrowed */
    char *path;
    sm_arena *arena;       /* names and keys */
    sm_gguf_value *values; /* [values_count], sorted by key */
    size_t values_count;
    sm_tensor *tensors; /* [count], sorted by name */
    size_t count;
};

/* What is left of the head. */
typedef struct cursor {
    const sm_gguf *file;
    const unsigned char *data;
    size_t size, at;
    smitin_error *error;
} cursor;

static smitin_status refuse(const sm_gguf *file, const char *why, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound GGUF file: %s; fetch or convert it again", file->path, why);
}

static smitin_status refuse_named(const sm_gguf *file, const char *what, const char *name,
                                  const char *why, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound GGUF file: %s '%.120s' %s; fetch or convert it again",
                   file->path, what, name, why);
}

static smitin_status take(cursor *c, uint64_t size, const unsigned char **data)
{
    if (size > c->size - c->at) return refuse(c->file, "it ends inside its head", c->error);
    *data = c->data + c->at;
    c->at += (size_t)size;
    return SMITIN_OK;
}

static smitin_status take_u32(cursor *c, uint32_t *value)
{
    const unsigned char *p = NULL;
    SM_TRY(take(c, sizeof *value, &p));
    memcpy(value, p, sizeof *value);
    return SMITIN_OK;
}

static smitin_status take_u64(cursor *c, uint64_t *value)
{
    const unsigned char *p = NULL;
    SM_TRY(take(c, sizeof *value, &p));
    memcpy(value, p, sizeof *value);
    return SMITIN_OK;
}

/* A name of at most `longest` bytes, copied to the arena with an end mark. Names end up in
 * messages, which are one line. */
static smitin_status take_name(cursor *c, size_t longest, const char *what, const char **name)
{
    uint64_t length = 0;
    const unsigned char *p = NULL;
    SM_TRY(take_u64(c, &length));
    SM_TRY(take(c, length, &p));
    bool good = length > 0 && length <= longest;
    for (size_t i = 0; good && i < length; i++) good = p[i] >= 0x20 && p[i] != 0x7f;
    if (!good) {
        return sm_fail(c->error, SMITIN_ERROR_FORMAT,
                       "'%s' is not a sound GGUF file: a %s's name is empty, longer than %zu bytes "
                       "or not text; fetch or convert it again",
                       c->file->path, what, longest);
    }
    char *copy = SM_TAKE(c->file->arena, length + 1, char);
    if (copy == NULL) return sm_fail_memory(c->error, "a name", (size_t)length);
    memcpy(copy, p, (size_t)length);
    *name = copy;
    return SMITIN_OK;
}

/* ---- Metadata ---- */

/* Bytes of a number of this kind; 0 for texts, arrays and unknown kinds. */
static size_t number_size(uint32_t kind)
{
    static const size_t sizes[SM_GGUF_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return kind < SM_GGUF_KINDS ? sizes[kind] : 0;
}

static smitin_status take_text(cursor *c, const unsigned char **data, size_t *size)
{
    uint64_t length = 0;
    SM_TRY(take_u64(c, &length));
    SM_TRY(take(c, length, data));
    *size = (size_t)length;
    return SMITIN_OK;
}

static smitin_status take_array(cursor *c, sm_gguf_value *value)
{
    uint32_t items = 0;
    uint64_t count = 0;
    SM_TRY(take_u32(c, &items));
    SM_TRY(take_u64(c, &count));
    value->items = (int)items;
    const size_t each = number_size(items), start = c->at;
    if (each > 0) {
        if (count > (c->size - c->at) / each)
            return refuse(c->file, "it ends inside its head", c->error);
        SM_TRY(take(c, count * each, &value->data));
    } else if (items == SM_GGUF_TEXT) {
        const unsigned char *text = NULL;
        size_t size = 0;
        value->data = c->data + start;
        for (uint64_t i = 0; i < count; i++) SM_TRY(take_text(c, &text, &size));
    } else {
        return refuse_named(c->file, "the metadata", value->key,
                            "is an array of arrays or of an unknown type", c->error);
    }
    value->size = c->at - start;
    return SMITIN_OK;
}

static smitin_status take_value(cursor *c, sm_gguf_value *value)
{
    uint32_t kind = 0;
    SM_TRY(take_name(c, KEY_MAX, "key", &value->key));
    SM_TRY(take_u32(c, &kind));
    value->kind = (int)kind;
    if (kind == SM_GGUF_TEXT) return take_text(c, &value->data, &value->size);
    if (kind == SM_GGUF_ARRAY) return take_array(c, value);
    value->size = number_size(kind);
    if (value->size == 0)
        return refuse_named(c->file, "the metadata", value->key, "has an unknown type", c->error);
    SM_TRY(take(c, value->size, &value->data));
    if (kind == SM_GGUF_BOOL && value->data[0] > 1)
        return refuse_named(c->file, "the metadata", value->key, "is neither true nor false",
                            c->error);
    return SMITIN_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const sm_gguf_value *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static smitin_status take_values(cursor *c, sm_gguf *file, uint64_t count)
{
    if (count > (c->size - c->at) / META_LEAST)
        return refuse(file, "it counts more metadata than it has bytes for", c->error);
    file->values = calloc((size_t)count + 1, sizeof *file->values);
    if (file->values == NULL)
        return sm_fail_memory(c->error, "metadata", (size_t)count * sizeof *file->values);
    for (; file->values_count < count; file->values_count++)
        SM_TRY(take_value(c, &file->values[file->values_count]));
    qsort(file->values, file->values_count, sizeof *file->values, compare_keys);
    for (size_t i = 1; i < file->values_count; i++) {
        if (strcmp(file->values[i - 1].key, file->values[i].key) == 0)
            return refuse_named(file, "the metadata", file->values[i].key, "is there twice",
                                c->error);
    }
    return SMITIN_OK;
}

/* ---- Tensors ---- */

/* One tensor on its way: data is still a place behind the head. */
typedef struct entry {
    sm_tensor tensor;
    uint64_t place;
    size_t bytes;
} entry;

static bool find_type(uint32_t type, sm_dtype *dtype)
{
    for (size_t i = 0; i < SM_GGUF_TYPES; i++) {
        if (sm_gguf_types[i].number != type) continue;
        *dtype = sm_gguf_types[i].dtype;
        return true;
    }
    return false;
}

/* Dimensions, which GGUF counts from the innermost. NULL, or what is wrong. */
static const char *set_shape(entry *e, const uint64_t *sizes)
{
    sm_tensor *t = &e->tensor;
    t->count = 1;
    for (int i = 0; i < t->dims; i++) {
        const uint64_t size = sizes[t->dims - 1 - i];
        if (size < 1 || size > INT64_MAX) return "has a dimension of no size or beyond all measure";
        t->shape[i] = (int64_t)size;
        if (__builtin_mul_overflow(t->count, size, &t->count))
            return "has more elements than any memory";
    }
    if (sm_dtype_size(t->dtype) > 0) {
        return __builtin_mul_overflow(t->count, sm_dtype_size(t->dtype), &e->bytes)
                   ? "has more elements than any memory"
                   : NULL;
    }
    const uint64_t inner = sizes[0];
    if (inner % SM_BLOCK != 0 || inner > INT32_MAX)
        return "has rows that are not whole blocks of 32";
    const sm_format format = t->dtype == SM_Q8_0 ? SM_FORMAT_Q8 : SM_FORMAT_Q4;
    return __builtin_mul_overflow(t->count / inner, sm_row_bytes(format, (int)inner), &e->bytes)
               ? "has more elements than any memory"
               : NULL;
}

static smitin_status take_entry(cursor *c, entry *e)
{
    uint32_t dims = 0, type = 0;
    uint64_t sizes[SM_GGUF_DIMS] = {0};
    SM_TRY(take_name(c, SM_GGUF_NAME, "tensor", &e->tensor.name));
    SM_TRY(take_u32(c, &dims));
    if (dims < 1 || dims > SM_GGUF_DIMS)
        return refuse_named(c->file, "tensor", e->tensor.name, "must have 1 to 4 dimensions",
                            c->error);
    e->tensor.dims = (int)dims;
    for (uint32_t i = 0; i < dims; i++) SM_TRY(take_u64(c, &sizes[i]));
    SM_TRY(take_u32(c, &type));
    SM_TRY(take_u64(c, &e->place));
    if (!find_type(type, &e->tensor.dtype)) {
        return sm_fail(c->error, SMITIN_ERROR_FORMAT,
                       "'%s': tensor '%.120s' has GGUF's type %u, and this version reads F32, F16, "
                       "BF16, F64, Q8_0 and IQ4_NL; convert the original model with \"smitin "
                       "convert\"",
                       c->file->path, e->tensor.name, type);
    }
    const char *problem = set_shape(e, sizes);
    if (problem == NULL) return SMITIN_OK;
    return refuse_named(c->file, "tensor", e->tensor.name, problem, c->error);
}

static smitin_status find_alignment(const sm_gguf *file, size_t *alignment, smitin_error *error)
{
    const sm_gguf_value *value = sm_gguf_meta(file, "general.alignment");
    uint32_t number = ALIGNMENT_DEFAULT;
    if (value != NULL && value->kind != SM_GGUF_U32)
        return refuse(file, "general.alignment is not a 32-bit number", error);
    if (value != NULL) memcpy(&number, value->data, sizeof number);
    if (number < 8 || number > ALIGNMENT_MAX || (number & (number - 1)) != 0)
        return refuse(file, "general.alignment is not a power of two from 8 to 1048576", error);
    *alignment = number;
    return SMITIN_OK;
}

/* The data follow each other in the order of the table, each filled up to the alignment. */
static smitin_status place_tensors(cursor *c, entry *entries, size_t count, size_t alignment)
{
    const sm_gguf *file = c->file;
    const size_t start = sm_gguf_align(c->at, alignment);
    const size_t room = start <= c->size ? c->size - start : 0;
    size_t expected = 0;
    for (size_t i = 0; i < count; i++) {
        entry *e = &entries[i];
        const char *name = e->tensor.name;
        if (e->place % alignment != 0)
            return refuse_named(file, "tensor", name, "is not aligned", c->error);
        if (e->place != expected)
            return refuse_named(file, "tensor", name, "does not lie behind the one before it",
                                c->error);
        if (expected > room || e->bytes > room - expected)
            return refuse_named(file, "tensor", name, "lies outside the file (cut short?)",
                                c->error);
        e->tensor.data = c->data + start + expected;
        expected = sm_gguf_align(expected + e->bytes, alignment);
    }
    /* The filling behind the last one may be there or not. */
    if (expected < room) return refuse(file, "bytes follow the last tensor", c->error);
    return SMITIN_OK;
}

static int compare_names(const void *a, const void *b)
{
    const sm_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static smitin_status refuse_twice(const sm_gguf *file, smitin_error *error)
{
    char names[600] = "";
    size_t used = 0, twice = 0, told = 0;
    for (size_t i = 1; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        if (strcmp(file->tensors[i - 1].name, name) != 0) continue;
        if (i > 1 && strcmp(file->tensors[i - 2].name, name) == 0) continue; /* the third of them */
        twice++;
        if (used + strlen(name) + 3 > sizeof names) continue;
        if (told++ > 0) used += (size_t)snprintf(names + used, sizeof names - used, ", ");
        used += (size_t)snprintf(names + used, sizeof names - used, "%s", name);
    }
    if (twice == 0) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "'%.200s' is not a sound GGUF file: it holds %zu tensor%s more than once: %s%s; "
                   "fetch or convert it again",
                   file->path, twice, twice == 1 ? "" : "s", names, told < twice ? ", ..." : "");
}

static smitin_status take_tensors(cursor *c, sm_gguf *file, uint64_t count)
{
    size_t alignment = ALIGNMENT_DEFAULT;
    SM_TRY(find_alignment(file, &alignment, c->error));
    if (count > (c->size - c->at) / TENSOR_LEAST)
        return refuse(file, "it counts more tensors than it has bytes for", c->error);
    entry *entries = calloc((size_t)count + 1, sizeof *entries);
    file->tensors = calloc((size_t)count + 1, sizeof *file->tensors);
    smitin_status status = SMITIN_OK;
    if (entries == NULL || file->tensors == NULL)
        status = sm_fail_memory(c->error, "a table of tensors", (size_t)count * sizeof *entries);
    for (size_t i = 0; i < count && status == SMITIN_OK; i++) status = take_entry(c, &entries[i]);
    if (status == SMITIN_OK) status = place_tensors(c, entries, (size_t)count, alignment);
    for (size_t i = 0; i < count && status == SMITIN_OK; i++)
        file->tensors[file->count++] = entries[i].tensor;
    free(entries);
    SM_TRY(status);
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_names);
    return refuse_twice(file, c->error);
}

/* ---- The file ---- */

static smitin_status parse(sm_gguf *file, const void *data, size_t size, smitin_error *error)
{
    cursor c = {file, data, size, 0, error};
    const unsigned char *magic = NULL;
    uint32_t version = 0;
    uint64_t tensors = 0, values = 0;
    if (size < 4 || memcmp(data, "GGUF", 4) != 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' is not a GGUF file; give a model's directory, or a file made by "
                       "\"smitin convert\"",
                       file->path);
    SM_TRY(take(&c, 4, &magic));
    SM_TRY(take_u32(&c, &version));
    if (version != 3)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' is GGUF of version %u%s; this version reads 3, little-endian: convert "
                       "the original model again",
                       file->path, version, version == 0x03000000 ? " (big-endian)" : "");
    SM_TRY(take_u64(&c, &tensors));
    SM_TRY(take_u64(&c, &values));
    SM_TRY(take_values(&c, file, values));
    return take_tensors(&c, file, tensors);
}

smitin_status sm_gguf_parse(sm_gguf **file, const void *data, size_t size, const char *name,
                            smitin_error *error)
{
    *file = NULL;
    sm_gguf *made = calloc(1, sizeof *made);
    if (made == NULL) return sm_fail_memory(error, "a file", sizeof *made);
    made->path = strdup(name);
    made->arena = sm_arena_new();
    smitin_status status = SMITIN_OK;
    if (made->path == NULL || made->arena == NULL)
        status = sm_fail_memory(error, "a file name", strlen(name));
    if (status == SMITIN_OK) status = parse(made, data, size, error);
    if (status != SMITIN_OK) {
        sm_gguf_close(made);
        return status;
    }
    *file = made;
    return SMITIN_OK;
}

smitin_status sm_gguf_open(sm_gguf **file, const char *path, smitin_error *error)
{
    *file = NULL;
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status = sm_gguf_parse(file, map.data, map.size, path, error);
    if (status != SMITIN_OK) {
        sm_filemap_close(&map);
        return status;
    }
    (*file)->map = map;
    return SMITIN_OK;
}

void sm_gguf_close(sm_gguf *file)
{
    if (file == NULL) return;
    free(file->tensors);
    free(file->values);
    free(file->path);
    sm_arena_free(file->arena);
    sm_filemap_close(&file->map);
    free(file);
}

const char *sm_gguf_path(const sm_gguf *file)
{
    return file->path;
}

size_t sm_gguf_count(const sm_gguf *file)
{
    return file->count;
}

const sm_tensor *sm_gguf_at(const sm_gguf *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

const sm_tensor *sm_gguf_find(const sm_gguf *file, const char *name)
{
    const sm_tensor key = {.name = name};
    return bsearch(&key, file->tensors, file->count, sizeof key, compare_names);
}

const sm_gguf_value *sm_gguf_meta(const sm_gguf *file, const char *key)
{
    const sm_gguf_value wanted = {.key = key};
    return bsearch(&wanted, file->values, file->values_count, sizeof wanted, compare_keys);
}

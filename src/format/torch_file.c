/* SPDX-License-Identifier: MIT */
/* Owns turning the values of a PyTorch file's pickle into views of its storages. */
#include "torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/filemap.h"
#include "pickle.h"
#include "zip.h"

enum {
    NAME_MAX_BYTES = 200, /* of a tensor */
    TEXT_MAX_BYTES = 200, /* of a text worth keeping */
    TEXTS_MAX = 16,
    /* One dict may stand in many places of a pickle; the largest checkpoint has 1004 tensors. */
    ITEMS_MAX = 100000,
};

typedef struct text {
    const char *key, *value;
} text;

struct sm_torch {
    sm_filemap map;     /* empty when the bytes are borrowed */
    sm_arena *arena;    /* names, texts, copies of tensors that are not row-major */
    sm_tensor *tensors; /* [count], sorted by name */
    size_t count, capacity;
    text texts[TEXTS_MAX];
    int texts_count;
    size_t copied; /* bytes */
};

typedef struct reader {
    sm_torch *file;
    const sm_pickle *pickle;
    sm_zip zip;
    const char *root; /* [root_length], the folder that all members lie in, with its slash */
    size_t root_length;
    size_t size;  /* bytes of the whole file */
    size_t items; /* seen so far */
    const char *path;
    smitin_error *error;
} reader;

static smitin_status refuse(const reader *r, const char *why)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound PyTorch file: %s; fetch or write it again", r->path, why);
}

static smitin_status refuse_tensor(const reader *r, const sm_tensor *tensor, const char *why)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound PyTorch file: tensor '%.120s' %s; fetch or write it again",
                   r->path, tensor->name, why);
}

/* A copy of "prefix/text" that ends in 0, or NULL when memory is short. */
static char *join(sm_arena *arena, const char *prefix, const sm_pickle_value *of)
{
    const size_t before = prefix == NULL ? 0 : strlen(prefix) + 1;
    char *copy = SM_TAKE(arena, before + of->length + 1, char);
    if (copy == NULL) return NULL;
    if (prefix != NULL) {
        memcpy(copy, prefix, before - 1);
        copy[before - 1] = '/';
    }
    if (of->length > 0) memcpy(copy + before, of->u.text, of->length);
    return copy;
}

static bool printable(const sm_pickle_value *of)
{
    for (uint32_t i = 0; i < of->length; i++) {
        const unsigned char c = (unsigned char)of->u.text[i];
        if (c < 0x20 || c == 0x7f) return false;
    }
    return of->length > 0 && of->length <= NAME_MAX_BYTES;
}

/* A whole number from 0 up, or -1. */
static int64_t whole(const sm_pickle_value *value)
{
    if (value == NULL || value->kind != SM_PICKLE_INT || value->u.number < 0) return -1;
    return value->u.number;
}

/* The storage's bytes and how many elements they are. NULL, or what is wrong. */
static const char *find_storage(const reader *r, const sm_pickle_value *storage, sm_dtype *dtype,
                                const unsigned char **data, uint64_t *elements)
{
    if (storage->kind != SM_PICKLE_STORAGE) return "is made of what is not a storage";
    const sm_pickle_value *type = sm_pickle_item(r->pickle, storage, 1);
    const sm_pickle_value *key = sm_pickle_item(r->pickle, storage, 2);
    const int64_t count = whole(sm_pickle_item(r->pickle, storage, 4));
    if (!sm_pickle_dtype(type, dtype) || key->kind != SM_PICKLE_TEXT || count < 0 ||
        key->length > 32)
        return "has a storage that is not described in full";
    const sm_zip_member *member = sm_zip_find(&r->zip, "%.*sdata/%.*s", (int)r->root_length,
                                              r->root, (int)key->length, key->u.text);
    if (member == NULL) return "has its storage missing from the archive";
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)count, sm_dtype_size(*dtype), &bytes) ||
        bytes != member->size)
        return "has a storage of another size than described";
    *data = member->data;
    *elements = (uint64_t)count;
    return NULL;
}

/* shape and element count of two tuples of one length. NULL, or what is wrong. */
static const char *read_shape(const reader *r, const sm_pickle_value *args, sm_tensor *tensor,
                              int64_t strides[SM_MAX_DIMS])
{
    const sm_pickle_value *shape = sm_pickle_item(r->pickle, args, 2);
    const sm_pickle_value *steps = sm_pickle_item(r->pickle, args, 3);
    if (shape->kind != SM_PICKLE_TUPLE || steps->kind != SM_PICKLE_TUPLE ||
        shape->length != steps->length)
        return "has no shape with as many strides";
    if (shape->length > SM_MAX_DIMS) return "has too many dimensions";
    tensor->dims = (int)shape->length;
    tensor->count = 1;
    for (int i = 0; i < tensor->dims; i++) {
        tensor->shape[i] = whole(sm_pickle_item(r->pickle, shape, (uint32_t)i));
        strides[i] = whole(sm_pickle_item(r->pickle, steps, (uint32_t)i));
        if (tensor->shape[i] < 0 || strides[i] < 0)
            return "has a dimension or a stride that is not a number from 0 up";
        if (__builtin_mul_overflow(tensor->count, (uint64_t)tensor->shape[i], &tensor->count))
            return "has more elements than any memory";
        /* Such a stride is never taken; it may be anything. */
        if (tensor->shape[i] <= 1) strides[i] = 0;
    }
    return NULL;
}

/* Whether elements offset + sum(index * stride) all lie below `elements`. */
static bool within(const sm_tensor *tensor, const int64_t strides[SM_MAX_DIMS], int64_t offset,
                   uint64_t elements)
{
    uint64_t last = (uint64_t)offset, reach;
    if (tensor->count == 0) return last <= elements;
    for (int i = 0; i < tensor->dims; i++) {
        if (__builtin_mul_overflow((uint64_t)tensor->shape[i] - 1, (uint64_t)strides[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    }
    return last < elements;
}

static bool row_major(const sm_tensor *tensor, const int64_t strides[SM_MAX_DIMS])
{
    uint64_t expected = 1;
    if (tensor->count == 0) return true;
    for (int i = tensor->dims - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && (uint64_t)strides[i] != expected) return false;
        expected *= (uint64_t)tensor->shape[i]; /* at most count */
    }
    return true;
}

/* Copy a strided tensor into row-major order: out[i] for i counted through `shape`. */
static void gather(const sm_tensor *tensor, const int64_t strides[SM_MAX_DIMS],
                   const unsigned char *from, unsigned char *out)
{
    const size_t size = sm_dtype_size(tensor->dtype);
    int64_t index[SM_MAX_DIMS] = {0};
    int64_t at = 0;
    for (size_t i = 0; i < tensor->count; i++) {
        memcpy(out + i * size, from + (size_t)at * size, size);
        for (int d = tensor->dims - 1; d >= 0; d--) {
            at += strides[d];
            if (++index[d] < tensor->shape[d]) break;
            at -= strides[d] * tensor->shape[d];
            index[d] = 0;
        }
    }
}

static smitin_status copy_strided(const reader *r, sm_tensor *tensor,
                                  const int64_t strides[SM_MAX_DIMS], const unsigned char *from,
                                  uint64_t elements)
{
    /* A stride of 0 repeats elements, and a few bytes could then stand for any number of them; the
     * same holds for one storage copied many times. */
    if (tensor->count > elements) return refuse_tensor(r, tensor, "repeats its elements");
    const size_t bytes = tensor->count * sm_dtype_size(tensor->dtype);
    r->file->copied += bytes;
    if (r->file->copied > r->size)
        return refuse_tensor(r, tensor, "is one of too many that are not in row-major order");
    unsigned char *copy = SM_TAKE(r->file->arena, bytes, unsigned char);
    if (copy == NULL) return sm_fail_memory(r->error, "a strided tensor", bytes);
    gather(tensor, strides, from, copy);
    tensor->data = copy;
    return SMITIN_OK;
}

static smitin_status read_tensor(const reader *r, const sm_pickle_value *args, sm_tensor *tensor)
{
    const unsigned char *data;
    uint64_t elements;
    int64_t strides[SM_MAX_DIMS];
    const char *problem =
        find_storage(r, sm_pickle_item(r->pickle, args, 0), &tensor->dtype, &data, &elements);
    if (problem == NULL) problem = read_shape(r, args, tensor, strides);
    if (problem != NULL) return refuse_tensor(r, tensor, problem);
    const int64_t offset = whole(sm_pickle_item(r->pickle, args, 1));
    if (offset < 0 || !within(tensor, strides, offset, elements))
        return refuse_tensor(r, tensor, "reaches outside its storage");
    data += (size_t)offset * sm_dtype_size(tensor->dtype);
    tensor->data = data;
    return row_major(tensor, strides) ? SMITIN_OK
                                      : copy_strided(r, tensor, strides, data, elements);
}

static smitin_status add_tensor(const reader *r, const char *prefix, const sm_pickle_value *key,
                                const sm_pickle_value *value)
{
    sm_torch *file = r->file;
    if (key->kind != SM_PICKLE_TEXT || !printable(key))
        return refuse(r, "a tensor's name is empty, too long or not text");
    if (file->count == file->capacity) {
        const size_t capacity = file->capacity == 0 ? 256 : file->capacity * 2;
        sm_tensor *tensors = realloc(file->tensors, capacity * sizeof *tensors);
        if (tensors == NULL)
            return sm_fail_memory(r->error, "a table of tensors", capacity * sizeof *tensors);
        file->tensors = tensors;
        file->capacity = capacity;
    }
    sm_tensor *tensor = &file->tensors[file->count];
    *tensor = (sm_tensor){.name = join(file->arena, prefix, key)};
    if (tensor->name == NULL) return sm_fail_memory(r->error, "a tensor's name", key->length);
    SM_TRY(read_tensor(r, value, tensor));
    file->count++;
    return SMITIN_OK;
}

static smitin_status count_item(reader *r)
{
    if (++r->items <= ITEMS_MAX) return SMITIN_OK;
    return refuse(r, "it holds more than 100000 values");
}

static smitin_status add_dict(reader *r, const sm_pickle_value *key, const sm_pickle_value *dict)
{
    if (!printable(key)) return SMITIN_OK;
    const char *prefix = join(r->file->arena, NULL, key);
    if (prefix == NULL) return sm_fail_memory(r->error, "a name", key->length);
    sm_pickle_walk walk = sm_pickle_begin(dict);
    while (sm_pickle_next(r->pickle, &walk)) {
        SM_TRY(count_item(r));
        if (walk.value->kind == SM_PICKLE_TENSOR)
            SM_TRY(add_tensor(r, prefix, walk.key, walk.value));
    }
    return SMITIN_OK;
}

static smitin_status add_text(const reader *r, const sm_pickle_value *key,
                              const sm_pickle_value *value)
{
    sm_torch *file = r->file;
    if (!printable(key) || value->length > TEXT_MAX_BYTES || file->texts_count == TEXTS_MAX)
        return SMITIN_OK;
    text *made = &file->texts[file->texts_count];
    made->key = join(file->arena, NULL, key);
    made->value = join(file->arena, NULL, value);
    if (made->key == NULL || made->value == NULL)
        return sm_fail_memory(r->error, "a text", value->length);
    file->texts_count++;
    return SMITIN_OK;
}

static int compare_names(const void *a, const void *b)
{
    const sm_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static smitin_status read_values(reader *r)
{
    const sm_pickle_value *top = sm_pickle_root(r->pickle);
    if (top->kind != SM_PICKLE_DICT) return refuse(r, "it does not hold a dict of tensors");
    sm_pickle_walk walk = sm_pickle_begin(top);
    while (sm_pickle_next(r->pickle, &walk)) {
        SM_TRY(count_item(r));
        if (walk.value->kind == SM_PICKLE_TENSOR) {
            SM_TRY(add_tensor(r, NULL, walk.key, walk.value));
        } else if (walk.key->kind == SM_PICKLE_TEXT && walk.value->kind == SM_PICKLE_DICT) {
            SM_TRY(add_dict(r, walk.key, walk.value));
        } else if (walk.key->kind == SM_PICKLE_TEXT && walk.value->kind == SM_PICKLE_TEXT) {
            SM_TRY(add_text(r, walk.key, walk.value));
        }
    }
    sm_torch *file = r->file;
    if (file->count == 0) return SMITIN_OK;
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_names);
    for (size_t i = 1; i < file->count; i++) {
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return refuse_tensor(r, &file->tensors[i], "is there twice");
    }
    return SMITIN_OK;
}

/* The pickle is the one member called FOLDER/data.pkl; its folder is where all others lie. */
static smitin_status find_pickle(reader *r, const sm_zip_member **found)
{
    static const char tail[] = "/data.pkl";
    const size_t length = sizeof tail - 1;
    *found = NULL;
    for (size_t i = 0; i < r->zip.count; i++) {
        const sm_zip_member *member = &r->zip.members[i];
        if (member->name_length <= length || member->name_length > 300) continue;
        const size_t folder = member->name_length - length;
        if (memcmp(member->name + folder, tail, length) != 0 ||
            memchr(member->name, '/', folder) != NULL || memchr(member->name, 0, folder) != NULL)
            continue;
        if (*found != NULL) return refuse(r, "it has more than one data.pkl");
        *found = member;
        r->root = member->name;
        r->root_length = folder + 1;
    }
    if (*found == NULL) return refuse(r, "it has no data.pkl");
    const sm_zip_member *order =
        sm_zip_find(&r->zip, "%.*sbyteorder", (int)r->root_length, r->root);
    if (order != NULL && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return refuse(r, "its numbers are not little-endian");
    return SMITIN_OK;
}

static smitin_status read_archive(reader *r)
{
    const sm_zip_member *member;
    SM_TRY(find_pickle(r, &member));
    sm_pickle *pickle;
    SM_TRY(sm_pickle_parse(&pickle, member->data, member->size, r->path, r->error));
    r->pickle = pickle;
    const smitin_status status = read_values(r);
    sm_pickle_free(pickle);
    return status;
}

smitin_status sm_torch_parse(sm_torch **file, const void *data, size_t size, const char *path,
                             smitin_error *error)
{
    *file = NULL;
    reader r = {.size = size, .path = path, .error = error};
    SM_TRY(sm_zip_parse(&r.zip, data, size, path, error));
    r.file = calloc(1, sizeof *r.file);
    smitin_status status = SMITIN_OK;
    if (r.file != NULL) r.file->arena = sm_arena_new();
    if (r.file == NULL || r.file->arena == NULL) {
        status = sm_fail_memory(error, "a file", sizeof *r.file);
    } else {
        status = read_archive(&r);
    }
    sm_zip_free(&r.zip);
    if (status != SMITIN_OK) {
        sm_torch_close(r.file);
        return status;
    }
    *file = r.file;
    return SMITIN_OK;
}

smitin_status sm_torch_open(sm_torch **file, const char *path, smitin_error *error)
{
    *file = NULL;
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status = sm_torch_parse(file, map.data, map.size, path, error);
    if (status != SMITIN_OK) {
        sm_filemap_close(&map);
        return status;
    }
    (*file)->map = map;
    return SMITIN_OK;
}

void sm_torch_close(sm_torch *file)
{
    if (file == NULL) return;
    free(file->tensors);
    sm_arena_free(file->arena);
    sm_filemap_close(&file->map);
    free(file);
}

size_t sm_torch_count(const sm_torch *file)
{
    return file->count;
}

const sm_tensor *sm_torch_at(const sm_torch *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

const sm_tensor *sm_torch_find(const sm_torch *file, const char *name)
{
    const sm_tensor key = {.name = name};
    return file->count == 0 ? NULL
                            : bsearch(&key, file->tensors, file->count, sizeof key, compare_names);
}

const char *sm_torch_text(const sm_torch *file, const char *key)
{
    for (int i = 0; i < file->texts_count; i++) {
        if (strcmp(file->texts[i].key, key) == 0) return file->texts[i].value;
    }
    return NULL;
}

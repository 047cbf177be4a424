/* SPDX-License-Identifier: MIT */
/* Owns numpy's .npy arrays: magic, version, header length, a Python dictionary as text, then the
 * data. The dictionary is read by a parser that knows the three keys of the format and nothing
 * else. */
#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/filemap.h"
#include "../base/outfile.h"

#define HEADER_MAX 65536u

static const struct {
    const char *descr;
    sm_dtype dtype;
} descriptions[] = {
    {"<f4", SM_F32}, {"<f2", SM_F16}, {"<f8", SM_F64}, {"<i8", SM_I64},
    {"<i4", SM_I32}, {"|u1", SM_U8},  {"<u1", SM_U8},
};
#define DESCRIPTIONS (sizeof(descriptions) / sizeof(descriptions[0]))

/* A cursor over the dictionary's text. */
typedef struct scan {
    const char *at, *end;
} scan;

static void skip_space(scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

static bool take(scan *s, const char *text)
{
    skip_space(s);
    size_t length = strlen(text);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, text, length) != 0) return false;
    s->at += length;
    return true;
}

/* A quoted string without escapes, copied to text [size]. */
static bool take_string(scan *s, char *text, size_t size)
{
    skip_space(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
    char quote = *s->at++;
    const char *close = memchr(s->at, quote, (size_t)(s->end - s->at));
    if (close == NULL || (size_t)(close - s->at) >= size) return false;
    memcpy(text, s->at, (size_t)(close - s->at));
    text[close - s->at] = 0;
    s->at = close + 1;
    return true;
}

static bool take_number(scan *s, int64_t *value)
{
    skip_space(s);
    const char *start = s->at;
    *value = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        if (__builtin_mul_overflow(*value, 10, value)) return false;
        if (__builtin_add_overflow(*value, *s->at - '0', value)) return false;
    }
    return s->at > start;
}

/* "(2, 3)", "(2,)" or "()" */
static const char *take_shape(scan *s, sm_npy *array)
{
    if (!take(s, "(")) return "its shape is not a tuple";
    array->dims = 0;
    array->count = 1;
    while (!take(s, ")")) {
        if (array->dims == SM_MAX_DIMS) return "it has too many dimensions";
        int64_t *dim = &array->shape[array->dims++];
        if (!take_number(s, dim)) return "its shape holds something that is not a number";
        if (__builtin_mul_overflow(array->count, (uint64_t)*dim, &array->count)) {
            return "it has more elements than any memory";
        }
        if (take(s, ",")) continue;
        if (take(s, ")")) break;
        return "its shape is not a tuple";
    }
    return NULL;
}

static const char *take_descr(scan *s, sm_npy *array)
{
    char descr[16];
    if (!take_string(s, descr, sizeof(descr))) return "its descr is not a plain type";
    for (size_t i = 0; i < DESCRIPTIONS; i++) {
        if (strcmp(descr, descriptions[i].descr) != 0) continue;
        array->dtype = descriptions[i].dtype;
        return NULL;
    }
    return "its type is not one of <f4, <f2, <f8, <i8, <i4, |u1";
}

/* The dictionary. NULL, or what is wrong. */
static const char *parse_header(scan *s, sm_npy *array)
{
    bool seen_descr = false, seen_order = false, seen_shape = false, fortran = false;
    if (!take(s, "{")) return "its header is not a dictionary";
    while (!take(s, "}")) {
        char key[16];
        const char *problem = NULL;
        if (!take_string(s, key, sizeof(key)) || !take(s, ":")) return "its header does not parse";
        if (strcmp(key, "descr") == 0 && !seen_descr) {
            seen_descr = true;
            problem = take_descr(s, array);
        } else if (strcmp(key, "fortran_order") == 0 && !seen_order) {
            seen_order = true;
            fortran = take(s, "True");
            if (!fortran && !take(s, "False"))
                problem = "its fortran_order is neither True nor False";
        } else if (strcmp(key, "shape") == 0 && !seen_shape) {
            seen_shape = true;
            problem = take_shape(s, array);
        } else {
            problem = "its header has an unknown or repeated key";
        }
        if (problem != NULL) return problem;
        if (take(s, ",")) continue;
        if (take(s, "}")) break;
        return "its header does not parse";
    }
    skip_space(s);
    if (s->at != s->end) return "its header does not end where it should";
    if (!seen_descr || !seen_order || !seen_shape)
        return "its header lacks descr, fortran_order or shape";
    if (fortran && array->dims > 1)
        return "it is in Fortran order (save numpy.ascontiguousarray of it)";
    return NULL;
}

/* Everything before the data. *offset receives where the data begins. NULL, or what is wrong. */
static const char *parse_preamble(sm_npy *array, const unsigned char *data, size_t size,
                                  size_t *offset)
{
    if (size < 10 || memcmp(data, "\x93NUMPY", 6) != 0) return "it does not begin as an .npy file";
    bool wide = data[6] == 2;
    if ((data[6] != 1 && data[6] != 2) || data[7] != 0) return "it is not of format 1.0 or 2.0";
    size_t length = (size_t)data[8] | (size_t)data[9] << 8, begin = wide ? 12 : 10;
    if (wide && size < 12) return "it ends inside its header";
    if (wide) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > HEADER_MAX) return "its header length is beyond all measure";
    if (length > size - begin) return "it ends inside its header";
    scan s = {(const char *)data + begin, (const char *)data + begin + length};
    *offset = begin + length;
    return parse_header(&s, array);
}

smitin_status sm_npy_locate(sm_npy *array, const void *data, size_t size, const char *name,
                            size_t *offset, smitin_error *error)
{
    memset(array, 0, sizeof(*array));
    sm_npy made = {0};
    size_t bytes;
    const char *problem = parse_preamble(&made, data, size, offset);
    if (problem == NULL) {
        if (__builtin_mul_overflow(made.count, sm_dtype_size(made.dtype), &bytes) ||
            bytes != size - *offset) {
            problem = "its shape does not fit its length";
        }
    }
    if (problem != NULL) {
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' cannot be read as an array: %s; save it again "
                       "with numpy.save",
                       name, problem);
    }
    *array = made;
    return SMITIN_OK;
}

smitin_status sm_npy_parse(sm_npy *array, const void *data, size_t size, const char *name,
                           smitin_error *error)
{
    size_t offset = 0;
    SM_TRY(sm_npy_locate(array, data, size, name, &offset, error));
    const size_t bytes = size - offset;
    array->data = malloc(bytes > 0 ? bytes : 1);
    if (array->data == NULL) {
        memset(array, 0, sizeof(*array));
        return sm_fail_memory(error, "an array", bytes);
    }
    if (bytes > 0) memcpy(array->data, (const unsigned char *)data + offset, bytes);
    return SMITIN_OK;
}

smitin_status sm_npy_read(sm_npy *array, const char *path, smitin_error *error)
{
    memset(array, 0, sizeof(*array));
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    smitin_status status = sm_npy_parse(array, map.data, map.size, path, error);
    sm_filemap_close(&map);
    return status;
}

/* The header text with its padding; the preamble and it together are a multiple of 64 bytes. */
static size_t format_header(char *text, size_t size, const char *descr, int dims,
                            const int64_t *shape)
{
    size_t n =
        (size_t)snprintf(text, size, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < dims; i++) {
        const char *after = dims == 1 ? "," : i + 1 < dims ? ", " : "";
        n += (size_t)snprintf(text + n, size - n, "%lld%s", (long long)shape[i], after);
    }
    n += (size_t)snprintf(text + n, size - n, "), }");
    while ((10 + n + 1) % 64 != 0) text[n++] = ' ';
    text[n++] = '\n';
    return n;
}

smitin_status sm_npy_write(const char *path, sm_dtype dtype, int dims, const int64_t *shape,
                           const void *data, smitin_error *error)
{
    const char *descr = NULL;
    for (size_t i = 0; i < DESCRIPTIONS && descr == NULL; i++) {
        if (descriptions[i].dtype == dtype) descr = descriptions[i].descr;
    }
    if (descr == NULL) {
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "an .npy file cannot hold %s; convert to F32 first", sm_dtype_name(dtype));
    }
    size_t bytes = sm_dtype_size(dtype);
    bool possible = dims >= 0 && dims <= SM_MAX_DIMS;
    for (int i = 0; possible && i < dims; i++) {
        possible = shape[i] >= 0 && !__builtin_mul_overflow(bytes, (uint64_t)shape[i], &bytes);
    }
    if (!possible || bytes > PTRDIFF_MAX - 1024) {
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' was to be written with an impossible shape", path);
    }
    /* 8 dimensions of 20 digits and the rest of the dictionary stay below 300; padding adds 63. */
    char header[512];
    size_t length = format_header(header, sizeof(header), descr, dims, shape);
    unsigned char *file = malloc(10 + length + bytes);
    if (file == NULL) return sm_fail_memory(error, "an array file", 10 + length + bytes);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)(length & 0xff);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, header, length);
    if (bytes > 0) memcpy(file + 10 + length, data, bytes);
    smitin_status status = sm_file_write(path, file, 10 + length + bytes, error);
    free(file);
    return status;
}

void sm_npy_free(sm_npy *array)
{
    free(array->data);
    memset(array, 0, sizeof(*array));
}

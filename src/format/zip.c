/* SPDX-License-Identifier: MIT */
/* Owns reading the directory of a ZIP archive. Nothing is unpacked: members are views. No number of
 * the archive is used before it is checked against its size. */
#include "zip.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_SIZE = 30,   /* bytes of the fixed part of a member's own header */
    ENTRY_SIZE = 46,   /* the same of an entry of the directory */
    END_SIZE = 22,     /* the same of the end record */
    LOCATOR_SIZE = 20, /* of the pointer to the ZIP64 end record, just before the end record */
    END64_SIZE = 56,
    COMMENT_MAX = 65535,
};

typedef struct reader {
    const unsigned char *data;
    size_t size;
    const char *path;
    smitin_error *error;
} reader;

static smitin_status refuse(const reader *r, const char *why)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound PyTorch file (a ZIP archive): %s; fetch or write it again",
                   r->path, why);
}

static smitin_status refuse_member(const reader *r, const sm_zip_member *member, const char *why)
{
    char name[61];
    const size_t length = member->name_length < 60 ? member->name_length : 60;
    for (size_t i = 0; i < length; i++) {
        const char c = member->name[i];
        name[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    name[length] = '\0';
    return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                   "'%s' is not a sound PyTorch file: its member '%s' %s; fetch or write it again",
                   r->path, name, why);
}

static uint64_t load(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

static bool signed_as(const unsigned char *p, const char mark[4])
{
    return memcmp(p, mark, 4) == 0;
}

/* Where the directory lies. */
typedef struct directory {
    size_t first, size; /* bytes */
    uint64_t entries;
} directory;

static smitin_status find_directory(const reader *r, directory *found)
{
    if (r->size < END_SIZE) return refuse(r, "it is shorter than an empty archive");
    size_t at = r->size - END_SIZE;
    const size_t lowest = at > COMMENT_MAX ? at - COMMENT_MAX : 0;
    while (!signed_as(r->data + at, "PK\5\6") ||
           load(r->data + at + 20, 2) != r->size - at - END_SIZE) {
        if (at == lowest) return refuse(r, "it has no end record (cut short, or not a ZIP)");
        at--;
    }
    const unsigned char *end = r->data + at;
    uint64_t entries = load(end + 10, 2), size = load(end + 12, 4), first = load(end + 16, 4);
    if (entries == 0xffff || size == 0xffffffff || first == 0xffffffff) {
        if (at < LOCATOR_SIZE || !signed_as(end - LOCATOR_SIZE, "PK\6\7"))
            return refuse(r, "its ZIP64 end record is missing");
        const uint64_t big = load(end - LOCATOR_SIZE + 8, 8);
        if (at < END64_SIZE || big > at - END64_SIZE || !signed_as(r->data + big, "PK\6\6"))
            return refuse(r, "its ZIP64 end record lies elsewhere");
        entries = load(r->data + big + 32, 8);
        size = load(r->data + big + 40, 8);
        first = load(r->data + big + 48, 8);
    }
    if (first > at || size > at - first) return refuse(r, "its directory lies outside the file");
    if (entries > size / ENTRY_SIZE) return refuse(r, "its directory is too small for its entries");
    *found = (directory){(size_t)first, (size_t)size, entries};
    return SMITIN_OK;
}

/* The 64-bit fields of an entry, each present where the 32-bit one is all ones. */
static bool read_extra(const unsigned char *extra, size_t length, uint64_t *size, uint64_t *packed,
                       uint64_t *offset)
{
    uint64_t *const fields[3] = {size, packed, offset};
    size_t at = 0;
    int wanted = 0;
    for (int i = 0; i < 3; i++) wanted += *fields[i] == 0xffffffff;
    while (wanted > 0 && length - at >= 4) {
        const size_t kind = load(extra + at, 2), bytes = load(extra + at + 2, 2);
        at += 4;
        if (bytes > length - at) return false;
        if (kind == 1) {
            if (bytes < 8 * (size_t)wanted) return false;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xffffffff) continue;
                *fields[i] = load(extra + at, 8);
                at += 8;
            }
            return true;
        }
        at += bytes;
    }
    return wanted == 0;
}

/* Find the data of a member behind its own header at `offset`. */
static smitin_status place(const reader *r, sm_zip_member *member, uint64_t offset, size_t limit)
{
    if (offset > limit || limit - offset < LOCAL_SIZE)
        return refuse_member(r, member, "lies outside the file");
    const unsigned char *local = r->data + offset;
    const size_t name = load(local + 26, 2), extra = load(local + 28, 2);
    const size_t room = limit - (size_t)offset - LOCAL_SIZE;
    if (!signed_as(local, "PK\3\4") || name != member->name_length || name > room ||
        memcmp(local + LOCAL_SIZE, member->name, name) != 0)
        return refuse_member(r, member, "is not where the directory says");
    if (extra > room - name || member->size > room - name - extra)
        return refuse_member(r, member, "lies outside the file");
    member->data = local + LOCAL_SIZE + name + extra;
    return SMITIN_OK;
}

static smitin_status read_entry(const reader *r, const directory *where, size_t *at,
                                sm_zip_member *member)
{
    const size_t end = where->first + where->size;
    const unsigned char *entry = r->data + *at;
    if (end - *at < ENTRY_SIZE || !signed_as(entry, "PK\1\2"))
        return refuse(r, "its directory is damaged");
    const size_t name = load(entry + 28, 2), extra = load(entry + 30, 2);
    const size_t comment = load(entry + 32, 2);
    if (name + extra + comment > end - *at - ENTRY_SIZE)
        return refuse(r, "its directory is damaged");
    *at += ENTRY_SIZE + name + extra + comment;
    member->name = (const char *)entry + ENTRY_SIZE;
    member->name_length = name;
    uint64_t packed = load(entry + 20, 4), size = load(entry + 24, 4), offset = load(entry + 42, 4);
    if (load(entry + 8, 2) & 1) return refuse_member(r, member, "is encrypted");
    if (load(entry + 10, 2) != 0)
        return refuse_member(r, member, "is compressed, which PyTorch never does");
    if (!read_extra(entry + ENTRY_SIZE + name, extra, &size, &packed, &offset))
        return refuse_member(r, member, "lacks its ZIP64 sizes");
    if (size != packed) return refuse_member(r, member, "claims two different sizes");
    if (size > r->size) return refuse_member(r, member, "lies outside the file");
    member->size = (size_t)size;
    return place(r, member, offset, where->first);
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const size_t shorter = a_length < b_length ? a_length : b_length;
    const int order = memcmp(a, b, shorter);
    if (order != 0) return order;
    return a_length < b_length ? -1 : a_length > b_length;
}

static int compare_members(const void *a, const void *b)
{
    const sm_zip_member *x = a, *y = b;
    return compare_names(x->name, x->name_length, y->name, y->name_length);
}

static smitin_status read_members(const reader *r, const directory *where, sm_zip *zip)
{
    size_t at = where->first;
    for (uint64_t i = 0; i < where->entries; i++) {
        SM_TRY(read_entry(r, where, &at, &zip->members[zip->count]));
        zip->count++;
    }
    qsort(zip->members, zip->count, sizeof *zip->members, compare_members);
    for (size_t i = 1; i < zip->count; i++) {
        if (compare_members(&zip->members[i - 1], &zip->members[i]) == 0)
            return refuse_member(r, &zip->members[i], "is there twice");
    }
    return SMITIN_OK;
}

smitin_status sm_zip_parse(sm_zip *zip, const void *data, size_t size, const char *path,
                           smitin_error *error)
{
    *zip = (sm_zip){0};
    const reader r = {data, size, path, error};
    directory where = {0};
    SM_TRY(find_directory(&r, &where));
    /* At most size / 46 entries, so the table is bounded by the file. */
    zip->members = calloc((size_t)where.entries + 1, sizeof *zip->members);
    if (zip->members == NULL)
        return sm_fail_memory(error, "an archive's directory",
                              (size_t)where.entries * sizeof *zip->members);
    const smitin_status status = read_members(&r, &where, zip);
    if (status != SMITIN_OK) sm_zip_free(zip);
    return status;
}

void sm_zip_free(sm_zip *zip)
{
    free(zip->members);
    *zip = (sm_zip){0};
}

const sm_zip_member *sm_zip_find(const sm_zip *zip, const char *name_format, ...)
{
    char name[512];
    va_list args;
    va_start(args, name_format);
    const int length = vsnprintf(name, sizeof name, name_format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof name) return NULL;
    const sm_zip_member key = {name, (size_t)length, NULL, 0};
    return zip->count == 0 ? NULL
                           : bsearch(&key, zip->members, zip->count, sizeof key, compare_members);
}

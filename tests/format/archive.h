/* SPDX-License-Identifier: MIT */
/* ZIP archives made by hand, sound or not, for the tests of PyTorch's files. */
#ifndef SMITIN_TESTS_FORMAT_ARCHIVE_H
#define SMITIN_TESTS_FORMAT_ARCHIVE_H

#include "../common.h"

typedef struct archive {
    unsigned char data[1 << 14];
    size_t size;
} archive;

static inline void add(archive *b, const void *data, size_t size)
{
    assert_true(size <= sizeof b->data - b->size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void add_number(archive *b, uint64_t number, int size)
{
    for (int i = 0; i < size; i++, number >>= 8) {
        const unsigned char byte = (unsigned char)number;
        add(b, &byte, 1);
    }
}

typedef struct member {
    const char *name;
    const void *data;
    size_t size;
    int method;           /* 0: stored */
    int flags;            /* 1: encrypted */
    uint64_t size_claim;  /* instead of size, when not 0 */
    uint64_t place_claim; /* added to the offset of its header */
} member;

static inline void add_local(archive *b, const member *m)
{
    add(b, "PK\3\4", 4);
    add_number(b, 0, 14);
    add_number(b, m->size, 4);
    add_number(b, m->size, 4);
    add_number(b, strlen(m->name), 2);
    add_number(b, 0, 2);
    add(b, m->name, strlen(m->name));
    add(b, m->data, m->size);
}

/* With `big`, sizes and offsets in ZIP64 records, as archives over 4 GiB have them. */
static inline void add_entry(archive *b, const member *m, uint64_t offset, bool big)
{
    const uint64_t size = m->size_claim != 0 ? m->size_claim : m->size;
    offset += m->place_claim;
    add(b, "PK\1\2", 4);
    add_number(b, 0, 4);
    add_number(b, (uint64_t)m->flags, 2);
    add_number(b, (uint64_t)m->method, 2);
    add_number(b, 0, 8);
    add_number(b, big ? UINT32_MAX : size, 4);
    add_number(b, big ? UINT32_MAX : size, 4);
    add_number(b, strlen(m->name), 2);
    add_number(b, big ? 28 : 0, 2);
    add_number(b, 0, 10);
    add_number(b, big ? UINT32_MAX : offset, 4);
    add(b, m->name, strlen(m->name));
    if (!big) return;
    add_number(b, 1, 2);
    add_number(b, 24, 2);
    add_number(b, size, 8);
    add_number(b, size, 8);
    add_number(b, offset, 8);
}

static inline void make_archive(archive *b, const member *members, int count, bool big)
{
    uint64_t places[16];
    assert_true(count <= 16);
    b->size = 0;
    for (int i = 0; i < count; i++) {
        places[i] = b->size;
        add_local(b, &members[i]);
    }
    const uint64_t first = b->size;
    for (int i = 0; i < count; i++) add_entry(b, &members[i], places[i], big);
    const uint64_t size = b->size - first, end = b->size;
    if (big) {
        add(b, "PK\6\6", 4);
        add_number(b, 44, 8);
        add_number(b, 0, 12);
        add_number(b, (uint64_t)count, 8);
        add_number(b, (uint64_t)count, 8);
        add_number(b, size, 8);
        add_number(b, first, 8);
        add(b, "PK\6\7", 4);
        add_number(b, 0, 4);
        add_number(b, end, 8);
        add_number(b, 1, 4);
    }
    add(b, "PK\5\6", 4);
    add_number(b, 0, 4);
    add_number(b, (uint64_t)count, 2);
    add_number(b, (uint64_t)count, 2);
    add_number(b, big ? UINT32_MAX : size, 4);
    add_number(b, big ? UINT32_MAX : first, 4);
    add_number(b, 0, 2);
}

#endif

/* SPDX-License-Identifier: MIT */
/* A read-only memory map of a whole file. */
#ifndef SMITIN_BASE_FILEMAP_H
#define SMITIN_BASE_FILEMAP_H

#include <stddef.h>
#include "error.h"

typedef struct sm_filemap {
    const unsigned char *data; /* NULL for an empty file */
    size_t size;               /* bytes */
} sm_filemap;

/* Map `path`. Fails with SMITIN_ERROR_IO for a missing, unreadable or non-regular file. */
smitin_status sm_filemap_open(sm_filemap *map, const char *path, smitin_error *error);
/* Unmap; safe on a zeroed struct and twice. */
void sm_filemap_close(sm_filemap *map);

#endif

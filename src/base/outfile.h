/* SPDX-License-Identifier: MIT */
/* Writing a whole file, all or nothing. */
#ifndef SMITIN_BASE_OUTFILE_H
#define SMITIN_BASE_OUTFILE_H

#include <stddef.h>
#include "error.h"

/* Write `size` bytes to `path`: under a temporary name beside it, flushed to disk, then renamed, so
 * that on failure the old file (or none) is there. A path that is a device, a pipe or a socket is
 * written in place; "-" is standard output. SMITIN_ERROR_IO says which path failed and why. */
smitin_status sm_file_write(const char *path, const void *data, size_t size, smitin_error *error);

#endif

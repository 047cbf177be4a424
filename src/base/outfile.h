/* SPDX-License-Identifier: MIT */
/* Writing a whole file, all or nothing: at once, or part by part at any place. */
#ifndef SMITIN_BASE_OUTFILE_H
#define SMITIN_BASE_OUTFILE_H

#include <stddef.h>
#include "error.h"

/* Write `size` bytes to `path`: under a temporary name beside it, flushed to disk, then renamed, so
 * that on failure the old file (or none) is there. A path that is a device, a pipe or a socket is
 * written in place; "-" is standard output. SMITIN_ERROR_IO says which path failed and why. */
smitin_status sm_file_write(const char *path, const void *data, size_t size, smitin_error *error);

/* A file that is written part by part. Until it is committed its parts lie under a temporary name
 * beside `path`; what is to go into a device waits in memory. */
typedef struct sm_outfile sm_outfile;
smitin_status sm_outfile_open(sm_outfile **file, const char *path, smitin_error *error);
size_t sm_outfile_size(const sm_outfile *file);
/* Bytes of data[size] written at (or read from) the place `at`; fewer when that failed, and then
 * the commit fails. A gap before `at` is zeros. */
size_t sm_outfile_put(sm_outfile *file, size_t at, const void *data, size_t size);
size_t sm_outfile_get(sm_outfile *file, size_t at, void *data, size_t size);
/* The failure of an earlier put or get, in words. */
smitin_status sm_outfile_check(const sm_outfile *file, smitin_error *error);
/* Flush, rename, and free `file`. After a failure, also of an earlier put, nothing is left. */
smitin_status sm_outfile_commit(sm_outfile *file, smitin_error *error);
/* Leave nothing, and free `file`; NULL is allowed. */
void sm_outfile_discard(sm_outfile *file);

#endif

/* SPDX-License-Identifier: MIT */
/* ZIP archives whose members are stored uncompressed, read in place: the outside of PyTorch's
 * files. */
#ifndef SMITIN_FORMAT_ZIP_H
#define SMITIN_FORMAT_ZIP_H

#include <stddef.h>
#include "../base/error.h"

typedef struct sm_zip_member {
    const char *name; /* [name_length], not terminated; inside the archive */
    size_t name_length;
    const unsigned char *data; /* [size], inside the archive */
    size_t size;               /* bytes */
} sm_zip_member;

typedef struct sm_zip {
    sm_zip_member *members; /* [count], sorted by name */
    size_t count;
} sm_zip;

/* Read the directory of an archive of `size` bytes, which is borrowed and must outlive `zip`. Plain
 * and ZIP64. Compressed, encrypted and repeated members are refused; every offset lies within the
 * bytes. `path` is used in messages. On failure `zip` is left zeroed. */
smitin_status sm_zip_parse(sm_zip *zip, const void *data, size_t size, const char *path,
                           smitin_error *error);
void sm_zip_free(sm_zip *zip); /* safe on a zeroed struct */

/* The member called by the printf-style name, or NULL. */
const sm_zip_member *sm_zip_find(const sm_zip *zip, const char *name_format, ...) SM_PRINTF(2, 3);

#endif

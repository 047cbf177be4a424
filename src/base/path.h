/* SPDX-License-Identifier: MIT */
/* Parts of a path, as text. */
#ifndef SMITIN_BASE_PATH_H
#define SMITIN_BASE_PATH_H

#include <stddef.h>
#include "error.h"

/* What stands behind the last slash. */
const char *sm_path_name(const char *path);
/* Bytes of a name without its suffix; a dot at its beginning starts none. */
size_t sm_path_stem(const char *name);
/* Make a folder, unless something of that name is there. */
smitin_status sm_path_make(const char *path, smitin_error *error);
/* The same with all the folders that it lies in. */
smitin_status sm_path_make_all(const char *path, smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *sm_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

size_t sm_path_stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
}

smitin_status sm_path_make(const char *path, smitin_error *error)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_IO, "the folder '%s' cannot be made: %s", path,
                   strerror(errno));
}

smitin_status sm_path_make_all(const char *path, smitin_error *error)
{
    char *above = strdup(path);
    smitin_status status = SMITIN_OK;
    if (above == NULL) return sm_fail_memory(error, path, strlen(path));
    for (char *at = above + (path[0] != '\0');
         status == SMITIN_OK && (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        status = sm_path_make(above, error);
        *at = '/';
    }
    free(above);
    return status == SMITIN_OK ? sm_path_make(path, error) : status;
}

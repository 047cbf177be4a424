/* SPDX-License-Identifier: MIT */
/* A read-only memory map of a whole file. */
#include "filemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static smitin_status map_descriptor(sm_filemap *map, int fd, const char *path, smitin_error *error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return sm_fail(error, SMITIN_ERROR_IO, "%s is a directory; name a file inside it", path);
    if (!S_ISREG(info.st_mode))
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s is not a regular file; copy its contents to one first", path);
    if (info.st_size < 0 || (uintmax_t)info.st_size > SIZE_MAX / 2)
        return sm_fail(error, SMITIN_ERROR_IO, "%s is too large to map into memory", path);
    if (info.st_size == 0) return SMITIN_OK;

    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot map %s into memory: %s", path,
                       strerror(errno));
    map->data = data;
    map->size = (size_t)info.st_size;
    return SMITIN_OK;
}

smitin_status sm_filemap_open(sm_filemap *map, const char *path, smitin_error *error)
{
    map->data = NULL;
    map->size = 0;
    /* Not blocking, or a named pipe without a writer would hold us here. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "cannot open %s: %s; check the name and its permissions", path,
                       strerror(errno));
    const smitin_status status = map_descriptor(map, fd, path, error);
    close(fd);
    return status;
}

void sm_filemap_close(sm_filemap *map)
{
    if (map->data != NULL) munmap((void *)(uintptr_t)map->data, map->size);
    map->data = NULL;
    map->size = 0;
}

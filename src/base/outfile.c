/* SPDX-License-Identifier: MIT */
/* Owns the one way in which small and middling files are written: temporary name, flush, rename. */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or the errno of the write that failed. */
static int write_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size < ((size_t)1 << 30) ? size : (size_t)1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) return ENOSPC;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static smitin_status fail_write(const char *path, int code, smitin_error *error)
{
    const char *hint = "choose another output path";
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        hint = "free some space or choose another output path";
    if (code == ENOENT || code == ENOTDIR)
        hint = "create its folder first or choose another output path";
    return sm_fail(error, SMITIN_ERROR_IO, "cannot write '%s': %s; %s", path, strerror(code), hint);
}

/* Open a new file beside `path`; its name goes to `name`. -1 with errno set on failure. */
static int open_temporary(const char *path, char *name, size_t name_size)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, name_size, "%s.%ld-%d.tmp", path, (long)getpid(), attempt);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static smitin_status write_in_place(const char *path, const void *data, size_t size,
                                    smitin_error *error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return fail_write(path, errno, error);
    int code = write_all(fd, data, size);
    if (close(fd) != 0 && code == 0) code = errno;
    return code == 0 ? SMITIN_OK : fail_write(path, code, error);
}

static smitin_status write_renamed(const char *path, const void *data, size_t size,
                                   smitin_error *error)
{
    size_t name_size = strlen(path) + 48;
    char *name = malloc(name_size);
    if (name == NULL) return sm_fail_memory(error, "a file name", name_size);
    int fd = open_temporary(path, name, name_size);
    if (fd < 0) {
        int code = errno;
        free(name);
        return fail_write(path, code, error);
    }
    int code = write_all(fd, data, size);
    if (code == 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) code = errno;
    if (close(fd) != 0 && code == 0) code = errno;
    if (code == 0 && rename(name, path) != 0) code = errno;
    if (code != 0) unlink(name);
    free(name);
    return code == 0 ? SMITIN_OK : fail_write(path, code, error);
}

smitin_status sm_file_write(const char *path, const void *data, size_t size, smitin_error *error)
{
    if (strcmp(path, "-") == 0) {
        int code = write_all(STDOUT_FILENO, data, size);
        return code == 0 ? SMITIN_OK : fail_write("standard output", code, error);
    }
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) return fail_write(path, EISDIR, error);
        /* Renaming over a device would replace it by a plain file. */
        if (!S_ISREG(status.st_mode)) return write_in_place(path, data, size, error);
    }
    return write_renamed(path, data, size, error);
}

/* SPDX-License-Identifier: MIT */
/* Owns the one way in which files are written: temporary name, flush, rename. */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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
static int open_temporary(const char *path, char *name, size_t name_size, int mode)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, name_size, "%s.%ld-%d.tmp", path, (long)getpid(), attempt);
        int fd = open(name, mode | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
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

/* Flush and close `fd` and give the file its name, unless there is a `code` already. Returns the
 * code; when there is one, the temporary file is gone. */
static int settle(int fd, int code, const char *name, const char *path)
{
    if (code == 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) code = errno;
    if (close(fd) != 0 && code == 0) code = errno;
    if (code == 0 && rename(name, path) != 0) code = errno;
    if (code != 0) unlink(name);
    return code;
}

static smitin_status write_renamed(const char *path, const void *data, size_t size,
                                   smitin_error *error)
{
    size_t name_size = strlen(path) + 48;
    char *name = malloc(name_size);
    if (name == NULL) return sm_fail_memory(error, "a file name", name_size);
    int fd = open_temporary(path, name, name_size, O_WRONLY);
    if (fd < 0) {
        int code = errno;
        free(name);
        return fail_write(path, code, error);
    }
    const int code = settle(fd, write_all(fd, data, size), name, path);
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

/* ---- Part by part
 * ----------------------------------------------------------------------------------------- */

struct sm_outfile {
    char *path, *name;   /* the temporary name; NULL: the parts wait in memory */
    int fd, code;        /* errno of the first failure */
    unsigned char *data; /* in memory: [capacity] */
    size_t size, capacity;
};

static void outfile_free(sm_outfile *file)
{
    free(file->path), free(file->name), free(file->data);
    free(file);
}

smitin_status sm_outfile_open(sm_outfile **out, const char *path, smitin_error *error)
{
    *out = NULL;
    struct stat status;
    const bool there = stat(path, &status) == 0;
    if (there && S_ISDIR(status.st_mode)) return fail_write(path, EISDIR, error);
    const size_t name_size = strlen(path) + 48;
    sm_outfile *file = calloc(1, sizeof *file);
    if (file == NULL) return sm_fail_memory(error, "an output file", sizeof *file);
    file->fd = -1;
    file->path = strdup(path);
    /* Renaming over a device would replace it by a plain file. */
    const bool device = there && !S_ISREG(status.st_mode);
    if (!device) file->name = malloc(name_size);
    if (file->path == NULL || (!device && file->name == NULL)) {
        outfile_free(file);
        return sm_fail_memory(error, "a file name", name_size);
    }
    if (!device) file->fd = open_temporary(path, file->name, name_size, O_RDWR);
    if (!device && file->fd < 0) {
        const int code = errno;
        outfile_free(file);
        return fail_write(path, code, error);
    }
    *out = file;
    return SMITIN_OK;
}

size_t sm_outfile_size(const sm_outfile *file)
{
    return file->size;
}

/* Room for `end` bytes, zeros where nothing was written. */
static bool grow(sm_outfile *file, size_t end)
{
    if (end <= file->capacity) return true;
    const size_t wanted = end + end / 2 + 4096;
    unsigned char *larger = realloc(file->data, wanted);
    if (larger == NULL) {
        file->code = ENOMEM;
        return false;
    }
    memset(larger + file->capacity, 0, wanted - file->capacity);
    file->data = larger;
    file->capacity = wanted;
    return true;
}

size_t sm_outfile_put(sm_outfile *file, size_t at, const void *data, size_t size)
{
    const unsigned char *from = data;
    size_t done = 0;
    if (file->code != 0 || (file->name == NULL && !grow(file, at + size))) return 0;
    if (file->name == NULL && size > 0) memcpy(file->data + at, data, size);
    if (file->name == NULL) done = size;
    while (done < size) {
        const ssize_t n = pwrite(file->fd, from + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            file->code = n < 0 ? errno : ENOSPC;
            break;
        }
        done += (size_t)n;
    }
    if (at + done > file->size) file->size = at + done;
    return done;
}

size_t sm_outfile_get(sm_outfile *file, size_t at, void *data, size_t size)
{
    unsigned char *to = data;
    size_t done = 0;
    if (file->code != 0 || at >= file->size) return 0;
    if (size > file->size - at) size = file->size - at;
    if (file->name == NULL) {
        memcpy(data, file->data + at, size);
        return size;
    }
    while (done < size) {
        const ssize_t n = pread(file->fd, to + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            file->code = n < 0 ? errno : EIO;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

smitin_status sm_outfile_check(const sm_outfile *file, smitin_error *error)
{
    return file->code == 0 ? SMITIN_OK : fail_write(file->path, file->code, error);
}

smitin_status sm_outfile_commit(sm_outfile *file, smitin_error *error)
{
    smitin_status status = SMITIN_OK;
    if (file->name != NULL) {
        const int code = settle(file->fd, file->code, file->name, file->path);
        if (code != 0) status = fail_write(file->path, code, error);
    } else if (file->code != 0) {
        status = fail_write(file->path, file->code, error);
    } else {
        status = write_in_place(file->path, file->data, file->size, error);
    }
    outfile_free(file);
    return status;
}

void sm_outfile_discard(sm_outfile *file)
{
    if (file == NULL) return;
    if (file->name != NULL) {
        close(file->fd);
        unlink(file->name);
    }
    outfile_free(file);
}

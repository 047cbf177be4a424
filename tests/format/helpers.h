/* SPDX-License-Identifier: MIT */
/* A scratch folder, and safetensors files built from a header's text. */
#ifndef SMITIN_TESTS_FORMAT_HELPERS_H
#define SMITIN_TESTS_FORMAT_HELPERS_H

#include "../common.h"

#include <dirent.h>
#include <unistd.h>

/* "DIR/name" of a fresh folder; the caller passes a buffer of 256. */
static inline const char *scratch_path(char path[256], const char *name)
{
    static char folder[128];
    if (folder[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof(folder), "%.90s/smitin-test-XXXXXX", base != NULL ? base : "/tmp");
        if (mkdtemp(folder) == NULL) fail_msg("no scratch folder %s", folder);
    }
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

/* Remove the folder with its files. */
static inline int scratch_remove(void **state)
{
    (void)state;
    char folder[256], path[600];
    scratch_path(folder, "");
    DIR *dir = opendir(folder);
    if (dir == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    closedir(dir);
    return rmdir(folder);
}

/* Files in the scratch folder. */
static inline int scratch_count(void)
{
    char folder[256];
    int count = 0;
    DIR *dir = opendir(scratch_path(folder, ""));
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Length, header text, `data_size` zero bytes. Freed by the caller, so that sanitizers see its end.
 */
static inline unsigned char *make_safetensors(const char *header, size_t data_size, size_t *size)
{
    uint64_t length = strlen(header);
    *size = 8 + (size_t)length + data_size;
    unsigned char *bytes = calloc(1, *size);
    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    return bytes;
}

#endif

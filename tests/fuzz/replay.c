/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over stored inputs, as an ordinary test: every file of the folders given,
 * whole and cut short at up to 64 places. Each input lies in a block of exactly its size, so that
 * the sanitizers and the memory allocator notice a read behind its end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) abort();
    if (size > 0) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* The whole file; NULL when it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    uint8_t *data = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long length = ftell(file);
        rewind(file);
        data = length >= 0 ? malloc((size_t)length + 1) : NULL;
        *size = data != NULL ? fread(data, 1, (size_t)length, file) : 0;
        if (data != NULL && *size != (size_t)length) {
            free(data);
            data = NULL;
        }
    }
    fclose(file);
    return data;
}

/* 1 when `path` was read and run. */
static int run_file(const char *path)
{
    size_t size = 0;
    uint8_t *data = read_file(path, &size);
    if (data == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        return 0;
    }
    /* Said before, so that the input of a crash is known. */
    fprintf(stderr, "%s (%zu bytes)\n", path, size);
    run(data, size);
    size_t step = size / 64 + 1;
    for (size_t n = 0; n < size; n += step) run(data, n);
    free(data);
    return 1;
}

/* The number of files run, or -1. */
static int run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "cannot open %s\n", folder);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(path) || !run_file(path)) {
            closedir(dir);
            return -1;
        }
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = run_folder(argv[i]);
        if (count < 0) return 1;
        total += count;
    }
    fprintf(stderr, "%d inputs\n", total);
    return total > 0 ? 0 : 1;
}

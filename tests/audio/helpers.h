/* SPDX-License-Identifier: MIT */
/* Scratch files of the audio tests. */
#ifndef SMITIN_TESTS_AUDIO_HELPERS_H
#define SMITIN_TESTS_AUDIO_HELPERS_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../common.h"
#include "../../src/audio/audio.h"

#define TEST_PI 3.14159265358979323846

static char scratch[] = "/tmp/smitin-test-XXXXXX";
static char scratch_path[4][512];

/* A path in the scratch folder; four at a time are valid. */
static inline const char *in_scratch(const char *name)
{
    static int next;
    char *out = scratch_path[next++ & 3];
    snprintf(out, sizeof scratch_path[0], "%s/%s", scratch, name);
    return out;
}

static inline int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) == NULL ? -1 : 0;
}

/* Files in the scratch folder. */
static inline int count_scratch(void)
{
    DIR *folder = opendir(scratch);
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static inline int remove_scratch(void **state)
{
    (void)state;
    DIR *folder = opendir(scratch);
    if (folder == NULL) return -1;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (entry->d_name[0] != '.') unlink(in_scratch(entry->d_name));
    closedir(folder);
    return rmdir(scratch);
}

/* A sine of `frames` frames; channel c has amplitude / (c + 1). */
static inline float *make_sine(size_t frames, int channels, int rate, double hertz,
                               double amplitude)
{
    float *samples = malloc(frames * (size_t)channels * sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++)
            samples[i * (size_t)channels + (size_t)c] =
                (float)(amplitude / (c + 1) * sin(2.0 * TEST_PI * hertz * (double)i / rate));
    return samples;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The whole file, owned by the caller. */
static inline unsigned char *read_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat status;
    assert_int_equal(fstat(fileno(file), &status), 0);
    *size = (size_t)status.st_size;
    unsigned char *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

#endif

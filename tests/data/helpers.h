/* SPDX-License-Identifier: MIT */
/* Small trees of tones in the scratch folder. */
#ifndef SMITIN_TESTS_DATA_HELPERS_H
#define SMITIN_TESTS_DATA_HELPERS_H

#include "../audio/helpers.h"

enum { RATE = 8000 };

static inline int empty_scratch(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'/*", scratch);
    return system(command);
}

/* The folders that lead to a file; they may be there already. */
static inline void make_way(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_scratch(name));
    for (char *at = path + strlen(scratch) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
}

/* Amplitude of a tone in x. */
static inline double level(const float *x, size_t n, double hertz)
{
    double re = 0.0, im = 0.0;
    for (size_t i = 0; i < n; i++) {
        re += (double)x[i] * cos(2.0 * TEST_PI * hertz * (double)i / RATE);
        im += (double)x[i] * sin(2.0 * TEST_PI * hertz * (double)i / RATE);
    }
    return 2.0 * hypot(re, im) / (double)n;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SMITIN_TESTS_ENGINE_OPEN_H
#define SMITIN_TESTS_ENGINE_OPEN_H

#include "../common.h"

/* A model that must open, with everything else by default. */
static inline smitin_engine *open_engine(const char *path, int threads)
{
    smitin_error error;
    smitin_engine *engine = NULL;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = threads;
    ASSERT_OK(smitin_engine_open(&engine, path, &options, &error));
    return engine;
}

#endif

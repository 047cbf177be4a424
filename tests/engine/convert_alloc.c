/* SPDX-License-Identifier: MIT */
/* A conversion, and loading what it made, with every allocation of ours failing in turn. */
#include "../format/failing.h"

typedef struct work {
    char path[256];
    smitin_engine *engine;
} work;

static smitin_status convert(void *context, smitin_error *error)
{
    work *w = context;
    smitin_convert_options options = smitin_convert_defaults();
    options.threads = 1;
    return smitin_convert(GOLDEN "/stereo", w->path, SMITIN_FORMAT_Q8, &options, error);
}

static smitin_status load(void *context, smitin_error *error)
{
    work *w = context;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = 1;
    const smitin_status status = smitin_engine_open(&w->engine, w->path, &options, error);
    if (status != SMITIN_OK) assert_null(w->engine);
    return status;
}

static void unload(void *context)
{
    smitin_engine_free(((work *)context)->engine);
}

static void nothing(void *context)
{
    (void)context;
}

static void conversion(void **state)
{
    (void)state;
    work w = {.engine = NULL};
    const int before = scratch_count();
    scratch_path(w.path, "a.gguf");
    fail_each(convert, nothing, &w, 50);
    assert_int_equal(scratch_count(), before + 1); /* the last, successful one */
    fail_each(load, unload, &w, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversion)};
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

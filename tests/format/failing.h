/* SPDX-License-Identifier: MIT */
/* Allocations that fail on demand. Link with --wrap for malloc, calloc, realloc, aligned_alloc and
 * strdup; jansson is given the same allocator. */
#ifndef SMITIN_TESTS_FORMAT_FAILING_H
#define SMITIN_TESTS_FORMAT_FAILING_H

#include "helpers.h"

#include <jansson.h>

/* The fail_at-th allocation from now returns NULL; 0 = none. failed_in_json tells whose it was. */
static int fail_at;
static bool failed, failed_in_json;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static bool fails_now(bool json)
{
    if (fail_at == 0 || --fail_at > 0) return false;
    failed = true;
    failed_in_json = json;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now(false) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now(false) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now(false) ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now(false) ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now(false) ? NULL : __real_strdup(text);
}

static void *json_malloc(size_t size)
{
    return fails_now(true) ? NULL : __real_malloc(size);
}

/* Run `call` with its 1st, 2nd, ... allocation failing until it succeeds. Each failure is an error
 * with a message, and of ours it is SMITIN_ERROR_MEMORY; `undo` frees what a success made. Leaks
 * and double frees are for the sanitizers to find. At least `least` allocations must have been
 * there to fail. */
static inline void fail_each(smitin_status (*call)(void *, smitin_error *), void (*undo)(void *),
                             void *context, int least)
{
    json_set_alloc_funcs(json_malloc, free);
    for (int n = 1; n < 100000; n++) {
        smitin_error error = {0};
        failed = false;
        fail_at = n;
        smitin_status status = call(context, &error);
        fail_at = 0;
        if (!failed) {
            if (status != SMITIN_OK) fail_msg("without a failure: %s", error.message);
            assert_true(n > least);
            undo(context);
            return;
        }
        if (status == SMITIN_OK && failed_in_json) {
            /* jansson goes on with its old table when a larger one cannot be had. */
            undo(context);
            continue;
        }
        if (status == SMITIN_OK) fail_msg("allocation %d failed unnoticed", n);
        if (!failed_in_json && status != SMITIN_ERROR_MEMORY) {
            fail_msg("allocation %d: status %d, %s", n, (int)status, error.message);
        }
        assert_true(error.status == status && error.message[0] != '\0');
    }
    fail_msg("the call never succeeds");
}

#endif

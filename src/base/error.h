/* SPDX-License-Identifier: MIT */
/* Status and messages: how every room says what went wrong. Owns no state.
 *
 * Convention: a function that can fail returns smitin_status (0 = done) and takes a pointer to a
 * smitin_error as its last argument, which may be NULL. The message says what was wrong, where
 * (file, tensor, argument), and after a semicolon what to do next; it begins in lower case and has
 * no final period, so that it reads well after "smitin: ". */
#ifndef SMITIN_BASE_ERROR_H
#define SMITIN_BASE_ERROR_H

#include <smitin/smitin.h>

#if defined(__GNUC__)
#define SM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SM_PRINTF(fmt, args)
#endif

/* Fill `error` (when not NULL) and return `status`, so that callers can `return sm_fail(...)`. */
smitin_status sm_fail(smitin_error *error, smitin_status status, const char *format, ...)
    SM_PRINTF(3, 4);

/* The usual message for a failed allocation of `bytes` for `what`. */
smitin_status sm_fail_memory(smitin_error *error, const char *what, size_t bytes);

/* Return from the enclosing function when `call` fails. */
#define SM_TRY(call)                                                                               \
    do {                                                                                           \
        smitin_status sm_try_status = (call);                                                      \
        if (sm_try_status != SMITIN_OK) return sm_try_status;                                      \
    } while (0)

/* The same for functions with one exit: set `status` and jump to `label`. */
#define SM_TRY_OR(call, status, label)                                                             \
    do {                                                                                           \
        (status) = (call);                                                                         \
        if ((status) != SMITIN_OK) goto label;                                                     \
    } while (0)

#endif

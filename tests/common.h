/* SPDX-License-Identifier: MIT */
/* What every test program needs: cmocka with its required headers, checks for statuses and
 * closeness. */
#ifndef SMITIN_TESTS_COMMON_H
#define SMITIN_TESTS_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <smitin/smitin.h>

/* The call succeeds; its message is printed when it does not. */
#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        smitin_status test_status = (call);                                                        \
        if (test_status != SMITIN_OK) fail_msg("%s: %s", #call, error.message);                    \
    } while (0)

/* The call fails with `expected` and a message that contains `part`. */
#define ASSERT_FAILS(call, expected, part)                                                         \
    do {                                                                                           \
        error.message[0] = '\0';                                                                   \
        smitin_status test_status = (call);                                                        \
        if (test_status != (expected) || error.status != (expected))                               \
            fail_msg("%s: status %d, expected %d (%s)", #call, (int)test_status, (int)(expected),  \
                     error.message);                                                               \
        if (strstr(error.message, (part)) == NULL)                                                 \
            fail_msg("%s: '%s' does not say '%s'", #call, error.message, (part));                  \
    } while (0)

/* |a - b| <= tolerance; false for NaN. */
#define ASSERT_NEAR(a, b, tolerance)                                                               \
    do {                                                                                           \
        double test_a = (double)(a), test_b = (double)(b);                                         \
        if (!(fabs(test_a - test_b) <= (double)(tolerance)))                                       \
            fail_msg("%s = %.17g, expected %.17g within %g", #a, test_a, test_b,                   \
                     (double)(tolerance));                                                         \
    } while (0)

#endif

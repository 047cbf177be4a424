/* SPDX-License-Identifier: MIT */
/* Status words and messages. */
#include "../common.h"
#include "../../src/base/error.h"

static void words_for_every_status(void **state)
{
    (void)state;
    for (int s = SMITIN_OK; s <= SMITIN_ERROR_STOPPED; s++) {
        const char *words = smitin_strerror((smitin_status)s);
        assert_true(words[0] >= 'A' && words[0] <= 'Z');
        assert_true(words[strlen(words) - 1] != '.');
        assert_string_not_equal(words, "Unknown status");
        for (int t = SMITIN_OK; t < s; t++)
            assert_string_not_equal(words, smitin_strerror((smitin_status)t));
    }
    assert_string_equal(smitin_strerror((smitin_status)1000), "Unknown status");
}

static void fail_fills_and_returns(void **state)
{
    (void)state;
    smitin_error error;
    ASSERT_FAILS(sm_fail(&error, SMITIN_ERROR_KNOB, "layer %d of %s", 3, "it"), SMITIN_ERROR_KNOB,
                 "layer 3 of it");
    assert_int_equal(sm_fail(NULL, SMITIN_ERROR_IO, "unseen %d", 1), SMITIN_ERROR_IO);
    ASSERT_FAILS(sm_fail_memory(&error, "a cache", 4096), SMITIN_ERROR_MEMORY,
                 "4096 bytes for a cache");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    smitin_error error;
    ASSERT_FAILS(sm_fail(&error, SMITIN_ERROR_IO, "%s", text), SMITIN_ERROR_IO, "xxx");
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void context_may_be_added_to_a_message(void **state)
{
    (void)state;
    smitin_error error;
    sm_fail(&error, SMITIN_ERROR_IO, "inner");
    sm_fail(&error, SMITIN_ERROR_MODEL, "outer: %s", error.message);
    assert_string_equal(error.message, "outer: inner");
}

static void newlines_are_flattened(void **state)
{
    (void)state;
    smitin_error error;
    sm_fail(&error, SMITIN_ERROR_IO, "no file %s", "a\nb\r");
    assert_string_equal(error.message, "no file a b ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_for_every_status),
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(context_may_be_added_to_a_message),
        cmocka_unit_test(newlines_are_flattened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

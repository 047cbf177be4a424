/* SPDX-License-Identifier: MIT */
/* The arena: alignment, zeroes, growth, refusal. */
#include "../common.h"
#include "../../src/base/arena.h"

static void takes_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    sm_arena *arena = sm_arena_new();
    assert_non_null(arena);
    enum { TAKES = 300 };
    unsigned char *taken[TAKES];
    size_t total = 0;
    for (size_t i = 0; i < TAKES; i++) {
        const size_t size =
            i * 97 % 5000 + (i % 50 == 0 ? 200000 : 0); /* shared and own blocks, mixed */
        taken[i] = sm_arena_take(arena, size, 1);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % 64, 0);
        for (size_t b = 0; b < size; b++) assert_int_equal(taken[i][b], 0);
        memset(taken[i], (int)(i % 251 + 1), size);
        total += size;
        assert_int_equal(sm_arena_bytes(arena), total);
    }
    for (size_t i = 0; i < TAKES; i++) { /* nobody wrote into anybody else's bytes */
        const size_t size = i * 97 % 5000 + (i % 50 == 0 ? 200000 : 0);
        for (size_t b = 0; b < size; b++) assert_int_equal(taken[i][b], i % 251 + 1);
    }
    sm_arena_free(arena);
}

/* Shared blocks grow beyond the size of a large page; zeroes and alignment hold there too. */
static void large_blocks_are_alike(void **state)
{
    (void)state;
    sm_arena *arena = sm_arena_new();
    enum { TAKES = 3000, SIZE = 4000 };
    for (int i = 0; i < TAKES; i++) {
        unsigned char *taken = sm_arena_take(arena, SIZE, 1);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % 64, 0);
        for (int b = 0; b < SIZE; b++) assert_int_equal(taken[b], 0);
        memset(taken, 0xFF, SIZE);
    }
    assert_int_equal(sm_arena_bytes(arena), TAKES * SIZE);
    sm_arena_free(arena);
}

static void nothing_is_a_valid_request(void **state)
{
    (void)state;
    sm_arena *arena = sm_arena_new();
    assert_non_null(SM_TAKE(arena, 0, float));
    assert_non_null(sm_arena_take(arena, 7, 0));
    assert_int_equal(sm_arena_bytes(arena), 0);
    sm_arena_free(arena);
    sm_arena_free(NULL);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    sm_arena *arena = sm_arena_new();
    assert_null(sm_arena_take(arena, SIZE_MAX, 2));
    assert_null(sm_arena_take(arena, SIZE_MAX / 2 + 1, 2));
    assert_null(sm_arena_take(arena, SIZE_MAX, 1));
    assert_null(sm_arena_take(arena, SIZE_MAX - 64, 1));
    assert_int_equal(sm_arena_bytes(arena), 0);
    assert_non_null(SM_TAKE(arena, 10, double)); /* and it still works */
    assert_int_equal(sm_arena_bytes(arena), 80);
    sm_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_are_aligned_zeroed_and_apart),
        cmocka_unit_test(large_blocks_are_alike),
        cmocka_unit_test(nothing_is_a_valid_request),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

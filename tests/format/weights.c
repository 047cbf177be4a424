/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "../../src/format/weights.h"

static smitin_error error;

static sm_safetensors *open_sample(void)
{
    static const float good[4] = {1, 2, 3, 4}, bad[2] = {1, INFINITY};
    static const uint16_t half[2] = {0x3c00, 0xc000};
    static const int64_t number[1] = {5};
    const sm_tensor_out tensors[] = {
        {"layer.0.w", SM_F32, 2, {2, 2}, good},
        {"layer.0.half", SM_F16, 1, {2}, half},
        {"layer.0.bad", SM_F32, 1, {2}, bad},
        {"layer.0.number", SM_I64, 1, {1}, number},
    };
    char path[256];
    sm_safetensors *file;
    ASSERT_OK(sm_safetensors_write(scratch_path(path, "w.st"), tensors, 4, NULL, 0, &error));
    ASSERT_OK(sm_safetensors_open(&file, path, &error));
    return file;
}

static void good_tensors_bind(void **state)
{
    (void)state;
    sm_safetensors *file = open_sample();
    sm_arena *arena = sm_arena_new();
    sm_binder binder;
    sm_binder_init(&binder, file, arena);
    const int64_t matrix[] = {2, 2}, vector[] = {2};
    float *w = sm_bind(&binder, 2, matrix, "layer.%d.%s", 0, "w");
    float *h = sm_bind(&binder, 1, vector, "layer.0.half");
    assert_true(w != NULL && w[3] == 4 && h != NULL && h[1] == -2);
    assert_true(sm_binder_has(&binder, "layer.%d.w", 0) &&
                !sm_binder_has(&binder, "layer.%d.w", 1));
    ASSERT_OK(sm_binder_finish(&binder, "the part", &error));
    assert_int_equal(binder.parameters, 6);
    sm_arena_free(arena);
    sm_safetensors_close(file);
}

static void all_misses_are_reported_together(void **state)
{
    (void)state;
    sm_safetensors *file = open_sample();
    sm_arena *arena = sm_arena_new();
    sm_binder binder;
    sm_binder_init(&binder, file, arena);
    const int64_t wrong[] = {2, 3}, flat[] = {4}, two[] = {2}, one[] = {1};
    assert_null(sm_bind(&binder, 2, wrong, "layer.0.w"));
    assert_null(sm_bind(&binder, 1, flat, "layer.0.w"));
    assert_null(sm_bind(&binder, 1, two, "layer.0.bad"));
    assert_null(sm_bind(&binder, 1, one, "layer.0.number"));
    assert_null(sm_bind(&binder, 1, one, "layer.7.w"));
    sm_binder_miss(&binder, "own %d", 42);
    ASSERT_FAILS(sm_binder_finish(&binder, "the part", &error), SMITIN_ERROR_MODEL, "6 problems");
    const char *parts[] = {"the part",
                           "w.st",
                           "[2,2], expected [2,3]",
                           "expected [4]",
                           "layer.0.bad is not finite at element 1",
                           "has type I64",
                           "layer.7.w is missing",
                           "own 42"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(error.message, parts[i]) == NULL)
            fail_msg("'%s' lacks '%s'", error.message, parts[i]);
    }
    /* More than fit: the first are named, the others are counted. */
    for (int i = 0; i < 200; i++) sm_bind(&binder, 1, one, "absent.%d", i);
    ASSERT_FAILS(sm_binder_finish(&binder, "the part", &error), SMITIN_ERROR_MODEL, "206 problems");
    assert_non_null(strstr(error.message, "; and "));
    assert_non_null(strstr(error.message, " more"));
    sm_arena_free(arena);
    sm_safetensors_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tensors_bind),
        cmocka_unit_test(all_misses_are_reported_together),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

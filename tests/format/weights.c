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

/* ---- Matrices ---- */

enum { N = 20, M = 40 };

/* Two f16 matrices, one f32, one with a bad weight, one too large for half the formats. */
static sm_safetensors *open_matrices(void)
{
    static uint16_t halves[2][N * M];
    static float floats[3][N * M];
    for (int i = 0; i < N * M; i++) {
        halves[0][i] = (uint16_t)(0x3000 + i % 1500);
        halves[1][i] = (uint16_t)(0xb800 + i % 700);
        for (int j = 0; j < 3; j++) floats[j][i] = (float)sin(i * 0.7 + j);
    }
    floats[1][13 * M + 7] = NAN;
    floats[2][13 * M + 7] = 1e30f;
    const sm_tensor_out tensors[] = {
        {"a", SM_F16, 2, {N, M}, halves[0]},    {"b", SM_F16, 2, {N, M}, halves[1]},
        {"c", SM_F32, 2, {N, M}, floats[0]},    {"bad", SM_F32, 2, {N, M}, floats[1]},
        {"huge", SM_F32, 2, {N, M}, floats[2]},
    };
    char path[256];
    sm_safetensors *file;
    ASSERT_OK(sm_safetensors_write(scratch_path(path, "m.st"), tensors, 5, NULL, 0, &error));
    ASSERT_OK(sm_safetensors_open(&file, path, &error));
    return file;
}

static char seen[64];

static void remember(void *watcher, const sm_tensor *tensor)
{
    strcat(watcher, tensor->name);
}

/* Stacked tensors are what each is alone, in every format, on any number of threads. */
static void matrices_bind_stacked(void **state)
{
    (void)state;
    sm_safetensors *file = open_matrices();
    for (int threads = 1; threads <= 3; threads += 2) {
        sm_pool *pool;
        ASSERT_OK(sm_pool_new(&pool, threads, &error));
        for (int format = SM_FORMAT_F32; format < SM_FORMATS; format++) {
            sm_arena *arena = sm_arena_new();
            sm_binder binder;
            sm_matrix both, one, none;
            sm_binder_init(&binder, file, arena);
            binder.format = (sm_format)format;
            binder.pool = pool;
            binder.watch = remember;
            binder.watcher = seen;
            seen[0] = '\0';
            assert_true(sm_bind_matrix(&binder, &both, 2 * N, M, "%s %s", "b", "a"));
            assert_string_equal(seen, "ba");
            assert_true(sm_bind_matrix(&binder, &one, N, M, "a"));
            assert_int_equal(binder.parameters, 3 * N * M);
            assert_true((int)both.format == format && both.N == 2 * N && both.M == M);
            assert_true((both.scales != NULL) == (format >= SM_FORMAT_Q8));
            for (int n = 0; n < N; n++) {
                float stacked[M], alone[M];
                sm_matrix_read(stacked, &both, N + n, 0, M);
                sm_matrix_read(alone, &one, n, 0, M);
                assert_memory_equal(stacked, alone, sizeof alone);
                assert_true(alone[5] > 0.1f); /* there is something */
            }
            ASSERT_OK(sm_binder_finish(&binder, "the part", &error));
            assert_false(sm_bind_matrix(&binder, &none, 2 * N, M, "a x"));
            assert_true(none.values == NULL && none.N == 0);
            ASSERT_FAILS(sm_binder_finish(&binder, "the part", &error), SMITIN_ERROR_MODEL,
                         "x is missing");
            sm_arena_free(arena);
        }
        sm_pool_free(pool);
    }
    sm_safetensors_close(file);
}

/* As the file: f16 stays f16, a stack of two kinds is f32. Tables stay above 4 bits. */
static void matrices_bind_as_the_file(void **state)
{
    (void)state;
    sm_safetensors *file = open_matrices();
    sm_arena *arena = sm_arena_new();
    sm_binder binder;
    sm_matrix w;
    sm_binder_init(&binder, file, arena);
    binder.as_file = true;
    assert_true(sm_bind_matrix(&binder, &w, 2 * N, M, "a b") && w.format == SM_FORMAT_F16);
    const sm_tensor *a = sm_safetensors_find(file, "a");
    assert_memory_equal(w.values, a->data, 2 * a->count);
    assert_true(sm_bind_matrix(&binder, &w, N, M, "c") && w.format == SM_FORMAT_F32);
    const sm_tensor *c = sm_safetensors_find(file, "c");
    assert_memory_equal(w.values, c->data, 4 * c->count);
    assert_true(sm_bind_matrix(&binder, &w, 2 * N, M, "a c") && w.format == SM_FORMAT_F32);
    assert_true(sm_bind_table(&binder, &w, N, M, "c") && w.format == SM_FORMAT_F32);
    binder.as_file = false;
    for (int format = SM_FORMAT_F32; format < SM_FORMATS; format++) {
        const sm_format table = format == SM_FORMAT_F32 ? SM_FORMAT_F32
                                : format < SM_FORMAT_Q8 ? SM_FORMAT_F16
                                                        : SM_FORMAT_Q8;
        binder.format = (sm_format)format;
        assert_true(sm_bind_table(&binder, &w, N, M, "c") && w.format == table);
        assert_true(sm_bind_table(&binder, &w, N, M, "a") && w.format == table);
    }
    ASSERT_OK(sm_binder_finish(&binder, "the part", &error));
    sm_arena_free(arena);
    sm_safetensors_close(file);
}

static void bad_weights_are_named(void **state)
{
    (void)state;
    sm_safetensors *file = open_matrices();
    for (int format = SM_FORMAT_F32; format < SM_FORMATS; format++) {
        sm_arena *arena = sm_arena_new();
        sm_binder binder;
        sm_matrix w;
        sm_binder_init(&binder, file, arena);
        binder.format = (sm_format)format;
        assert_false(sm_bind_matrix(&binder, &w, 2 * N, M, "c bad"));
        ASSERT_FAILS(sm_binder_finish(&binder, "the part", &error), SMITIN_ERROR_MODEL,
                     "bad is not finite at element 527"); /* 13 * M + 7 */
        sm_binder_init(&binder, file, arena);
        binder.format = (sm_format)format;
        const bool fits = format == SM_FORMAT_F32 || format == SM_FORMAT_BF16;
        assert_int_equal(sm_bind_matrix(&binder, &w, 2 * N, M, "c huge"), fits);
        if (!fits) {
            ASSERT_FAILS(sm_binder_finish(&binder, "the part", &error), SMITIN_ERROR_MODEL,
                         "huge has a weight of size 1e+30, too large for ");
            assert_null(strstr(error.message, "c has"));
        }
        sm_arena_free(arena);
    }
    sm_safetensors_close(file);
}

/* Numbers of the (first) name and place alone, of the size that keeps a layer's output near its
 * input's. */
static void random_weights_have_their_size(void **state)
{
    (void)state;
    enum { ROWS = 64, COLUMNS = 100 };
    const int64_t matrix[] = {ROWS, COLUMNS}, vector[] = {COLUMNS};
    for (int format = SM_FORMAT_F32; format < SM_FORMATS; format++) {
        sm_arena *arena = sm_arena_new();
        sm_binder binder;
        sm_matrix w, table;
        float row[COLUMNS];
        sm_binder_init_random(&binder, arena);
        binder.format = (sm_format)format;
        assert_true(sm_binder_has(&binder, "anything"));
        assert_true(sm_bind_matrix(&binder, &w, ROWS, COLUMNS, "a.%d b", 1));
        assert_true(sm_bind_table(&binder, &table, ROWS, COLUMNS, "c"));
        const float *plain = sm_bind(&binder, 2, matrix, "a.1");
        const float *weight = sm_bind(&binder, 1, vector, "norm.weight");
        const float *bias = sm_bind(&binder, 1, vector, "norm.bias");
        ASSERT_OK(sm_binder_finish(&binder, "the part", &error));
        assert_int_equal(binder.parameters, 3 * ROWS * COLUMNS + 2 * COLUMNS);
        assert_true(weight[COLUMNS - 1] == 1.0f && bias[COLUMNS - 1] == 0.0f);
        double mean = 0.0, square = 0.0;
        for (int n = 0; n < ROWS; n++) {
            sm_matrix_read(row, &w, n, 0, COLUMNS);
            for (int m = 0; m < COLUMNS; m++) {
                const double x = (double)row[m];
                if (format == SM_FORMAT_F32) assert_true(row[m] == plain[n * COLUMNS + m]);
                assert_true(fabs(x) <= 0.25); /* sqrt 3 / 10, and q4's last step beyond */
                mean += x / (ROWS * COLUMNS);
                square += x * x / (ROWS * COLUMNS);
            }
        }
        /* Of 6400 numbers with deviation 0.1: four deviations of their mean and of their square. */
        ASSERT_NEAR(mean, 0.0, 4 * 0.1 / 80);
        ASSERT_NEAR(square, 0.01, 4 * 0.009 / 80);
        sm_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tensors_bind),     cmocka_unit_test(all_misses_are_reported_together),
        cmocka_unit_test(matrices_bind_stacked), cmocka_unit_test(matrices_bind_as_the_file),
        cmocka_unit_test(bad_weights_are_named), cmocka_unit_test(random_weights_have_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

/* SPDX-License-Identifier: MIT */
/* The condition of a melody model: positions in front of the columns, of every row its own. */
#include "fixture.h"

/* Sums of some hundred products in f32, in another order; logits are a few units. */
#define LOGITS_TOLERANCE 5e-5

enum { TOKENS = 3, MANY = 80 };

static void open_in(fixture *f, int threads, sm_format format, sm_format cache)
{
    fixture_open_model(f, threads, &format, GOLDEN "/melody", GOLDEN "/melody/model.safetensors",
                       GOLDEN "/melody/golden.safetensors");
    f->cache = cache;
}

static void open_melody(fixture *f, int threads)
{
    open_in(f, threads, SM_FORMAT_F32, SM_FORMAT_F32);
}

static sm_lm_state *new_state(const fixture *f, int rows, int columns, int batch, int max_text)
{
    smitin_error error;
    sm_lm_state *state = NULL;
    const sm_lm_state_options options = {rows, columns, batch, max_text, f->cache};
    ASSERT_OK(sm_lm_state_new(&state, f->lm, &options, &error));
    return state;
}

/* Condition a row: kind 0 is nothing, 1 a melody and a text, 2 a melody alone. */
static void prefix(const fixture *f, sm_lm_state *state, int row, int kind)
{
    int32_t *classes = golden_copy(f, "chroma_long");
    const int width = f->config.text.hidden;
    float *text = floats((size_t)(TOKENS * width));
    for (int i = 0; i < TOKENS * width; i++) text[i] = (float)sin(0.7 * i);
    if (kind == 0) sm_lm_prefix(state, f->kernels, f->pool, row, NULL, NULL, 1);
    if (kind == 1) sm_lm_prefix(state, f->kernels, f->pool, row, classes, text, TOKENS);
    if (kind == 2) sm_lm_prefix(state, f->kernels, f->pool, row, classes, NULL, 1);
    free(classes), free(text);
}

/* Logits [rows, S, K, V] of the golden grid, `batch` columns a pass. */
static float *run(const fixture *f, sm_lm_state *state, int rows, int batch)
{
    const int S = (int)golden(f, "grid")->shape[0];
    const size_t column = (size_t)(f->K * f->V);
    int32_t *grid = golden_copy(f, "grid");
    float *out = floats((size_t)(rows * S) * column), *part = floats((size_t)(rows * S) * column);
    for (int at = 0; at < S; at += batch) {
        const int T = S - at < batch ? S - at : batch;
        int32_t *tokens = repeat_rows(grid + at * f->K, rows, T, f->K);
        sm_lm_forward(state, f->kernels, f->pool, tokens, T, NULL, 0, NULL, part);
        for (int r = 0; r < rows; r++)
            memcpy(out + (size_t)(r * S + at) * column, part + (size_t)(r * T) * column,
                   (size_t)T * column * sizeof *out);
        free(tokens);
    }
    free(grid), free(part);
    return out;
}

static double largest(const float *a, const float *b, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* Neither text nor melody is a prefix, too: class 0 throughout and one row of zeros. */
static void nothing_is_the_references_nothing(void **context)
{
    (void)context;
    fixture f;
    open_melody(&f, 2);
    const int S = (int)golden(&f, "grid")->shape[0];
    const size_t one = (size_t)(S * f.K * f.V);
    float *expected = golden_copy(&f, "logits_null");
    sm_lm_state *state = new_state(&f, 1, S, S, 1);
    prefix(&f, state, 0, 0);
    float *logits = run(&f, state, 1, S);
    ASSERT_NEAR(largest(logits, expected, one), 0.0, LOGITS_TOLERANCE);
    free(logits);

    /* Another length of zeros, or another class, is another condition. */
    sm_lm_state *other = new_state(&f, 1, S, S, 2);
    sm_lm_prefix(other, f.kernels, f.pool, 0, NULL, NULL, 2);
    logits = run(&f, other, 1, S);
    assert_true(largest(logits, expected, one) > 100 * LOGITS_TOLERANCE);
    free(logits);
    sm_lm_state_reset(other);
    prefix(&f, other, 0, 2);
    logits = run(&f, other, 1, S);
    assert_true(largest(logits, expected, one) > 100 * LOGITS_TOLERANCE);
    free(logits), free(expected);
    sm_lm_state_free(state);
    sm_lm_state_free(other);
    fixture_close(&f);
}

/* Rows with prefixes of different lengths, side by side and alone, in any cut. */
static void check_rows(sm_format format, sm_format cache)
{
    fixture f;
    open_in(&f, 3, format, cache);
    const int S = (int)golden(&f, "grid")->shape[0];
    const size_t one = (size_t)(S * f.K * f.V);
    sm_lm_state *together = new_state(&f, 3, S, 7, TOKENS);
    for (int r = 2; r >= 0; r--) prefix(&f, together, r, r);
    float *all = run(&f, together, 3, 7);
    for (int r = 0; r < 3; r++) {
        sm_lm_state *alone = new_state(&f, 1, S, S, TOKENS);
        prefix(&f, alone, 0, r);
        float *logits = run(&f, alone, 1, r == 1 ? 1 : S);
        assert_memory_equal(logits, all + (size_t)r * one, one * sizeof *logits);
        free(logits);
        sm_lm_state_free(alone);
    }
    assert_memory_not_equal(all, all + one, one * sizeof *all);
    /* Kept over a reset; replaced by the next call for the row. */
    sm_lm_state_reset(together);
    float *again = run(&f, together, 3, 7);
    assert_memory_equal(again, all, 3 * one * sizeof *all);
    free(again);
    sm_lm_state_reset(together);
    prefix(&f, together, 0, 1);
    again = run(&f, together, 3, 7);
    assert_memory_equal(again, all + one, one * sizeof *all);
    assert_memory_equal(again + one, all + one, 2 * one * sizeof *all);
    free(again), free(all);
    sm_lm_state_free(together);
    fixture_close(&f);
}

static void rows_do_not_hear_each_other(void **context)
{
    (void)context;
    check_rows(SM_FORMAT_F32, SM_FORMAT_F32);
    check_rows(SM_FORMAT_F16, SM_FORMAT_F16);
    check_rows(SM_FORMAT_Q8, SM_FORMAT_Q8);
    check_rows(SM_FORMAT_Q4, SM_FORMAT_F32);
}

/* A long prefix is fed in parts where the scratch is small, in one where it is large. */
static void long_prefixes_have_the_same_bits(void **context)
{
    (void)context;
    fixture f;
    open_melody(&f, 2);
    const int S = (int)golden(&f, "grid")->shape[0];
    const size_t one = (size_t)(S * f.K * f.V);
    sm_lm_state *parts = new_state(&f, 1, S, 1, MANY), *whole = new_state(&f, 5, S, S, MANY);
    for (int r = 0; r < 5; r++) sm_lm_prefix(whole, f.kernels, f.pool, r, NULL, NULL, MANY);
    sm_lm_prefix(parts, f.kernels, f.pool, 0, NULL, NULL, MANY);
    float *a = run(&f, parts, 1, 1), *b = run(&f, whole, 5, S);
    for (size_t r = 0; r < 5; r++) assert_memory_equal(a, b + r * one, one * sizeof *a);
    free(a), free(b);
    sm_lm_state_free(parts);
    sm_lm_state_free(whole);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_the_references_nothing),
        cmocka_unit_test(rows_do_not_hear_each_other),
        cmocka_unit_test(long_prefixes_have_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

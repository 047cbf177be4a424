/* SPDX-License-Identifier: MIT */
/* The decoder against transformers' numbers, and the promise of equal bits however the work is cut.
 */
#include "../../src/lm/delay.h"
#include "../../src/lm/sampler.h"
#include "fixture.h"

/* transformers sums in f32 in another order; logits of the tiny model are near 3 and pass through 3
 * layers, whose rounding adds up to some 10 units in the last place: 3 * 10 * 6e-8. Five times
 * that. */
#define LOGITS_TOLERANCE 1e-5
/* Guided logits are u + 3 (c - u): the differences of both, up to 3 + 2 times. */
#define GUIDED_TOLERANCE (5 * LOGITS_TOLERANCE)

static void logits_of_every_column(void **context)
{
    (void)context;
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        fixture f;
        fixture_open(&f, 2);
        f.kernels = sm_kernels_get((sm_cpu_level)level);
        const int S = (int)golden(&f, "grid")->shape[0];
        const size_t one = (size_t)S * (size_t)(f.K * f.V);
        int32_t *grid = golden_copy(&f, "grid"), *tokens = repeat_rows(grid, 2, S, f.K);
        float *cond = golden_copy(&f, "cond"), *uncond = golden_copy(&f, "uncond");
        float *logits = floats(2 * one), *last = floats((size_t)(2 * f.K * f.V));
        sm_lm_state *state = state_new(&f, 2, S, S, 1u);
        sm_lm_forward(state, f.kernels, f.pool, tokens, S, NULL, 0, last, logits);
        assert_int_equal(sm_lm_state_column(state), S);
        ASSERT_NEAR(largest_difference(logits, cond, one), 0, LOGITS_TOLERANCE);
        ASSERT_NEAR(largest_difference(logits + one, uncond, one), 0, LOGITS_TOLERANCE);
        /* The last column asked alone is the last of all. */
        const size_t column = (size_t)(f.K * f.V);
        assert_memory_equal(last, logits + one - column, column * sizeof *last);
        assert_memory_equal(last + column, logits + 2 * one - column, column * sizeof *last);
        sm_lm_state_free(state);
        free(grid), free(tokens), free(cond), free(uncond), free(logits), free(last);
        fixture_close(&f);
    }
}

/* Generation column by column, greedy, guidance 3: the codes transformers generates, and the guided
 * logits. */
static void greedy_codes(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 2);
    const int T = (int)golden(&f, "codes")->shape[1], S = sm_delay_columns(T, f.K, 1);
    const size_t row = (size_t)(f.K * f.V);
    int32_t *codes = golden_copy(&f, "codes"), cells[256], made[256];
    float *cond = golden_copy(&f, "cond"), *uncond = golden_copy(&f, "uncond");
    float *logits = floats(2 * row), *scratch = floats((size_t)f.V);
    int32_t order[64];
    sm_delay grid;
    sm_delay_init(&grid, T, f.K, 1, f.V, cells);
    sm_lm_state *state = state_new(&f, 2, S, 1, 1u);
    const sm_sampling sampling = {.temperature = 0.0};
    for (int column = 0; column + 1 < S; column++) {
        int32_t tokens[8], next[4];
        memcpy(tokens, cells + column * f.K, sizeof next);
        memcpy(tokens + f.K, cells + column * f.K, sizeof next);
        sm_lm_forward(state, f.kernels, f.pool, tokens, 1, NULL, 0, logits, NULL);
        sm_guide(logits, logits + row, 3.0f, (int)row);
        for (size_t i = 0; i < row; i++) {
            const size_t at = (size_t)column * row + i;
            const double expected =
                (double)uncond[at] + 3.0 * ((double)cond[at] - (double)uncond[at]);
            ASSERT_NEAR(logits[i], expected, GUIDED_TOLERANCE);
        }
        for (int k = 0; k < f.K; k++) {
            next[k] = sm_sample(logits + k * f.V, f.V, &sampling, 0.0, scratch, order);
        }
        sm_delay_write(&grid, column + 1, next);
    }
    sm_delay_revert(&grid, T, made, T);
    assert_memory_equal(made, codes, (size_t)(f.K * T) * sizeof *made);
    sm_lm_state_free(state);
    free(codes), free(cond), free(uncond), free(logits), free(scratch);
    fixture_close(&f);
}

/* A single row, column by column, greedy: with the text alone, and with nothing. That the guided
 * codes are right says nothing of these: rows, conditions and what is skipped are others. */
static void unguided_codes(void **context)
{
    (void)context;
    static const char *const names[] = {"codes_free", "codes_unguided"};
    fixture f;
    fixture_open(&f, 2);
    for (unsigned conditioned = 0; conditioned < 2; conditioned++) {
        int32_t *codes = golden_copy(&f, names[conditioned]), cells[256], made[256], order[64];
        const int T = (int)golden(&f, names[conditioned])->shape[1];
        const int S = sm_delay_columns(T, f.K, 1);
        float *logits = floats((size_t)(f.K * f.V)), *scratch = floats((size_t)f.V);
        sm_delay grid;
        sm_delay_init(&grid, T, f.K, 1, f.V, cells);
        sm_lm_state *state = state_new(&f, 1, S, 1, conditioned);
        const sm_sampling sampling = {.temperature = 0.0};
        for (int column = 0; column + 1 < S; column++) {
            int32_t next[4];
            sm_lm_forward(state, f.kernels, f.pool, cells + column * f.K, 1, NULL, 0, logits, NULL);
            for (int k = 0; k < f.K; k++)
                next[k] = sm_sample(logits + k * f.V, f.V, &sampling, 0.0, scratch, order);
            sm_delay_write(&grid, column + 1, next);
        }
        sm_delay_revert(&grid, T, made, T);
        assert_memory_equal(made, codes, (size_t)(f.K * T) * sizeof *made);
        sm_lm_state_free(state);
        free(codes), free(logits), free(scratch);
    }
    fixture_close(&f);
}

/* One run over the golden grid: `batch` columns a pass, logits of every column of every row into
 * out [R, S, K, V]. */
static void run(const fixture *f, int rows, unsigned conditioned, int batch, float *out)
{
    const int S = (int)golden(f, "grid")->shape[0];
    const size_t row = (size_t)(f->K * f->V);
    int32_t *grid = golden_copy(f, "grid");
    float *logits = floats((size_t)(rows * batch) * row);
    sm_lm_state *state = state_new(f, rows, S, batch, conditioned);
    for (int column = 0; column < S; column += batch) {
        const int T = S - column < batch ? S - column : batch;
        int32_t *tokens = repeat_rows(grid + column * f->K, rows, T, f->K);
        sm_lm_forward(state, f->kernels, f->pool, tokens, T, NULL, 0, NULL, logits);
        for (int r = 0; r < rows; r++) {
            memcpy(out + (size_t)(r * S + column) * row, logits + (size_t)(r * T) * row,
                   (size_t)T * row * sizeof *out);
        }
        free(tokens);
    }
    sm_lm_state_free(state);
    free(grid), free(logits);
}

static void same_bits_however_cut(void **context)
{
    (void)context;
    enum { ROWS = 5 };
    const unsigned conditioned = 0x0d; /* rows 0, 2 and 3 */
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        fixture f;
        fixture_open(&f, 1);
        f.kernels = sm_kernels_get((sm_cpu_level)level);
        const int S = (int)golden(&f, "grid")->shape[0];
        const size_t one = (size_t)(S * f.K * f.V);
        float *with = floats(one), *without = floats(one), *many = floats(ROWS * one);
        run(&f, 1, 1u, S, with);
        run(&f, 1, 0u, S, without);
        assert_true(largest_difference(with, without, one) > 0.1); /* the text does matter */
        for (int threads = 1; threads <= 4; threads++) {
            smitin_error error;
            sm_pool_free(f.pool);
            ASSERT_OK(sm_pool_new(&f.pool, threads, &error));
            for (int batch = 1; batch <= S; batch += batch == 1 ? 1 : 5) {
                run(&f, ROWS, conditioned, batch, many);
                for (int r = 0; r < ROWS; r++) {
                    const float *expected = conditioned >> r & 1 ? with : without;
                    if (memcmp(many + (size_t)r * one, expected, one * sizeof *many) != 0)
                        fail_msg("%s, %d threads, %d columns a pass: row %d differs",
                                 f.kernels->name, threads, batch, r);
                }
            }
        }
        free(with), free(without), free(many);
        fixture_close(&f);
    }
}

static void reset_starts_again_and_keeps_conditions(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 2);
    const int32_t first[8] = {1, 2, 3, 4, 5, 6, 7, 8}, second[8] = {9, 8, 7, 6, 5, 4, 3, 2};
    const size_t row = (size_t)(f.K * f.V);
    float *a = floats(row), *b = floats(row), *c = floats(row);
    sm_lm_state *state = state_new(&f, 1, 4, 2, 1u);
    sm_lm_forward(state, f.kernels, f.pool, first, 2, NULL, 0, a, NULL);
    sm_lm_forward(state, f.kernels, f.pool, second, 2, NULL, 0, c, NULL);
    sm_lm_state_reset(state);
    assert_int_equal(sm_lm_state_column(state), 0);
    sm_lm_forward(state, f.kernels, f.pool, first, 2, NULL, 0, b, NULL);
    assert_memory_equal(a, b, row * sizeof *a);
    /* A new condition counts from the next pass on; none at all is another result. */
    sm_lm_state_reset(state);
    sm_lm_condition(state, f.kernels, f.pool, 0, NULL, 0);
    sm_lm_forward(state, f.kernels, f.pool, first, 2, NULL, 0, b, NULL);
    assert_true(largest_difference(a, b, row) > 1e-3);
    sm_lm_state_free(state);
    free(a), free(b), free(c);
    fixture_close(&f);
}

static void states_out_of_range_are_refused(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    fixture_open(&f, 1);
    const sm_lm_state_options bad[] = {
        {0, 4, 1, 0, 0},       {1, 0, 1, 0, 0},       {1, 4, 0, 0, 0},
        {1, 4, 5, 0, 0},       {1, 4, 1, -1, 0},      {1 << 20, 4, 1, 0, 0},
        {1, 1 << 30, 1, 0, 0}, {1, 4, 1, 1 << 30, 0}, {1, 4, 1, 0, SM_FORMAT_Q4}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sm_lm_state *state = (sm_lm_state *)&error;
        ASSERT_FAILS(sm_lm_state_new(&state, f.lm, &bad[i], &error), SMITIN_ERROR_ARGUMENT,
                     bad[i].cache == SM_FORMAT_F32 ? "out of range" : "q4");
        assert_null(state);
    }
    sm_lm_state_free(NULL);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_of_every_column),
        cmocka_unit_test(greedy_codes),
        cmocka_unit_test(unguided_codes),
        cmocka_unit_test(same_bits_however_cut),
        cmocka_unit_test(reset_starts_again_and_keeps_conditions),
        cmocka_unit_test(states_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The decoder in every format of weights and of keys and values: how far its logits are from f32,
 * that the work's cut never shows, and that taps act as they do in f32. */
#include "../../src/base/rng.h"
#include "fixture.h"

enum { ROWS = 3, CONDITIONED = 0x5 /* rows 0 and 2 */ };

static const sm_format formats[] = {SM_FORMAT_F32, SM_FORMAT_F16, SM_FORMAT_BF16, SM_FORMAT_Q8,
                                    SM_FORMAT_Q4};
static const sm_format caches[] = {SM_FORMAT_F32, SM_FORMAT_F16, SM_FORMAT_Q8};
enum { FORMATS = 5, CACHES = 3 };

static size_t logits_count(const fixture *f)
{
    return ROWS * (size_t)golden(f, "grid")->shape[0] * (size_t)(f->K * f->V);
}

/* Logits of every column of the golden grid, [ROWS, S, K, V], `batch` columns a pass. */
static float *run(const fixture *f, int batch, const sm_tap *taps, int count)
{
    const int S = (int)golden(f, "grid")->shape[0];
    const size_t row = (size_t)(f->K * f->V);
    int32_t *grid = golden_copy(f, "grid");
    float *out = floats(logits_count(f)), *logits = floats((size_t)(ROWS * batch) * row);
    sm_lm_state *state = state_new(f, ROWS, S, batch, CONDITIONED);
    for (int column = 0; column < S; column += batch) {
        const int T = S - column < batch ? S - column : batch;
        int32_t *tokens = repeat_rows(grid + column * f->K, ROWS, T, f->K);
        sm_lm_forward(state, f->kernels, f->pool, tokens, T, taps, count, NULL, logits);
        for (int r = 0; r < ROWS; r++)
            memcpy(out + (size_t)(r * S + column) * row, logits + (size_t)(r * T) * row,
                   (size_t)T * row * sizeof *out);
        free(tokens);
    }
    sm_lm_state_free(state);
    free(grid), free(logits);
    return out;
}

static float *run_format(int threads, sm_format format, sm_format cache, size_t *count)
{
    fixture f;
    fixture_open_in(&f, threads, &format);
    f.cache = cache;
    float *out = run(&f, 1, NULL, 0);
    *count = logits_count(&f);
    fixture_close(&f);
    return out;
}

/* Size of a - b in parts of that of b, root mean square. */
static double distance(const float *a, const float *b, size_t n)
{
    double difference = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

/* A product with weights off by a part e of their size, each on its own, is off by e; so are sums
 * over more inputs. A logit lies behind 3 layers of 6 products that add up as independent errors
 * do, sqrt(19) e in all. Twice that, for the layers' norms also amplify what errors are there. e in
 * parts of the weights' size: bf16 rounds to 2^-9 at most, 2^-9 / sqrt 3 in the mean square; q8 0.6
 * % (docs/decisions.md), and its activations as much again; q4 8 % (activations are nothing beside
 * it). Below a tenth of the bound something would be wrong too: the format not in use. */
static void logits_are_as_near_as_the_format(void **context)
{
    (void)context;
    const double path = 2.0 * sqrt(19.0);
    const double bound[FORMATS] = {0.0, 0.0, path * 0.00113, path * 0.0085, path * 0.08};
    size_t count = 0;
    float *exact = run_format(2, SM_FORMAT_F32, SM_FORMAT_F32, &count);
    for (int i = 0; i < FORMATS; i++) {
        float *logits = run_format(2, formats[i], SM_FORMAT_F32, &count);
        const double off = distance(logits, exact, count);
        if (!(off <= bound[i] && off >= bound[i] / 10.0))
            fail_msg("%s: logits are off by %g of their size, expected %g to %g",
                     sm_format_name(formats[i]), off, bound[i] / 10.0, bound[i]);
        free(logits);
    }
    free(exact);
}

/* Keys and values off by e move the attention's output by e of a value and, through the scores, by
 * as much again; one of the path's two halves. f16: 2^-11 / sqrt 3; q8: 0.5 % of a head's size. */
static void logits_are_as_near_as_the_cache(void **context)
{
    (void)context;
    const double path = 2.0 * sqrt(6.0);
    const double bound[CACHES] = {0.0, path * 0.00028, path * 0.005};
    size_t count = 0;
    float *exact = run_format(2, SM_FORMAT_F32, SM_FORMAT_F32, &count);
    for (int i = 0; i < CACHES; i++) {
        float *logits = run_format(2, SM_FORMAT_F32, caches[i], &count);
        const double off = distance(logits, exact, count);
        if (!(off <= bound[i] && off >= bound[i] / 30.0))
            fail_msg("%s: logits are off by %g of their size, expected %g to %g",
                     sm_format_name(caches[i]), off, bound[i] / 30.0, bound[i]);
        free(logits);
    }
    free(exact);
}

/* As the file, which is f16, with no thread or one, is f16: and that has the bits of f32. */
static void as_the_file_loses_nothing(void **context)
{
    (void)context;
    fixture f;
    size_t count = 0;
    float *exact = run_format(1, SM_FORMAT_F32, SM_FORMAT_F32, &count);
    fixture_open_in(&f, 3, NULL);
    const size_t bytes = sm_arena_bytes(f.arena);
    float *logits = run(&f, 1, NULL, 0);
    assert_memory_equal(logits, exact, count * sizeof *logits);
    fixture_close(&f);
    fixture_open(&f, 1);
    assert_true(bytes < sm_arena_bytes(f.arena) * 6 / 10);
    fixture_close(&f);
    free(logits), free(exact);
}

/* Rows, columns a pass, and threads are a matter of speed alone. */
static void same_bits_however_cut(void **context)
{
    (void)context;
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        for (int i = 0; i < FORMATS * CACHES; i++) {
            fixture one, many;
            fixture_open_in(&one, 1, &formats[i / CACHES]);
            fixture_open_in(&many, 3, &formats[i / CACHES]);
            one.cache = many.cache = caches[i % CACHES];
            one.kernels = many.kernels = sm_kernels_get((sm_cpu_level)level);
            const int S = (int)golden(&one, "grid")->shape[0];
            float *expected = run(&one, 1, NULL, 0);
            for (int batch = 1; batch <= S; batch += batch == 1 ? 6 : S - 7) {
                float *found = run(&many, batch, NULL, 0);
                if (memcmp(found, expected, logits_count(&one) * sizeof *found) != 0)
                    fail_msg("%s, weights %s, cache %s, %d columns a pass: other bits",
                             one.kernels->name, sm_format_name(formats[i / CACHES]),
                             sm_format_name(caches[i % CACHES]), batch);
                free(found);
            }
            /* Rows 0 and 2 are the same: nothing of a neighbour shows. */
            const size_t row = logits_count(&one) / ROWS;
            assert_memory_equal(expected, expected + 2 * row, row * sizeof *expected);
            assert_true(distance(expected, expected + row, row) > 0.01);
            free(expected);
            fixture_close(&one);
            fixture_close(&many);
        }
    }
}

/* ---- Taps ---- */

typedef struct editor {
    float gain;
    int layer;
    float v[32], displacement[32];
} editor;

static bool at_layer(void *user, const sm_tap_site *site)
{
    return site->layer == ((const editor *)user)->layer;
}

static void add_to_heads(void *user, const sm_tap_site *site, float *z)
{
    const editor *e = user;
    for (int i = 0; i < site->rows * site->columns * 32; i++) z[i] += e->gain * e->v[i % 32];
}

static const float *add_after(void *user, int layer, int row, int column, float *gain)
{
    const editor *e = user;
    (void)row, (void)column;
    *gain = e->gain;
    return layer == e->layer ? e->displacement : NULL;
}

/* A push of nothing is no bit; a push after the projection is one before it, up to the rounding of
 * activations in q8 and q4: 0.6 % of z, of which the push is a part, behind one layer. */
static void taps_act_as_in_f32(void **context)
{
    (void)context;
    for (int i = 0; i < FORMATS; i++) {
        fixture f;
        fixture_open_in(&f, 2, &formats[i]);
        assert_int_equal(f.d, 32);
        editor e = {.layer = 1};
        for (uint32_t m = 0; m < 32; m++) e.v[m] = (float)sm_normal(5, m, 0, SM_RNG_TEST);
        sm_lm_project_heads(f.lm, f.kernels, 1, e.v, e.displacement);
        const sm_tap before = {.user = &e, .wants = at_layer, .visit = add_to_heads},
                     after = {.user = &e, .push = add_after};
        const size_t count = logits_count(&f);
        float *plain = run(&f, 4, NULL, 0), *zero = run(&f, 4, &after, 1);
        assert_memory_equal(plain, zero, count * sizeof *zero);
        e.gain = 0.5f;
        float *heads = run(&f, 4, &before, 1), *pushed = run(&f, 4, &after, 1);
        const double moved = distance(heads, plain, count), off = distance(pushed, heads, count);
        if (!(moved > 0.1 && off <= (sm_format_packed(formats[i]) ? 0.02 : 1e-5)))
            fail_msg("%s: the push moves %g, by two ways %g apart", sm_format_name(formats[i]),
                     moved, off);
        free(plain), free(zero), free(heads), free(pushed);
        fixture_close(&f);
    }
}

/* A knob is made for a model, whatever format that is loaded in. */
static void fingerprint_is_that_of_the_file(void **context)
{
    (void)context;
    fixture f;
    char expected[65];
    fixture_open(&f, 1);
    memcpy(expected, sm_lm_fingerprint(f.lm), sizeof expected);
    assert_int_equal(strlen(expected), 64);
    fixture_close(&f);
    for (int i = 0; i < FORMATS; i++) {
        fixture_open_in(&f, 2, &formats[i]);
        assert_string_equal(sm_lm_fingerprint(f.lm), expected);
        fixture_close(&f);
    }
}

/* Random weights of the same shape take the same room, are read alike, and give numbers. */
static void random_weights_stand_in_for_a_file(void **context)
{
    (void)context;
    size_t least = SIZE_MAX;
    for (int i = 0; i < FORMATS; i++) {
        fixture f;
        smitin_error error;
        sm_binder binder;
        sm_lm *lm = NULL;
        fixture_open_in(&f, 2, &formats[i]);
        sm_arena *arena = sm_arena_new();
        sm_binder_init_random(&binder, arena);
        binder.format = formats[i];
        ASSERT_OK(sm_lm_new(&lm, &f.config.lm, f.config.text.hidden, &binder, &error));
        ASSERT_OK(sm_binder_finish(&binder, "random weights", &error));
        assert_int_equal(sm_arena_bytes(arena), sm_arena_bytes(f.arena));
        assert_int_equal(sm_lm_step_bytes(lm), sm_lm_step_bytes(f.lm));
        assert_true(sm_lm_step_bytes(lm) < sm_arena_bytes(arena));
        if (formats[i] == SM_FORMAT_F16 || formats[i] >= SM_FORMAT_Q8)
            assert_true(sm_lm_step_bytes(lm) < least);
        least = sm_lm_step_bytes(lm);
        f.lm = lm;
        float *logits = run(&f, 4, NULL, 0);
        for (size_t n = 0; n < logits_count(&f); n++) assert_true(isfinite(logits[n]));
        free(logits);
        sm_arena_free(arena);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_as_near_as_the_format),
        cmocka_unit_test(logits_are_as_near_as_the_cache),
        cmocka_unit_test(as_the_file_loses_nothing),
        cmocka_unit_test(same_bits_however_cut),
        cmocka_unit_test(taps_act_as_in_f32),
        cmocka_unit_test(fingerprint_is_that_of_the_file),
        cmocka_unit_test(random_weights_stand_in_for_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

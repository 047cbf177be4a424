/* SPDX-License-Identifier: MIT */
/* The tap: sees what the reference saw, costs no bit when it does nothing, moves exactly what it is
 * told to. */
#include "../../src/base/rng.h"
#include "fixture.h"

enum { LAYERS = 3, ROWS = 2, WIDTH = 32, COLUMNS = 24 };

/* Every z a pass shows, by layer, row and column of the timeline. */
typedef struct record {
    float z[LAYERS][ROWS][COLUMNS][WIDTH];
    int visits[LAYERS];
} record;

static bool always(void *user, const sm_tap_site *site)
{
    (void)user, (void)site;
    return true;
}

static bool never(void *user, const sm_tap_site *site)
{
    (void)user, (void)site;
    return false;
}

static void watch(void *user, const sm_tap_site *site, float *z)
{
    record *seen = user;
    seen->visits[site->layer]++;
    for (int r = 0; r < site->rows; r++) {
        for (int t = 0; t < site->columns; t++, z += WIDTH)
            memcpy(seen->z[site->layer][r][site->column + t], z, WIDTH * sizeof *z);
    }
}

/* Adds gain * v to the heads (visit) or gain * displacement to the output (push) of one layer, row
 * and column; layer, row or column -1: all of them. */
typedef struct editor {
    int layer, row, column;
    float gain, v[WIDTH], displacement[WIDTH];
} editor;

static bool edits(const editor *e, int layer, int row, int column)
{
    return (e->layer < 0 || e->layer == layer) && (e->row < 0 || e->row == row) &&
           (e->column < 0 || e->column == column);
}

static bool wants_layer(void *user, const sm_tap_site *site)
{
    const editor *e = user;
    return e->layer < 0 || e->layer == site->layer;
}

static void add_to_heads(void *user, const sm_tap_site *site, float *z)
{
    const editor *e = user;
    for (int r = 0; r < site->rows; r++) {
        for (int t = 0; t < site->columns; t++, z += WIDTH) {
            if (!edits(e, site->layer, r, site->column + t)) continue;
            for (int i = 0; i < WIDTH; i++) z[i] += e->gain * e->v[i];
        }
    }
}

static const float *add_after(void *user, int layer, int row, int column, float *gain)
{
    const editor *e = user;
    *gain = e->gain;
    return edits(e, layer, row, column) ? e->displacement : NULL;
}

static editor make_editor(const fixture *f, int layer, int row, int column, float gain)
{
    editor e = {.layer = layer, .row = row, .column = column, .gain = gain};
    for (uint32_t i = 0; i < WIDTH; i++) e.v[i] = (float)sm_normal(5, i, 0, SM_RNG_TEST);
    if (layer >= 0) sm_lm_project_heads(f->lm, f->kernels, layer, e.v, e.displacement);
    return e;
}

/* All logits [ROWS, S, K, V] of the golden grid, `batch` columns a pass; row 0 conditioned, row 1
 * not. */
static float *run(const fixture *f, int batch, const sm_tap *taps, int count)
{
    const int S = (int)golden(f, "grid")->shape[0];
    const size_t row = (size_t)(f->K * f->V);
    assert_true(f->L == LAYERS && f->d == WIDTH && S == COLUMNS);
    int32_t *grid = golden_copy(f, "grid");
    float *out = floats((size_t)(ROWS * S) * row), *logits = floats((size_t)(ROWS * batch) * row);
    sm_lm_state *state = state_new(f, ROWS, S, batch, 1u);
    for (int column = 0; column < S; column += batch) {
        int32_t *tokens = repeat_rows(grid + column * f->K, ROWS, batch, f->K);
        sm_lm_forward(state, f->kernels, f->pool, tokens, batch, taps, count, NULL, logits);
        for (int r = 0; r < ROWS; r++) {
            memcpy(out + (size_t)(r * S + column) * row, logits + (size_t)(r * batch) * row,
                   (size_t)batch * row * sizeof *out);
        }
        free(tokens);
    }
    sm_lm_state_free(state);
    free(grid), free(logits);
    return out;
}

static size_t logits_count(const fixture *f)
{
    return (size_t)(ROWS * COLUMNS * f->K * f->V);
}

static void watching_sees_the_reference(void **context)
{
    (void)context;
    fixture f;
    static record seen;
    fixture_open(&f, 2);
    float *cond = golden_copy(&f, "z_cond"), *uncond = golden_copy(&f, "z_uncond");
    float *plain = run(&f, 1, NULL, 0);
    for (int batch = 1; batch <= COLUMNS; batch += COLUMNS - 1) {
        memset(&seen, 0, sizeof seen);
        const sm_tap tap = {.user = &seen, .wants = always, .visit = watch};
        float *logits = run(&f, batch, &tap, 1);
        assert_memory_equal(logits, plain, logits_count(&f) * sizeof *logits);
        for (int layer = 0; layer < LAYERS; layer++) {
            assert_int_equal(seen.visits[layer], COLUMNS / batch);
            /* As for the logits: f32 sums in another order, values near 1. */
            ASSERT_NEAR(
                largest_difference(seen.z[layer][0][COLUMNS - 1], cond + layer * WIDTH, WIDTH), 0,
                1e-5);
            ASSERT_NEAR(
                largest_difference(seen.z[layer][1][COLUMNS - 1], uncond + layer * WIDTH, WIDTH), 0,
                1e-5);
        }
        free(logits);
    }
    free(cond), free(uncond), free(plain);
    fixture_close(&f);
}

static void doing_nothing_costs_no_bit(void **context)
{
    (void)context;
    fixture f;
    static record seen;
    fixture_open(&f, 2);
    float *plain = run(&f, 4, NULL, 0);
    editor zero = make_editor(&f, -1, -1, -1, 0.0f), pushed = make_editor(&f, 1, -1, -1, 0.0f);
    editor none = make_editor(&f, 1, -1, -1, 3.0f);
    none.layer = LAYERS; /* no such layer */
    memset(&seen, 0, sizeof seen);
    const sm_tap taps[] = {
        {.user = &zero, .wants = wants_layer, .visit = add_to_heads},
        {.user = &pushed, .push = add_after},
        {.user = &none, .push = add_after},
        {.user = &seen, .wants = never, .visit = watch},
        {.user = &seen, .wants = NULL, .visit = watch},
    };
    for (int i = 0; i < 5; i++) {
        float *logits = run(&f, 4, &taps[i], 1);
        assert_memory_equal(logits, plain, logits_count(&f) * sizeof *logits);
        free(logits);
    }
    float *logits = run(&f, 4, taps, 5);
    assert_memory_equal(logits, plain, logits_count(&f) * sizeof *logits);
    for (int layer = 0; layer < LAYERS; layer++) assert_int_equal(seen.visits[layer], 0);
    free(logits), free(plain);
    fixture_close(&f);
}

/* What one edit at (layer, row, column) did to the z's: nothing before, in other rows, or in
 * earlier columns. */
static void check_reach(const record *plain, const record *moved, const editor *e)
{
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int r = 0; r < ROWS; r++) {
            for (int t = 0; t < COLUMNS; t++) {
                const int same = memcmp(plain->z[layer][r][t], moved->z[layer][r][t],
                                        WIDTH * sizeof(float)) == 0;
                const int reached = r == e->row && t >= e->column && layer > e->layer;
                if (same == reached)
                    fail_msg("edit of layer %d column %d: z of layer %d, row %d, column %d is %s",
                             e->layer, e->column, layer, r, t, same ? "the same" : "changed");
            }
        }
    }
}

static void one_layer_moves_and_none_before_it(void **context)
{
    (void)context;
    fixture f;
    static record plain, moved;
    fixture_open(&f, 2);
    const size_t row = (size_t)(f.K * f.V);
    const sm_tap watcher = {.user = &plain, .wants = always, .visit = watch};
    float *before = run(&f, 4, &watcher, 1);
    for (int c = 0; c < 2 * LAYERS; c++) {
        editor e = make_editor(&f, c / 2, 1, 9, 0.7f);
        /* The watcher stands first: it sees each layer's z as it comes in. */
        const sm_tap taps[2] = {
            {.user = &moved, .wants = always, .visit = watch},
            c % 2 ? (sm_tap){.user = &e, .push = add_after}
                  : (sm_tap){.user = &e, .wants = wants_layer, .visit = add_to_heads},
        };
        float *after = run(&f, 4, taps, 2);
        check_reach(&plain, &moved, &e);
        for (int r = 0; r < ROWS; r++) {
            for (int t = 0; t < COLUMNS; t++) {
                const size_t at = (size_t)(r * COLUMNS + t) * row;
                const int same = memcmp(before + at, after + at, row * sizeof *after) == 0;
                /* Later columns feel an edit through keys and values of later layers: not one of
                 * the last layer. */
                const int reached = r == 1 && (t == 9 || (t > 9 && e.layer < LAYERS - 1));
                if (same == reached)
                    fail_msg("layer %d: logits of row %d column %d", e.layer, r, t);
            }
        }
        /* A watcher standing second sees exactly the edit. */
        const sm_tap other[2] = {taps[1], taps[0]};
        free(after);
        after = run(&f, 4, other, 2);
        for (int i = 0; i < WIDTH; i++) {
            float expected = plain.z[e.layer][1][9][i];
            if (c % 2 == 0) expected += e.gain * e.v[i];
            assert_true(moved.z[e.layer][1][9][i] == expected);
        }
        free(after);
    }
    free(before);
    fixture_close(&f);
}

static void pushing_equals_adding_to_the_heads(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 2);
    float *plain = run(&f, 4, NULL, 0);
    for (int layer = 0; layer < LAYERS; layer++) {
        editor e = make_editor(&f, layer, -1, -1, 0.5f);
        const sm_tap heads = {.user = &e, .wants = wants_layer, .visit = add_to_heads};
        const sm_tap push = {.user = &e, .push = add_after};
        float *a = run(&f, 4, &heads, 1), *b = run(&f, 4, &push, 1);
        assert_true(largest_difference(a, plain, logits_count(&f)) > 0.1);
        /* One more rounding in each layer's output; 1e-5 as for the logits. */
        ASSERT_NEAR(largest_difference(a, b, logits_count(&f)), 0, 1e-5);
        free(a), free(b);
    }
    free(plain);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watching_sees_the_reference),
        cmocka_unit_test(doing_nothing_costs_no_bit),
        cmocka_unit_test(one_layer_moves_and_none_before_it),
        cmocka_unit_test(pushing_equals_adding_to_the_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

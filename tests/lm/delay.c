/* SPDX-License-Identifier: MIT */
/* The delay grid against the written-out table, prompts, completion, revert. */
#include "../../src/lm/delay.h"
#include "../common.h"

#define S 100 /* the special token */

/* T = 6, K = 4: digits are frames. */
static const int table[4][10] = {{S, 0, 1, 2, 3, 4, 5, S, S, S},
                                 {S, S, 0, 1, 2, 3, 4, 5, S, S},
                                 {S, S, S, 0, 1, 2, 3, 4, 5, S},
                                 {S, S, S, S, 0, 1, 2, 3, 4, 5}};

static int32_t code(int k, int t)
{
    return 10 * k + t;
}

static void layout_is_the_table(void **context)
{
    (void)context;
    int32_t cells[10 * 4];
    sm_delay grid;
    assert_int_equal(sm_delay_columns(6, 4, 1), 10);
    sm_delay_init(&grid, 6, 4, 1, S, cells);
    assert_int_equal(grid.columns, 10);
    assert_int_equal(sm_delay_first(&grid), 1);
    for (int column = 0; column < 10; column++) {
        for (int k = 0; k < 4; k++) {
            const int made = table[k][column] != S;
            assert_int_equal(sm_delay_unknown(&grid, column, k), made);
            assert_int_equal(cells[column * 4 + k], made ? -1 : S);
        }
    }
}

/* Stereo: neighbours share a delay, and there is no more of it than in mono. Eight codebooks of one
 * channel are something else. */
static void two_channels_share_the_table(void **context)
{
    (void)context;
    int32_t cells[14 * 8], codes[8 * 6], back[8 * 6];
    sm_delay grid;
    assert_int_equal(sm_delay_columns(6, 8, 2), 10);
    sm_delay_init(&grid, 6, 8, 2, S, cells);
    for (int column = 0; column < 10; column++) {
        for (int k = 0; k < 8; k++)
            assert_int_equal(cells[column * 8 + k], table[k / 2][column] != S ? -1 : S);
    }
    for (int k = 0; k < 8; k++) {
        for (int t = 0; t < 6; t++) codes[k * 6 + t] = code(k, t);
    }
    sm_delay_prompt(&grid, codes, 6, 6);
    for (int column = 0; column < 10; column++) {
        for (int k = 0; k < 8; k++) {
            const int t = table[k / 2][column];
            assert_int_equal(cells[column * 8 + k], t == S ? S : code(k, t));
        }
    }
    sm_delay_revert(&grid, 6, back, 6);
    assert_memory_equal(back, codes, sizeof codes);
    assert_int_equal(sm_delay_complete(&grid, 4), 0);
    assert_int_equal(sm_delay_complete(&grid, 5), 1);

    assert_int_equal(sm_delay_columns(6, 8, 1), 14);
    sm_delay_init(&grid, 6, 8, 1, S, cells);
    assert_int_equal(cells[2 * 8 + 1], -1);
    assert_int_equal(cells[7 * 8 + 7], S);
    assert_int_equal(cells[8 * 8 + 7], -1);
}

static void prompt_stands_where_the_table_says(void **context)
{
    (void)context;
    int32_t cells[10 * 4], codes[4 * 7];
    sm_delay grid;
    for (int i = 0; i < 28; i++) codes[i] = -5; /* never read beyond the prompt */
    for (int k = 0; k < 4; k++) {
        for (int t = 0; t < 3; t++) codes[k * 7 + t] = code(k, t);
    }
    sm_delay_init(&grid, 6, 4, 1, S, cells);
    sm_delay_prompt(&grid, codes, 3, 7);
    assert_int_equal(sm_delay_first(&grid), 4);
    for (int column = 0; column < 10; column++) {
        for (int k = 0; k < 4; k++) {
            const int t = table[k][column];
            const int32_t expected = t == S ? S : t < 3 ? code(k, t) : -1;
            assert_int_equal(cells[column * 4 + k], expected);
        }
    }
    /* Column 4: codebook 0 is to be made, the others still hold the prompt and keep it. */
    const int32_t tokens[4] = {77, 78, 79, 80};
    sm_delay_write(&grid, 4, tokens);
    assert_int_equal(cells[4 * 4 + 0], 77);
    assert_int_equal(cells[4 * 4 + 1], code(1, 2));
    assert_int_equal(cells[4 * 4 + 2], code(2, 1));
    assert_int_equal(cells[4 * 4 + 3], code(3, 0));
    /* The last column: only the last codebook is to be made; the others stay special. */
    sm_delay_write(&grid, 9, tokens);
    assert_int_equal(cells[9 * 4 + 0], S);
    assert_int_equal(cells[9 * 4 + 2], S);
    assert_int_equal(cells[9 * 4 + 3], 80);
}

static void a_whole_prompt_leaves_nothing_to_make(void **context)
{
    (void)context;
    int32_t cells[10 * 4], codes[4 * 6], back[4 * 8];
    sm_delay grid;
    for (int k = 0; k < 4; k++) {
        for (int t = 0; t < 6; t++) codes[k * 6 + t] = code(k, t);
    }
    sm_delay_init(&grid, 6, 4, 1, S, cells);
    sm_delay_prompt(&grid, codes, 6, 6);
    for (int i = 0; i < 40; i++) assert_true(cells[i] >= 0);
    memset(back, 0x7f, sizeof back);
    sm_delay_revert(&grid, 6, back, 8);
    for (int k = 0; k < 4; k++) {
        for (int t = 0; t < 6; t++) assert_int_equal(back[k * 8 + t], code(k, t));
        assert_int_equal(back[k * 8 + 6], 0x7f7f7f7f); /* nothing beyond the frames asked for */
    }
}

static void written_then_reverted(void **context)
{
    (void)context;
    int32_t cells[10 * 4], back[4 * 6];
    sm_delay grid;
    sm_delay_init(&grid, 6, 4, 1, S, cells);
    for (int column = sm_delay_first(&grid); column < grid.columns; column++) {
        int32_t tokens[4];
        for (int k = 0; k < 4; k++) tokens[k] = code(k, column - 1 - k); /* frame of this cell */
        sm_delay_write(&grid, column, tokens);
    }
    sm_delay_revert(&grid, 6, back, 6);
    for (int k = 0; k < 4; k++) {
        for (int t = 0; t < 6; t++) assert_int_equal(back[k * 6 + t], code(k, t));
    }
    sm_delay_revert_from(&grid, 2, 3, back, 6);
    for (int k = 0; k < 4; k++) {
        for (int t = 0; t < 3; t++) assert_int_equal(back[k * 6 + t], code(k, 2 + t));
        assert_int_equal(back[k * 6 + 3], code(k, 3)); /* nothing beyond the frames asked for */
    }
}

static void frames_complete_with_their_last_codebook(void **context)
{
    (void)context;
    int32_t cells[10 * 4];
    sm_delay grid;
    sm_delay_init(&grid, 6, 4, 1, S, cells);
    const int expected[12] = {0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6};
    for (int columns = 0; columns < 12; columns++) {
        assert_int_equal(sm_delay_complete(&grid, columns), expected[columns]);
    }
}

/* The grid that begins 2 frames later keeps what was made, whole frames or not; the rest is the
 * layout of a grid of its own. */
static void a_grid_advances(void **context)
{
    (void)context;
    for (int channels = 1; channels <= 2; channels++) {
        const int K = 4 * channels;
        int32_t cells[10 * 8], fresh[10 * 8], made[8];
        sm_delay grid, plain;
        sm_delay_init(&grid, 6, K, channels, S, cells);
        for (int column = 1; column <= 6; column++) { /* up to frame 5 of the first codebook */
            for (int k = 0; k < K; k++) made[k] = code(k, column - 1 - k / channels);
            sm_delay_write(&grid, column, made);
        }
        sm_delay_init(&plain, 5, K, channels, S, fresh);
        for (int column = 0; column <= 4; column++) {
            for (int k = 0; k < K; k++) {
                const int t = sm_delay_frame(&grid, column, k);
                assert_int_equal(t, column - 1 - k / channels);
                assert_int_equal(sm_delay_ahead(&grid, 2, column, k), t < 0 ? S : code(k, t + 2));
            }
        }
        sm_delay_advance(&grid, 2, 4, 5);
        assert_int_equal(grid.frames, 5);
        assert_int_equal(grid.columns, plain.columns);
        assert_int_equal(sm_delay_first(&grid), 5);
        for (int column = 0; column < grid.columns; column++) {
            for (int k = 0; k < K; k++) {
                const int t = sm_delay_frame(&grid, column, k);
                const int known = t >= 0 && t < 4 && column + 2 <= 6;
                assert_int_equal(cells[column * K + k],
                                 known ? code(k, t + 2) : fresh[column * K + k]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_the_table),
        cmocka_unit_test(two_channels_share_the_table),
        cmocka_unit_test(prompt_stands_where_the_table_says),
        cmocka_unit_test(a_whole_prompt_leaves_nothing_to_make),
        cmocka_unit_test(written_then_reverted),
        cmocka_unit_test(frames_complete_with_their_last_codebook),
        cmocka_unit_test(a_grid_advances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

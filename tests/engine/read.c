/* SPDX-License-Identifier: MIT */
/* Reading audio while it is made: together the reads are the audio of the whole piece, bit for bit.
 */
#include "open.h"

#include <malloc.h>

enum { FRAMES = 40, PIECES = 2, HOP = 40, CODEBOOKS = 4 };

static smitin_error error;

typedef struct band {
    smitin_engine *engine;
    smitin_session *session;
    float *heard[PIECES]; /* [FRAMES * HOP] */
    size_t count[PIECES];
} band;

static void open_band(band *b)
{
    memset(b, 0, sizeof *b);
    b->engine = open_engine(TINY_MODEL, 2);
    smitin_model_info info;
    smitin_engine_info(b->engine, &info);
    assert_int_equal(info.hop, HOP);
    assert_int_equal(info.codebooks, CODEBOOKS);
    smitin_session_options session = smitin_session_defaults();
    session.seconds = FRAMES / info.frame_rate;
    session.pieces = PIECES;
    session.seed = 5;
    ASSERT_OK(smitin_session_new(&b->session, b->engine, &session, &error));
    for (int i = 0; i < PIECES; i++) {
        b->heard[i] = calloc(FRAMES * HOP, sizeof(float));
        assert_non_null(b->heard[i]);
    }
}

static void close_band(band *b)
{
    for (int i = 0; i < PIECES; i++) free(b->heard[i]);
    smitin_session_free(b->session);
    smitin_engine_free(b->engine);
}

/* One read of one piece; how many samples came. */
static size_t hear(band *b, int piece, size_t capacity)
{
    size_t count = 0;
    const size_t room = FRAMES * HOP - b->count[piece];
    if (capacity > room) capacity = room;
    ASSERT_OK(smitin_session_read(b->session, piece, b->heard[piece] + b->count[piece], capacity,
                                  &count, &error));
    assert_true(count <= capacity);
    b->count[piece] += count;
    return count;
}

static void assert_whole(band *b, int piece)
{
    const float *whole = NULL;
    size_t count = 0;
    ASSERT_OK(smitin_session_audio(b->session, piece, &whole, &count, &error));
    assert_int_equal(b->count[piece], count);
    assert_memory_equal(b->heard[piece], whole, count * sizeof *whole);
    float more = 0.0f;
    size_t none = 7;
    ASSERT_OK(smitin_session_read(b->session, piece, &more, 1, &none, &error));
    assert_int_equal(none, 0);
}

/* Piece 0 is read after every step with `capacity` samples of room, piece 1 only at the end. */
static void run_and_read(band *b, size_t capacity)
{
    const size_t delay = smitin_session_read_delay(b->session);
    bool done = false;
    for (int steps = 1; !done; steps++) {
        ASSERT_OK(smitin_session_step(b->session, &done, &error));
        hear(b, 0, capacity);
        const int32_t *codes = NULL;
        size_t frames = 0, stride = 0;
        ASSERT_OK(smitin_session_codes(b->session, 0, &codes, &frames, &stride, &error));
        assert_true(b->count[0] <= frames * HOP);
        /* No later than promised, once the start is past. */
        if (capacity >= FRAMES * HOP && frames > 3 * delay)
            assert_true(b->count[0] >= (frames - delay) * HOP);
    }
    for (int i = 0; i < PIECES; i++)
        while (hear(b, i, capacity) > 0) continue;
    assert_whole(b, 0);
    assert_whole(b, 1);
}

static void test_reads_are_the_whole(void **state)
{
    (void)state;
    static const size_t capacities[] = {FRAMES * HOP, 1, 7, 320, 321};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        band b;
        open_band(&b);
        run_and_read(&b, capacities[i]);
        close_band(&b);
    }
}

static void test_the_prompt_is_read_too(void **state)
{
    (void)state;
    int32_t codes[CODEBOOKS * 17];
    for (int i = 0; i < CODEBOOKS * 17; i++) codes[i] = (i * 29) % 64;
    band b;
    open_band(&b);
    ASSERT_OK(smitin_session_set_codes(b.session, SMITIN_ALL_PIECES, codes, 17, &error));
    run_and_read(&b, FRAMES * HOP);
    close_band(&b);
}

static void test_a_stopped_piece_ends_where_it_was(void **state)
{
    (void)state;
    band b;
    bool done = false;
    open_band(&b);
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(smitin_session_step(b.session, &done, &error));
        hear(&b, 0, FRAMES * HOP);
    }
    const size_t before = b.count[0];
    smitin_session_stop(b.session);
    ASSERT_FAILS(smitin_session_step(b.session, &done, &error), SMITIN_ERROR_STOPPED, "stopped");
    hear(&b, 0, FRAMES * HOP);
    hear(&b, 1, FRAMES * HOP);
    assert_true(b.count[0] > before && b.count[0] < FRAMES * HOP);
    assert_whole(&b, 0);
    assert_whole(&b, 1);
    close_band(&b);
}

static bool read_in_callback(void *user, const smitin_progress *progress)
{
    (void)progress;
    hear(user, 0, FRAMES * HOP);
    return true;
}

static void test_reading_from_a_callback(void **state)
{
    (void)state;
    band b;
    open_band(&b);
    ASSERT_OK(smitin_session_run(b.session, read_in_callback, &b, &error));
    assert_whole(&b, 0);
    close_band(&b);
}

static void test_reads_take_no_memory(void **state)
{
    (void)state;
    band b;
    bool done = false;
    open_band(&b);
    ASSERT_OK(smitin_session_step(b.session, &done, &error));
    hear(&b, 0, FRAMES * HOP);
    const struct mallinfo2 before = mallinfo2();
    while (!done) {
        ASSERT_OK(smitin_session_step(b.session, &done, &error));
        hear(&b, 0, FRAMES * HOP);
    }
    const struct mallinfo2 after = mallinfo2();
    assert_int_equal(before.uordblks, after.uordblks);
    assert_int_equal(before.hblks, after.hblks);
    close_band(&b);
}

static void test_refusals(void **state)
{
    (void)state;
    band b;
    float sample = 0.0f;
    size_t count = 0;
    bool done = false;
    open_band(&b);
    ASSERT_FAILS(smitin_session_read(b.session, 0, &sample, 1, &count, &error), SMITIN_ERROR_STATE,
                 "step or run it first");
    ASSERT_OK(smitin_session_step(b.session, &done, &error));
    ASSERT_FAILS(smitin_session_read(b.session, PIECES, &sample, 1, &count, &error),
                 SMITIN_ERROR_ARGUMENT, "no piece 2");
    ASSERT_FAILS(smitin_session_read(b.session, 0, NULL, 1, &count, &error), SMITIN_ERROR_ARGUMENT,
                 "a place");
    ASSERT_FAILS(smitin_session_read(b.session, 0, &sample, 1, NULL, &error), SMITIN_ERROR_ARGUMENT,
                 "a place");
    ASSERT_OK(smitin_session_read(b.session, 0, NULL, 0, &count, &error));
    assert_int_equal(count, 0);
    close_band(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_are_the_whole),
        cmocka_unit_test(test_the_prompt_is_read_too),
        cmocka_unit_test(test_a_stopped_piece_ends_where_it_was),
        cmocka_unit_test(test_reading_from_a_callback),
        cmocka_unit_test(test_reads_take_no_memory),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

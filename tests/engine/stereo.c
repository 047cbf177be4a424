/* SPDX-License-Identifier: MIT */
/* Stereo: eight codebooks of two interleaved channels, against transformers' codes and samples. */
#include "variant.h"

enum { FRAMES = 20, PROMPT = 9, K = 8, HOP = 40 };

static const char text[] = "slow drums";
static smitin_error error;

static void assert_audio(const variant *v, smitin_session *session, int piece, const char *name)
{
    size_t expected_count = 0, count = 0;
    float *expected = variant_copy(v, name, &expected_count); /* [2, FRAMES * HOP] */
    const float *samples = NULL;                              /* [FRAMES * HOP, 2] */
    ASSERT_OK(smitin_session_audio(session, piece, &samples, &count, &error));
    assert_int_equal(count, expected_count);
    assert_int_equal(count, FRAMES * HOP * 2);
    for (size_t c = 0; c < 2; c++) {
        for (size_t i = 0; i < FRAMES * HOP; i++)
            ASSERT_NEAR(samples[2 * i + c], expected[c * FRAMES * HOP + i], AUDIO_TOLERANCE);
    }
    free(expected);
}

static void test_info(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "stereo", NULL);
    assert_int_equal(v.info.channels, 2);
    assert_int_equal(v.info.codebooks, K);
    assert_int_equal(v.info.hop, HOP);
    /* 256 positions: a start column and the last codebook's delay are 4 columns, not 8. */
    assert_int_equal(v.info.max_frames, 253);
    variant_close(&v);
}

static void test_text_plays_as_the_reference(void **state)
{
    (void)state;
    static const char *const levels[] = {NULL, "ref"};
    for (size_t i = 0; i < 2; i++) {
        variant v;
        variant_open(&v, "stereo", levels[i]);
        smitin_session *session = variant_session(&v, FRAMES, 1);
        ASSERT_OK(smitin_session_set_text(session, 0, text, &error));
        ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
        variant_assert_codes(&v, session, 0, "codes");
        assert_audio(&v, session, 0, "audio");
        smitin_session_free(session);
        variant_close(&v);
    }
}

static void test_a_clip_is_encoded_a_channel_at_a_time(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "stereo", NULL);
    size_t count = 0;
    float *clip = variant_copy(&v, "prompt", &count); /* [n, 2] */
    int32_t *expected = variant_copy(&v, "prompt_codes", NULL), codes[K * PROMPT];
    assert_true(count % 2 == 0 && count / 2 % HOP != 0);
    ASSERT_OK(smitin_engine_encode(v.engine, clip, count, codes, K * PROMPT, &error));
    assert_memory_equal(codes, expected, sizeof codes);
    /* Exchanged channels are exchanged codebooks: even rows are the left ones. */
    for (size_t i = 0; i < count; i += 2) {
        const float left = clip[i];
        clip[i] = clip[i + 1];
        clip[i + 1] = left;
    }
    ASSERT_OK(smitin_engine_encode(v.engine, clip, count, codes, K * PROMPT, &error));
    for (int k = 0; k < K; k++)
        assert_memory_equal(codes + k * PROMPT, expected + (k ^ 1) * PROMPT,
                            PROMPT * sizeof *codes);
    /* Both channels differ, or the above would say nothing. */
    assert_memory_not_equal(expected, expected + PROMPT, PROMPT * sizeof *expected);
    free(clip);
    free(expected);
    variant_close(&v);
}

static void test_a_clip_is_continued_as_the_reference_does(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "stereo", NULL);
    size_t count = 0;
    float *clip = variant_copy(&v, "prompt", &count);
    smitin_session *session = variant_session(&v, FRAMES, 2);
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, text, &error));
    ASSERT_OK(smitin_session_set_audio(session, SMITIN_ALL_PIECES, clip, count, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    for (int piece = 0; piece < 2; piece++) {
        variant_assert_codes(&v, session, piece, "continued");
        assert_audio(&v, session, piece, "continued_audio");
    }
    smitin_session_free(session);
    free(clip);
    variant_close(&v);
}

static void test_decoding_is_the_sessions_audio(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "stereo", NULL);
    float samples[FRAMES * HOP * 2];
    int32_t *codes = variant_copy(&v, "codes", NULL);
    float *expected = variant_copy(&v, "audio", NULL);
    ASSERT_OK(smitin_engine_decode(v.engine, codes, FRAMES, samples, FRAMES * HOP * 2, &error));
    for (size_t i = 0; i < FRAMES * HOP * 2; i++)
        ASSERT_NEAR(samples[i], expected[i % 2 * FRAMES * HOP + i / 2], AUDIO_TOLERANCE);
    ASSERT_FAILS(
        smitin_engine_decode(v.engine, codes, FRAMES, samples, FRAMES * HOP * 2 - 1, &error),
        SMITIN_ERROR_ARGUMENT, "1600");
    free(codes);
    free(expected);
    variant_close(&v);
}

/* Whatever the room: whole frames of both channels, and together the bits of the whole. */
static void test_reads_are_the_whole(void **state)
{
    (void)state;
    static const size_t rooms[] = {2, 3, 7, 640, 2 * FRAMES * HOP};
    for (size_t n = 0; n < sizeof rooms / sizeof *rooms; n++) {
        variant v;
        float heard[FRAMES * HOP * 2], one = 0.0f;
        size_t total = 0, count = 0;
        bool done = false;
        variant_open(&v, "stereo", NULL);
        smitin_session *session = variant_session(&v, FRAMES, 1);
        while (!done || count > 0) {
            if (!done) ASSERT_OK(smitin_session_step(session, &done, &error));
            const size_t left = FRAMES * HOP * 2 - total;
            ASSERT_OK(smitin_session_read(session, 0, heard + total,
                                          left < rooms[n] ? left : rooms[n], &count, &error));
            assert_int_equal(count % 2, 0);
            total += count;
        }
        const float *whole = NULL;
        ASSERT_OK(smitin_session_read(session, 0, &one, 1, &count, &error));
        assert_int_equal(count, 0);
        ASSERT_OK(smitin_session_audio(session, 0, &whole, &count, &error));
        assert_int_equal(total, count);
        assert_memory_equal(heard, whole, count * sizeof *whole);
        smitin_session_free(session);
        variant_close(&v);
    }
}

static void test_heads_and_refusals(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "stereo", NULL);
    size_t count = 0;
    float *clip = variant_copy(&v, "prompt", &count), z[2][2 * 32], swapped[2 * 32];
    int32_t codes[K * PROMPT];
    ASSERT_OK(smitin_engine_heads(v.engine, clip, 1, count, z[0], &error));
    memcpy(z[1], z[0], sizeof z[0]);
    for (size_t i = 0; i < count; i += 2) {
        const float left = clip[i];
        clip[i] = clip[i + 1];
        clip[i + 1] = left;
    }
    ASSERT_OK(smitin_engine_heads(v.engine, clip, 1, count, swapped, &error));
    assert_memory_not_equal(z[0], swapped, sizeof swapped); /* the channels are told apart */
    ASSERT_FAILS(smitin_engine_heads(v.engine, clip, 1, count - 1, z[0], &error),
                 SMITIN_ERROR_ARGUMENT, "2 channels");
    ASSERT_FAILS(smitin_engine_encode(v.engine, clip, count - 1, codes, K * PROMPT, &error),
                 SMITIN_ERROR_ARGUMENT, "interleaved");
    smitin_session *session = variant_session(&v, FRAMES, 1);
    ASSERT_FAILS(smitin_session_set_audio(session, 0, clip, count - 1, &error),
                 SMITIN_ERROR_ARGUMENT, "interleaved");
    smitin_session_free(session);
    free(clip);
    variant_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_text_plays_as_the_reference),
        cmocka_unit_test(test_a_clip_is_encoded_a_channel_at_a_time),
        cmocka_unit_test(test_a_clip_is_continued_as_the_reference_does),
        cmocka_unit_test(test_decoding_is_the_sessions_audio),
        cmocka_unit_test(test_reads_are_the_whole),
        cmocka_unit_test(test_heads_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

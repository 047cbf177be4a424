/* SPDX-License-Identifier: MIT */
/* Melody models: chroma and text in front of the columns, against transformers' codes and samples.
 */
#include "variant.h"

enum { FRAMES = 20, K = 4, HOP = 40, SAMPLES = FRAMES * HOP };

static const char text[] = "slow drums";
static smitin_error error;

static void follow(const variant *v, smitin_session *session, int piece, const char *tune)
{
    size_t count = 0;
    float *samples = variant_copy(v, tune, &count);
    ASSERT_OK(smitin_session_set_melody(session, piece, samples, count, &error));
    free(samples); /* not needed any longer */
}

static void test_info(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "melody", NULL);
    assert_true(v.info.has_melody && v.info.has_text);
    assert_int_equal(v.info.channels, 1);
    /* 256 positions less 12 of the melody, 1 of the text and 3 of the delay. */
    assert_int_equal(v.info.max_frames, 240);
    variant_close(&v);
    variant_open(&v, "stereo", NULL);
    assert_false(v.info.has_melody);
    smitin_session *session = variant_session(&v, FRAMES, 1);
    const float silence[2] = {0.0f, 0.0f};
    ASSERT_FAILS(smitin_session_set_melody(session, 0, silence, 2, &error), SMITIN_ERROR_ARGUMENT,
                 "follows no melody");
    smitin_session_free(session);
    variant_close(&v);
}

static void test_tunes_are_followed_as_by_the_reference(void **state)
{
    (void)state;
    static const char *const tunes[] = {"short", "repeated", "long"};
    static const char *const levels[] = {NULL, "ref"};
    for (size_t i = 0; i < 6; i++) {
        variant v;
        char tune[32], codes[32];
        variant_open(&v, "melody", levels[i / 3]);
        smitin_session *session = variant_session(&v, FRAMES, 1);
        snprintf(tune, sizeof tune, "tune_%s", tunes[i % 3]);
        snprintf(codes, sizeof codes, "codes_%s", tunes[i % 3]);
        follow(&v, session, 0, tune);
        ASSERT_OK(smitin_session_set_text(session, 0, text, &error));
        ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
        variant_assert_codes(&v, session, 0, codes);
        if (i % 3 == 2) {
            size_t count = 0;
            const float *samples = NULL;
            float *expected = variant_copy(&v, "audio_long", &count);
            assert_int_equal(count, SAMPLES);
            ASSERT_OK(smitin_session_audio(session, 0, &samples, &count, &error));
            assert_int_equal(count, SAMPLES);
            for (size_t n = 0; n < SAMPLES; n++)
                ASSERT_NEAR(samples[n], expected[n], AUDIO_TOLERANCE);
            free(expected);
        }
        smitin_session_free(session);
        variant_close(&v);
    }
}

/* Side by side: texts and melodies of their own, or none. */
static void test_pieces_follow_their_own(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "melody", NULL);
    smitin_session *session = variant_session(&v, FRAMES, 4);
    follow(&v, session, SMITIN_ALL_PIECES, "tune_long");
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, text, &error));
    follow(&v, session, 1, "tune_short");
    follow(&v, session, 3, "tune_repeated");
    ASSERT_OK(smitin_session_set_text(session, 2, "", &error)); /* a tune alone */
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    variant_assert_codes(&v, session, 0, "codes_long");
    variant_assert_codes(&v, session, 1, "codes_short");
    variant_assert_codes(&v, session, 3, "codes_repeated");
    const int32_t *codes = NULL;
    int32_t alone[K * FRAMES];
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 2, &codes, &frames, &stride, &error));
    memcpy(alone, codes, sizeof alone);
    smitin_session_free(session);

    session = variant_session(&v, FRAMES, 1);
    follow(&v, session, 0, "tune_long");
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    assert_memory_equal(codes, alone, sizeof alone);
    smitin_session_free(session);
    variant_close(&v);
}

/* Codes of a piece with nothing to follow, or with a tune, at this guidance. */
static void play(const variant *v, const char *tune, double guidance, int32_t *out)
{
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = FRAMES / v->info.frame_rate;
    options.guidance = guidance;
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_new(&session, v->engine, &options, &error));
    if (tune != NULL) follow(v, session, 0, tune);
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    memcpy(out, codes, K * FRAMES * sizeof *out);
    smitin_session_free(session);
}

static void test_text_alone_and_nothing(void **state)
{
    (void)state;
    variant v;
    int32_t free_play[K * FRAMES], other[K * FRAMES];
    variant_open(&v, "melody", NULL);
    smitin_session *session = variant_session(&v, FRAMES, 1);
    ASSERT_OK(smitin_session_set_text(session, 0, text, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    variant_assert_codes(&v, session, 0, "codes_text");
    smitin_session_free(session);
    /* With nothing to follow guidance has nothing to do; with a tune it has. */
    play(&v, NULL, 3.0, free_play);
    play(&v, NULL, 1.0, other);
    assert_memory_equal(free_play, other, sizeof other);
    play(&v, "tune_long", 3.0, free_play);
    play(&v, "tune_long", 1.0, other);
    assert_memory_not_equal(free_play, other, sizeof other);
    variant_close(&v);
}

static void test_a_clip_is_continued_along_a_tune(void **state)
{
    (void)state;
    variant v;
    variant_open(&v, "melody", NULL);
    int32_t *codes = variant_copy(&v, "codes_long", NULL), prompt[K * 9];
    for (int k = 0; k < K; k++) memcpy(prompt + k * 9, codes + k * FRAMES, 9 * sizeof *prompt);
    /* From the reference's own beginning on it goes as the reference did. */
    smitin_session *session = variant_session(&v, FRAMES, 2);
    ASSERT_OK(smitin_session_set_codes(session, SMITIN_ALL_PIECES, prompt, 9, &error));
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, text, &error));
    follow(&v, session, SMITIN_ALL_PIECES, "tune_long");
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    for (int piece = 0; piece < 2; piece++) variant_assert_codes(&v, session, piece, "codes_long");
    smitin_session_free(session);
    free(codes);
    variant_close(&v);
}

static void test_heads_and_refusals(void **state)
{
    (void)state;
    variant v;
    float tune[400], z[2 * 32], again[4 * 2 * 32];
    bool done = false;
    variant_open(&v, "melody", NULL);
    for (int i = 0; i < 400; i++) tune[i] = (float)sin(0.3 * i);
    ASSERT_OK(smitin_engine_heads(v.engine, tune, 1, 400, z, &error));
    ASSERT_OK(smitin_engine_heads(v.engine, tune, 4, 100, again, &error));
    ASSERT_OK(smitin_engine_heads(v.engine, tune, 1, 400, again, &error));
    assert_memory_equal(z, again, sizeof z);
    smitin_session *session = variant_session(&v, FRAMES, 1);
    ASSERT_FAILS(smitin_session_set_melody(session, 0, tune, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "0 samples");
    ASSERT_FAILS(smitin_session_set_melody(session, 1, tune, 400, &error), SMITIN_ERROR_ARGUMENT,
                 "piece 1");
    tune[7] = NAN;
    ASSERT_FAILS(smitin_session_set_melody(session, 0, tune, 400, &error), SMITIN_ERROR_ARGUMENT,
                 "finite");
    tune[7] = 0.0f;
    ASSERT_OK(smitin_session_set_melody(session, 0, tune, 1, &error)); /* one sample is a tune */
    ASSERT_OK(smitin_session_step(session, &done, &error));
    ASSERT_FAILS(smitin_session_set_melody(session, 0, tune, 400, &error), SMITIN_ERROR_STATE,
                 "started");
    smitin_session_free(session);
    variant_close(&v);
}

/* Codes [K, 120] of a piece of three windows and more that follows `samples`. */
static void follow_long(const variant *v, smitin_long method, const float *samples, size_t count,
                        int32_t *codes)
{
    smitin_session_options options = smitin_session_defaults();
    smitin_session *session = NULL;
    options.seconds = 120 / v->info.frame_rate;
    options.window = 40 / v->info.frame_rate;
    options.stride = 25 / v->info.frame_rate;
    options.long_method = method;
    ASSERT_OK(smitin_session_new(&session, v->engine, &options, &error));
    if (samples != NULL) ASSERT_OK(smitin_session_set_melody(session, 0, samples, count, &error));
    ASSERT_OK(smitin_session_set_text(session, 0, text, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    const int32_t *made = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &made, &frames, &stride, &error));
    assert_true(frames == 120 && stride == 120);
    memcpy(codes, made, K * 120 * sizeof *codes);
    smitin_session_free(session);
}

/* Later windows hear what comes later in the tune: two tunes that part behind what the first window
 * hears give pieces that part at the first seam. */
static void test_long_pieces_follow_the_tune_on(void **state)
{
    (void)state;
    enum { LENGTH = 4096 }; /* over before the last window is */
    static float one[LENGTH], other[LENGTH];
    static int32_t a[K * 120], b[K * 120], c[K * 120];
    variant v;
    variant_open(&v, "melody", NULL);
    for (int i = 0; i < LENGTH; i++) {
        one[i] = (float)sin(2.0 * 3.14159265358979 * 110.0 * i / 2000.0);
        other[i] = i < 2000 ? one[i] : (float)sin(2.0 * 3.14159265358979 * 155.6 * i / 2000.0);
    }
    for (int method = 0; method < 2; method++) {
        follow_long(&v, (smitin_long)method, one, LENGTH, a);
        follow_long(&v, (smitin_long)method, other, LENGTH, b);
        follow_long(&v, (smitin_long)method, other, LENGTH, c);
        assert_memory_equal(b, c, sizeof b);
        int parted = 0;
        for (int k = 0; k < K; k++) {
            assert_memory_equal(a + k * 120, b + k * 120, 36 * sizeof *a); /* 40 less the delay */
            for (int t = 40; t < 120; t++) parted += a[k * 120 + t] != b[k * 120 + t];
        }
        assert_true(parted > 0);
    }
    variant_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_tunes_are_followed_as_by_the_reference),
        cmocka_unit_test(test_pieces_follow_their_own),
        cmocka_unit_test(test_text_alone_and_nothing),
        cmocka_unit_test(test_a_clip_is_continued_along_a_tune),
        cmocka_unit_test(test_long_pieces_follow_the_tune_on),
        cmocka_unit_test(test_heads_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

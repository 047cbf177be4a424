/* SPDX-License-Identifier: MIT */
/* Logits of known codes: the greedy codes of a session are the likeliest ones, in every kind of
 * model, with a text and without; clips do not hear each other. tests/engine/mini.c compares with
 * transformers. */
#include "open.h"

enum { FRAMES = 24, MOST = 8 * FRAMES, CLIPS = 10 };

static const char text[] = "slow drums";
static smitin_error error;
static smitin_engine *engine;
static smitin_model_info info;

static void open_variant(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, GOLDEN "/%s", name);
    engine = open_engine(path, 2);
    smitin_engine_info(engine, &info);
}

/* Codes [K, FRAMES] that one row makes greedily. */
static void play(const char *prompt, int32_t *codes)
{
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    const int32_t *made = NULL;
    size_t frames = 0, stride = 0;
    options.seconds = FRAMES / info.frame_rate;
    options.temperature = 0.0;
    options.guidance = 1.0;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, 0, prompt, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    ASSERT_OK(smitin_session_codes(session, 0, &made, &frames, &stride, &error));
    assert_int_equal(frames, FRAMES);
    for (int k = 0; k < info.codebooks; k++)
        memcpy(codes + k * FRAMES, made + (size_t)k * stride, FRAMES * sizeof *codes);
    smitin_session_free(session);
}

static float *room(size_t clips)
{
    const size_t size = clips * FRAMES * (size_t)info.codebooks * (size_t)info.codebook_size;
    float *logits = calloc(size, sizeof *logits);
    assert_non_null(logits);
    return logits;
}

/* Of how many of codes [K, FRAMES] a logit is larger than that of the code. */
static int missed(const char *prompt, const int32_t *codes)
{
    const size_t K = (size_t)info.codebooks, V = (size_t)info.codebook_size;
    float *logits = room(1);
    int count = 0;
    ASSERT_OK(smitin_engine_logits(engine, codes, 1, FRAMES, prompt, logits, &error));
    for (size_t t = 0; t < FRAMES; t++)
        for (size_t k = 0; k < K; k++) {
            const float *at = logits + (t * K + k) * V;
            bool beaten = false;
            for (size_t i = 0; i < V; i++) beaten = beaten || at[i] > at[codes[k * FRAMES + t]];
            count += beaten;
        }
    free(logits);
    return count;
}

static void greedy_codes_are_the_likeliest(void **state)
{
    (void)state;
    static const char *const names[] = {"tiny", "stereo", "melody"};
    for (size_t i = 0; i < 3; i++) {
        int32_t with[MOST], without[MOST];
        open_variant(names[i]);
        play(text, with);
        play(NULL, without);
        assert_memory_not_equal(with, without, (size_t)info.codebooks * FRAMES * sizeof *with);
        assert_int_equal(missed(text, with), 0);
        assert_int_equal(missed(NULL, without), 0);
        assert_int_equal(missed("", without), 0);
        assert_true(missed(NULL, with) > 0); /* the text is heard */
        smitin_engine_free(engine);
    }
}

static void clips_do_not_hear_each_other(void **state)
{
    (void)state;
    open_variant("tiny");
    const size_t K = (size_t)info.codebooks, V = (size_t)info.codebook_size;
    const size_t size = FRAMES * K * V;
    int32_t codes[CLIPS * 4 * FRAMES];
    float *together = room(CLIPS), *alone = room(1);
    for (size_t i = 0; i < CLIPS * K * FRAMES; i++) codes[i] = (int32_t)(i * 7919 % V);
    ASSERT_OK(smitin_engine_logits(engine, codes, CLIPS, FRAMES, text, together, &error));
    for (size_t i = 0; i < CLIPS; i++) {
        ASSERT_OK(
            smitin_engine_logits(engine, codes + i * K * FRAMES, 1, FRAMES, text, alone, &error));
        assert_memory_equal(alone, together + i * size, size * sizeof *alone);
    }
    free(together);
    free(alone);
    smitin_engine_free(engine);
}

static void bad_arguments(void **state)
{
    (void)state;
    open_variant("tiny");
    int32_t codes[4 * FRAMES] = {0};
    float *logits = room(1);
    ASSERT_FAILS(smitin_engine_logits(engine, NULL, 1, FRAMES, NULL, logits, &error),
                 SMITIN_ERROR_ARGUMENT, "one clip");
    ASSERT_FAILS(smitin_engine_logits(engine, codes, 0, FRAMES, NULL, logits, &error),
                 SMITIN_ERROR_ARGUMENT, "one clip");
    ASSERT_FAILS(smitin_engine_logits(engine, codes, 1, 0, NULL, logits, &error),
                 SMITIN_ERROR_ARGUMENT, "one frame");
    ASSERT_FAILS(smitin_engine_logits(engine, codes, 1, FRAMES, NULL, NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "one clip");
    ASSERT_FAILS(smitin_engine_logits(engine, codes, 1, 254, NULL, logits, &error),
                 SMITIN_ERROR_ARGUMENT, "longer than the model's 253");
    codes[5] = info.codebook_size;
    ASSERT_FAILS(smitin_engine_logits(engine, codes, 1, FRAMES, NULL, logits, &error),
                 SMITIN_ERROR_ARGUMENT, "at position 5");
    free(logits);
    smitin_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_codes_are_the_likeliest),
        cmocka_unit_test(clips_do_not_hear_each_other),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

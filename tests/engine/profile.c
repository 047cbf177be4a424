/* SPDX-License-Identifier: MIT */
/* The profile of steps: its parts add up to the steps, its bytes to what a step must read, and
 * music is the same with it and without. */
#include "../common.h"

#include <time.h>

static smitin_error error;
static smitin_engine *engine;
static smitin_model_info info;

static int open_model(void **state)
{
    (void)state;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = 1;
    if (smitin_engine_open(&engine, GOLDEN "/tiny", &options, &error) != SMITIN_OK) return 1;
    smitin_engine_info(engine, &info);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    smitin_engine_free(engine);
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static smitin_session *begin(int frames)
{
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = frames / info.frame_rate;
    options.seed = 3;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, 0, "slow drums", &error));
    return session;
}

static double total(const double *parts)
{
    double sum = 0.0;
    for (int i = 0; i < SMITIN_PARTS; i++) sum += parts[i];
    return sum;
}

static void adds_up(void **state)
{
    (void)state;
    enum { FRAMES = 30, STEPS = 10 };
    smitin_session *session = begin(FRAMES);
    smitin_profile profile = {0};
    bool done = false;
    ASSERT_OK(smitin_session_step(session, &done, &error));
    smitin_session_profile(session, &profile);
    double closest = 0.0;
    for (int i = 0; i < STEPS; i++) {
        const double before = total(profile.seconds), start = now();
        ASSERT_OK(smitin_session_step(session, &done, &error));
        const double passed = now() - start, added = total(profile.seconds) - before;
        assert_true(added <= passed + 1e-9); /* sums of some ten numbers are rounded */
        closest = fmax(closest, added / passed);
    }
    /* All but a call and a return; other programs may take the core just then, but not always. */
    assert_true(closest > 0.5);
    static const smitin_part busy[] = {
        SMITIN_PART_NORMS,     SMITIN_PART_QKV,     SMITIN_PART_ATTENTION,
        SMITIN_PART_OUT,       SMITIN_PART_CROSS_Q, SMITIN_PART_CROSS_ATTENTION,
        SMITIN_PART_CROSS_OUT, SMITIN_PART_FC1,     SMITIN_PART_FC2,
        SMITIN_PART_LOGITS,    SMITIN_PART_SAMPLING};
    for (size_t i = 0; i < sizeof busy / sizeof *busy; i++)
        assert_true(profile.seconds[busy[i]] > 0.0);
    assert_true(profile.seconds[SMITIN_PART_KNOBS] == 0.0);
    /* Weights as the model says; two rows of 2..11 columns, keys and values in f16. */
    double columns = 0.0;
    for (int i = 0; i < STEPS; i++) columns += 2 * (2 + i);
    const double weights = total(profile.bytes) - profile.bytes[SMITIN_PART_ATTENTION] -
                           profile.bytes[SMITIN_PART_CROSS_ATTENTION];
    ASSERT_NEAR(weights, STEPS * (double)info.step_bytes, 0.5);
    ASSERT_NEAR(profile.bytes[SMITIN_PART_ATTENTION],
                columns * 2 * 2 * info.layers * info.hidden_size, 0.5);
    assert_true(profile.bytes[SMITIN_PART_CROSS_ATTENTION] > 0.0);
    /* Nothing is added when nobody asks. */
    const smitin_profile kept = profile;
    smitin_session_profile(session, NULL);
    ASSERT_OK(smitin_session_step(session, &done, &error));
    assert_memory_equal(&kept, &profile, sizeof kept);
    smitin_session_free(session);
}

static void changes_nothing(void **state)
{
    (void)state;
    enum { FRAMES = 24 };
    smitin_profile profile = {0};
    smitin_session *sessions[2] = {begin(FRAMES), begin(FRAMES)};
    const int32_t *codes[2];
    size_t frames, stride;
    smitin_session_profile(sessions[1], &profile);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(smitin_session_run(sessions[i], NULL, NULL, &error));
        ASSERT_OK(smitin_session_codes(sessions[i], 0, &codes[i], &frames, &stride, &error));
        assert_int_equal(frames, FRAMES);
    }
    assert_memory_equal(codes[0], codes[1], (size_t)info.codebooks * FRAMES * sizeof **codes);
    for (int i = 0; i < 2; i++) smitin_session_free(sessions[i]);
}

static void names(void **state)
{
    (void)state;
    for (int i = 0; i < SMITIN_PARTS; i++) {
        assert_non_null(smitin_part_name((smitin_part)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(smitin_part_name((smitin_part)i),
                                    smitin_part_name((smitin_part)j));
    }
    assert_null(smitin_part_name(SMITIN_PARTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up),
        cmocka_unit_test(changes_nothing),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

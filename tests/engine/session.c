/* SPDX-License-Identifier: MIT */
/* The public API on a tiny model with random weights: what a program that uses the library relies
 * on. */
#include "../format/helpers.h"
#include "open.h"

#include <malloc.h>

#include "engine/engine.h"
#include "engine/session.h"
#include "format/knob_file.h"
#include "format/safetensors.h"

#define MODEL TINY_MODEL

static smitin_error error;

static smitin_session *new_session(const smitin_engine *engine, int frames, int pieces,
                                   uint64_t seed)
{
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = frames / info.frame_rate;
    options.pieces = pieces;
    options.seed = seed;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    return session;
}

/* Copy of all codes of a piece, [K, frames]; the caller frees. */
static int32_t *copy_codes(const smitin_session *session, int piece, size_t *count)
{
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, piece, &codes, &frames, &stride, &error));
    assert_int_equal(frames, stride);
    *count = 4 * frames;
    int32_t *copy = malloc(*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, codes, *count * sizeof *copy);
    return copy;
}

static int32_t *run_codes(const smitin_engine *engine, uint64_t seed, size_t *count)
{
    smitin_session *session = new_session(engine, 40, 1, seed);
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    int32_t *codes = copy_codes(session, 0, count);
    smitin_session_free(session);
    return codes;
}

static bool equal_codes(const int32_t *a, const int32_t *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

/* A knob for the tiny model: seeded directions of unit norm, accuracies spread over 0.5..0.95. */
static const char *make_knob(const smitin_engine *engine, const char *fingerprint)
{
    static char path[256];
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, info.layers, info.heads, info.head_size, &error));
    const int heads = info.layers * info.heads, D = info.head_size;
    for (int i = 0; i < heads; i++) {
        double square = 0.0;
        for (int d = 0; d < D; d++) {
            const float value = (float)sin(1.0 + i * 7.3 + d * 1.7);
            knob->direction[i * D + d] = value;
            square += (double)value * (double)value;
        }
        for (int d = 0; d < D; d++) {
            knob->direction[i * D + d] /= (float)sqrt(square);
            knob->mean_shift[i * D + d] = knob->direction[i * D + d];
        }
        knob->weight_norm[i] = 2.0f;
        knob->bias[i] = 0.1f;
        knob->sigma[i] = knob->sigma_mean[i] = 0.5f;
        knob->accuracy_train[i] = knob->accuracy_test[i] =
            0.5f + 0.45f * (float)((i * 5) % heads) / (float)heads;
    }
    snprintf(knob->meta.trait, sizeof knob->meta.trait, "test");
    snprintf(knob->meta.model, sizeof knob->meta.model, "tiny");
    snprintf(knob->meta.fingerprint, sizeof knob->meta.fingerprint, "%s",
             fingerprint != NULL ? fingerprint : info.fingerprint);
    snprintf(knob->meta.site, sizeof knob->meta.site, "self_attn.z");
    knob->meta.train_count = knob->meta.test_count = 10;
    knob->meta.default_alpha = 5.0;
    knob->meta.max_alpha = 20.0;
    ASSERT_OK(sm_knob_data_write(knob, scratch_path(path, "knob.safetensors"), &error));
    sm_knob_data_free(knob);
    return path;
}

static int32_t *run_knob(const smitin_engine *engine, const smitin_knob *knob, double alpha,
                         smitin_method method, smitin_knob_report *report, size_t *count)
{
    smitin_session *session = new_session(engine, 40, 1, 3);
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = alpha;
    steering.method = method;
    ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    ASSERT_OK(smitin_session_report(session, 0, 0, report, &error));
    int32_t *codes = copy_codes(session, 0, count);
    smitin_session_free(session);
    return codes;
}

/* ---- Tests ---- */

static void test_open_refuses(void **state)
{
    (void)state;
    smitin_engine *engine = NULL;
    ASSERT_FAILS(smitin_engine_open(&engine, "no/such/model", NULL, &error), SMITIN_ERROR_IO,
                 "no/such/model");
    ASSERT_FAILS(smitin_engine_open(&engine, MODEL "/config.json", NULL, &error),
                 SMITIN_ERROR_MODEL, "directory");
    ASSERT_FAILS(smitin_engine_open(&engine, "", NULL, &error), SMITIN_ERROR_ARGUMENT, "path");
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = -1;
    ASSERT_FAILS(smitin_engine_open(&engine, MODEL, &options, &error), SMITIN_ERROR_ARGUMENT, "-1");
    options.threads = 0;
    options.cpu_level = "mmx";
    ASSERT_FAILS(smitin_engine_open(&engine, MODEL, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "mmx");
#if defined(__aarch64__)
    options.cpu_level = "avx2";
#else
    options.cpu_level = "neon";
#endif
    ASSERT_FAILS(smitin_engine_open(&engine, MODEL, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "not for this kind of processor");
    assert_null(engine);
    smitin_engine_free(NULL);
    smitin_session_free(NULL);
    smitin_knob_free(NULL);
}

static void test_info(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    assert_int_equal(info.layers, 3);
    assert_int_equal(info.heads, 4);
    assert_int_equal(info.head_size, 8);
    assert_int_equal(info.codebooks, 4);
    assert_int_equal(info.codebook_size, 64);
    assert_int_equal(info.hop, 40);
    assert_int_equal(strlen(info.fingerprint), 64);
    smitin_engine_free(engine);
}

static void test_same_seed_same_codes(void **state)
{
    (void)state;
    smitin_engine *one = open_engine(MODEL, 1), *three = open_engine(MODEL, 3);
    size_t count = 0;
    int32_t *a = run_codes(one, 11, &count), *b = run_codes(three, 11, &count),
            *c = run_codes(one, 12, &count);
    assert_true(equal_codes(a, b, count));
    assert_false(equal_codes(a, c, count));
    free(a);
    free(b);
    free(c);
    smitin_engine_free(one);
    smitin_engine_free(three);
}

static void test_pieces_are_runs_with_consecutive_seeds(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 2);
    smitin_session *session = new_session(engine, 40, 3, 20);
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    for (int piece = 0; piece < 3; piece++) {
        size_t count = 0;
        int32_t *together = copy_codes(session, piece, &count),
                *alone = run_codes(engine, 20 + (uint64_t)piece, &count);
        assert_true(equal_codes(together, alone, count));
        free(together);
        free(alone);
    }
    smitin_session_free(session);
    smitin_engine_free(engine);
}

static void test_continuation_keeps_its_prompt(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    float clip[12 * 40];
    int32_t prompt[4 * 12];
    for (int i = 0; i < 12 * 40; i++) clip[i] = 0.5f * (float)sin(0.05 * i);
    ASSERT_OK(smitin_engine_encode(engine, clip, 12 * 40, prompt, 4 * 12, &error));
    smitin_session *session = new_session(engine, 40, 1, 1);
    ASSERT_OK(smitin_session_set_audio(session, SMITIN_ALL_PIECES, clip, 12 * 40, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    size_t count = 0;
    int32_t *codes = copy_codes(session, 0, &count);
    for (int k = 0; k < 4; k++)
        assert_memory_equal(codes + k * 40, prompt + k * 12, 12 * sizeof(int32_t));
    const float *samples = NULL;
    ASSERT_OK(smitin_session_audio(session, 0, &samples, &count, &error));
    assert_int_equal(count, 40 * 40);
    for (size_t i = 0; i < count; i++) assert_true(isfinite(samples[i]));
    free(codes);
    smitin_session_free(session);
    smitin_engine_free(engine);
}

static void test_prompts_are_checked(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_session *session = new_session(engine, 10, 2, 1);
    float clip[40 * 12] = {0};
    ASSERT_FAILS(smitin_session_set_audio(session, 0, clip, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "empty");
    ASSERT_FAILS(smitin_session_set_audio(session, 0, clip, 40 * 12, &error), SMITIN_ERROR_ARGUMENT,
                 "longer");
    ASSERT_FAILS(smitin_session_set_audio(session, 2, clip, 40, &error), SMITIN_ERROR_ARGUMENT,
                 "piece 2");
    clip[3] = NAN;
    ASSERT_FAILS(smitin_session_set_audio(session, 0, clip, 40, &error), SMITIN_ERROR_ARGUMENT,
                 "finite");
    clip[3] = 0.0f;
    ASSERT_OK(smitin_session_set_audio(session, 0, clip, 80, &error));
    bool done = false;
    ASSERT_FAILS(smitin_session_step(session, &done, &error), SMITIN_ERROR_ARGUMENT, "one length");
    ASSERT_FAILS(smitin_session_step(session, &done, &error), SMITIN_ERROR_STATE, "ended");
    smitin_session_free(session);

    session = new_session(engine, 10, 1, 1);
    char long_text[4096];
    for (size_t i = 0; i < sizeof long_text; i++) long_text[i] = "drums "[i % 6];
    long_text[sizeof long_text - 1] = '\0';
    ASSERT_FAILS(smitin_session_set_text(session, 0, long_text, &error), SMITIN_ERROR_ARGUMENT,
                 "256");
    const float *samples = NULL;
    size_t count = 0;
    ASSERT_FAILS(smitin_session_audio(session, 0, &samples, &count, &error), SMITIN_ERROR_STATE,
                 "not made");
    const int32_t bad = 64;
    ASSERT_FAILS(smitin_session_set_codes(session, 0, &bad, 1, &error), SMITIN_ERROR_ARGUMENT,
                 "64");
    smitin_session_free(session);

    smitin_session_options options = smitin_session_defaults();
    options.seconds = 1e9;
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "range");
    options = smitin_session_defaults();
    options.seconds = 0.5;
    options.temperature = NAN;
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "temperature");
    smitin_engine_free(engine);
}

/* Codes of two pieces made side by side, [2][4 * 30], with a text for the second only. */
static void run_text(const smitin_engine *engine, const char *text, double guidance,
                     int32_t codes[2][4 * 30])
{
    const bool two_rows = text[0] != '\0' && guidance != 1.0;
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    smitin_session_options options = smitin_session_defaults();
    options.seconds = 30 / info.frame_rate;
    options.pieces = 2;
    options.guidance = guidance;
    smitin_session *session = NULL;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, 1, text, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    assert_int_equal(session->rows_count, two_rows ? 3 : 2); /* no second row without guidance */
    for (int piece = 0; piece < 2; piece++) {
        size_t count = 0;
        int32_t *copy = copy_codes(session, piece, &count);
        assert_int_equal(count, 4 * 30);
        memcpy(codes[piece], copy, sizeof codes[piece]);
        free(copy);
    }
    smitin_session_free(session);
}

static void test_text_and_guidance(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 2);
    static int32_t none[2][4 * 30], jazz[2][4 * 30], again[2][4 * 30], rock[2][4 * 30],
        single[2][4 * 30];
    run_text(engine, "", 3.0, none);
    run_text(engine, "slow jazz", 3.0, jazz);
    run_text(engine, "slow jazz", 3.0, again);
    run_text(engine, "fast rock with drums", 3.0, rock);
    run_text(engine, "slow jazz", 1.0, single);
    /* The piece without text does not hear its neighbour's, guided or not. */
    assert_memory_equal(none[0], jazz[0], sizeof none[0]);
    assert_memory_equal(none[0], single[0], sizeof none[0]);
    assert_memory_equal(jazz[1], again[1], sizeof jazz[1]);
    assert_memory_not_equal(none[1], jazz[1], sizeof none[1]);
    assert_memory_not_equal(rock[1], jazz[1], sizeof rock[1]);
    assert_memory_not_equal(single[1], jazz[1], sizeof single[1]);
    smitin_engine_free(engine);
}

/* Codes [4 * 30] of the piece that `text` makes as piece `at` of a session whose other pieces have
 * `other`. */
static void run_beside(const smitin_engine *engine, const char *text, int at, const char *other,
                       int32_t codes[4 * 30])
{
    smitin_session *session = new_session(engine, 30, 3, 40 - (uint64_t)at);
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, other, &error));
    ASSERT_OK(smitin_session_set_text(session, at, text, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    size_t count = 0;
    int32_t *copy = copy_codes(session, at, &count);
    assert_int_equal(count, 4 * 30);
    memcpy(codes, copy, count * sizeof *copy);
    free(copy);
    smitin_session_free(session);
}

/* Texts of other lengths beside a piece do not matter: a reference that pads them attends to the
 * padding, so that there a piece depends on its neighbours. Here it is the piece it is alone. */
static void test_texts_of_any_length_side_by_side(void **state)
{
    (void)state;
    static const char *const texts[] = {"jazz", "a slow and very calm piece with piano and bass"};
    smitin_engine *engine = open_engine(MODEL, 2);
    for (int i = 0; i < 2; i++) {
        int32_t alone[4 * 30], first[4 * 30], last[4 * 30];
        run_beside(engine, texts[i], 0, texts[i], alone);
        run_beside(engine, texts[i], 0, texts[1 - i], first);
        run_beside(engine, texts[i], 2, texts[1 - i], last);
        assert_memory_equal(alone, first, sizeof alone);
        assert_memory_equal(alone, last, sizeof alone);
    }
    smitin_engine_free(engine);
}

/* No text is no guidance, to the bit, at any scale. A blank is a text: the end mark alone. */
static void test_empty_and_blank_texts(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 2);
    static int32_t none[2][4 * 30], strong[2][4 * 30], off[2][4 * 30], blank[2][4 * 30];
    run_text(engine, "", 3.0, none);
    run_text(engine, "", 10.0, strong);
    run_text(engine, "", 1.0, off);
    run_text(engine, " ", 3.0, blank);
    assert_memory_equal(none, strong, sizeof none);
    assert_memory_equal(none, off, sizeof none);
    assert_memory_not_equal(none[1], blank[1], sizeof none[1]);
    assert_memory_equal(none[0], blank[0], sizeof none[0]);
    smitin_engine_free(engine);
}

static void test_stop_and_end(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_session *session = new_session(engine, 20, 1, 1);
    bool done = false;
    for (int i = 0; i < 10; i++) ASSERT_OK(smitin_session_step(session, &done, &error));
    smitin_session_stop(session);
    ASSERT_FAILS(smitin_session_step(session, &done, &error), SMITIN_ERROR_STOPPED, "stopped");
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    /* Columns 0..10 are filled; the last codebook lags by 3: frames 0..6. */
    assert_int_equal(frames, 7);
    smitin_session_free(session);
    smitin_engine_free(engine);
}

static void test_zero_knob_changes_nothing(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 2);
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(&knob, make_knob(engine, NULL), &error));
    size_t count = 0;
    int32_t *plain = run_codes(engine, 3, &count);
    smitin_knob_report report;
    int32_t *zero = run_knob(engine, knob, 0.0, SMITIN_METHOD_SMITIN, &report, &count);
    assert_true(equal_codes(plain, zero, count));
    assert_true(report.dose == 0.0);
    assert_true(isfinite(report.mean_presence) && report.mean_presence > 0.0 &&
                report.mean_presence < 1.0);
    int32_t *pushed = run_knob(engine, knob, 20.0, SMITIN_METHOD_ITI, &report, &count);
    assert_false(equal_codes(plain, pushed, count));
    /* 3 * 4 heads: a third of them, weight 1 each, at every column. */
    ASSERT_NEAR(report.weight_sum, 4.0, 1e-9);
    ASSERT_NEAR(report.dose, 80.0, 1e-6);
    free(plain);
    free(zero);
    free(pushed);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
}

static void test_knob_of_another_model(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(
        &knob,
        make_knob(engine, "00000000000000000000000000000000000000000000000000000000000000ff"),
        &error));
    smitin_session *session = new_session(engine, 20, 1, 1);
    smitin_steering steering = smitin_steering_defaults();
    ASSERT_FAILS(smitin_session_add_knob(session, knob, &steering, &error), SMITIN_ERROR_KNOB,
                 "other weights");
    steering.force = true;
    ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    smitin_session_free(session);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
}

static void test_steps_take_no_memory(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(&knob, make_knob(engine, NULL), &error));
    smitin_session *session = new_session(engine, 40, 2, 1);
    ASSERT_OK(smitin_session_add_knob(session, knob, NULL, &error));
    bool done = false;
    ASSERT_OK(smitin_session_step(session, &done, &error));
    const size_t before = mallinfo2().uordblks;
    while (!done) ASSERT_OK(smitin_session_step(session, &done, &error));
    assert_int_equal(mallinfo2().uordblks, before);
    smitin_session_free(session);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
}

static void test_turning_while_playing(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(&knob, make_knob(engine, NULL), &error));
    smitin_session *session = new_session(engine, 40, 1, 1);
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = 0.0;
    steering.method = SMITIN_METHOD_ITI;
    ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    bool done = false;
    for (int i = 0; i < 10; i++) ASSERT_OK(smitin_session_step(session, &done, &error));
    assert_true(smitin_session_turn(session, 0, 5.0));
    assert_false(smitin_session_turn(session, 1, 5.0));
    assert_false(smitin_session_turn(session, 0, (double)NAN));
    while (!done) ASSERT_OK(smitin_session_step(session, &done, &error));
    const smitin_trace *lines = NULL;
    size_t count = 0;
    ASSERT_OK(smitin_session_trace(session, 0, 0, &lines, &count, &error));
    assert_int_equal(count, 43);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(lines[i].column, i);
        ASSERT_NEAR(lines[i].dose, i < 10 ? 0.0 : 20.0, 1e-5);
    }
    smitin_session_free(session);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
}

/* The column of a step that failed was never filled: only the frames before it count, and they can
 * still be heard. */
static void test_a_failed_step_leaves_whole_frames(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(&knob, make_knob(engine, NULL), &error));
    smitin_session *session = new_session(engine, 40, 1, 1);
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = 0.0;
    steering.method = SMITIN_METHOD_ITI;
    ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    bool done = false;
    for (int i = 0; i < 10; i++) ASSERT_OK(smitin_session_step(session, &done, &error));
    assert_true(smitin_session_turn(session, 0, 1e300));
    smitin_status status = SMITIN_OK;
    int made = 10;
    while (!done && (status = smitin_session_step(session, &done, &error)) == SMITIN_OK) made++;
    assert_int_equal(status, SMITIN_ERROR_MODEL);
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0, count = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    assert_int_equal(frames, made + 1 - 4); /* columns 0..made, of 4 codebooks */
    for (size_t k = 0; k < 4; k++)
        for (size_t t = 0; t < frames; t++) assert_true(codes[k * stride + t] >= 0);
    const float *samples = NULL;
    ASSERT_OK(smitin_session_audio(session, 0, &samples, &count, &error));
    assert_int_equal(count, frames * 40);
    float *heard = calloc(count, sizeof *heard);
    assert_non_null(heard);
    ASSERT_OK(smitin_session_read(session, 0, heard, count, &count, &error));
    assert_int_equal(count, frames * 40);
    assert_memory_equal(heard, samples, count * sizeof *heard);
    free(heard);
    smitin_session_free(session);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_same_seed_same_codes),
        cmocka_unit_test(test_pieces_are_runs_with_consecutive_seeds),
        cmocka_unit_test(test_continuation_keeps_its_prompt),
        cmocka_unit_test(test_prompts_are_checked),
        cmocka_unit_test(test_text_and_guidance),
        cmocka_unit_test(test_texts_of_any_length_side_by_side),
        cmocka_unit_test(test_empty_and_blank_texts),
        cmocka_unit_test(test_stop_and_end),
        cmocka_unit_test(test_zero_knob_changes_nothing),
        cmocka_unit_test(test_knob_of_another_model),
        cmocka_unit_test(test_steps_take_no_memory),
        cmocka_unit_test(test_turning_while_playing),
        cmocka_unit_test(test_a_failed_step_leaves_whole_frames),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

/* SPDX-License-Identifier: MIT */
/* Pieces longer than a window: what the windows hear, knobs and reads across the seams, memory.
 * Built for a mono and for a stereo model: CODEBOOKS and CHANNELS. */
#include "../common.h"

#include <malloc.h>

#include "engine/session.h"
#include "base/rng.h"
#include "format/knob_file.h"
#include "format/safetensors.h"

enum { K = CODEBOOKS, C = CHANNELS, V = VOCABULARY, W = 40, S = 25, HOP = 40, T_MAX = 400 };
enum { DELAYS = K / C }; /* columns from a frame's first code to behind its last */

static smitin_error error;
static smitin_engine *engine;

static int open_tiny(void **state)
{
    (void)state;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads =
        1; /* thousands of tiny steps: waiting for a second thread would be most of it */
    return smitin_engine_open(&engine, TINY_MODEL, &options, &error) == SMITIN_OK ? 0 : -1;
}

static int close_tiny(void **state)
{
    (void)state;
    smitin_engine_free(engine);
    return 0;
}

static double seconds_of(int frames)
{
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    return frames / info.frame_rate;
}

static smitin_session_options long_options(int frames, smitin_long method)
{
    smitin_session_options options = smitin_session_defaults();
    options.seconds = seconds_of(frames);
    options.long_method = method;
    options.window = seconds_of(W);
    options.stride = seconds_of(S);
    options.seed = 9;
    return options;
}

static smitin_session *new_session(const smitin_session_options *options)
{
    smitin_session *session = NULL;
    ASSERT_OK(smitin_session_new(&session, engine, options, &error));
    return session;
}

typedef int32_t codes_of[K][T_MAX];

static void copy_codes(const smitin_session *session, int piece, int frames, codes_of out)
{
    const int32_t *codes = NULL;
    size_t count = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, piece, &codes, &count, &stride, &error));
    assert_int_equal(count, frames);
    for (size_t k = 0; k < K; k++) memcpy(out[k], codes + k * stride, count * sizeof *codes);
}

static void run(const smitin_session_options *options, const char *text, const int32_t *prompt,
                int prompt_frames, int frames, codes_of out)
{
    smitin_session *session = new_session(options);
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, text, &error));
    if (prompt_frames > 0)
        ASSERT_OK(smitin_session_set_codes(session, SMITIN_ALL_PIECES, prompt,
                                           (size_t)prompt_frames, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    copy_codes(session, 0, frames, out);
    smitin_session_free(session);
}

static void assert_codes(codes_of a, codes_of b, int first, int frames)
{
    for (int k = 0; k < K; k++)
        for (int t = first; t < frames; t++)
            if (a[k][t] != b[k][t])
                fail_msg("codebook %d, frame %d: %d and %d", k, t, a[k][t], b[k][t]);
}

static void make_prompt(int32_t *codes, int frames)
{
    for (int i = 0; i < K * frames; i++) codes[i] = (i * 37 + i / 5) % V;
}

/* ---- The reference's windows ---- */

/* audiocraft's loop, with a session for every window: generate at most W frames, keep those from S
 * on as the prompt of the next. Greedy, as the draws of a window of its own would be other ones. */
static void window_by_window(const char *text, const int32_t *prompt, int prompt_frames, int frames,
                             codes_of out)
{
    static codes_of window;
    int32_t next[K * W];
    int known = prompt_frames;
    if (prompt_frames > 0) memcpy(next, prompt, (size_t)(K * prompt_frames) * sizeof *next);
    for (int offset = 0; offset + known < frames; offset += S) {
        const int length = frames - offset < W ? frames - offset : W;
        smitin_session_options options = long_options(length, SMITIN_LONG_WINDOW);
        options.temperature = 0.0;
        run(&options, text, next, known, length, window);
        for (int k = 0; k < K; k++)
            memcpy(&out[k][offset], window[k], (size_t)length * sizeof window[k][0]);
        known = length - S;
        for (int k = 0; k < K && known > 0; k++)
            memcpy(next + k * known, &window[k][S], (size_t)known * sizeof *next);
    }
}

static void windows_are_the_references(void **state)
{
    (void)state;
    static codes_of all, parts;
    int32_t prompt[K * 30];
    make_prompt(prompt, 30);
    /* The last window is whole, one frame longer than its context, and in between. */
    static const int lengths[] = {W + 2 * S, W + 3 * S + 1, 177};
    for (int i = 0; i < 3; i++) {
        for (int with_prompt = 0; with_prompt < 2; with_prompt++) {
            const char *text = i == 1 ? "slow jazz" : "";
            smitin_session_options options = long_options(lengths[i], SMITIN_LONG_WINDOW);
            options.temperature = 0.0;
            run(&options, text, prompt, 30 * with_prompt, lengths[i], all);
            window_by_window(text, prompt, 30 * with_prompt, lengths[i], parts);
            assert_codes(all, parts, 0, lengths[i]);
        }
    }
}

#if CHANNELS == 1
/* The codes that transformers makes, one window after the other (tests/golden/make_long.py): text,
 * guidance, greedy. The cache is f32, as the reference's; the smallest gap of a choice is 6e-4, ten
 * times what sums in another order make of it. */
static void windows_are_transformers(void **state)
{
    (void)state;
    enum { FRAMES = 132 };
    smitin_engine_options exact = smitin_engine_defaults();
    exact.cache = SMITIN_CACHE_F32;
    exact.threads = 1;
    smitin_engine *other = NULL;
    smitin_session *session = NULL;
    sm_safetensors *golden = NULL;
    ASSERT_OK(sm_safetensors_open(&golden, TINY_MODEL "/long_golden.safetensors", &error));
    const sm_tensor *expected = sm_safetensors_find(golden, "codes");
    assert_true(expected != NULL && expected->dtype == SM_I32 && expected->count == K * FRAMES);
    ASSERT_OK(smitin_engine_open(&other, TINY_MODEL, &exact, &error));
    smitin_session_options options = long_options(FRAMES, SMITIN_LONG_WINDOW);
    options.temperature = 0.0;
    ASSERT_OK(smitin_session_new(&session, other, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, 0, "slow jazz", &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    assert_true(frames == FRAMES && stride == FRAMES);
    assert_memory_equal(codes, expected->data, K * FRAMES * sizeof *codes);
    smitin_session_free(session);
    smitin_engine_free(other);
    sm_safetensors_close(golden);
}
#endif

/* What fits into a window does not notice that there are windows. */
static void short_pieces_are_one_window(void **state)
{
    (void)state;
    static codes_of one, other;
    smitin_session_options options = long_options(W, SMITIN_LONG_WINDOW), plain = options;
    plain.window = plain.stride = 0.0;
    run(&options, "slow jazz", NULL, 0, W, one);
    run(&plain, "slow jazz", NULL, 0, W, other);
    assert_codes(one, other, 0, W);
    options.long_method = SMITIN_LONG_ROLLING;
    run(&options, "slow jazz", NULL, 0, W, other);
    assert_codes(one, other, 0, W);
}

/* ---- The rolling cache ---- */

/* The frame with which the window of the pass over column g begins. */
static int rolling_base(int g, int frames)
{
    int base = 0;
    while (base + W < frames && g >= base + W) base += S;
    return base;
}

/* Everything a pass may see, heard afresh for every single column: the special column, then what is
 * known of the window's frames. No text, so one row. */
static void rolling_from_scratch(const smitin_session_options *options, const int32_t *prompt,
                                 int prompt_frames, int frames, codes_of out)
{
    static float logits[K * V], scratch[V];
    static int32_t tokens[(W + K) * K], order[V];
    const sm_sampling sampling = {options->temperature, options->top_k, options->top_p};
    const sm_lm_state_options size = {
        .rows = 1, .max_columns = W + K, .max_batch = W + K, .cache = sm_engine_cache(engine)};
    sm_lm_state *heard = NULL;
    ASSERT_OK(sm_lm_state_new(&heard, engine->lm, &size, &error));
    for (int k = 0; k < K; k++)
        for (int t = 0; t < frames; t++)
            out[k][t] = t < prompt_frames ? prompt[k * prompt_frames + t] : -1;
    for (int g = prompt_frames; g < frames + DELAYS - 1; g++) {
        const int base = rolling_base(g, frames);
        for (int column = base; column <= g; column++)
            for (int k = 0; k < K; k++) {
                const int t = column - 1 - k / C;
                tokens[(column - base) * K + k] = t >= base && t < frames ? out[k][t] : V;
            }
        sm_lm_state_reset(heard);
        sm_lm_forward(heard, engine->kernels, engine->pool, tokens, g - base + 1, NULL, 0, logits,
                      NULL);
        for (int k = 0; k < K; k++) {
            const int t = g - k / C; /* of column g + 1 */
            if (t < 0 || t >= frames || out[k][t] >= 0) continue;
            out[k][t] =
                sm_sample(logits + k * V, V, &sampling,
                          sm_uniform(options->seed, (uint32_t)(g + 1), (uint32_t)k, SM_RNG_SAMPLE),
                          scratch, order);
        }
    }
    sm_lm_state_free(heard);
}

static void rolling_hears_its_window(void **state)
{
    (void)state;
    static codes_of all, scratch;
    int32_t prompt[K * 30];
    make_prompt(prompt, 30);
    static const int lengths[] = {W + 2 * S, W + 3 * S + 1, 177};
    for (int i = 0; i < 3; i++) {
        for (int with_prompt = 0; with_prompt < 2; with_prompt++) {
            smitin_session_options options = long_options(lengths[i], SMITIN_LONG_ROLLING);
            run(&options, "", prompt, 30 * with_prompt, lengths[i], all);
            rolling_from_scratch(&options, prompt, 30 * with_prompt, lengths[i], scratch);
            assert_codes(all, scratch, 0, lengths[i]);
        }
    }
}

/* Strides of all kinds: more context than stride, hardly any, and nearly the whole window. */
static void every_stride_works(void **state)
{
    (void)state;
    static const int strides[] = {1, 2, 13, 20, 38, 39};
    static codes_of out;
    for (int i = 0; i < 6; i++) {
        for (int method = 0; method < 2; method++) {
            smitin_session_options options = long_options(120, (smitin_long)method);
            options.stride = seconds_of(strides[i]);
            run(&options, "", NULL, 0, 120, out);
            for (int k = 0; k < K; k++)
                for (int t = 0; t < 120; t++) assert_in_range(out[k][t], 0, V - 1);
        }
    }
}

/* ---- Both ---- */

/* Of a prompt longer than a window the model hears the end; the piece holds all of it. */
static void long_prompts(void **state)
{
    (void)state;
    enum { P = 100, FRAMES = 130, Q = W - S };
    static codes_of all, tail;
    static int32_t prompt[K * P], end[K * Q];
    make_prompt(prompt, P);
    for (int k = 0; k < K; k++) memcpy(end + k * Q, prompt + k * P + P - Q, Q * sizeof *end);
    for (int method = 0; method < 2; method++) {
        smitin_session_options options = long_options(FRAMES, (smitin_long)method);
        options.temperature = 0.0;
        run(&options, "", prompt, P, FRAMES, all);
        for (int k = 0; k < K; k++) assert_memory_equal(all[k], prompt + k * P, P * sizeof *prompt);
        options.seconds = seconds_of(FRAMES - P + Q);
        run(&options, "", end, Q, FRAMES - P + Q, tail);
        for (int k = 0; k < K; k++)
            assert_memory_equal(&all[k][P], &tail[k][Q], (FRAMES - P) * sizeof *prompt);
    }
}

static void pieces_are_single_runs(void **state)
{
    (void)state;
    static codes_of together, alone;
    for (int method = 0; method < 2; method++) {
        smitin_session_options options = long_options(150, (smitin_long)method);
        options.pieces = 3;
        smitin_session *session = new_session(&options);
        ASSERT_OK(smitin_session_set_text(session, 1, "slow jazz", &error));
        ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
        options.pieces = 1;
        for (int piece = 0; piece < 3; piece++) {
            copy_codes(session, piece, 150, together);
            options.seed = 9 + (uint64_t)piece;
            run(&options, piece == 1 ? "slow jazz" : "", NULL, 0, 150, alone);
            assert_codes(together, alone, 0, 150);
        }
        smitin_session_free(session);
    }
}

/* Frames only ever become more, and what is read on the way is the whole. */
static void reads_cross_the_seams(void **state)
{
    (void)state;
    enum { FRAMES = 333 };
    float *heard = malloc(FRAMES * HOP * C * sizeof *heard);
    assert_non_null(heard);
    for (int method = 0; method < 2; method++) {
        const smitin_session_options options = long_options(FRAMES, (smitin_long)method);
        smitin_session *session = new_session(&options);
        size_t got = 0, count = 0, frames = 0, before = 0, stride = 0;
        const int32_t *codes = NULL;
        for (bool done = false; !done;) {
            ASSERT_OK(smitin_session_step(session, &done, &error));
            ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
            assert_true(frames >= before && frames <= before + 1);
            before = frames;
            ASSERT_OK(smitin_session_read(session, 0, heard + got, FRAMES * HOP * C - got, &count,
                                          &error));
            got += count;
        }
        assert_int_equal(got, FRAMES * HOP * C);
        const float *whole = NULL;
        ASSERT_OK(smitin_session_audio(session, 0, &whole, &count, &error));
        assert_int_equal(count, got);
        assert_memory_equal(heard, whole, got * sizeof *heard);
        smitin_session_free(session);
    }
    free(heard);
}

/* What a session takes does not depend on its length, but for codes and traces; steps and reads
 * take nothing. */
static size_t memory_of(int frames, smitin_long method)
{
    const smitin_session_options options = long_options(frames, method);
    const struct mallinfo2 empty = mallinfo2();
    smitin_session *session = new_session(&options);
    float block[HOP * 16 * C];
    size_t count = 0;
    bool done = false;
    ASSERT_OK(smitin_session_step(session, &done, &error));
    const struct mallinfo2 begun = mallinfo2();
    while (!done) {
        ASSERT_OK(smitin_session_step(session, &done, &error));
        ASSERT_OK(smitin_session_read(session, 0, block, HOP * 16 * C, &count, &error));
    }
    const struct mallinfo2 ended = mallinfo2();
    assert_int_equal(begun.uordblks, ended.uordblks);
    assert_int_equal(begun.hblkhd, ended.hblkhd);
    smitin_session_free(session);
    return begun.uordblks + begun.hblkhd - empty.uordblks - empty.hblkhd;
}

static void memory_does_not_grow(void **state)
{
    (void)state;
    for (int method = 0; method < 2; method++) {
        const size_t minute = memory_of(3000, (smitin_long)method);
        const size_t three = memory_of(9000, (smitin_long)method);
        if (minute == 0) skip(); /* a sanitizer has its own allocator, which does not count */
        /* 6000 frames of codes; the arena takes whole pages and blocks. */
        assert_true(three - minute >= 6000 * K * sizeof(int32_t));
        assert_true(three - minute <= 6000 * K * sizeof(int32_t) + 65536);
    }
}

/* ---- Knobs ---- */

static const char *make_knob(void)
{
    static const char path[] = "long-test.knob.safetensors";
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, info.layers, info.heads, info.head_size, &error));
    const int heads = info.layers * info.heads, D = info.head_size;
    for (int i = 0; i < heads; i++) {
        for (int d = 0; d < D; d++)
            knob->direction[i * D + d] = knob->mean_shift[i * D + d] = d == i % D ? 1.0f : 0.0f;
        knob->weight_norm[i] = 2.0f;
        knob->sigma[i] = knob->sigma_mean[i] = 0.5f;
        knob->accuracy_train[i] = knob->accuracy_test[i] = 0.5f + 0.4f * (float)i / (float)heads;
    }
    snprintf(knob->meta.trait, sizeof knob->meta.trait, "test");
    snprintf(knob->meta.model, sizeof knob->meta.model, "tiny");
    snprintf(knob->meta.fingerprint, sizeof knob->meta.fingerprint, "%s", info.fingerprint);
    snprintf(knob->meta.site, sizeof knob->meta.site, "self_attn.z");
    knob->meta.train_count = knob->meta.test_count = 10;
    knob->meta.default_alpha = 5.0;
    knob->meta.max_alpha = 20.0;
    ASSERT_OK(sm_knob_data_write(knob, path, &error));
    sm_knob_data_free(knob);
    return path;
}

static smitin_session *knob_session(const smitin_knob *knob, int frames, smitin_long method,
                                    smitin_method law, double alpha)
{
    const smitin_session_options options = long_options(frames, method);
    smitin_session *session = new_session(&options);
    smitin_steering steering = smitin_steering_defaults();
    steering.method = law;
    steering.alpha = alpha;
    ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    return session;
}

/* A line for every step; columns go on, and with the reference's windows the columns that
 * close a window come again. */
static void the_trace_goes_on(void **state)
{
    (void)state;
    enum { FRAMES = W + 2 * S }; /* two seams */
    smitin_knob *knob = NULL;
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    const double pushed = 5.0 * (info.layers * info.heads / 3); /* a third of the heads, weight 1 */
    ASSERT_OK(smitin_knob_load(&knob, make_knob(), &error));
    for (int method = 0; method < 2; method++) {
        smitin_session *session =
            knob_session(knob, FRAMES, (smitin_long)method, SMITIN_METHOD_ITI, 5.0);
        int steps = 0;
        for (bool done = false; !done; steps++) {
            if (steps == W + 10) assert_true(smitin_session_turn(session, 0, 10.0));
            ASSERT_OK(smitin_session_step(session, &done, &error));
        }
        const smitin_trace *lines = NULL;
        size_t count = 0;
        ASSERT_OK(smitin_session_trace(session, 0, 0, &lines, &count, &error));
        const int again = method == SMITIN_LONG_WINDOW ? DELAYS - 1 : 0;
        assert_int_equal(count, steps);
        assert_int_equal(count, FRAMES + DELAYS - 1 + 2 * again);
        int column = 0;
        for (int i = 0; i < steps; i++, column++) {
            if (i == W + again || i == W + S + 2 * again) column -= again;
            assert_int_equal(lines[i].column, column);
            assert_true(lines[i].presence > 0.0f && lines[i].presence < 1.0f);
            /* Every column, from the turn on twice as much; the trace holds floats. */
            ASSERT_NEAR(lines[i].dose, i < W + 10 ? pushed : 2.0 * pushed, 1e-5);
        }
        smitin_session_free(session);
    }
    smitin_knob_free(knob);
}

/* A knob that only listens changes nothing; one that is turned up behind the last seam changes what
 * comes after, and nothing before. */
static void knobs_work_behind_seams(void **state)
{
    (void)state;
    enum { FRAMES = 150, TURN = 120 };
    static codes_of plain, listening, turned;
    smitin_knob *knob = NULL;
    ASSERT_OK(smitin_knob_load(&knob, make_knob(), &error));
    for (int method = 0; method < 2; method++) {
        const smitin_session_options options = long_options(FRAMES, (smitin_long)method);
        run(&options, "", NULL, 0, FRAMES, plain);
        smitin_session *session =
            knob_session(knob, FRAMES, (smitin_long)method, SMITIN_METHOD_SMITIN, 0.0);
        ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
        copy_codes(session, 0, FRAMES, listening);
        assert_codes(plain, listening, 0, FRAMES);
        smitin_session_free(session);

        session = knob_session(knob, FRAMES, (smitin_long)method, SMITIN_METHOD_ITI, 0.0);
        size_t frames = 0, stride = 0, first = 0;
        const int32_t *codes = NULL;
        for (bool done = false; !done;) {
            ASSERT_OK(smitin_session_step(session, &done, &error));
            ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
            if (frames < TURN || first > 0) continue;
            first = frames;
            assert_true(smitin_session_turn(session, 0, 40.0));
        }
        copy_codes(session, 0, FRAMES, turned);
        assert_codes(plain, turned, 0, (int)first);
        assert_memory_not_equal(&plain[0][first], &turned[0][first],
                                (FRAMES - first) * sizeof plain[0][0]);
        smitin_session_free(session);
    }
    smitin_knob_free(knob);
}

static void refusals(void **state)
{
    (void)state;
    smitin_session *session = NULL;
    smitin_session_options options = long_options(100, (smitin_long)2);
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "long_method 2");
    options = long_options(100, SMITIN_LONG_WINDOW);
    options.stride = options.window;
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "leaves nothing");
    options.stride = 99.0;
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "within the window");
    static const double windows[] = {99.0, -1.0, 0.02, (double)NAN};
    for (int i = 0; i < 4; i++) {
        options = long_options(100, SMITIN_LONG_WINDOW);
        options.window = windows[i];
        ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                     "model's range");
    }
    options = long_options(100, SMITIN_LONG_WINDOW);
    options.seconds = 86401.0;
    ASSERT_FAILS(smitin_session_new(&session, engine, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "range");
    assert_null(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_the_references),
        cmocka_unit_test(short_pieces_are_one_window),
        cmocka_unit_test(rolling_hears_its_window),
        cmocka_unit_test(every_stride_works),
        cmocka_unit_test(long_prompts),
        cmocka_unit_test(pieces_are_single_runs),
        cmocka_unit_test(reads_cross_the_seams),
        cmocka_unit_test(memory_does_not_grow),
        cmocka_unit_test(the_trace_goes_on),
        cmocka_unit_test(knobs_work_behind_seams),
        cmocka_unit_test(refusals),
#if CHANNELS == 1
        cmocka_unit_test(windows_are_transformers),
#endif
    };
    return cmocka_run_group_tests(tests, open_tiny, close_tiny);
}

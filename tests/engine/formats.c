/* SPDX-License-Identifier: MIT */
/* The formats of weights and of keys and values through the public API: the same music for any
 * number of threads and pieces, less memory, and knobs that fit whatever format is loaded. */
#include "../common.h"

#include "format/knob_file.h"
#include "text/t5.h"

static smitin_error error;

static const smitin_format formats[] = {SMITIN_FORMAT_FILE, SMITIN_FORMAT_F32, SMITIN_FORMAT_F16,
                                        SMITIN_FORMAT_BF16, SMITIN_FORMAT_Q8,  SMITIN_FORMAT_Q4};
static const smitin_cache caches[] = {SMITIN_CACHE_F16, SMITIN_CACHE_F32, SMITIN_CACHE_Q8};
enum { FORMATS = 6, CACHES = 3, FRAMES = 30, CODES = 4 * FRAMES };

static smitin_engine *open_model(const char *path, smitin_format format, smitin_cache cache,
                                 int threads)
{
    smitin_engine *engine = NULL;
    smitin_engine_options options = smitin_engine_defaults();
    options.format = format;
    options.cache = cache;
    options.threads = threads;
    ASSERT_OK(smitin_engine_open(&engine, path, &options, &error));
    return engine;
}

static smitin_engine *open_as(smitin_format format, smitin_cache cache, int threads)
{
    return open_model(TINY_MODEL, format, cache, threads);
}

static smitin_model_info info_of(const smitin_engine *engine)
{
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    return info;
}

/* Codes of `pieces` pieces [pieces, CODES], greedy, after text and a prompt; steered when there is
 * a knob. */
static void play(const smitin_engine *engine, int pieces, const smitin_knob *knob, double alpha,
                 int32_t *codes)
{
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = FRAMES / info_of(engine).frame_rate;
    options.pieces = pieces;
    options.temperature = 0.0;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, "slow drums", &error));
    const int32_t prompt[4 * 5] = {1, 2, 3, 4, 5, 9, 8, 7, 6, 5, 1, 3, 5, 7, 9, 2, 4, 6, 8, 10};
    ASSERT_OK(smitin_session_set_codes(session, SMITIN_ALL_PIECES, prompt, 5, &error));
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = alpha;
    if (knob != NULL) ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    for (int i = 0; i < pieces; i++) {
        const int32_t *made = NULL;
        size_t frames = 0, stride = 0;
        ASSERT_OK(smitin_session_codes(session, i, &made, &frames, &stride, &error));
        assert_true(frames == FRAMES && stride == FRAMES);
        memcpy(codes + i * CODES, made, CODES * sizeof *codes);
    }
    smitin_session_free(session);
}

static bool same(const int32_t *a, const int32_t *b)
{
    return memcmp(a, b, CODES * sizeof *a) == 0;
}

static void greedy_is_the_same_for_threads_and_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS * CACHES; i++) {
        int32_t alone[CODES], together[3 * CODES];
        smitin_engine *one = open_as(formats[i / CACHES], caches[i % CACHES], 1),
                      *three = open_as(formats[i / CACHES], caches[i % CACHES], 3);
        play(one, 1, NULL, 0.0, alone);
        play(three, 3, NULL, 0.0, together);
        for (int piece = 0; piece < 3; piece++) {
            if (!same(alone, together + piece * CODES))
                fail_msg("format %d, cache %d: piece %d of three differs", formats[i / CACHES],
                         caches[i % CACHES], piece);
        }
        smitin_engine_free(one);
        smitin_engine_free(three);
    }
}

/* A melody stands in front of the columns and is fed in passes of its own. */
static void melodies_are_the_same_for_threads_and_pieces(void **state)
{
    (void)state;
    static float tune[4000];
    for (int i = 0; i < 4000; i++) tune[i] = (float)sin(0.2 * i + 1e-5 * i * i);
    for (int i = 0; i < FORMATS; i++) {
        int32_t codes[4][CODES];
        for (int many = 0; many < 2; many++) {
            smitin_engine *engine =
                open_model(TINY_MODEL "/../melody", formats[i], caches[i % CACHES], many ? 3 : 1);
            smitin_session *session = NULL;
            smitin_session_options options = smitin_session_defaults();
            options.seconds = FRAMES / info_of(engine).frame_rate;
            options.pieces = many ? 3 : 1;
            options.temperature = 0.0;
            ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
            ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, "slow drums", &error));
            ASSERT_OK(smitin_session_set_melody(session, SMITIN_ALL_PIECES, tune, 4000, &error));
            ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
            for (int piece = 0; piece < options.pieces; piece++) {
                const int32_t *made = NULL;
                size_t frames = 0, stride = 0;
                ASSERT_OK(smitin_session_codes(session, piece, &made, &frames, &stride, &error));
                assert_true(frames == FRAMES && stride == FRAMES);
                memcpy(codes[many + piece], made, sizeof codes[0]);
            }
            smitin_session_free(session);
            smitin_engine_free(engine);
        }
        for (int piece = 1; piece < 4; piece++) assert_true(same(codes[0], codes[piece]));
    }
}

/* The file is f16, so that f32 engines of it, f16 ones and those as the file are one; 4 bits are
 * another model. */
static void what_loses_nothing_plays_the_same(void **state)
{
    (void)state;
    int32_t exact[CODES], codes[CODES];
    for (int i = 0; i < FORMATS; i++) {
        smitin_engine *engine = open_as(formats[i], SMITIN_CACHE_F32, 2);
        play(engine, 1, NULL, 0.0, i == 0 ? exact : codes);
        if (formats[i] == SMITIN_FORMAT_F32 || formats[i] == SMITIN_FORMAT_F16)
            assert_true(same(codes, exact));
        if (formats[i] == SMITIN_FORMAT_Q4) assert_false(same(codes, exact));
        smitin_engine_free(engine);
    }
}

static void memory_drops(void **state)
{
    (void)state;
    uint64_t bytes[FORMATS];
    for (int i = 0; i < FORMATS; i++) {
        smitin_engine *engine = open_as(formats[i], SMITIN_CACHE_F16, 2);
        const smitin_model_info info = info_of(engine);
        bytes[i] = info.memory_bytes;
        /* The tiny model has more codec, vectors and tables than linear layers. */
        assert_in_range(info.memory_bytes, info.parameters, 5 * info.parameters);
        assert_true(info.step_bytes > 0 && info.step_bytes < info.memory_bytes);
        smitin_engine_free(engine);
    }
    /* f32, as the file (the codec is f32 with it), f16; bf16 tables stay the file's f16 */
    assert_true(bytes[1] > bytes[0] && bytes[0] > bytes[2]);
    assert_int_equal(bytes[2], bytes[3]);
    assert_true(bytes[2] > bytes[4] && bytes[4] > bytes[5]);
}

/* A knob for the model as it is, each head pushed along one axis. */
static smitin_knob *make_knob(void)
{
    static const char path[] = "formats-test.knob.safetensors";
    smitin_engine *engine = open_as(SMITIN_FORMAT_F32, SMITIN_CACHE_F32, 1);
    const smitin_model_info info = info_of(engine);
    smitin_engine_free(engine);
    sm_knob_data *data = NULL;
    smitin_knob *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&data, info.layers, info.heads, info.head_size, &error));
    for (int i = 0; i < info.layers * info.heads; i++) {
        data->direction[i * info.head_size + i % info.head_size] = 1.0f;
        data->mean_shift[i * info.head_size + i % info.head_size] = 1.0f;
        data->weight_norm[i] = 2.0f;
        data->sigma[i] = data->sigma_mean[i] = 0.5f;
        data->accuracy_train[i] = data->accuracy_test[i] = 0.6f + 0.02f * (float)i;
    }
    snprintf(data->meta.trait, sizeof data->meta.trait, "test");
    snprintf(data->meta.model, sizeof data->meta.model, "tiny");
    snprintf(data->meta.fingerprint, sizeof data->meta.fingerprint, "%s", info.fingerprint);
    snprintf(data->meta.site, sizeof data->meta.site, "self_attn.z");
    data->meta.train_count = data->meta.test_count = 10;
    data->meta.default_alpha = 5.0;
    data->meta.max_alpha = 20.0;
    ASSERT_OK(sm_knob_data_write(data, path, &error));
    sm_knob_data_free(data);
    ASSERT_OK(smitin_knob_load(&knob, path, &error));
    remove(path);
    return knob;
}

static void a_knob_fits_every_format_and_zero_is_nothing(void **state)
{
    (void)state;
    smitin_knob *knob = make_knob();
    for (int i = 0; i < FORMATS * CACHES; i++) {
        int32_t plain[CODES], zero[CODES], pushed[CODES];
        smitin_engine *engine = open_as(formats[i / CACHES], caches[i % CACHES], 2);
        play(engine, 1, NULL, 0.0, plain);
        play(engine, 1, knob, 0.0, zero);
        play(engine, 1, knob, 20.0, pushed);
        assert_true(same(plain, zero));
        assert_false(same(plain, pushed));
        smitin_engine_free(engine);
    }
    smitin_knob_free(knob);
}

static void a_cache_follows_its_weights(void **state)
{
    (void)state;
    static const struct {
        smitin_format weights;
        smitin_cache asked, kept;
    } cases[] = {
        {SMITIN_FORMAT_FILE, SMITIN_CACHE_AUTO, SMITIN_CACHE_F16},
        {SMITIN_FORMAT_F32, SMITIN_CACHE_AUTO, SMITIN_CACHE_F16},
        {SMITIN_FORMAT_BF16, SMITIN_CACHE_AUTO, SMITIN_CACHE_F16},
        {SMITIN_FORMAT_Q8, SMITIN_CACHE_AUTO, SMITIN_CACHE_Q8},
        {SMITIN_FORMAT_Q4, SMITIN_CACHE_AUTO, SMITIN_CACHE_Q8},
        {SMITIN_FORMAT_Q4, SMITIN_CACHE_F16, SMITIN_CACHE_F16},
        {SMITIN_FORMAT_F32, SMITIN_CACHE_Q8, SMITIN_CACHE_Q8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        smitin_engine *engine = open_as(cases[i].weights, cases[i].asked, 1);
        assert_int_equal(info_of(engine).cache, cases[i].kept);
        smitin_engine_free(engine);
    }
}

static void formats_out_of_range_are_refused(void **state)
{
    (void)state;
    smitin_engine *engine = NULL;
    smitin_engine_options options = smitin_engine_defaults();
    options.format = (smitin_format)6;
    ASSERT_FAILS(smitin_engine_open(&engine, TINY_MODEL, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "weight format 6");
    options = smitin_engine_defaults();
    options.cache = (smitin_cache)-1;
    ASSERT_FAILS(smitin_engine_open(&engine, TINY_MODEL, &options, &error), SMITIN_ERROR_ARGUMENT,
                 "cache format -1");
    assert_null(engine);
}

/* ---- Token ids, and engines without a file ---- */

static void tokens_are_the_text_they_spell(void **state)
{
    (void)state;
    int32_t ids[16], codes[2][CODES];
    int count = 0;
    sm_tokenizer *tokenizer = NULL;
    ASSERT_OK(sm_tokenizer_open(&tokenizer, TINY_MODEL "/spiece.model", &error));
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "slow drums", ids, 16, &count, &error));
    sm_tokenizer_free(tokenizer);
    assert_true(count > 1);
    smitin_engine *engine = open_as(SMITIN_FORMAT_FILE, SMITIN_CACHE_F16, 1);
    smitin_session_options options = smitin_session_defaults();
    options.seconds = FRAMES / info_of(engine).frame_rate;
    options.max_text = count;
    for (int i = 0; i < 2; i++) {
        smitin_session *session = NULL;
        const int32_t *made = NULL;
        size_t frames = 0, stride = 0;
        ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
        if (i == 0) {
            ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, "slow drums", &error));
        } else { /* without the end mark */
            ASSERT_OK(smitin_session_set_tokens(session, 0, ids, (size_t)count - 1, &error));
            ASSERT_FAILS(smitin_session_set_tokens(session, 0, ids, (size_t)count, &error),
                         SMITIN_ERROR_ARGUMENT, "max_text");
            ASSERT_FAILS(smitin_session_set_tokens(session, 0, NULL, 1, &error),
                         SMITIN_ERROR_ARGUMENT, "no tokens");
            ids[0] = 1 << 20;
            ASSERT_FAILS(smitin_session_set_tokens(session, 0, ids, 1, &error),
                         SMITIN_ERROR_ARGUMENT, "knows 0 to");
        }
        ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
        ASSERT_OK(smitin_session_codes(session, 0, &made, &frames, &stride, &error));
        memcpy(codes[i], made, sizeof codes[i]);
        smitin_session_free(session);
    }
    assert_true(same(codes[0], codes[1]));
    smitin_engine_free(engine);
}

/* A published shape takes a gigabyte: "smitin bench --shape" and the rooms' tests fill one. */
static void unknown_shapes_are_refused(void **state)
{
    (void)state;
    smitin_engine *engine = NULL;
    ASSERT_FAILS(smitin_engine_random(&engine, "musicgen-huge", NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "musicgen-huge");
    ASSERT_FAILS(smitin_engine_random(&engine, NULL, NULL, &error), SMITIN_ERROR_ARGUMENT, "shape");
    assert_null(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_is_the_same_for_threads_and_pieces),
        cmocka_unit_test(melodies_are_the_same_for_threads_and_pieces),
        cmocka_unit_test(what_loses_nothing_plays_the_same),
        cmocka_unit_test(memory_drops),
        cmocka_unit_test(a_knob_fits_every_format_and_zero_is_nothing),
        cmocka_unit_test(a_cache_follows_its_weights),
        cmocka_unit_test(formats_out_of_range_are_refused),
        cmocka_unit_test(tokens_are_the_text_they_spell),
        cmocka_unit_test(unknown_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

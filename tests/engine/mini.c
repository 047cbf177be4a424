/* SPDX-License-Identifier: MIT */
/* The default model against transformers: codes with a text and without, how likely it finds
 * others, the codec both ways, every shipped knob. tests/golden/make_mini.py makes the golden file
 * anew when the weights change. */
#include "../common.h"

#include "../../src/format/safetensors.h"

static smitin_error error;
static sm_safetensors *golden;
static smitin_engine *engine;
static smitin_model_info info;

static int open_all(void **state)
{
    (void)state;
    smitin_engine_options options = smitin_engine_defaults();
    options.format = SMITIN_FORMAT_F32; /* as transformers computes */
    options.cache = SMITIN_CACHE_F32;
    options.threads = 1;
    ASSERT_OK(sm_safetensors_open(&golden, GOLDEN "/mini.safetensors", &error));
    ASSERT_OK(smitin_engine_open(&engine, MINI, &options, &error));
    smitin_engine_info(engine, &info);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    smitin_engine_free(engine);
    sm_safetensors_close(golden);
    return 0;
}

static const sm_tensor *tensor_of(const char *name)
{
    const sm_tensor *tensor = sm_safetensors_find(golden, name);
    if (tensor == NULL) fail_msg("no golden tensor %s", name);
    return tensor;
}

static float *floats_of(const char *name, size_t *count)
{
    const sm_tensor *tensor = tensor_of(name);
    float *values = malloc(tensor->count * sizeof *values);
    assert_non_null(values);
    ASSERT_OK(sm_tensor_to_f32(tensor, 0, tensor->count, values, &error));
    *count = tensor->count;
    return values;
}

/* Expected codes [K, frames]. */
static int32_t *codes_of(const char *name, size_t *frames)
{
    const sm_tensor *tensor = tensor_of(name);
    assert_int_equal(tensor->dtype, SM_I32);
    int32_t *codes = malloc(tensor->count * sizeof *codes);
    assert_non_null(codes);
    memcpy(codes, tensor->data, tensor->count * sizeof *codes);
    *frames = tensor->count / (size_t)info.codebooks;
    assert_true(*frames >= 50); /* the script cuts at near-ties; a second must remain */
    return codes;
}

static void check_codes(const char *name, const char *text)
{
    size_t frames = 0, made = 0, stride = 0;
    int32_t *expected = codes_of(name, &frames);
    const int32_t *codes = NULL;
    smitin_session *session = NULL;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = (double)frames / info.frame_rate;
    options.temperature = 0.0;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    if (text != NULL) ASSERT_OK(smitin_session_set_text(session, 0, text, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &made, &stride, &error));
    assert_int_equal(made, frames);
    for (size_t k = 0; k < (size_t)info.codebooks; k++)
        for (size_t t = 0; t < frames; t++)
            if (codes[k * stride + t] != expected[k * frames + t])
                fail_msg("%s: codebook %zu, frame %zu: %d, expected %d", name, k, t,
                         codes[k * stride + t], expected[k * frames + t]);
    smitin_session_free(session);
    free(expected);
}

static void text_gives_the_reference_codes(void **state)
{
    (void)state;
    check_codes("guided", "fast rock with guitar, bass and drums");
}

static void no_text_gives_the_reference_codes(void **state)
{
    (void)state;
    check_codes("free", NULL);
}

static void the_codec_hears_what_the_reference_hears(void **state)
{
    (void)state;
    size_t count = 0, frames = 0;
    float *samples = floats_of("samples", &count);
    int32_t *expected = codes_of("codes", &frames), *codes = calloc(4 * frames, sizeof *codes);
    assert_non_null(codes);
    ASSERT_OK(smitin_engine_encode(engine, samples, count, codes, 4 * frames, &error));
    assert_memory_equal(codes, expected, (size_t)info.codebooks * frames * sizeof *codes);
    free(samples);
    free(expected);
    free(codes);
}

static void the_codec_plays_what_the_reference_plays(void **state)
{
    (void)state;
    size_t count = 0, frames = 0;
    float *expected = floats_of("sound", &count), *samples = calloc(count, sizeof *samples);
    int32_t *codes = codes_of("guided", &frames), *first = calloc(4 * 50, sizeof *first);
    assert_true(samples != NULL && first != NULL);
    for (size_t k = 0; k < 4; k++) memcpy(first + k * 50, codes + k * frames, 50 * sizeof *first);
    ASSERT_OK(smitin_engine_decode(engine, first, 50, samples, count, &error));
    for (size_t i = 0; i < count; i++)
        ASSERT_NEAR(samples[i], expected[i], 1e-4); /* f32 sums in another order */
    free(samples);
    free(expected);
    free(codes);
    free(first);
}

/* Mean cross-entropy of each codebook in nats, of codes that the model has not made. */
static void check_entropy(const char *name, const char *text)
{
    const size_t K = (size_t)info.codebooks, V = (size_t)info.codebook_size;
    size_t frames = 0, books = 0;
    int32_t *codes = codes_of("codes", &frames);
    float *expected = floats_of(name, &books), *logits = calloc(frames * K * V, sizeof *logits);
    assert_true(books == K && logits != NULL);
    ASSERT_OK(smitin_engine_logits(engine, codes, 1, frames, text, logits, &error));
    for (size_t k = 0; k < K; k++) {
        double total = 0.0;
        for (size_t t = 0; t < frames; t++) {
            const float *at = logits + (t * K + k) * V;
            double sum = 0.0;
            for (size_t i = 0; i < V; i++) sum += exp((double)at[i]);
            total += log(sum) - (double)at[codes[k * frames + t]];
        }
        /* f32 sums in another order: logits of some 10 are off by 1e-5 at most. */
        ASSERT_NEAR(total / (double)frames, expected[k], 2e-5);
    }
    free(codes);
    free(expected);
    free(logits);
}

static void music_is_as_likely_as_the_reference_finds_it(void **state)
{
    (void)state;
    check_entropy("entropy_free", NULL);
    check_entropy("entropy_guided", "fast rock with guitar, bass and drums");
}

/* Loads, fits the model, and is worth turning. */
static void the_shipped_knobs_fit(void **state)
{
    (void)state;
    static const char *const names[] = {"drums", "bass", "guitar", "piano"};
    smitin_session *session = NULL;
    smitin_knob *knobs[4] = {NULL};
    smitin_session_options options = smitin_session_defaults();
    options.seconds = 0.2;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    for (int i = 0; i < 4; i++) {
        char path[1024];
        smitin_knob_info about;
        smitin_steering steering = smitin_steering_defaults();
        snprintf(path, sizeof path, MINI "/knobs/%s.knob.safetensors", names[i]);
        ASSERT_OK(smitin_knob_load(&knobs[i], path, &error));
        smitin_knob_describe(knobs[i], &about);
        assert_string_equal(about.trait, names[i]);
        assert_true(about.max_alpha > about.default_alpha && about.default_alpha > 0.0);
        steering.alpha = about.default_alpha;
        ASSERT_OK(smitin_session_add_knob(session, knobs[i], &steering, &error));
    }
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    smitin_session_free(session);
    for (int i = 0; i < 4; i++) smitin_knob_free(knobs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_gives_the_reference_codes),
        cmocka_unit_test(no_text_gives_the_reference_codes),
        cmocka_unit_test(the_codec_hears_what_the_reference_hears),
        cmocka_unit_test(the_codec_plays_what_the_reference_plays),
        cmocka_unit_test(music_is_as_likely_as_the_reference_finds_it),
        cmocka_unit_test(the_shipped_knobs_fit),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

/* SPDX-License-Identifier: MIT */
/* The codec's weights in every spelling they come in, and the codecs that are refused. */
#include <unistd.h>

#include "fixture.h"

enum { MOST = 400 };

typedef struct copy {
    sm_tensor_out tensors[MOST];
    char names[MOST][128];
    size_t count;
    float *owned[MOST];
} copy;

static void copy_open(copy *c, const sm_safetensors *file)
{
    smitin_error error;
    c->count = 0;
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        const sm_tensor *t = sm_safetensors_at(file, i);
        if (strncmp(t->name, "audio_encoder.", 14) != 0) continue;
        assert_true(c->count < MOST);
        const size_t at = c->count++;
        snprintf(c->names[at], sizeof c->names[at], "%s", t->name);
        c->owned[at] = floats(t->count);
        ASSERT_OK(sm_tensor_to_f32(t, 0, t->count, c->owned[at], &error));
        c->tensors[at] = (sm_tensor_out){
            .name = c->names[at], .dtype = SM_F32, .dims = t->dims, .data = c->owned[at]};
        memcpy(c->tensors[at].shape, t->shape, sizeof t->shape);
    }
}

static void copy_free(copy *c)
{
    for (size_t i = 0; i < c->count; i++) free(c->owned[i]);
}

/* In the name of tensor `at`, the ending `from` becomes `to`; whether it had that ending. */
static bool rename_ending(copy *c, size_t at, const char *from, const char *to)
{
    char *end = strstr(c->names[at], from);
    if (end == NULL || end[strlen(from)] != '\0') return false;
    snprintf(end, sizeof c->names[at] - (size_t)(end - c->names[at]), "%s", to);
    return true;
}

/* parametrizations.weight.original0/1 -> weight_g, weight_v */
static void older_names(copy *c)
{
    int renamed = 0;
    for (size_t i = 0; i < c->count; i++) {
        renamed += rename_ending(c, i, "parametrizations.weight.original0", "weight_g");
        renamed += rename_ending(c, i, "parametrizations.weight.original1", "weight_v");
    }
    assert_true(renamed > 40);
}

/* "audio_encoder.X" -> "X" */
static void bare_names(copy *c)
{
    for (size_t i = 0; i < c->count; i++)
        memmove(c->names[i], c->names[i] + 14, strlen(c->names[i] + 14) + 1);
}

/* g v / |v| over all but dimension 0, written as a plain weight in place of v. The magnitude stays
 * under a name that nobody reads. */
static void folded(copy *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!rename_ending(c, i, "parametrizations.weight.original1", "weight")) continue;
        const size_t stem = strlen(c->names[i]) - strlen("weight");
        size_t g = 0;
        while (strncmp(c->names[g], c->names[i], stem) != 0 ||
               strstr(c->names[g], "original0") == NULL)
            g++;
        const int64_t *shape = c->tensors[i].shape;
        const size_t columns = (size_t)(shape[1] * shape[2]);
        for (size_t r = 0; r < (size_t)shape[0]; r++) {
            double sum = 0.0;
            float *row = c->owned[i] + r * columns;
            for (size_t j = 0; j < columns; j++) sum += (double)row[j] * (double)row[j];
            for (size_t j = 0; j < columns; j++)
                row[j] = (float)((double)row[j] * ((double)c->owned[g][r] / sqrt(sum)));
        }
        assert_true(rename_ending(c, g, "original0", "unused"));
    }
}

/* Bind a codec from the copy. The arena is the caller's to free. */
static smitin_status bind(const copy *c, const sm_codec_config *config, sm_codec **codec,
                          sm_arena **arena, smitin_error *error)
{
    char path[] = "/tmp/smitin-codec-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    sm_safetensors *file = NULL;
    sm_binder binder;
    smitin_status status;
    *arena = sm_arena_new();
    SM_TRY_OR(sm_safetensors_write(path, c->tensors, c->count, NULL, 0, error), status, done);
    SM_TRY_OR(sm_safetensors_open(&file, path, error), status, done);
    sm_binder_init(&binder, file, *arena);
    SM_TRY_OR(sm_codec_new(codec, config, &binder, error), status, done);
    status = sm_binder_finish(&binder, path, error);
done:
    sm_safetensors_close(file);
    remove(path);
    return status;
}

static void every_spelling_gives_the_same_codec(void **context)
{
    (void)context;
    static copy c;
    void (*const change[3])(copy *) = {older_names, bare_names, folded};
    fixture f;
    smitin_error error;
    fixture_open(&f, 2);
    float *samples = golden_copy(&f, "samples", 1013);
    result expected = both_ways(&f, f.codec, samples, 1013);
    for (int i = 0; i < 3; i++) {
        sm_codec *codec = NULL;
        sm_arena *arena = NULL;
        copy_open(&c, f.file);
        change[i](&c);
        ASSERT_OK(bind(&c, &f.config.codec, &codec, &arena, &error));
        result found = both_ways(&f, codec, samples, 1013);
        const size_t hidden = (size_t)f.config.codec.hidden, hop = (size_t)f.config.codec.hop;
        assert_memory_equal(found.latents, expected.latents, found.frames * hidden * sizeof(float));
        assert_memory_equal(found.audio, expected.audio, found.frames * hop * sizeof(float));
        result_free(&found);
        sm_arena_free(arena);
        copy_free(&c);
    }
    result_free(&expected);
    free(samples);
    fixture_close(&f);
}

/* A 1x1 convolution with the unit matrix on the shortcut is the identity that this codec has
 * anyway. */
static void a_unit_shortcut_changes_nothing(void **context)
{
    (void)context;
    static copy c;
    fixture f;
    smitin_error error;
    sm_codec *codec = NULL;
    sm_arena *arena = NULL;
    fixture_open(&f, 2);
    copy_open(&c, f.file);
    const size_t count = c.count;
    for (size_t i = 0; i < count; i++) {
        if (strstr(c.names[i], "block.3.conv.bias") == NULL) continue;
        const int stem = (int)(strstr(c.names[i], "block.3") - c.names[i]);
        const int64_t d = c.tensors[i].shape[0];
        assert_true(c.count + 2 <= MOST);
        snprintf(c.names[c.count], sizeof c.names[0], "%.*sshortcut.conv.weight", stem, c.names[i]);
        snprintf(c.names[c.count + 1], sizeof c.names[0], "%.*sshortcut.conv.bias", stem,
                 c.names[i]);
        float *unit = c.owned[c.count] = floats((size_t)(d * d));
        for (int64_t j = 0; j < d; j++) unit[j * d + j] = 1.0f;
        c.tensors[c.count] = (sm_tensor_out){c.names[c.count], SM_F32, 3, {d, d, 1}, unit};
        c.owned[c.count + 1] = floats((size_t)d);
        c.tensors[c.count + 1] =
            (sm_tensor_out){c.names[c.count + 1], SM_F32, 1, {d}, c.owned[c.count + 1]};
        c.count += 2;
    }
    assert_int_equal(c.count, count + 24); /* 2 halves of 3 stages of 2 blocks */
    sm_codec_config config = f.config.codec;
    config.conv_shortcut = true;
    ASSERT_OK(bind(&c, &config, &codec, &arena, &error));
    float *samples = golden_copy(&f, "samples", 1013);
    result expected = both_ways(&f, f.codec, samples, 1013),
           found = both_ways(&f, codec, samples, 1013);
    const size_t hop = (size_t)config.hop;
    assert_memory_equal(found.codes, expected.codes,
                        found.frames * (size_t)config.codebooks * sizeof(int32_t));
    /* 1 * x + 0 * y + 0 is x to the bit, in any order. */
    assert_memory_equal(found.audio, expected.audio, found.frames * hop * sizeof(float));
    result_free(&expected);
    result_free(&found);
    free(samples);
    sm_arena_free(arena);
    copy_free(&c);
    fixture_close(&f);
}

static void a_missing_lstm_tensor_is_named(void **context)
{
    (void)context;
    static copy c;
    fixture f;
    smitin_error error;
    sm_codec *codec = NULL;
    sm_arena *arena = NULL;
    fixture_open(&f, 1);
    copy_open(&c, f.file);
    int renamed = 0;
    for (size_t i = 0; i < c.count; i++)
        renamed += rename_ending(&c, i, "lstm.weight_hh_l1", "lstm.gone");
    assert_int_equal(renamed, 2);
    ASSERT_FAILS(bind(&c, &f.config.codec, &codec, &arena, &error), SMITIN_ERROR_MODEL,
                 "lstm.weight_hh_l1");
    sm_arena_free(arena);
    copy_free(&c);
    fixture_close(&f);
}

static void an_empty_direction_is_refused(void **context)
{
    (void)context;
    static copy c;
    fixture f;
    smitin_error error;
    sm_codec *codec = NULL;
    sm_arena *arena = NULL;
    fixture_open(&f, 1);
    copy_open(&c, f.file);
    size_t at = 0;
    while (strstr(c.names[at], "decoder.layers.0.conv.parametrizations.weight.original1") == NULL)
        at++;
    const size_t columns = (size_t)(c.tensors[at].shape[1] * c.tensors[at].shape[2]);
    memset(c.owned[at] + 3 * columns, 0, columns * sizeof(float));
    ASSERT_FAILS(bind(&c, &f.config.codec, &codec, &arena, &error), SMITIN_ERROR_MODEL,
                 "empty direction in row 3");
    sm_arena_free(arena);
    copy_free(&c);
    fixture_close(&f);
}

/* Weights of the file, or random ones. */
static void begin_binder(sm_binder *binder, const fixture *f, bool random, sm_arena *arena)
{
    if (random)
        sm_binder_init_random(binder, arena);
    else
        sm_binder_init(binder, f->file, arena);
    binder->format = SM_FORMAT_F16;
}

/* An encoder that is bound later hears what one hears that is bound with the decoder. */
static void an_encoder_that_comes_later_is_the_same(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    fixture_open(&f, 2);
    float *samples = golden_copy(&f, "samples", 1013);
    for (int random = 0; random < 2; random++) {
        sm_binder binders[2], later;
        sm_codec *codecs[2] = {NULL, NULL};
        sm_arena *arenas[3];
        for (int i = 0; i < 3; i++) assert_non_null(arenas[i] = sm_arena_new());
        for (int i = 0; i < 2; i++) begin_binder(&binders[i], &f, random == 1, arenas[i]);
        begin_binder(&later, &f, random == 1, arenas[2]);
        ASSERT_OK(sm_codec_new(&codecs[0], &f.config.codec, &binders[0], &error));
        ASSERT_OK(sm_codec_new_decoder(&codecs[1], &f.config.codec, &binders[1], &error));
        for (int i = 0; i < 2; i++) ASSERT_OK(sm_binder_finish(&binders[i], "the codec", &error));
        assert_int_equal(binders[0].parameters, binders[1].parameters);
        assert_true(sm_arena_bytes(arenas[1]) < sm_arena_bytes(arenas[0]));
        assert_int_equal(sm_codec_scratch(codecs[0], 9), sm_codec_scratch(codecs[1], 9));
        for (int again = 0; again < 2; again++) sm_codec_bind_encoder(codecs[1], &later);
        ASSERT_OK(sm_binder_finish(&later, "the encoder", &error));
        result whole = both_ways(&f, codecs[0], samples, 1013);
        result halves = both_ways(&f, codecs[1], samples, 1013);
        assert_memory_equal(whole.latents, halves.latents,
                            whole.frames * (size_t)f.config.codec.hidden * sizeof(float));
        assert_memory_equal(whole.audio, halves.audio,
                            whole.frames * (size_t)f.config.codec.hop * sizeof(float));
        result_free(&whole);
        result_free(&halves);
        for (int i = 0; i < 3; i++) sm_arena_free(arenas[i]);
    }
    free(samples);
    fixture_close(&f);
}

static void other_codecs_are_refused(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    sm_binder binder;
    sm_codec *codec = NULL;
    fixture_open(&f, 1);
    sm_binder_init(&binder, f.file, f.arena);
    sm_codec_config config = f.config.codec;
    config.causal = true;
    ASSERT_FAILS(sm_codec_new(&codec, &config, &binder, &error), SMITIN_ERROR_MODEL, "causal");
    config = f.config.codec;
    config.channels = 2;
    ASSERT_FAILS(sm_codec_new(&codec, &config, &binder, &error), SMITIN_ERROR_MODEL,
                 "2 audio channels");
    config = f.config.codec;
    config.lstm_layers = 0;
    ASSERT_FAILS(sm_codec_new(&codec, &config, &binder, &error), SMITIN_ERROR_MODEL,
                 "num_lstm_layers");
    /* A shortcut where the file has none. */
    config = f.config.codec;
    config.conv_shortcut = true;
    ASSERT_OK(sm_codec_new(&codec, &config, &binder, &error));
    ASSERT_FAILS(sm_binder_finish(&binder, "x", &error), SMITIN_ERROR_MODEL,
                 "encoder.layers.1.shortcut.conv");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_gives_the_same_codec),
        cmocka_unit_test(a_unit_shortcut_changes_nothing),
        cmocka_unit_test(a_missing_lstm_tensor_is_named),
        cmocka_unit_test(an_empty_direction_is_refused),
        cmocka_unit_test(an_encoder_that_comes_later_is_the_same),
        cmocka_unit_test(other_codecs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Binding and fingerprint: what is missing is said, and what a fingerprint depends on. */
#include <unistd.h>

#include "fixture.h"

enum { MOST = 400 };

/* The tiny model in memory, to be changed before it is written anew. */
typedef struct copy {
    sm_tensor_out tensors[MOST];
    size_t count;
    float *owned[MOST]; /* f32 data of each tensor */
} copy;

/* All tensors as f32 (or again as f16 bytes when `halves`). */
static void copy_open(copy *c, const sm_safetensors *file, bool halves)
{
    smitin_error error;
    c->count = sm_safetensors_count(file);
    assert_true(c->count <= MOST);
    for (size_t i = 0; i < c->count; i++) {
        const sm_tensor *t = sm_safetensors_at(file, i);
        c->owned[i] = floats(t->count);
        ASSERT_OK(sm_tensor_to_f32(t, 0, t->count, c->owned[i], &error));
        c->tensors[i] = (sm_tensor_out){.name = t->name,
                                        .dtype = halves ? t->dtype : SM_F32,
                                        .dims = t->dims,
                                        .data = c->owned[i]};
        if (halves) c->tensors[i].data = t->data;
        memcpy(c->tensors[i].shape, t->shape, sizeof t->shape);
    }
}

static size_t copy_find(const copy *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->tensors[i].name, name) == 0) return i;
    }
    fail_msg("no tensor %s", name);
    return 0;
}

static void copy_free(copy *c)
{
    for (size_t i = 0; i < c->count; i++) free(c->owned[i]);
}

/* Write the copy, bind the decoder from it, take its fingerprint. */
static smitin_status bind(const copy *c, const fixture *f, int text_hidden, char hex[65],
                          smitin_error *error)
{
    char path[] = "/tmp/smitin-binding-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    sm_safetensors *file = NULL;
    sm_arena *arena = sm_arena_new();
    sm_binder binder;
    sm_lm *lm = NULL;
    smitin_status status;
    SM_TRY_OR(sm_safetensors_write(path, c->tensors, c->count, NULL, 0, error), status, done);
    SM_TRY_OR(sm_safetensors_open(&file, path, error), status, done);
    sm_binder_init(&binder, file, arena);
    SM_TRY_OR(sm_lm_new(&lm, &f->config.lm, text_hidden, &binder, error), status, done);
    SM_TRY_OR(sm_binder_finish(&binder, path, error), status, done);
    snprintf(hex, 65, "%s", sm_lm_fingerprint(lm));
done:
    sm_safetensors_close(file);
    sm_arena_free(arena);
    remove(path);
    return status;
}

static void fingerprint_is_of_the_values(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    char original[65], hex[65];
    static copy c;
    fixture_open(&f, 1);
    snprintf(original, sizeof original, "%s", sm_lm_fingerprint(f.lm));
    assert_int_equal(strlen(original), 64);

    copy_open(&c, f.file, false); /* an f32 file of the same model */
    ASSERT_OK(bind(&c, &f, f.config.text.hidden, hex, &error));
    assert_string_equal(hex, original);

    /* Below f16's resolution: the same model. One f16 step: another. */
    const size_t at = copy_find(&c, "decoder.model.decoder.layers.1.fc1.weight");
    const float value = c.owned[at][7];
    c.owned[at][7] = value * (1.0f + 1e-6f);
    ASSERT_OK(bind(&c, &f, f.config.text.hidden, hex, &error));
    assert_string_equal(hex, original);
    c.owned[at][7] = value * (1.0f + 2e-3f);
    ASSERT_OK(bind(&c, &f, f.config.text.hidden, hex, &error));
    assert_string_not_equal(hex, original);
    c.owned[at][7] = value;

    /* The codec and the text encoder are no part of it. */
    c.owned[copy_find(&c, "text_encoder.shared.weight")][0] += 1.0f;
    ASSERT_OK(bind(&c, &f, f.config.text.hidden, hex, &error));
    assert_string_equal(hex, original);
    copy_free(&c);
    fixture_close(&f);
}

static void missing_tensors_are_named(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    char hex[65];
    static copy c;
    fixture_open(&f, 1);
    copy_open(&c, f.file, true);
    c.tensors[copy_find(&c, "decoder.model.decoder.layers.2.self_attn.k_proj.weight")].name =
        "elsewhere";
    c.tensors[copy_find(&c, "decoder.lm_heads.3.weight")].shape[0] = 32;
    c.tensors[copy_find(&c, "decoder.lm_heads.3.weight")].shape[1] = 64;
    ASSERT_FAILS(bind(&c, &f, f.config.text.hidden, hex, &error), SMITIN_ERROR_MODEL,
                 "decoder.model.decoder.layers.2.self_attn.k_proj.weight");
    assert_non_null(strstr(error.message, "decoder.lm_heads.3.weight"));
    copy_free(&c);
    fixture_close(&f);
}

/* Text as wide as the decoder: the reference has no projection then, and none is asked for. */
static void projection_may_be_missing(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    char hex[65];
    static copy c;
    fixture_open(&f, 1);
    copy_open(&c, f.file, true);
    c.tensors[copy_find(&c, "enc_to_dec_proj.weight")].name = "elsewhere.weight";
    c.tensors[copy_find(&c, "enc_to_dec_proj.bias")].name = "elsewhere.bias";
    ASSERT_OK(bind(&c, &f, f.d, hex, &error));
    ASSERT_FAILS(bind(&c, &f, f.config.text.hidden, hex, &error), SMITIN_ERROR_MODEL,
                 "enc_to_dec_proj.weight");
    copy_free(&c);
    fixture_close(&f);
}

static void silly_shapes_are_refused(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    fixture_open(&f, 1);
    sm_binder binder;
    sm_binder_init(&binder, f.file, f.arena);
    sm_lm_config config = f.config.lm;
    sm_lm *lm = f.lm;
    config.heads = 5;
    ASSERT_FAILS(sm_lm_new(&lm, &config, 24, &binder, &error), SMITIN_ERROR_MODEL,
                 "num_attention_heads 5");
    assert_null(lm);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprint_is_of_the_values),
        cmocka_unit_test(missing_tensors_are_named),
        cmocka_unit_test(projection_may_be_missing),
        cmocka_unit_test(silly_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

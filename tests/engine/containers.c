/* SPDX-License-Identifier: MIT */
/* One model from two containers: audiocraft's files beside a codec and a text encoder give the same
 * engine as model.safetensors, to the last code. */
#include "../format/helpers.h"

#include <unistd.h>
#include <sys/stat.h>

static smitin_error error;
static char folder[256];
static char made[16][256];
static int made_count;

static const char *make_path(const char *name)
{
    assert_true(made_count < 16);
    return scratch_path(made[made_count++], name);
}

static void make_link(const char *name, const char *target)
{
    assert_int_equal(symlink(target, make_path(name)), 0);
}

static int make_model(void **state)
{
    (void)state;
    scratch_path(folder, "");
    make_link("config.json", GOLDEN "/tiny/config.json");
    make_link("generation_config.json", GOLDEN "/tiny/generation_config.json");
    make_link("spiece.model", GOLDEN "/tiny/spiece.model");
    make_link("state_dict.bin", GOLDEN "/containers/audiocraft/state_dict.bin");
    make_link("compression_state_dict.bin",
              GOLDEN "/containers/pointer/compression_state_dict.bin");
    if (mkdir(make_path("encodec_32khz"), 0700) != 0) return 1;
    make_link("encodec_32khz/model.safetensors", GOLDEN "/tiny/model.safetensors");
    if (mkdir(make_path("t5-base"), 0700) != 0) return 1;
    make_link("t5-base/model.safetensors", GOLDEN "/tiny/model.safetensors");
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    while (made_count > 0) remove(made[--made_count]);
    return scratch_remove(state);
}

/* Codes [K, frames] of a short guided piece; the caller frees. */
static int32_t *play(const char *path, smitin_model_info *info, size_t *count)
{
    smitin_engine *engine = NULL;
    smitin_session *session = NULL;
    smitin_engine_options engine_options = smitin_engine_defaults();
    smitin_session_options options = smitin_session_defaults();
    engine_options.threads = 1;
    ASSERT_OK(smitin_engine_open(&engine, path, &engine_options, &error));
    smitin_engine_info(engine, info);
    options.seconds = 30 / info->frame_rate;
    options.seed = 7;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, 0, "slow drums", &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    *count = (size_t)info->codebooks * stride;
    int32_t *copy = malloc(*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, codes, *count * sizeof *copy);
    smitin_session_free(session);
    smitin_engine_free(engine);
    return copy;
}

static void same_music(void **state)
{
    (void)state;
    smitin_model_info plain, native;
    size_t plain_count, native_count;
    int32_t *a = play(GOLDEN "/tiny", &plain, &plain_count);
    int32_t *b = play(folder, &native, &native_count);
    assert_string_equal(plain.fingerprint, native.fingerprint);
    assert_int_equal(plain.parameters, native.parameters);
    assert_int_equal(plain_count, native_count);
    assert_memory_equal(a, b, plain_count * sizeof *a);
    free(a);
    free(b);
}

/* Without the text encoder the model is refused, and the message says what to fetch. */
static void incomplete(void **state)
{
    (void)state;
    char path[256];
    smitin_engine *engine = NULL;
    assert_int_equal(unlink(scratch_path(path, "t5-base/model.safetensors")), 0);
    ASSERT_FAILS(smitin_engine_open(&engine, folder, NULL, &error), SMITIN_ERROR_MODEL,
                 "the text encoder is wanted from it");
    assert_null(engine);
    /* A hostile file is a refusal of the model. */
    make_link("pytorch_model.bin", GOLDEN "/tiny/config.json");
    ASSERT_FAILS(smitin_engine_open(&engine, folder, NULL, &error), SMITIN_ERROR_MODEL,
                 "pytorch_model.bin' is not a sound PyTorch file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_music),
        cmocka_unit_test(incomplete),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}

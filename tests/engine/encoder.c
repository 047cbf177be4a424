/* SPDX-License-Identifier: MIT */
/* The codec's encoder comes when the first clip is heard: memory grows then and not again, many
 * threads may be the first, and other files than those of the model are refused. */
#include "../format/helpers.h"
#include "open.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLES = 3000, CODES = 4096, THREADS = 4 };

static smitin_error error;
static char folder[256], weights[256], config[256];
static float samples[SAMPLES];

static void copy_file(const char *from, const char *to)
{
    static char buffer[1 << 16];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static int make_model(void **state)
{
    (void)state;
    scratch_path(folder, "");
    scratch_path(config, "config.json");
    scratch_path(weights, "model.safetensors");
    copy_file(GOLDEN "/tiny/config.json", config);
    copy_file(GOLDEN "/tiny/model.safetensors", weights);
    for (int i = 0; i < SAMPLES; i++) samples[i] = 0.4f * sinf(0.07f * (float)i);
    return 0;
}

static uint64_t bytes_of(const smitin_engine *engine)
{
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    return info.memory_bytes;
}

static void comes_once(void **state)
{
    (void)state;
    static int32_t codes[2][CODES];
    smitin_engine *engine = open_engine(folder, 1);
    const uint64_t before = bytes_of(engine);
    ASSERT_OK(smitin_engine_encode(engine, samples, SAMPLES, codes[0], CODES, &error));
    const uint64_t after = bytes_of(engine);
    assert_true(after > before);
    ASSERT_OK(smitin_engine_encode(engine, samples, SAMPLES, codes[1], CODES, &error));
    assert_int_equal(bytes_of(engine), after);
    assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
    smitin_engine_free(engine);
}

typedef struct first_use {
    const smitin_engine *engine;
    int32_t codes[CODES];
    smitin_status status;
} first_use;

static void *use(void *context)
{
    first_use *u = context;
    smitin_error own;
    u->status = smitin_engine_encode(u->engine, samples, SAMPLES, u->codes, CODES, &own);
    return NULL;
}

static void many_are_first(void **state)
{
    (void)state;
    static first_use uses[THREADS];
    pthread_t threads[THREADS];
    smitin_engine *engine = open_engine(folder, 1);
    for (int i = 0; i < THREADS; i++) {
        uses[i].engine = engine;
        assert_int_equal(pthread_create(&threads[i], NULL, use, &uses[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(uses[i].status, SMITIN_OK);
        assert_memory_equal(uses[i].codes, uses[0].codes, sizeof uses[0].codes);
    }
    smitin_engine_free(engine);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static int32_t codes[CODES];
    smitin_engine *engine = open_engine(folder, 1);
    char kept[256];
    scratch_path(kept, "model.safetensors.kept");
    assert_int_equal(rename(weights, kept), 0);
    ASSERT_FAILS(smitin_engine_encode(engine, samples, SAMPLES, codes, CODES, &error),
                 SMITIN_ERROR_MODEL, "no weights");
    copy_file(kept, weights);
    ASSERT_FAILS(smitin_engine_encode(engine, samples, SAMPLES, codes, CODES, &error),
                 SMITIN_ERROR_MODEL, "not those it was loaded from");
    /* The very files are back: it is not too late. */
    assert_int_equal(rename(kept, weights), 0);
    ASSERT_OK(smitin_engine_encode(engine, samples, SAMPLES, codes, CODES, &error));
    smitin_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_once),
        cmocka_unit_test(many_are_first),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_model, scratch_remove);
}

/* SPDX-License-Identifier: MIT */
/* What a tiny model with random weights shows of clips: the outputs of its heads, and a codec's
 * latents. */
#include "open.h"

#include "engine/engine.h"
#include "format/safetensors.h"

#define MODEL TINY_MODEL

static smitin_error error;

static void test_heads(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 2);
    enum { CLIPS = 10, SAMPLES = 40 * 8 };
    static float clips[CLIPS * SAMPLES], together[CLIPS * 96], again[CLIPS * 96], alone[96];
    for (int i = 0; i < CLIPS * SAMPLES; i++)
        clips[i] = 0.4f * (float)sin(0.01 * i * (1 + i / SAMPLES));
    ASSERT_OK(smitin_engine_heads(engine, clips, CLIPS, SAMPLES, together, &error));
    for (int i = 0; i < CLIPS; i++) {
        ASSERT_OK(smitin_engine_heads(engine, clips + i * SAMPLES, 1, SAMPLES, alone, &error));
        assert_memory_equal(alone, together + i * 96, sizeof alone);
    }
    ASSERT_FAILS(smitin_engine_heads(engine, clips, 0, SAMPLES, together, &error),
                 SMITIN_ERROR_ARGUMENT, "one clip");
    ASSERT_OK(smitin_engine_mean_heads(engine, clips, CLIPS, SAMPLES, 1, again, &error));
    assert_memory_equal(again, together, sizeof again);
    ASSERT_FAILS(smitin_engine_mean_heads(engine, clips, 1, SAMPLES, 9, alone, &error),
                 SMITIN_ERROR_ARGUMENT, "last 9 steps");
    ASSERT_FAILS(smitin_engine_mean_heads(engine, clips, 1, SAMPLES, 0, alone, &error),
                 SMITIN_ERROR_ARGUMENT, "last 0 steps");
    smitin_engine_free(engine);
}

typedef struct columns_seen {
    double sum[96]; /* [L, H * D], of the last `wanted` columns */
    int wanted;
} columns_seen;

static bool see_all(void *user, const sm_tap_site *site)
{
    (void)user, (void)site;
    return true;
}

static void see_columns(void *user, const sm_tap_site *site, float *z)
{
    columns_seen *seen = user;
    for (int t = site->columns - seen->wanted; t < site->columns; t++)
        for (int i = 0; i < 32; i++) seen->sum[site->layer * 32 + i] += (double)z[t * 32 + i];
}

/* The mean of what the last columns show, from the model itself. */
static void test_mean_heads(void **state)
{
    (void)state;
    smitin_engine *engine = open_engine(MODEL, 1);
    enum { FRAMES = 8, SAMPLES = 40 * FRAMES, K = 4, WANTED = 5 };
    float clip[SAMPLES], z[96];
    int32_t codes[K * FRAMES], cells[K * (FRAMES + K)];
    for (int i = 0; i < SAMPLES; i++) clip[i] = 0.4f * (float)sin(0.02 * i + 1e-4 * i * i);
    ASSERT_OK(smitin_engine_mean_heads(engine, clip, 1, SAMPLES, WANTED, z, &error));

    ASSERT_OK(smitin_engine_encode(engine, clip, SAMPLES, codes, K * FRAMES, &error));
    sm_delay grid;
    sm_delay_init(&grid, FRAMES, K, 1, 64, cells);
    sm_delay_prompt(&grid, codes, FRAMES, FRAMES);
    sm_lm_state *lm = NULL;
    const sm_lm_state_options options = {.rows = 1,
                                         .max_columns = FRAMES + 1,
                                         .max_batch = FRAMES + 1,
                                         .cache = sm_engine_cache(engine)};
    ASSERT_OK(sm_lm_state_new(&lm, engine->lm, &options, &error));
    columns_seen seen = {.wanted = WANTED};
    const sm_tap tap = {.user = &seen, .wants = see_all, .visit = see_columns};
    sm_lm_forward(lm, engine->kernels, engine->pool, cells, FRAMES + 1, &tap, 1, NULL, NULL);
    /* Five floats of up to some units are added and divided: half a dozen roundings. */
    for (int i = 0; i < 96; i++) ASSERT_NEAR(z[i], seen.sum[i] / WANTED, 2e-6);
    sm_lm_state_free(lm);
    smitin_engine_free(engine);
}

/* A codec's latents: those of the reference (tests/golden/make_codec.py), and room that is too
 * small. */
static void test_latents(void **state)
{
    (void)state;
    enum { COUNT = 1013, FRAMES = 26, WIDTH = 16 };
    smitin_engine *engine = open_engine(MODEL, 2);
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    assert_int_equal(info.latent_size, WIDTH);
    sm_safetensors *golden = NULL;
    ASSERT_OK(sm_safetensors_open(&golden, MODEL "/codec_golden.safetensors", &error));
    float samples[COUNT], expected[FRAMES * WIDTH], latents[FRAMES * WIDTH];
    const sm_tensor *x = sm_safetensors_find(golden, "samples_1013"),
                    *y = sm_safetensors_find(golden, "latents_1013");
    assert_true(x != NULL && y != NULL);
    ASSERT_OK(sm_tensor_to_f32(x, 0, COUNT, samples, &error));
    ASSERT_OK(sm_tensor_to_f32(y, 0, FRAMES * WIDTH, expected, &error));
    ASSERT_OK(smitin_engine_latents(engine, samples, COUNT, latents, FRAMES * WIDTH, &error));
    /* As tests/codec/codec.c: f32 sums in another order. */
    for (int i = 0; i < FRAMES * WIDTH; i++) ASSERT_NEAR(latents[i], expected[i], 2e-5);
    ASSERT_FAILS(smitin_engine_latents(engine, samples, COUNT, latents, FRAMES * WIDTH - 1, &error),
                 SMITIN_ERROR_ARGUMENT, "26 frames");
    ASSERT_FAILS(smitin_engine_latents(engine, samples, 0, latents, FRAMES * WIDTH, &error),
                 SMITIN_ERROR_ARGUMENT, "0 samples");
    samples[5] = NAN;
    ASSERT_FAILS(smitin_engine_latents(engine, samples, COUNT, latents, FRAMES * WIDTH, &error),
                 SMITIN_ERROR_ARGUMENT, "sample 5");
    sm_safetensors_close(golden);
    smitin_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_latents),
        cmocka_unit_test(test_mean_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

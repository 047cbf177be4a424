/* SPDX-License-Identifier: MIT */
/* Chroma against transformers' features of a small window (tests/golden/make_variants.py), and what
 * follows from its definition at MusicGen's own. */
#include "../../src/format/safetensors.h"
#include "../../src/melody/chroma.h"
#include "../common.h"

static const sm_chroma_config small = {.rate = 2000, .window = 512, .hop = 128, .longest = 4000};
static const sm_chroma_config large = {
    .rate = 32000, .window = 16384, .hop = 4096, .longest = 960000};

static smitin_error error;

static void *copy_golden(const char *name, size_t *count)
{
    sm_safetensors *file = NULL;
    ASSERT_OK(sm_safetensors_open(&file, GOLDEN "/melody/golden.safetensors", &error));
    const sm_tensor *tensor = sm_safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no golden tensor '%s'", name);
    void *copy = malloc(tensor->count * 4);
    assert_non_null(copy);
    memcpy(copy, tensor->data, tensor->count * 4);
    *count = tensor->count;
    sm_safetensors_close(file);
    return copy;
}

static void test_filters_are_the_references(void **state)
{
    (void)state;
    size_t count = 0;
    float *expected = copy_golden("filters", &count), ours[SM_CHROMA * 257];
    assert_int_equal(count, SM_CHROMA * 257);
    sm_chroma_filters(&small, ours);
    /* Both are evaluated in f64 and rounded once; exponentials may differ in the last digit. */
    for (size_t i = 0; i < count; i++) ASSERT_NEAR(ours[i], expected[i], 1e-7);
    free(expected);
}

static void test_tunes_are_heard_as_by_the_reference(void **state)
{
    (void)state;
    static const char *const names[] = {"short", "repeated", "long"};
    for (size_t n = 0; n < 3; n++) {
        char name[32];
        size_t samples_count = 0, count = 0;
        snprintf(name, sizeof name, "tune_%s", names[n]);
        float *samples = copy_golden(name, &samples_count);
        snprintf(name, sizeof name, "chroma_%s", names[n]);
        int32_t *expected = copy_golden(name, &count), ours[64];
        assert_int_equal(sm_chroma_frames(&small, samples_count), count);
        ASSERT_OK(sm_chroma_extract(&small, samples, samples_count, ours, &error));
        assert_memory_equal(ours, expected, count * sizeof *ours);
        /* However soft. */
        for (size_t i = 0; i < samples_count; i++) samples[i] *= 1e-12f;
        ASSERT_OK(sm_chroma_extract(&small, samples, samples_count, ours, &error));
        assert_memory_equal(ours, expected, count * sizeof *ours);
        free(samples);
        free(expected);
    }
}

static void test_frames(void **state)
{
    (void)state;
    /* 30 s are the 235 frames that released models were trained with; no more is heard. */
    assert_int_equal(sm_chroma_frames(&large, 960000), 235);
    assert_int_equal(sm_chroma_frames(&large, 960000 * 2), 235);
    assert_int_equal(sm_chroma_frames(&large, 1), 5);
    assert_int_equal(sm_chroma_frames(&large, 16384), 5);
    assert_int_equal(sm_chroma_frames(&large, 20480), 6);
}

/* Equal temperament from A at 440 Hz: class 0 is C, 9 is A. */
static void test_pitches_have_their_class(void **state)
{
    (void)state;
    enum { COUNT = 32000 };
    float *samples = malloc(COUNT * sizeof *samples);
    int32_t classes[8];
    assert_non_null(samples);
    for (int key = 48; key <= 84; key++) { /* three octaves around middle C, which is 60 */
        const double pitch = 440.0 * pow(2.0, (key - 69) / 12.0);
        for (int i = 0; i < COUNT; i++)
            samples[i] = (float)(0.1 * sin(6.283185307179586 * pitch * i / 32000.0));
        ASSERT_OK(sm_chroma_extract(&large, samples, COUNT, classes, &error));
        assert_int_equal(sm_chroma_frames(&large, COUNT), 8);
        for (int t = 0; t < 8; t++) assert_int_equal(classes[t], key % 12);
    }
    memset(samples, 0, COUNT * sizeof *samples);
    ASSERT_OK(sm_chroma_extract(&large, samples, COUNT, classes, &error));
    for (int t = 0; t < 8; t++) assert_int_equal(classes[t], 0);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters_are_the_references),
        cmocka_unit_test(test_tunes_are_heard_as_by_the_reference),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_pitches_have_their_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

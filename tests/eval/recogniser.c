/* SPDX-License-Identifier: MIT */
/* The recogniser against PyTorch, and files that are none. */
#include "../common.h"
#include <unistd.h>
#include "../../src/eval/recogniser.h"
#include "../../src/eval/spectrum.h"
#include "../../src/format/safetensors.h"

enum { N = SM_RECOGNISER_WINDOW, BANDS = 64, FRAMES = 100, FEATURES = 96, CLASSES = 4 };

/* As tests/golden/make_recogniser.py has it: whole numbers until the last step. */
static float *make_signal(int kind)
{
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < N; i++) {
        const double noise =
            (double)((i * 1103515245 + 12345) % 2147483648 / 65536 % 32768 - 16384) / 16384.0;
        const double high = (double)llabs((i * 901) % 65536 - 32768) / 16384.0 - 1.0;
        const double low = (double)llabs((i * 227) % 65536 - 32768) / 16384.0 - 1.0;
        const double swell = (double)((i / 640) % 25) / 25.0;
        x[i] = kind == 0 ? (float)(0.4 * swell * high + 0.2 * low + 0.05 * noise)
                         : (float)(i % 16000 < 400 ? 0.8 * noise : 0.0);
    }
    return x;
}

typedef struct golden {
    sm_safetensors *file;
    sm_recogniser *recogniser;
} golden;

static int open_golden(void **state)
{
    static golden g;
    smitin_error error;
    ASSERT_OK(sm_safetensors_open(&g.file, GOLDEN "/recogniser/golden.safetensors", &error));
    ASSERT_OK(sm_recogniser_open(&g.recogniser, GOLDEN "/recogniser/model.safetensors", &error));
    *state = &g;
    return 0;
}

static int close_golden(void **state)
{
    golden *g = *state;
    sm_safetensors_close(g->file);
    sm_recogniser_free(g->recogniser);
    return 0;
}

static void read_golden(const golden *g, const char *name, size_t first, size_t count, float *out)
{
    smitin_error error;
    const sm_tensor *tensor = sm_safetensors_find(g->file, name);
    assert_non_null(tensor);
    ASSERT_OK(sm_tensor_to_f32(tensor, first, count, out, &error));
}

static void test_mel(void **state)
{
    const golden *g = *state;
    enum { FFT = 2048, HOP = 640, PAD = 704 };
    smitin_error error;
    sm_spectrum *spectrum = NULL;
    float *filters = malloc(BANDS * (FFT / 2 + 1) * sizeof *filters),
          *expected = malloc(BANDS * FRAMES * sizeof *expected), magnitude[FFT / 2 + 1], mel[BANDS];
    assert_true(filters != NULL && expected != NULL);
    sm_mel_filters(filters, BANDS, FFT, SM_RECOGNISER_RATE, 30.0);
    ASSERT_OK(sm_spectrum_new(&spectrum, FFT, &error));
    for (size_t kind = 0; kind < 2; kind++) {
        float *x = make_signal((int)kind), *padded = calloc(N + 2 * PAD, sizeof *padded);
        assert_non_null(padded);
        memcpy(padded + PAD, x, N * sizeof *x);
        read_golden(g, "mel", kind * BANDS * FRAMES, BANDS * FRAMES, expected);
        for (size_t t = 0; t < FRAMES; t++) {
            sm_spectrum_run(spectrum, padded + t * HOP, magnitude);
            sm_mel_apply(mel, filters, magnitude, BANDS, FFT);
            /* Two f32 Fourier transforms: 1e-6 of the loudest bin, and a soft band's size is known
             * to a hundredth of that in the logarithm of a band at -80 dB. */
            for (size_t b = 0; b < BANDS; b++) ASSERT_NEAR(mel[b], expected[b * FRAMES + t], 1e-4);
        }
        free(padded);
        free(x);
    }
    sm_spectrum_free(spectrum);
    free(filters);
    free(expected);
}

static void test_hear(void **state)
{
    const golden *g = *state;
    float features[FEATURES], probability[CLASSES], expected[FEATURES], chances[CLASSES];
    assert_int_equal(sm_recogniser_features(g->recogniser), FEATURES);
    assert_int_equal(sm_recogniser_classes(g->recogniser), CLASSES);
    assert_string_equal(sm_recogniser_class(g->recogniser, 2), "guitar");
    for (size_t kind = 0; kind < 2; kind++) {
        float *x = make_signal((int)kind);
        sm_recogniser_hear(g->recogniser, x, features, probability);
        read_golden(g, "features", kind * FEATURES, FEATURES, expected);
        read_golden(g, "probability", kind * CLASSES, CLASSES, chances);
        /* The spectra's differences, through layers that keep their size. */
        for (int i = 0; i < FEATURES; i++) ASSERT_NEAR(features[i], expected[i], 1e-4);
        for (int i = 0; i < CLASSES; i++) ASSERT_NEAR(probability[i], chances[i], 1e-4);
        free(x);
    }
}

/* The encoder's windows are those one by one, a second apart; what is left over is not heard. */
static void test_windows(void **state)
{
    golden *g = *state;
    enum { COUNT = 2 * N + 100 };
    smitin_error error;
    float *x = calloc(COUNT, sizeof *x), *first = make_signal(0), *rows = NULL, one[FEATURES];
    assert_non_null(x);
    memcpy(x + SM_RECOGNISER_RATE, first, N * sizeof *x);
    sm_encoder encoder = sm_recogniser_encoder(g->recogniser);
    size_t n = 0;
    ASSERT_OK(encoder.run(encoder.context, x, COUNT, &rows, &n, &error));
    assert_int_equal(n, 3);
    sm_recogniser_hear(g->recogniser, first, one, NULL);
    assert_memory_equal(rows + FEATURES, one, sizeof one);
    free(rows);
    ASSERT_FAILS(encoder.run(encoder.context, x, N - 1, &rows, &n, &error), SMITIN_ERROR_ARGUMENT,
                 "windows of 2 s");
    assert_null(rows);
    free(x);
    free(first);
}

/* The golden model with some tensors left out or some metadata. */
static void write_variant(const char *path, const char *without, const char *classes)
{
    smitin_error error;
    sm_safetensors *file = NULL;
    ASSERT_OK(sm_safetensors_open(&file, GOLDEN "/recogniser/model.safetensors", &error));
    sm_tensor_out tensors[64];
    size_t count = 0;
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        const sm_tensor *t = sm_safetensors_at(file, i);
        if (without != NULL && strcmp(t->name, without) == 0) continue;
        tensors[count] = (sm_tensor_out){t->name, t->dtype, t->dims, {0}, t->data};
        memcpy(tensors[count++].shape, t->shape, sizeof t->shape);
    }
    const sm_meta_out meta[1] = {{"classes", classes}};
    ASSERT_OK(sm_safetensors_write(path, tensors, count, meta, classes != NULL, &error));
    sm_safetensors_close(file);
}

static void test_files(void **state)
{
    (void)state;
    smitin_error error;
    sm_recogniser *r = NULL;
    char path[] = "/tmp/smitin-recogniser-XXXXXX";
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    write_variant(path, NULL, NULL);
    ASSERT_OK(sm_recogniser_open(&r, path, &error));
    assert_string_equal(sm_recogniser_class(r, 3), "piano");
    sm_recogniser_free(r);
    write_variant(path, NULL, "kick,snare,hat,tom");
    ASSERT_OK(sm_recogniser_open(&r, path, &error));
    assert_string_equal(sm_recogniser_class(r, 0), "kick");
    sm_recogniser_free(r);
    static const char *const wrong[] = {"a,b,c", "a,b,c,d,e", "a,,c,d", "",
                                        "a,b,c,a name of more than thirty-one bytes"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_variant(path, NULL, wrong[i]);
        ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_MODEL, "metadata");
        assert_null(r);
    }
    write_variant(path, "norms.2.running_var", NULL);
    ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_MODEL, "norms.2.running_var");
    write_variant(path, "mix.weight", NULL);
    ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_MODEL, "no recogniser");
    /* The last block gone: the layer behind it has another width. */
    write_variant(path, "convs.3.weight", NULL);
    ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_MODEL, "mix.weight");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("no such thing", file);
    fclose(file);
    ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_MODEL, path);
    unlink(path);
    ASSERT_FAILS(sm_recogniser_open(&r, path, &error), SMITIN_ERROR_IO, path);
    sm_recogniser_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mel),
        cmocka_unit_test(test_hear),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}

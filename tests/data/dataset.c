/* SPDX-License-Identifier: MIT */
/* Datasets from small generated trees. Sounds tell what they are: the target is a 1000 Hz tone,
 * backgrounds are 100 Hz tones, and ramps tell the time. */
#include <sys/stat.h>
#include "helpers.h"
#include "../../src/data/dataset.h"

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(in_scratch(name), 0777), 0);
}

static void save(const char *name, const float *samples, size_t frames, int channels, int rate)
{
    smitin_error error;
    ASSERT_OK(
        sm_audio_write(in_scratch(name), samples, frames, channels, rate, 16, NULL, 0, &error));
}

/* A tone of `seconds` that sounds from `from` to `to` seconds. */
static void save_tone(const char *name, double hertz, double amplitude, double seconds, double from,
                      double to)
{
    size_t frames = (size_t)lround(seconds * RATE);
    float *samples = make_sine(frames, 1, RATE, hertz, amplitude);
    for (size_t i = 0; i < frames; i++)
        if ((double)i / RATE < from || (double)i / RATE >= to) samples[i] = 0.0f;
    save(name, samples, frames, 1, RATE);
    free(samples);
}

static void make_track(int track)
{
    char name[64];
    snprintf(name, sizeof name, "t%d", track);
    make_folder(name);
}

/* The same tone as a stem of track t0, t1, ... */
static void save_stem(int track, const char *file, double hertz, double amplitude, double seconds,
                      double from, double to)
{
    char name[64];
    snprintf(name, sizeof name, "t%d/%s", track, file);
    save_tone(name, hertz, amplitude, seconds, from, to);
}

/* `tracks` folders t0, t1, ...: 12 s of bass at its own level; drums in the first 6 s only. */
static void make_stems(int tracks)
{
    for (int i = 0; i < tracks; i++) {
        make_track(i);
        save_stem(i, "bass.wav", 100.0, 0.05 * (i + 1), 12.0, 0.0, 12.0);
        /* Names are compared without case. */
        save_stem(i, "Drums.wav", 1000.0, 0.2, 12.0, 0.0, 6.0);
        save_stem(i, "mixture.wav", 3000.0, 0.5, 12.0, 0.0, 12.0); /* must never be heard */
    }
}

static sm_dataset_options options_of(sm_recipe recipe, int pairs)
{
    sm_dataset_options options = {.recipe = recipe,
                                  .seconds = 3.0,
                                  .sample_rate = RATE,
                                  .channels = 1,
                                  .pairs = pairs,
                                  .test_share = 0.25,
                                  .seed = 3};
    return options;
}

static float *clip_of(sm_dataset *dataset, size_t clip)
{
    smitin_error error;
    float *samples = malloc(sm_dataset_clip_samples(dataset) * sizeof *samples);
    assert_non_null(samples);
    ASSERT_OK(sm_dataset_clip(dataset, clip, samples, &error));
    return samples;
}

static bool has_note(const sm_dataset *dataset, const char *part)
{
    for (size_t n = 0; sm_dataset_note(dataset, n) != NULL; n++)
        if (strstr(sm_dataset_note(dataset, n), part) != NULL) return true;
    return false;
}

/* Classes are balanced within each split, splits do not share a track. */
static void check_splits(const sm_dataset *dataset, size_t train, size_t test, bool by_track)
{
    size_t count[2][2] = {{0, 0}, {0, 0}};
    for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
        count[sm_dataset_is_test(dataset, i)][sm_dataset_label(dataset, i)]++;
        for (size_t j = 0; j < i && by_track; j++)
            if (strcmp(sm_dataset_track(dataset, i), sm_dataset_track(dataset, j)) == 0)
                assert_int_equal(sm_dataset_is_test(dataset, i), sm_dataset_is_test(dataset, j));
    }
    assert_int_equal(count[0][0], train);
    assert_int_equal(count[0][1], train);
    assert_int_equal(count[1][0], test);
    assert_int_equal(count[1][1], test);
}

static void test_random_recipe(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(8);
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 40);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    assert_int_equal(sm_dataset_count(dataset), 80);
    assert_int_equal(sm_dataset_clip_samples(dataset), 3 * RATE);
    assert_string_equal(sm_dataset_summary(dataset),
                        "8 tracks, 80 clips of 3 s (60 train, 20 test), recipe random, seed 3");
    assert_null(sm_dataset_note(dataset, 0));
    check_splits(dataset, 30, 10, true);
    int heard[8] = {0};
    for (size_t i = 0; i < 80; i++) {
        float *x = clip_of(dataset, i);
        size_t n = sm_dataset_clip_samples(dataset);
        double drums = level(x, n, 1000.0), end = level(x + n - RATE, RATE, 1000.0);
        double bass = level(x, n, 100.0);
        int track = atoi(sm_dataset_track(dataset, i) + 1);
        heard[track]++;
        /* 16-bit files; the window may hold a tenth of silence at an end. Levels are as in the
         * files. */
        ASSERT_NEAR(bass, 0.05 * (track + 1), 1e-3);
        if (sm_dataset_label(dataset, i))
            assert_true(drums > 0.17 && drums < 0.203 && end > 0.17);
        else
            assert_true(drums < 1e-3);
        assert_true(level(x, n, 3000.0) < 1e-3);
        free(x);
    }
    for (int i = 0; i < 8; i++)
        assert_true(heard[i] >= 5); /* tracks take turns: 80 clips, 8 tracks */
    sm_dataset_free(dataset);
}

/* Folders called train, valid and test keep their tracks on their side, if every track lies in one.
 */
static void test_sides(void **state)
{
    (void)state;
    smitin_error error;
    static const char *const splits[] = {"train", "valid", "Test"};
    make_stems(6);
    for (int i = 0; i < 3; i++) make_folder(splits[i]);
    for (int i = 0; i < 5; i++) {
        char from[64], to[64];
        snprintf(from, sizeof from, "t%d", i);
        snprintf(to, sizeof to, "%s/t%d", splits[i % 3], i);
        const char *old = strdup(in_scratch(from));
        assert_int_equal(rename(old, in_scratch(to)), 0);
        free((void *)old);
    }
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 12);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    assert_non_null(strstr(sm_dataset_note(dataset, 0), "held out by the seed"));
    sm_dataset_free(dataset);
    char *lost = strdup(in_scratch("t5"));
    assert_int_equal(rename(lost, in_scratch("train/t5")), 0);
    free(lost);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    assert_non_null(strstr(sm_dataset_note(dataset, 0), "5 tracks to learn from and 1 held out"));
    for (size_t i = 0; i < sm_dataset_count(dataset); i++)
        assert_int_equal(sm_dataset_is_test(dataset, i),
                         strncmp(sm_dataset_track(dataset, i), "Test/", 5) == 0);
    sm_dataset_free(dataset);
}

/* Of two channels, each clip holds what the mono one does, in both where the files are mono. */
static void test_two_channels(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(8);
    sm_dataset *mono = NULL, *stereo = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 20);
    ASSERT_OK(sm_dataset_open_stems(&mono, scratch, "drums", &options, &error));
    options.channels = 2;
    ASSERT_OK(sm_dataset_open_stems(&stereo, scratch, "drums", &options, &error));
    assert_int_equal(sm_dataset_clip_samples(stereo), 2 * sm_dataset_clip_samples(mono));
    for (size_t i = 0; i < sm_dataset_count(mono); i += 7) {
        float *x = clip_of(mono, i), *y = clip_of(stereo, i);
        for (size_t n = 0; n < sm_dataset_clip_samples(mono); n++)
            assert_true(y[2 * n] == x[n] && y[2 * n + 1] == x[n]);
        free(x);
        free(y);
    }
    sm_dataset_free(mono);
    sm_dataset_free(stereo);
    options.channels = 3;
    ASSERT_FAILS(sm_dataset_open_stems(&mono, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "not 3");
}

static void test_paired_recipe(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(8);
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_PAIRED, 20);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "DRUMS", &options, &error));
    assert_int_equal(sm_dataset_count(dataset), 40);
    check_splits(dataset, 15, 5, true);
    for (size_t i = 0; i < 40; i += 2) {
        assert_true(sm_dataset_label(dataset, i) && !sm_dataset_label(dataset, i + 1));
        assert_string_equal(sm_dataset_track(dataset, i), sm_dataset_track(dataset, i + 1));
        float *yes = clip_of(dataset, i), *no = clip_of(dataset, i + 1);
        size_t n = sm_dataset_clip_samples(dataset);
        assert_true(level(no, n, 1000.0) < 1e-3);
        double bass = level(no, n, 100.0);
        for (size_t k = 0; k < n; k++) yes[k] -= no[k];
        assert_true(level(yes, n, 1000.0) > 0.17);              /* they differ by the target ... */
        assert_true(level(yes, n, 100.0) < 1e-3 * bass + 1e-4); /* ... and by nothing else */
        free(yes);
        free(no);
    }
    sm_dataset_free(dataset);
}

static void test_seeds(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(8);
    sm_dataset *a = NULL, *b = NULL, *c = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 20);
    ASSERT_OK(sm_dataset_open_stems(&a, scratch, "drums", &options, &error));
    ASSERT_OK(sm_dataset_open_stems(&b, scratch, "drums", &options, &error));
    options.seed = 4;
    ASSERT_OK(sm_dataset_open_stems(&c, scratch, "drums", &options, &error));
    int differ = 0;
    for (size_t i = 0; i < 40; i++) {
        float *x = clip_of(a, i), *y = clip_of(b, i), *z = clip_of(c, i);
        assert_memory_equal(x, y, sm_dataset_clip_samples(a) * sizeof(float));
        assert_string_equal(sm_dataset_track(a, i), sm_dataset_track(b, i));
        differ += memcmp(x, z, sm_dataset_clip_samples(a) * sizeof(float)) != 0;
        free(x);
        free(y);
        free(z);
    }
    assert_true(differ > 30);
    sm_dataset_free(a);
    sm_dataset_free(b);
    sm_dataset_free(c);
}

/* Two folders with as many files of the same names: a recording's two versions lie in the same
 * split. */
static void test_folders(void **state)
{
    (void)state;
    smitin_error error;
    make_folder("with");
    make_folder("with/deep");
    make_folder("without");
    make_folder("without/deep");
    make_folder("with/.hidden");
    for (int i = 0; i < 10; i++) {
        char name[64];
        snprintf(name, sizeof name, "with/%sa%d.wav", i % 2 ? "deep/" : "", i);
        save_tone(name, 1000.0, 0.1, 8.0, 0.0, 8.0);
        snprintf(name, sizeof name, "without/%sa%d.wav", i % 2 ? "deep/" : "", i);
        save_tone(name, 100.0, 0.1, 8.0, 0.0, 8.0);
    }
    save_tone("with/.hidden/x.wav", 3000.0, 0.5, 8.0, 0.0, 8.0);
    write_bytes(in_scratch("with/notes.txt"), "no sound", 8);
    char with[256], without[256];
    snprintf(with, sizeof with, "%s", in_scratch("with"));
    snprintf(without, sizeof without, "%s/", in_scratch("without"));
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 40);
    ASSERT_OK(sm_dataset_open_folders(&dataset, with, without, &options, &error));
    assert_null(sm_dataset_note(dataset, 0));
    check_splits(dataset, 30, 10, true);
    for (size_t i = 0; i < 80; i++) {
        float *x = clip_of(dataset, i);
        double tone = sm_dataset_label(dataset, i) ? 1000.0 : 100.0;
        ASSERT_NEAR(level(x, sm_dataset_clip_samples(dataset), tone), 0.1, 1e-3);
        free(x);
        for (size_t j = 0; j < i; j++) /* same file name, same split */
            if (strcmp(strrchr(sm_dataset_track(dataset, i), '/'),
                       strrchr(sm_dataset_track(dataset, j), '/')) == 0)
                assert_int_equal(sm_dataset_is_test(dataset, i), sm_dataset_is_test(dataset, j));
    }
    sm_dataset_free(dataset);
}

/* One minute of sound, 30 s a folder: split in time, with a gap. */
static void test_one_minute(void **state)
{
    (void)state;
    smitin_error error;
    make_folder("with");
    make_folder("without");
    size_t frames = 30 * RATE;
    float *ramp = malloc(frames * sizeof *ramp);
    assert_non_null(ramp);
    for (size_t i = 0; i < frames; i++) ramp[i] = 0.1f + 0.8f * (float)i / (float)frames;
    save("with/a.wav", ramp, frames, 1, RATE);
    save("without/b.wav", ramp, frames, 1, RATE);
    free(ramp);
    char with[256], without[256];
    snprintf(with, sizeof with, "%s", in_scratch("with"));
    snprintf(without, sizeof without, "%s", in_scratch("without"));
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 40);
    ASSERT_OK(sm_dataset_open_folders(&dataset, with, without, &options, &error));
    assert_true(has_note(dataset, "split in time"));
    check_splits(dataset, 30, 10, false);
    double train_end = 0.0, test_start = 30.0;
    for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
        float *x = clip_of(dataset, i);
        double start = ((double)x[0] - 0.1) / 0.8 * 30.0;
        if (sm_dataset_is_test(dataset, i))
            test_start = fmin(test_start, start);
        else
            train_end = fmax(train_end, start + 3.0);
        free(x);
    }
    assert_true(test_start - train_end > 2.99); /* 16 bits of ramp tell the time to 1 ms */
    assert_true(train_end > 15.0 && test_start < 30.0 - 3.0); /* and both are used */
    sm_dataset_free(dataset);
}

/* Stems of other rates, channels and lengths make the same clips. */
static void test_mixed_files(void **state)
{
    (void)state;
    smitin_error error;
    for (int i = 0; i < 6; i++) {
        char name[64];
        make_track(i);
        snprintf(name, sizeof name, "t%d/bass.wav", i);
        float *stereo =
            make_sine(44100 * 8, 2, 44100, 100.0, 0.2); /* right at half: 0.15 mixed down */
        save(name, stereo, 44100 * 8, 2, 44100);
        free(stereo);
        snprintf(name, sizeof name, "t%d/drums.flac", i);
        float *mono = make_sine(16000 * 5, 1, 16000, 1000.0, 0.2); /* shorter than the bass */
        save(name, mono, 16000 * 5, 1, 16000);
        free(mono);
    }
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_PAIRED, 8);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
        float *x = clip_of(dataset, i);
        size_t n = sm_dataset_clip_samples(dataset);
        ASSERT_NEAR(level(x, n, 100.0), 0.15, 1e-3);
        /* No cut is heard at the ends: the first and last milliseconds are as loud as the rest. */
        for (size_t k = 0; k < 2; k++) {
            double edge = sm_audio_rms_db(k == 0 ? x : x + n - 80, 80);
            assert_true(edge > sm_audio_rms_db(x, n) - 1.5);
        }
        if (sm_dataset_label(dataset, i)) assert_true(level(x, n, 1000.0) > 0.17);
        free(x);
    }
    sm_dataset_free(dataset);
}

static void test_broken_files(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(6);
    write_bytes(in_scratch("t0/guitar.wav"), "RIFF broken", 11);
    write_bytes(in_scratch("t1/piano.wav"), "", 0);
    make_folder("t6");
    save_tone("t6/bass.wav", 100.0, 0.2, 1.0, 0.0, 1.0); /* shorter than a clip */
    make_folder("t7");
    save_tone("t7/bass.wav", 100.0, 0.0, 12.0, 0.0, 12.0); /* silent */
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 20);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    assert_true(has_note(dataset, "t0/guitar.wav"));
    assert_true(has_note(dataset, "t1/piano.wav"));
    assert_true(has_note(dataset, "'t6'"));
    assert_true(has_note(dataset, "'t7'"));
    check_splits(dataset, 15, 5, true);
    for (size_t i = 0; i < 40; i++) assert_true(atoi(sm_dataset_track(dataset, i) + 1) < 6);
    sm_dataset_free(dataset);
}

/* Hits with silence between them sound without a break; a phrase that ends a second before the clip
 * does not. */
static void test_gaps(void **state)
{
    (void)state;
    smitin_error error;
    for (int i = 0; i < 6; i++) {
        char name[64];
        make_track(i);
        save_stem(i, "bass.wav", 100.0, 0.2, 12.0, 0.0, 12.0);
        snprintf(name, sizeof name, "t%d/drums.wav", i);
        float *hits = make_sine(12 * RATE, 1, RATE, 1000.0, 0.5);
        for (int k = 0; k < 12 * RATE; k++)
            if (k % (RATE / 2) > RATE / 10 || k >= 5 * RATE)
                hits[k] = 0.0f; /* 100 ms in every 500 */
        save(name, hits, 12 * RATE, 1, RATE);
        free(hits);
    }
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 20);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
        if (!sm_dataset_label(dataset, i)) continue;
        float *x = clip_of(dataset, i);
        assert_true(level(x + 2 * RATE, RATE, 1000.0) > 0.04); /* the last second has its hits */
        free(x);
    }
    sm_dataset_free(dataset);
}

/* What is silent is cut from both pools: pieces that begin and end in silence give clips that sound
 * throughout, and a stem that rests in the middle is never dealt while it does. */
static void test_silence(void **state)
{
    (void)state;
    smitin_error error;
    for (int i = 0; i < 6; i++) {
        make_track(i);
        save_stem(i, "bass.wav", 100.0, 0.2, 24.0, 5.0, 20.0);
        save_stem(i, "drums.wav", 1000.0, 0.2, 24.0, 12.0, 17.0);
    }
    for (int recipe = 0; recipe < 2; recipe++) {
        sm_dataset *dataset = NULL;
        const sm_recipe kind = recipe == 0 ? SM_RECIPE_RANDOM : SM_RECIPE_PAIRED;
        const sm_dataset_options options = options_of(kind, 12);
        ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
        assert_true(sm_dataset_count(dataset) > 8);
        for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
            float *x = clip_of(dataset, i);
            /* A window may hold a tenth of silence at one end. */
            for (int half = 1; half < 5; half++) {
                const float *at = x + half * RATE / 2;
                assert_true(level(at, RATE / 2, 100.0) > 0.18);
                if (sm_dataset_label(dataset, i))
                    assert_true(level(at, RATE / 2, 1000.0) > 0.18);
                else
                    assert_true(level(at, RATE / 2, 1000.0) < 1e-3);
            }
            free(x);
        }
        sm_dataset_free(dataset);
    }
}

static void test_few_clips(void **state)
{
    (void)state;
    smitin_error error;
    make_stems(6);
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_PAIRED, 1000);
    ASSERT_OK(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error));
    assert_true(has_note(dataset, "different pairs"));
    size_t count = sm_dataset_count(dataset);
    assert_true(count < 2000 && count >= 6 * 2 * 30); /* 6 s of drums: some 30 starts a track */
    sm_dataset_free(dataset);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    sm_dataset *dataset = NULL;
    sm_dataset_options options = options_of(SM_RECIPE_RANDOM, 20);
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, in_scratch("nowhere"), "drums", &options, &error),
                 SMITIN_ERROR_IO, "No such file");
    assert_null(dataset);
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "no stems below");
    make_folder("t0");
    save_tone("t0/bass.wav", 100.0, 0.2, 12.0, 0.0, 12.0);
    save_tone("t0/guitar.wav", 100.0, 0.2, 12.0, 0.0, 12.0);
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "'drums'; there are: bass, guitar");
    save_tone("t0/drums.wav", 1000.0, 0.2, 4.0, 0.0, 4.0); /* enough for one split only */
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "give 4 more");
    write_bytes(in_scratch("t0/bass.wav"), "x", 1);
    write_bytes(in_scratch("t0/guitar.wav"), "x", 1);
    write_bytes(in_scratch("t0/drums.wav"), "x", 1);
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "not one audio file");
    options.seconds = 0.0;
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "not 0 s");
    options = options_of(SM_RECIPE_RANDOM, 1);
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "pairs");
    options = options_of(SM_RECIPE_RANDOM, 20);
    options.test_share = 1.0;
    ASSERT_FAILS(sm_dataset_open_stems(&dataset, scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "share");
    sm_dataset_free(NULL);
}

int main(void)
{
#define IN_EMPTY_FOLDER(test) cmocka_unit_test_teardown(test, empty_scratch)
    const struct CMUnitTest tests[] = {
        IN_EMPTY_FOLDER(test_random_recipe), IN_EMPTY_FOLDER(test_sides),
        IN_EMPTY_FOLDER(test_two_channels),  IN_EMPTY_FOLDER(test_paired_recipe),
        IN_EMPTY_FOLDER(test_seeds),         IN_EMPTY_FOLDER(test_folders),
        IN_EMPTY_FOLDER(test_one_minute),    IN_EMPTY_FOLDER(test_mixed_files),
        IN_EMPTY_FOLDER(test_broken_files),  IN_EMPTY_FOLDER(test_gaps),
        IN_EMPTY_FOLDER(test_silence),       IN_EMPTY_FOLDER(test_few_clips),
        IN_EMPTY_FOLDER(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}

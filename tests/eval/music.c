/* SPDX-License-Identifier: MIT */
/* Tempo and key of signals whose answer is known. */
#include "../common.h"
#include "../../src/base/rng.h"
#include "../../src/eval/music.h"
#include "../../src/probe/task.h"

enum { RATE = SM_MUSIC_RATE };
static const double PI = 3.14159265358979323846;

/* Clicks of 5 ms of noise that dies away, every 60 / bpm seconds from `start` on, each `accent`-th
 * one (0: none) three times as loud; and soft noise under them. */
static void add_clicks(float *x, size_t count, double bpm, double start, int accent, double size)
{
    const double period = 60.0 / bpm * RATE;
    int number = 0;
    for (double at = start * RATE; at < (double)count; at += period, number++) {
        const double loud = accent > 0 && number % accent == 0 ? 3.0 * size : size;
        for (size_t i = 0; i < 160 && (size_t)at + i < count; i++)
            x[(size_t)at + i] +=
                (float)(loud * sm_normal(9, (uint32_t)i, 0, SM_RNG_TEST) * exp(-(double)i / 40.0));
    }
}

static float *soft_noise(size_t count)
{
    float *x = malloc(count * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(1e-3 * sm_normal(4, (uint32_t)i, 0, SM_RNG_TEST));
    return x;
}

static sm_tempo tempo_of(const float *x, size_t count)
{
    smitin_error error;
    sm_tempo tempo;
    ASSERT_OK(sm_tempo_find(&tempo, x, count, &error));
    return tempo;
}

static void test_clicks(void **state)
{
    (void)state;
    static const double tempos[] = {60, 72.5, 80, 97, 100, 120, 128, 140, 160, 168};
    for (size_t i = 0; i < sizeof tempos / sizeof *tempos; i++) {
        const size_t count = 10 * RATE;
        float *x = soft_noise(count);
        add_clicks(x, count, tempos[i], 0.13, 0, 0.2);
        const sm_tempo tempo = tempo_of(x, count);
        /* Hundredths of a second, averaged over four periods. */
        ASSERT_NEAR(tempo.bpm, tempos[i], 0.005 * tempos[i]);
        assert_true(tempo.strength > 0.5 && tempo.strength <= 1.01);
        assert_int_equal(sm_tempo_relate(tempo.bpm, tempos[i]), SM_TEMPO_SAME);
        free(x);
    }
}

/* Faster even pulses are heard as every second beat: an octave error, and counted as one. */
static void test_octaves(void **state)
{
    (void)state;
    static const double tempos[] = {180, 200, 232};
    for (size_t i = 0; i < sizeof tempos / sizeof *tempos; i++) {
        const size_t count = 10 * RATE;
        float *x = soft_noise(count);
        add_clicks(x, count, tempos[i], 0.1, 0, 0.2);
        const double bpm = tempo_of(x, count).bpm;
        ASSERT_NEAR(bpm, 0.5 * tempos[i], 0.005 * tempos[i]);
        assert_int_equal(sm_tempo_relate(bpm, tempos[i]), SM_TEMPO_OCTAVE);
        free(x);
    }
}

/* Eighths under accented quarters, as a hi-hat: the beat is found, not the eighth. In a prompt's 3
 * s too. */
static void test_levels(void **state)
{
    (void)state;
    for (int seconds = 3; seconds <= 12; seconds += 9) {
        const size_t count = (size_t)seconds * RATE;
        float *x = soft_noise(count);
        add_clicks(x, count, 2 * 110.0, 0.05, 2, 0.05);
        ASSERT_NEAR(tempo_of(x, count).bpm, 110.0, 1.1);
        free(x);
    }
}

static void test_no_tempo(void **state)
{
    (void)state;
    const size_t count = 5 * RATE;
    float *x = calloc(count, sizeof *x);
    assert_non_null(x);
    assert_true(isnan(tempo_of(x, count).bpm));
    assert_true(isnan(tempo_of(x, RATE).bpm)); /* too short */
    assert_true(isnan(tempo_of(x, 0).bpm));
    free(x);
    assert_int_equal(sm_tempo_relate(100, 104), SM_TEMPO_SAME);
    assert_int_equal(sm_tempo_relate(100, 105), SM_TEMPO_OTHER);
    assert_int_equal(sm_tempo_relate(100, 51), SM_TEMPO_OCTAVE);
    assert_int_equal(sm_tempo_relate(60, 180), SM_TEMPO_OCTAVE);
    assert_int_equal(sm_tempo_relate((double)NAN, 180), SM_TEMPO_UNKNOWN);
    assert_string_equal(sm_tempo_relation_name(SM_TEMPO_OCTAVE), "octave");
}

/* A chord of three notes with six harmonics each, around middle C. */
static void add_chord(float *x, size_t from, size_t count, int root, int third, int fifth)
{
    const int notes[4] = {root - 12, root, root + third, root + fifth};
    for (int n = 0; n < 4; n++)
        for (int h = 1; h <= 6; h++) {
            const double f = 440.0 * pow(2.0, (notes[n] - 69) / 12.0) * h;
            for (size_t i = 0; i < count; i++) {
                const double t = (double)i / RATE;
                x[from + i] += (float)(0.05 / h * exp(-1.5 * t) * sin(2.0 * PI * f * t));
            }
        }
}

/* I IV V I, or i iv V i: the cadence that makes a key. */
static float *cadence(int tonic, bool minor, size_t *count)
{
    const size_t length = RATE;
    const int third = minor ? 3 : 4, root = 60 + tonic;
    float *x = calloc(4 * length, sizeof *x);
    assert_non_null(x);
    add_chord(x, 0, length, root, third, 7);
    add_chord(x, length, length, root + 5 - 12, third, 7);
    add_chord(x, 2 * length, length, root + 7 - 12, 4, 7);
    add_chord(x, 3 * length, length, root, third, 7);
    *count = 4 * length;
    return x;
}

static void test_keys(void **state)
{
    (void)state;
    smitin_error error;
    for (int key = 0; key < SM_KEYS; key++) {
        size_t count = 0;
        float *x = cadence(key / 2, key % 2 == 1, &count);
        for (int profile = 0; profile < 2; profile++) {
            sm_key found;
            ASSERT_OK(sm_key_find(&found, x, count, (sm_key_profile)profile, &error));
            if (found.key != key)
                fail_msg("%s was heard as %s with profile %d", sm_key_names[key],
                         found.key < 0 ? "silence" : sm_key_names[found.key], profile);
            assert_true(found.correlation > 0.6 && found.margin > 0.0);
        }
        free(x);
    }
}

static void test_key_edges(void **state)
{
    (void)state;
    smitin_error error;
    sm_key key;
    float *x = calloc(2 * RATE, sizeof *x);
    assert_non_null(x);
    ASSERT_OK(sm_key_find(&key, x, 2 * RATE, SM_KEY_TEMPERLEY, &error));
    assert_true(key.key == -1 && isnan(key.correlation));
    ASSERT_OK(sm_key_find(&key, x, 0, SM_KEY_TEMPERLEY, &error));
    assert_int_equal(key.key, -1);
    /* Shorter than a window, and silence after it changes nothing. */
    add_chord(x, 0, 8000, 62, 4, 7);
    ASSERT_OK(sm_key_find(&key, x, 8000, SM_KEY_TEMPERLEY, &error));
    assert_string_equal(sm_key_names[key.key], "D major");
    ASSERT_OK(sm_key_find(&key, x, 2 * RATE, SM_KEY_TEMPERLEY, &error));
    assert_string_equal(sm_key_names[key.key], "D major");
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clicks), cmocka_unit_test(test_octaves),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_no_tempo),
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_key_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Resampling and levels. */
#include "helpers.h"

static sm_audio wrap(float *samples, size_t frames, int channels, int rate)
{
    sm_audio audio = {samples, frames, channels, rate};
    return audio;
}

static void test_resample_length(void **state)
{
    (void)state;
    smitin_error error;
    const int rates[] = {8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000};
    const size_t lengths[] = {1, 2, 3, 639, 640, 641, 4410, 10007};
    for (int a = 0; a < 9; a++)
        for (int b = 0; b < 9; b++)
            for (int n = 0; n < 8; n++) {
                float *samples = make_sine(lengths[n], 2, rates[a], 100.0, 0.5);
                sm_audio audio = wrap(samples, lengths[n], 2, rates[a]);
                ASSERT_OK(sm_audio_resample(&audio, rates[b], &error));
                double expected = fmax(1.0, round((double)lengths[n] * rates[b] / rates[a]));
                assert_int_equal(audio.frames, (size_t)expected);
                assert_int_equal(audio.sample_rate, rates[b]);
                assert_int_equal(audio.channels, 2);
                sm_audio_free(&audio);
            }
}

/* Lengths that come out one frame longer or shorter when they are worked out in f32, as some
 * resamplers do: a frame decides where a codec's last frame begins. */
static void test_resample_length_is_not_rounded_twice(void **state)
{
    (void)state;
    smitin_error error;
    static const struct {
        int from, to;
        size_t frames, expected;
    } cases[] = {{44100, 32000, 45341, 32900}, {32000, 48000, 44743, 67115}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(llround((double)cases[i].frames * cases[i].to / cases[i].from),
                         cases[i].expected);
        sm_audio audio = wrap(make_sine(cases[i].frames, 1, cases[i].from, 100.0, 0.5),
                              cases[i].frames, 1, cases[i].from);
        ASSERT_OK(sm_audio_resample(&audio, cases[i].to, &error));
        assert_int_equal(audio.frames, cases[i].expected);
        sm_audio_free(&audio);
    }
}

static void test_resample_keeps_a_tone(void **state)
{
    (void)state;
    smitin_error error;
    sm_audio audio = wrap(make_sine(44100, 1, 44100, 1000.0, 0.5), 44100, 1, 44100);
    ASSERT_OK(sm_audio_resample(&audio, 32000, &error));
    float *expected = make_sine(32000, 1, 32000, 1000.0, 0.5);
    /* Away from the ends, where the filter sees the silence outside; high quality is about 20 bits.
     */
    for (size_t i = 2000; i < 30000; i++) ASSERT_NEAR(audio.samples[i], expected[i], 1e-5);
    free(expected);
    sm_audio_free(&audio);
}

static void test_resample_removes_what_does_not_fit(void **state)
{
    (void)state;
    smitin_error error;
    sm_audio audio = wrap(make_sine(192000, 1, 192000, 30000.0, 0.5), 192000, 1, 192000);
    ASSERT_OK(sm_audio_resample(&audio, 32000, &error));
    assert_int_equal(audio.frames, 32000);
    /* 30 kHz lies far above the new half rate: the filter's stop band is below -100 dB. */
    assert_true(sm_audio_rms_db(audio.samples + 2000, 28000) < -100.0);
    ASSERT_FAILS(sm_audio_resample(&audio, 10, &error), SMITIN_ERROR_ARGUMENT, "10 Hz");
    sm_audio_free(&audio);
}

static void test_mono(void **state)
{
    (void)state;
    float *samples = malloc(6 * sizeof *samples);
    assert_non_null(samples);
    const float values[6] = {1.0f, 0.0f, 0.5f, -0.5f, 0.25f, 0.75f};
    memcpy(samples, values, sizeof values);
    sm_audio audio = wrap(samples, 2, 3, 32000);
    sm_audio_to_mono(&audio);
    assert_int_equal(audio.channels, 1);
    assert_true(audio.samples[0] == 0.5f);
    ASSERT_NEAR(audio.samples[1], 0.5 / 3.0, 1e-7); /* one rounding to float */
    sm_audio_free(&audio);
}

static void test_loudness(void **state)
{
    (void)state;
    smitin_error error;
    double lufs = 0.0;
    float *samples = make_sine(32000 * 20, 1, 32000, 997.0, 1.0);
    ASSERT_OK(sm_audio_loudness(samples, 32000 * 20, 1, 32000, &lufs, &error));
    ASSERT_NEAR(lufs, -3.01, 0.02); /* the standard's own reading; 0.1 LU is its tolerance */
    ASSERT_OK(sm_audio_loudness(samples, 32000 / 4, 1, 32000, &lufs, &error));
    assert_true(isinf(lufs) && lufs < 0.0); /* less than one block of 0.4 s */
    memset(samples, 0, 32000 * 20 * sizeof *samples);
    ASSERT_OK(sm_audio_loudness(samples, 32000 * 20, 1, 32000, &lufs, &error));
    assert_true(isinf(lufs) && lufs < 0.0);
    ASSERT_FAILS(sm_audio_loudness(samples, 100, 0, 32000, &lufs, &error), SMITIN_ERROR_ARGUMENT,
                 "0 channels");
    free(samples);
}

static void test_rms(void **state)
{
    (void)state;
    float *samples = make_sine(32000, 1, 32000, 1000.0, 1.0);
    ASSERT_NEAR(sm_audio_rms_db(samples, 32000), -3.0103, 1e-3); /* 10 log10(1/2), whole periods */
    free(samples);
    float silence[10] = {0};
    assert_true(isinf(sm_audio_rms_db(silence, 10)));
    assert_true(isinf(sm_audio_rms_db(silence, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resample_length),
        cmocka_unit_test(test_resample_length_is_not_rounded_twice),
        cmocka_unit_test(test_resample_keeps_a_tone),
        cmocka_unit_test(test_resample_removes_what_does_not_fit),
        cmocka_unit_test(test_mono),
        cmocka_unit_test(test_loudness),
        cmocka_unit_test(test_rms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The limiter: true peaks stay below the ceiling, what needs nothing passes bit for bit, and blocks
 * do not matter. */
#include <ebur128.h>

#include "../../src/audio/limiter.h"
#include "../../src/base/rng.h"
#include "helpers.h"

enum { RATE = 32000 };

static smitin_error error;

/* All of a piece, in blocks of `block` frames (0: of random sizes). */
static float *limited(sm_limiter *limiter, const float *in, size_t frames, int channels,
                      size_t block)
{
    const size_t C = (size_t)channels;
    float *out = calloc((frames + 1) * C, sizeof *out);
    assert_non_null(out);
    size_t made = 0, at = 0;
    for (uint32_t turn = 0; at < frames; turn++) {
        size_t n = block > 0 ? block : (size_t)(sm_uniform(3, turn, 0, 0) * 700.0);
        if (n > frames - at) n = frames - at;
        made += sm_limiter_run(limiter, in + at * C, n, out + made * C);
        at += n;
        assert_true(made <= at && made + sm_limiter_delay(limiter) >= at);
    }
    made += sm_limiter_finish(limiter, out + made * C);
    assert_int_equal(made, frames);
    return out;
}

/* Largest value after resampling to 16 times the rate with soxr, in dB: between the samples too. */
static double true_peak_db(const float *samples, size_t frames)
{
    sm_audio audio = {malloc(frames * sizeof(float)), frames, 1, RATE};
    assert_non_null(audio.samples);
    memcpy(audio.samples, samples, frames * sizeof(float));
    ASSERT_OK(sm_audio_resample(&audio, 16 * RATE, &error));
    double peak = 0.0;
    for (size_t i = 0; i < audio.frames; i++) peak = fmax(peak, fabs((double)audio.samples[i]));
    sm_audio_free(&audio);
    return 20.0 * log10(peak);
}

/* The same by the meter of ITU-R BS.1770 as libebur128 has it. */
static double metered_peak_db(const float *samples, size_t frames)
{
    double peak = 0.0;
    ebur128_state *meter = ebur128_init(1, RATE, EBUR128_MODE_TRUE_PEAK);
    assert_non_null(meter);
    assert_int_equal(ebur128_add_frames_float(meter, samples, frames), EBUR128_SUCCESS);
    assert_int_equal(ebur128_true_peak(meter, 0, &peak), EBUR128_SUCCESS);
    ebur128_destroy(&meter);
    return 20.0 * log10(peak);
}

/* Noise below 0.4 of the rate, with bursts of five times its strength. */
static float *make_bursts(size_t frames)
{
    sm_audio audio = {malloc(frames * sizeof(float)), frames, 1, RATE * 4 / 5};
    assert_non_null(audio.samples);
    for (size_t i = 0; i < frames; i++) {
        const double loud = i / 3000 % 3 == 1 ? 3.0 : 0.6;
        audio.samples[i] = (float)(loud * (sm_uniform(9, (uint32_t)i, 0, 0) - 0.5));
    }
    ASSERT_OK(sm_audio_resample(&audio, RATE, &error));
    assert_true(audio.frames >= frames);
    return audio.samples;
}

static void the_ceiling_holds(void **state)
{
    (void)state;
    enum { FRAMES = 30000 };
    static const double ceilings[] = {-1.0, -9.0, 0.0};
    for (size_t i = 0; i < 3; i++) {
        sm_limiter *limiter = NULL;
        ASSERT_OK(sm_limiter_new(&limiter, 1, RATE, ceilings[i], &error));
        float *bursts = make_bursts(FRAMES);
        float *out = limited(limiter, bursts, FRAMES, 1, 512);
        assert_true(true_peak_db(bursts, FRAMES) > 2.0);
        /* 0.1 dB: what two interpolators with other filters may differ by. */
        assert_true(true_peak_db(out, FRAMES) <= ceilings[i] + 0.1);
        assert_true(metered_peak_db(out, FRAMES) <= ceilings[i] + 0.1);
        /* And it is used: the loudest place is not far below. */
        assert_true(true_peak_db(out, FRAMES) > ceilings[i] - 0.5);
        assert_true(sm_limiter_lowest_db(limiter) < ceilings[i] - 2.0);
        free(out), free(bursts);
        sm_limiter_free(limiter);
    }
}

/* Steady sines at places where samples miss the peaks: an eighth of a turn at a quarter of the
 * rate, 3 dB between the samples. */
static void peaks_between_samples_count(void **state)
{
    (void)state;
    enum { FRAMES = 16000 };
    static const double parts[] = {0.25, 0.01, 0.125, 1.0 / 3.0, 0.38};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        sm_limiter *limiter = NULL;
        float *sine = malloc(FRAMES * sizeof *sine);
        assert_non_null(sine);
        for (size_t i = 0; i < FRAMES; i++) { /* faded: a jump has peaks of its own */
            const double fade = fmin(1.0, fmin((double)i, (double)(FRAMES - i)) / 2000.0);
            sine[i] = (float)(fade * 1.2 * sin(2.0 * TEST_PI * (parts[p] * (double)i + 0.125)));
        }
        ASSERT_OK(sm_limiter_new(&limiter, 1, RATE, -1.0, &error));
        float *out = limited(limiter, sine, FRAMES, 1, FRAMES);
        /* Not below either: a steady sine is held at the ceiling. */
        ASSERT_NEAR(true_peak_db(out, FRAMES), -1.0, 0.1);
        ASSERT_NEAR(sm_limiter_lowest_db(limiter), -1.0 - 20.0 * log10(1.2), 0.05);
        free(sine), free(out);
        sm_limiter_free(limiter);
    }
}

static void quiet_music_passes_bit_for_bit(void **state)
{
    (void)state;
    enum { FRAMES = 20000 };
    sm_limiter *limiter = NULL;
    ASSERT_OK(sm_limiter_new(&limiter, 2, RATE, -1.0, &error));
    float *sine = make_sine(FRAMES, 2, RATE, 440.0, 0.89); /* -1 dB is 0.8913 */
    for (int again = 0; again < 2; again++) {
        float *out = limited(limiter, sine, FRAMES, 2, 333);
        assert_memory_equal(out, sine, FRAMES * 2 * sizeof *out);
        assert_true(sm_limiter_lowest_db(limiter) == 0.0);
        free(out);
    }
    /* After a peak the gain comes back to exactly one within two seconds. */
    enum { LONG = 3 * RATE };
    float *peak = make_sine(LONG, 2, RATE, 440.0, 0.5);
    for (size_t i = 0; i < 200; i++) peak[i] *= 5.0f;
    float *out = limited(limiter, peak, LONG, 2, 1000);
    assert_memory_not_equal(out, peak, 400 * sizeof *out);
    assert_memory_equal(out + (size_t)2 * 2 * RATE, peak + (size_t)2 * 2 * RATE,
                        (size_t)2 * RATE * sizeof *out);
    free(out), free(peak), free(sine);
    sm_limiter_free(limiter);
}

static void any_blocks_give_the_same(void **state)
{
    (void)state;
    enum { FRAMES = 9000 };
    static const size_t blocks[] = {1, 7, 64, 4096, 0};
    sm_limiter *limiter = NULL;
    ASSERT_OK(sm_limiter_new(&limiter, 1, RATE, -3.0, &error));
    float *bursts = make_bursts(FRAMES), *whole = limited(limiter, bursts, FRAMES, 1, FRAMES);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        float *out = limited(limiter, bursts, FRAMES, 1, blocks[i]);
        assert_memory_equal(out, whole, FRAMES * sizeof *out);
        free(out);
    }
    /* In place. */
    const size_t made = sm_limiter_run(limiter, bursts, FRAMES, bursts);
    assert_int_equal(made + sm_limiter_delay(limiter), FRAMES);
    assert_memory_equal(bursts, whole, made * sizeof *whole);
    free(bursts), free(whole);
    sm_limiter_free(limiter);
}

/* Fewer frames than the limiter is late by, at rates where its boxes are few samples. */
static void short_pieces_come_out_whole(void **state)
{
    (void)state;
    static const int rates[] = {1000, 2000, RATE, 96000};
    for (size_t r = 0; r < 4; r++) {
        sm_limiter *limiter = NULL;
        ASSERT_OK(sm_limiter_new(&limiter, 1, rates[r], -1.0, &error));
        for (size_t frames = 0; frames < 50; frames += 7) {
            float in[50], *out = NULL;
            for (size_t i = 0; i < frames; i++) in[i] = 0.25f * (float)(i % 3);
            out = limited(limiter, in, frames, 1, 5);
            assert_memory_equal(out, in, frames * sizeof *in);
            free(out);
        }
        sm_limiter_free(limiter);
    }
}

/* Both channels get one gain, so the image stays where it is. */
static void channels_are_linked(void **state)
{
    (void)state;
    enum { FRAMES = 4000 };
    sm_limiter *limiter = NULL;
    ASSERT_OK(sm_limiter_new(&limiter, 2, RATE, -1.0, &error));
    float *sine = make_sine(FRAMES, 2, RATE, 300.0, 2.0); /* the second is half the first */
    float *out = limited(limiter, sine, FRAMES, 2, 100);
    for (size_t i = 0; i < FRAMES; i++)
        ASSERT_NEAR(out[2 * i], 2.0 * (double)out[2 * i + 1], 1e-6); /* one rounding each */
    free(sine), free(out);
    sm_limiter_free(limiter);
}

static void what_is_refused(void **state)
{
    (void)state;
    sm_limiter *limiter = NULL;
    ASSERT_FAILS(sm_limiter_new(&limiter, 0, RATE, -1.0, &error), SMITIN_ERROR_ARGUMENT,
                 "0 channels");
    ASSERT_FAILS(sm_limiter_new(&limiter, 1, 10, -1.0, &error), SMITIN_ERROR_ARGUMENT, "10 Hz");
    ASSERT_FAILS(sm_limiter_new(&limiter, 1, RATE, 1.0, &error), SMITIN_ERROR_ARGUMENT, "1 dBTP");
    ASSERT_FAILS(sm_limiter_new(&limiter, 1, RATE, (double)NAN, &error), SMITIN_ERROR_ARGUMENT,
                 "dBTP");
    assert_null(limiter);
    sm_limiter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(peaks_between_samples_count),
        cmocka_unit_test(quiet_music_passes_bit_for_bit),
        cmocka_unit_test(any_blocks_give_the_same),
        cmocka_unit_test(short_pieces_come_out_whole),
        cmocka_unit_test(channels_are_linked),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

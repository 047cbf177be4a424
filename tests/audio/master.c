/* SPDX-License-Identifier: MIT */
/* The chain between a model's samples and what is heard. */
#include "helpers.h"
#include "../../src/audio/limiter.h"
#include "../../src/audio/master.h"

static smitin_error error;

typedef struct heard {
    float *samples; /* [room] */
    size_t count, room;
} heard;

static smitin_status collect(void *user, const float *samples, size_t frames, smitin_error *e)
{
    heard *h = user;
    (void)e;
    assert_true(h->count + frames <= h->room); /* mono */
    memcpy(h->samples + h->count, samples, frames * sizeof *samples);
    h->count += frames;
    return SMITIN_OK;
}

static sm_master_options plain(int rate, int out_rate, size_t frames)
{
    return (sm_master_options){.channels = 1,
                               .rate = rate,
                               .out_rate = out_rate,
                               .frames = frames,
                               .lufs = (double)NAN,
                               .limit = true};
}

/* What comes out of `frames` samples given in blocks of `block`; the caller frees. */
static heard run(const sm_master_options *options, const float *samples, size_t frames,
                 size_t block, double *lufs)
{
    heard h = {.room = options->frames};
    h.samples = calloc(h.room + 1, sizeof *h.samples);
    assert_non_null(h.samples);
    sm_master *m = NULL;
    ASSERT_OK(sm_master_new(&m, options, collect, &h, &error));
    for (size_t at = 0; at < frames; at += block)
        ASSERT_OK(
            sm_master_push(m, samples + at, frames - at < block ? frames - at : block, &error));
    ASSERT_OK(sm_master_finish(m, &error));
    if (lufs != NULL) ASSERT_OK(sm_master_lufs(m, lufs, &error));
    sm_master_free(m);
    assert_int_equal(h.count, options->frames);
    return h;
}

/* Music-like: a tone that swells from -30 dB to full scale and beyond. */
static float *make_swell(size_t frames, int rate)
{
    float *s = make_sine(frames, 1, rate, 440.0, 1.0);
    for (size_t i = 0; i < frames; i++)
        s[i] *= (float)pow(10.0, -1.5 + 1.7 * (double)i / (double)frames);
    return s;
}

static void quiet_samples_pass(void **state)
{
    (void)state;
    float *s = make_sine(5000, 1, 32000, 440.0, 0.5);
    const sm_master_options options = plain(32000, 32000, 5000);
    heard h = run(&options, s, 5000, 777, NULL);
    assert_memory_equal(h.samples, s, 5000 * sizeof *s);
    free(h.samples), free(s);
}

static void blocks_do_not_show(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 333, 4096, 100000};
    static const int rates[] = {32000, 44100, 48000, 16000};
    const size_t frames = 40000;
    float *s = make_swell(frames, 32000);
    for (int r = 0; r < 4; r++) {
        for (int running = 0; running < 2; running++) {
            sm_master_options options =
                plain(32000, rates[r], sm_master_frames(frames, 32000, rates[r]));
            if (running) options.lufs = -14.0;
            heard first = run(&options, s, frames, blocks[0], NULL);
            for (int b = 1; b < 4; b++) {
                heard h = run(&options, s, frames, blocks[b], NULL);
                assert_memory_equal(h.samples, first.samples, h.count * sizeof *s);
                free(h.samples);
            }
            free(first.samples);
        }
    }
    free(s);
}

/* A tone keeps its frequency, phase and level at another rate. */
static void the_rate_changes(void **state)
{
    (void)state;
    const size_t frames = 32000;
    float *s = make_sine(frames, 1, 32000, 1000.0, 0.5);
    float *want = make_sine(48000, 1, 48000, 1000.0, 0.5);
    const sm_master_options options = plain(32000, 48000, 48000);
    heard h = run(&options, s, frames, 1000, NULL);
    /* Away from the ends, where the tone begins and stops at once: soxr's high quality is 20 bits,
     * 1e-6; the floats round at 3e-8. */
    for (size_t i = 2000; i < 46000; i++) ASSERT_NEAR(h.samples[i], want[i], 3e-6);
    free(h.samples), free(s), free(want);
}

static void the_cut_is_exact(void **state)
{
    (void)state;
    const size_t frames = 10000;
    float *s = make_sine(frames, 1, 32000, 440.0, 0.5);
    for (int r = 0; r < 2; r++) {
        sm_master_options options = plain(32000, r == 0 ? 32000 : 44100, 7777);
        heard h = run(&options, s, frames, 640, NULL);
        options.frames = r == 0 ? 9000 : 13000;
        heard longer = run(&options, s, frames, 640, NULL);
        assert_memory_equal(h.samples, longer.samples, 7777 * sizeof *s);
        free(h.samples), free(longer.samples);
    }
    free(s);
}

static double true_peak(const float *samples, size_t frames)
{
    double peak = 0.0;
    for (size_t i = 0; i < frames; i++) peak = fmax(peak, fabs((double)samples[i]));
    return peak;
}

static void a_found_gain_reaches_its_target(void **state)
{
    (void)state;
    const size_t frames = 3 * 32000;
    float *s = make_swell(frames, 32000);
    /* -30 needs no limiter; -14 makes it work at the loud end. */
    static const double targets[] = {-30.0, -14.0};
    for (int i = 0; i < 2; i++) {
        double gain = 0.0, reached = 0.0, lufs = 0.0;
        ASSERT_OK(sm_master_find_gain(s, frames, 1, 32000, targets[i], &gain, &reached, &error));
        ASSERT_NEAR(reached, targets[i], 0.05); /* half of what is shown, a tenth */
        sm_master_options options = plain(32000, 32000, frames);
        options.gain_db = gain;
        heard h = run(&options, s, frames, 640, &lufs);
        ASSERT_NEAR(lufs, reached, 1e-9); /* the same arithmetic */
        assert_true(true_peak(h.samples, frames) <= pow(10.0, SM_LIMITER_CEILING_DB / 20.0) + 1e-6);
        free(h.samples);
    }
    memset(s, 0, frames * sizeof *s);
    double gain = 7.0, reached = 0.0;
    ASSERT_OK(sm_master_find_gain(s, frames, 1, 32000, -14.0, &gain, &reached, &error));
    assert_true(gain == 0.0 && reached == -HUGE_VAL);
    free(s);
}

/* A steady tone arrives at the target and stays; on the way the gain moves no faster than told. */
static void a_running_gain_arrives(void **state)
{
    (void)state;
    const size_t frames = 12 * 32000;
    float *s = make_sine(frames, 1, 32000, 997.0, 0.02);
    double before = 0.0, after = 0.0;
    ASSERT_OK(sm_audio_loudness(s, frames, 1, 32000, &before, &error));
    sm_master_options options = plain(32000, 32000, frames);
    options.lufs = before + 18.0; /* six seconds away */
    heard h = run(&options, s, frames, 640, NULL);
    ASSERT_OK(sm_audio_loudness(h.samples + 8 * 32000, 4 * 32000, 1, 32000, &after, &error));
    ASSERT_NEAR(after, options.lufs, 0.06);                        /* 0.05 of the meter's bins */
    assert_memory_equal(h.samples, s, 32000 * 4 / 10 * sizeof *s); /* nothing is known before */
    for (size_t second = 1; second < 8; second++) {
        const double from = sm_audio_rms_db(h.samples + (second - 1) * 32000, 32000);
        const double to = sm_audio_rms_db(h.samples + second * 32000, 32000);
        assert_true(to - from > -0.01 && to - from < SM_MASTER_SLEW + 0.2); /* of its own mean */
    }
    free(h.samples), free(s);
}

static void refusals(void **state)
{
    (void)state;
    sm_master *m = NULL;
    sm_master_options options = plain(32000, 32000, 100);
    options.lufs = 3.0;
    ASSERT_FAILS(sm_master_new(&m, &options, collect, NULL, &error), SMITIN_ERROR_ARGUMENT, "LUFS");
    options = plain(32000, 5, 100);
    ASSERT_FAILS(sm_master_new(&m, &options, collect, NULL, &error), SMITIN_ERROR_ARGUMENT, "5 Hz");
    assert_null(m);
    sm_master_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_samples_pass),
        cmocka_unit_test(blocks_do_not_show),
        cmocka_unit_test(the_rate_changes),
        cmocka_unit_test(the_cut_is_exact),
        cmocka_unit_test(a_running_gain_arrives),
        cmocka_unit_test(a_found_gain_reaches_its_target),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}

/* SPDX-License-Identifier: MIT */
/* Audio files: what is written is read back, odd files are taken, bad ones refused, nothing
 * half-written stays. */
#include <signal.h>
#include <sys/resource.h>
#include <sndfile.h>
#include "helpers.h"

static void round_trip(const char *name, int channels, int rate, int bits, double tolerance)
{
    smitin_error error;
    size_t frames = 5000; /* more than one block of the reader and the writer */
    float *samples = make_sine(frames, channels, rate, 440.0, 1.0);
    const char *path = in_scratch(name);
    ASSERT_OK(sm_audio_write(path, samples, frames, channels, rate, bits, NULL, 0, &error));
    sm_audio audio;
    ASSERT_OK(sm_audio_read(&audio, path, 0.0, -1.0, &error));
    assert_int_equal(audio.frames, frames);
    assert_int_equal(audio.channels, channels);
    assert_int_equal(audio.sample_rate, rate);
    for (size_t i = 0; i < frames * (size_t)channels; i++)
        ASSERT_NEAR(audio.samples[i], samples[i], tolerance);
    sm_audio_free(&audio);
    assert_null(audio.samples);
    size_t probed = 0;
    int probed_channels = 0, probed_rate = 0;
    ASSERT_OK(sm_audio_probe(path, &probed, &probed_channels, &probed_rate, &error));
    assert_int_equal(probed, frames);
    assert_int_equal(probed_channels, channels);
    assert_int_equal(probed_rate, rate);
    unlink(path);
    free(samples);
}

static void test_round_trips(void **state)
{
    (void)state;
    /* One step of the integer scale: rounding is half a step, and full scale itself is clipped by
     * one. */
    double step16 = 1.0 / 32768.0, step24 = 1.0 / 8388608.0;
    round_trip("mono.wav", 1, 32000, 16, step16);
    round_trip("stereo.wav", 2, 44100, 24, step24);
    round_trip("float.wav", 2, 48000, 32, 0.0);
    round_trip("six.wav", 6, 48000, 16, step16);
    round_trip("high.wav", 1, 192000, 24, step24);
    round_trip("mono.flac", 1, 32000, 16, step16);
    round_trip("six.flac", 6, 96000, 24, step24);
    round_trip("UPPER.WAV", 1, 8000, 16, step16);
}

static void test_ogg(void **state)
{
    (void)state;
    smitin_error error;
    size_t frames = 32000;
    float *samples = make_sine(frames, 2, 32000, 440.0, 0.5);
    const char *path = in_scratch("sine.ogg");
    ASSERT_OK(sm_audio_write(path, samples, frames, 2, 32000, 16, NULL, 0, &error));
    sm_audio audio;
    ASSERT_OK(sm_audio_read(&audio, path, 0.0, -1.0, &error));
    assert_int_equal(audio.frames, frames);
    /* Lossy: at this quality a pure tone keeps its level within a fraction of a decibel. */
    ASSERT_NEAR(sm_audio_rms_db(audio.samples, frames * 2), sm_audio_rms_db(samples, frames * 2),
                0.3);
    sm_audio_free(&audio);
    unlink(path);
    free(samples);
}

static void test_one_sample(void **state)
{
    (void)state;
    smitin_error error;
    float one = 0.5f;
    const char *names[] = {"one.wav", "one.flac"};
    for (int i = 0; i < 2; i++) {
        const char *path = in_scratch(names[i]);
        ASSERT_OK(sm_audio_write(path, &one, 1, 1, 32000, 16, NULL, 0, &error));
        sm_audio audio;
        ASSERT_OK(sm_audio_read_mono(&audio, path, 32000, 0.0, -1.0, &error));
        assert_int_equal(audio.frames, 1);
        ASSERT_NEAR(audio.samples[0], 0.5, 1.0 / 32768.0);
        sm_audio_free(&audio);
        unlink(path);
    }
}

static void test_region_and_mono(void **state)
{
    (void)state;
    smitin_error error;
    size_t frames = 48000;
    float *samples = malloc(frames * 2 * sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < frames; i++) {
        samples[2 * i] = (float)i / 65536.0f; /* exact in 32-bit floats */
        samples[2 * i + 1] = -samples[2 * i] / 2.0f;
    }
    const char *path = in_scratch("ramp.wav");
    ASSERT_OK(sm_audio_write(path, samples, frames, 2, 48000, 32, NULL, 0, &error));
    sm_audio audio;
    ASSERT_OK(sm_audio_read(&audio, path, 0.25, 0.5, &error));
    assert_int_equal(audio.frames, 24000);
    assert_true(audio.samples[0] == samples[2 * 12000]);
    assert_true(audio.samples[2 * 23999 + 1] == samples[2 * 35999 + 1]);
    sm_audio_free(&audio);
    ASSERT_OK(sm_audio_read(&audio, path, 0.75, 9.0, &error)); /* past the end: what is there */
    assert_int_equal(audio.frames, 12000);
    sm_audio_free(&audio);
    ASSERT_OK(sm_audio_read_mono(&audio, path, 48000, 0.5, 0.25, &error));
    assert_int_equal(audio.channels, 1);
    assert_true(audio.samples[0] == samples[2 * 24000] / 4.0f);
    sm_audio_free(&audio);
    ASSERT_FAILS(sm_audio_read(&audio, path, 1.0, 1.0, &error), SMITIN_ERROR_ARGUMENT,
                 "1.000 s long");
    ASSERT_FAILS(sm_audio_read(&audio, path, -1.0, 1.0, &error), SMITIN_ERROR_ARGUMENT,
                 "0 or more");
    ASSERT_FAILS(sm_audio_read(&audio, path, 0.0, 0.0, &error), SMITIN_ERROR_ARGUMENT, "above 0");
    ASSERT_FAILS(sm_audio_read(&audio, path, NAN, 1.0, &error), SMITIN_ERROR_ARGUMENT, "0 or more");
    assert_null(audio.samples);
    unlink(path);
    free(samples);
}

/* Channels as a model wants them: interleaved samples of `in` channels read as `out`. */
static void check_channels(int in, int out, const float *samples, const float *expected)
{
    smitin_error error;
    const char *path = in_scratch("channels.wav");
    sm_audio audio;
    ASSERT_OK(sm_audio_write(path, samples, 2, in, 32000, 32, NULL, 0, &error));
    ASSERT_OK(sm_audio_read_as(&audio, path, out, 32000, 0.0, -1.0, &error));
    assert_int_equal(audio.channels, out);
    assert_int_equal(audio.frames, 2);
    for (int i = 0; i < 2 * out; i++) assert_true(audio.samples[i] == expected[i]);
    sm_audio_free(&audio);
    unlink(path);
}

static void test_channels(void **state)
{
    (void)state;
    smitin_error error;
    sm_audio audio;
    /* Exact in 32-bit floats. */
    const float mono[] = {0.5f, -0.25f}, both[] = {0.5f, 0.5f, -0.25f, -0.25f};
    const float stereo[] = {0.5f, 0.25f, -0.5f, 0.0f}, mean[] = {0.375f, -0.25f};
    const float three[] = {0.5f, 0.25f, 1.0f, -0.5f, 0.0f, 1.0f};
    check_channels(1, 2, mono, both);
    check_channels(1, 1, mono, mono);
    check_channels(2, 2, stereo, stereo);
    check_channels(2, 1, stereo, mean);
    check_channels(3, 2, three, stereo);
    ASSERT_FAILS(sm_audio_read_as(&audio, "any.wav", 3, 32000, 0.0, -1.0, &error),
                 SMITIN_ERROR_ARGUMENT, "1 or 2");
}

static void test_tags(void **state)
{
    (void)state;
    smitin_error error;
    float samples[100] = {0};
    /* One byte too long, the last character of two bytes: it is cut as a whole. */
    char comment[SM_AUDIO_TAG_MAX + 2];
    memset(comment, 'x', sizeof comment);
    memcpy(comment + SM_AUDIO_TAG_MAX - 1, "\xc3\xa4", 3);
    sm_audio_tag tags[] = {{"title", "Knob at 60 %"}, {"comment", comment}, {"artist", "smitin"}};
    const char *names[] = {"tags.wav", "tags.flac", "tags.ogg", "tags.mp3"};
    for (int i = 0; i < 4; i++) {
        const char *path = in_scratch(names[i]);
        ASSERT_OK(sm_audio_write(path, samples, 100, 1, 32000, 16, tags, 3, &error));
        SF_INFO info = {0};
        SNDFILE *file = sf_open(path, SFM_READ, &info);
        assert_non_null(file);
        assert_string_equal(sf_get_string(file, SF_STR_TITLE), "Knob at 60 %");
        assert_int_equal(strlen(sf_get_string(file, SF_STR_COMMENT)), SM_AUDIO_TAG_MAX - 1);
        assert_memory_equal(sf_get_string(file, SF_STR_COMMENT), comment, SM_AUDIO_TAG_MAX - 1);
        assert_string_equal(sf_get_string(file, SF_STR_ARTIST), "smitin");
        sf_close(file);
        unlink(path);
    }
    sm_audio_tag wrong = {"colour", "blue"};
    ASSERT_FAILS(sm_audio_write(in_scratch("a.wav"), samples, 100, 1, 32000, 16, &wrong, 1, &error),
                 SMITIN_ERROR_ARGUMENT, "colour");
    assert_int_equal(count_scratch(), 0);
}

static void test_same_bytes(void **state)
{
    (void)state;
    smitin_error error;
    float *samples = make_sine(3000, 1, 32000, 440.0, 0.5);
    const char *names[] = {"a.wav", "a.flac"};
    for (int i = 0; i < 2; i++) {
        size_t size_a, size_b;
        ASSERT_OK(sm_audio_write(in_scratch(names[i]), samples, 3000, 1, 32000, i == 0 ? 32 : 24,
                                 NULL, 0, &error));
        unsigned char *a = read_bytes(in_scratch(names[i]), &size_a);
        ASSERT_OK(sm_audio_write(in_scratch(names[i]), samples, 3000, 1, 32000, i == 0 ? 32 : 24,
                                 NULL, 0, &error));
        unsigned char *b = read_bytes(in_scratch(names[i]), &size_b);
        assert_int_equal(size_a, size_b);
        assert_memory_equal(a, b, size_a);
        free(a);
        free(b);
        unlink(in_scratch(names[i]));
    }
    free(samples);
}

/* Standard output may be a pipe: the file must come out whole all the same. */
static void test_pipe(void **state)
{
    (void)state;
    smitin_error error;
    float *samples = make_sine(2000, 1, 32000, 440.0, 0.5);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
    smitin_status status = sm_audio_write("-", samples, 2000, 1, 32000, 16, NULL, 0, &error);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    assert_int_equal(status, SMITIN_OK);
    unsigned char bytes[8192]; /* 4000 bytes and a header: less than a pipe's buffer */
    size_t size = 0;
    for (ssize_t n = 1; n > 0; size += (size_t)n)
        n = read(ends[0], bytes + size, sizeof bytes - size);
    close(ends[0]);
    sm_audio audio;
    ASSERT_OK(sm_audio_read_memory(&audio, bytes, size, "pipe", 0.0, -1.0, &error));
    assert_int_equal(audio.frames, 2000);
    for (size_t i = 0; i < 2000; i++) ASSERT_NEAR(audio.samples[i], samples[i], 1.0 / 32768.0);
    sm_audio_free(&audio);
    free(samples);
}

/* Streaming writers do not know the size of the data and leave the largest number. */
static void test_streamed_wav(void **state)
{
    (void)state;
    smitin_error error;
    float *samples = make_sine(2000, 1, 32000, 440.0, 0.5);
    const char *path = in_scratch("streamed.wav");
    ASSERT_OK(sm_audio_write(path, samples, 2000, 1, 32000, 16, NULL, 0, &error));
    size_t size;
    unsigned char *bytes = read_bytes(path, &size);
    size_t data = size - 4000 - 4;
    assert_memory_equal(bytes + data - 4, "data", 4);
    memset(bytes + 4, 0xff, 4);
    memset(bytes + data, 0xff, 4);
    sm_audio audio;
    ASSERT_OK(sm_audio_read_memory(&audio, bytes, size, "streamed", 0.0, -1.0, &error));
    assert_int_equal(audio.frames, 2000);
    for (size_t i = 0; i < 2000; i++) ASSERT_NEAR(audio.samples[i], samples[i], 1.0 / 32768.0);
    sm_audio_free(&audio);
    free(bytes);
    free(samples);
    unlink(path);
}

static void test_bad_input(void **state)
{
    (void)state;
    smitin_error error;
    sm_audio audio;
    ASSERT_FAILS(sm_audio_read(&audio, in_scratch("none.wav"), 0.0, -1.0, &error), SMITIN_ERROR_IO,
                 "No such file");
    ASSERT_FAILS(sm_audio_read(&audio, scratch, 0.0, -1.0, &error), SMITIN_ERROR_IO, "directory");
    write_bytes(in_scratch("empty.wav"), "", 0);
    ASSERT_FAILS(sm_audio_read(&audio, in_scratch("empty.wav"), 0.0, -1.0, &error),
                 SMITIN_ERROR_FORMAT, "empty");
    write_bytes(in_scratch("text.wav"), "this is no music at all", 23);
    ASSERT_FAILS(sm_audio_read(&audio, in_scratch("text.wav"), 0.0, -1.0, &error),
                 SMITIN_ERROR_FORMAT, "not an audio file");

    float *samples = make_sine(100, 1, 32000, 440.0, 0.5);
    ASSERT_OK(sm_audio_write(in_scratch("good.wav"), samples, 100, 1, 32000, 32, NULL, 0, &error));
    size_t size;
    unsigned char *bytes = read_bytes(in_scratch("good.wav"), &size);
    /* Every cut through the header is refused. */
    for (size_t n = 0; n <= size - 400; n++)
        assert_int_not_equal(sm_audio_read_memory(&audio, bytes, n, "cut", 0.0, -1.0, &error),
                             SMITIN_OK);
    float bad = NAN;
    memcpy(bytes + size - 4, &bad, 4);
    ASSERT_FAILS(sm_audio_read_memory(&audio, bytes, size, "nan", 0.0, -1.0, &error),
                 SMITIN_ERROR_FORMAT, "not a number");
    bad = INFINITY;
    memcpy(bytes + size - 4, &bad, 4);
    ASSERT_FAILS(sm_audio_read_memory(&audio, bytes, size, "inf", 0.0, -1.0, &error),
                 SMITIN_ERROR_FORMAT, "not a number");
    int32_t rate = 2000000000;
    memcpy(bytes + 24, &rate, 4);
    ASSERT_FAILS(sm_audio_read_memory(&audio, bytes, size, "rate", 0.0, -1.0, &error),
                 SMITIN_ERROR_FORMAT, "sample rate");
    assert_null(audio.samples);
    free(bytes);
    free(samples);
    unlink(in_scratch("good.wav"));
    unlink(in_scratch("text.wav"));
    unlink(in_scratch("empty.wav"));
}

/* An hour and a second of silence, as a WAV whose samples are a hole in the file. */
static void test_too_long(void **state)
{
    (void)state;
    smitin_error error;
    float silence[8] = {0};
    const char *path = in_scratch("long.wav");
    ASSERT_OK(sm_audio_write(path, silence, 8, 1, 8000, 16, NULL, 0, &error));
    size_t size;
    unsigned char *bytes = read_bytes(path, &size);
    uint32_t data = 3601u * 8000u * 2u, riff = data + (uint32_t)size - 16 - 8;
    memcpy(bytes + 4, &riff, 4);
    memcpy(bytes + size - 20, &data, 4);
    write_bytes(path, bytes, size - 16);
    assert_int_equal(truncate(path, (off_t)(size - 16 + data)), 0);
    sm_audio audio;
    ASSERT_FAILS(sm_audio_read(&audio, path, 0.0, -1.0, &error), SMITIN_ERROR_ARGUMENT,
                 "more than the 3600 s");
    ASSERT_OK(sm_audio_read(&audio, path, 3600.0, 3.0, &error)); /* a part of it is fine */
    assert_int_equal(audio.frames, 8000);
    sm_audio_free(&audio);
    free(bytes);
    unlink(path);
}

static void test_write_refusals(void **state)
{
    (void)state;
    smitin_error error;
    float samples[4] = {0.0f, 0.5f, 1.5f, 0.0f};
    const char *wav = in_scratch("w.wav");
    ASSERT_FAILS(sm_audio_write(wav, samples, 4, 1, 32000, 16, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "beyond full scale");
    ASSERT_FAILS(sm_audio_write(wav, samples, 0, 1, 32000, 16, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "no samples");
    ASSERT_FAILS(sm_audio_write(wav, samples, 2, 1, 32000, 20, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "20 bits");
    ASSERT_FAILS(sm_audio_write(wav, samples, 2, 0, 32000, 16, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "0 channels");
    ASSERT_FAILS(sm_audio_write(in_scratch("w.mp4"), samples, 2, 1, 32000, 16, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, ".flac, .ogg or .mp3");
    ASSERT_FAILS(sm_audio_write(in_scratch("w.flac"), samples, 2, 1, 32000, 32, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "32 bits");
    ASSERT_FAILS(
        sm_audio_write(in_scratch("no/such/w.wav"), samples, 2, 1, 32000, 16, NULL, 0, &error),
        SMITIN_ERROR_IO, "create its folder");
    samples[2] = NAN;
    ASSERT_FAILS(sm_audio_write(wav, samples, 4, 1, 32000, 32, NULL, 0, &error),
                 SMITIN_ERROR_ARGUMENT, "not a number");
    assert_int_equal(mkdir(in_scratch("folder.wav"), 0777), 0);
    ASSERT_FAILS(
        sm_audio_write(in_scratch("folder.wav"), samples, 2, 1, 32000, 16, NULL, 0, &error),
        SMITIN_ERROR_IO, "directory");
    rmdir(in_scratch("folder.wav"));
    assert_int_equal(count_scratch(), 0);
}

/* A full disk leaves the old file as it was and no new one. A limit on file sizes stands for the
 * disk. */
static void test_disk_full(void **state)
{
    (void)state;
    smitin_error error;
    float *samples = make_sine(20000, 1, 32000, 440.0, 0.5);
    const char *path = in_scratch("full.wav");
    write_bytes(path, "before", 6);
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 10000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    smitin_status status = sm_audio_write(path, samples, 20000, 1, 32000, 16, NULL, 0, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, SMITIN_ERROR_IO);
    assert_non_null(strstr(error.message, "free some space"));
    size_t size;
    unsigned char *bytes = read_bytes(path, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "before", 6);
    assert_int_equal(count_scratch(), 1);
    free(bytes);
    unlink(path);
    if (access("/dev/full", W_OK) == 0) { /* devices are written in place, never replaced */
        assert_int_equal(symlink("/dev/full", in_scratch("device.wav")), 0);
        ASSERT_FAILS(
            sm_audio_write(in_scratch("device.wav"), samples, 20000, 1, 32000, 16, NULL, 0, &error),
            SMITIN_ERROR_IO, "free some space");
        unlink(in_scratch("device.wav"));
    }
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_ogg),
        cmocka_unit_test(test_one_sample),   cmocka_unit_test(test_region_and_mono),
        cmocka_unit_test(test_channels),     cmocka_unit_test(test_tags),
        cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_streamed_wav), cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_write_refusals),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}

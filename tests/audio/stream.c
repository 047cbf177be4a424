/* SPDX-License-Identifier: MIT */
/* A WAV that is sent while it is made has the bytes of one that is written at once. */
#include "helpers.h"

static smitin_error error;
static const sm_audio_tag tags[] = {{"software", "test"}, {"comment", "an odd length"}};

/* Let standard output go to `path`; returns what it was. */
static int redirect(const char *path)
{
    fflush(stdout);
    const int before = dup(STDOUT_FILENO);
    FILE *file = fopen(path, "wb");
    assert_true(before >= 0 && file != NULL);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    fclose(file);
    return before;
}

static void restore(int before)
{
    dup2(before, STDOUT_FILENO);
    close(before);
}

typedef struct outcome {
    smitin_status status;
    size_t early; /* bytes that were out before the second half came */
} outcome;

static outcome send_all(const float *samples, size_t frames, size_t announced, int channels,
                        int bits, size_t block)
{
    sm_audio_stream *stream = NULL;
    outcome o = {SMITIN_OK, 0};
    const size_t C = (size_t)channels;
    const int before = redirect(in_scratch("sent.wav"));
    o.status =
        sm_audio_stream_open(&stream, "-", announced, channels, 32000, bits, tags, 2, &error);
    for (size_t at = 0; at < frames && o.status == SMITIN_OK; at += block) {
        const size_t n = frames - at < block ? frames - at : block;
        o.status = sm_audio_stream_write(stream, samples + at * C, n, &error);
        struct stat info;
        if (2 * at < frames && fstat(STDOUT_FILENO, &info) == 0) o.early = (size_t)info.st_size;
    }
    const smitin_status closed =
        sm_audio_stream_close(stream, o.status == SMITIN_OK ? &error : NULL);
    if (o.status == SMITIN_OK) o.status = closed;
    restore(before);
    return o;
}

static void the_bytes_of_a_file(void **state)
{
    (void)state;
    static const int bits[] = {16, 24, 32};
    static const size_t lengths[] = {1, 2, 1001, 20000}, blocks[] = {1, 333, 50000};
    for (int b = 0; b < 3; b++) {
        for (int i = 0; i < 4; i++) {
            for (int channels = 1; channels <= 2; channels++) {
                const size_t frames = lengths[i];
                float *sine = make_sine(frames, channels, 32000, 440.0, 1.0);
                size_t size = 0, sent_size = 0;
                ASSERT_OK(sm_audio_write(in_scratch("file.wav"), sine, frames, channels, 32000,
                                         bits[b], tags, 2, &error));
                unsigned char *file = read_bytes(in_scratch("file.wav"), &size);
                for (int k = i == 3; k < 3; k++) {
                    const outcome o = send_all(sine, frames, frames, channels, bits[b], blocks[k]);
                    assert_int_equal(o.status, SMITIN_OK);
                    unsigned char *sent = read_bytes(in_scratch("sent.wav"), &sent_size);
                    assert_int_equal(sent_size, size);
                    assert_memory_equal(sent, file, size);
                    /* The first half was out when the second came. */
                    if (blocks[k] == 333 && frames == 20000) assert_true(o.early > size / 2);
                    free(sent);
                }
                free(file), free(sine);
            }
        }
    }
}

/* A file that is written part by part, in every format; it appears when it is closed. */
static void files_in_parts(void **state)
{
    (void)state;
    static const char *const names[] = {"part.wav", "part.flac", "part.mp3", "part.ogg"};
    const size_t frames = 20000, block = 777;
    float *sine = make_sine(frames, 2, 32000, 440.0, 0.5);
    for (int i = 0; i < 4; i++) {
        const char *path = in_scratch(names[i]);
        size_t size = 0, parts_size = 0;
        ASSERT_OK(sm_audio_write(path, sine, frames, 2, 32000, 24, tags, 2, &error));
        unsigned char *whole = read_bytes(path, &size);
        unlink(path);
        sm_audio_stream *stream = NULL;
        ASSERT_OK(sm_audio_stream_open(&stream, path, frames, 2, 32000, 24, tags, 2, &error));
        for (size_t at = 0; at < frames; at += block) {
            assert_int_not_equal(access(path, F_OK), 0);
            const size_t n = frames - at < block ? frames - at : block;
            ASSERT_OK(sm_audio_stream_write(stream, sine + 2 * at, n, &error));
        }
        ASSERT_OK(sm_audio_stream_close(stream, &error));
        unsigned char *parts = read_bytes(path, &parts_size);
        assert_int_equal(parts_size, size);
        if (i < 3) assert_memory_equal(parts, whole, size); /* Ogg's stream number is random */
        char *comment = NULL, *none = NULL;
        ASSERT_OK(sm_audio_read_tag(&comment, path, "comment", &error));
        assert_string_equal(comment, "an odd length");
        ASSERT_OK(sm_audio_read_tag(&none, path, "title", &error));
        assert_null(none);
        ASSERT_FAILS(sm_audio_read_tag(&none, path, "colour", &error), SMITIN_ERROR_ARGUMENT,
                     "colour");
        free(comment), free(parts), free(whole);
        unlink(path);
    }
    free(sine);
}

static void what_is_dropped_leaves_nothing(void **state)
{
    (void)state;
    float *sine = make_sine(1000, 1, 32000, 440.0, 0.5);
    sm_audio_stream *stream = NULL;
    const int before = count_scratch();
    ASSERT_OK(
        sm_audio_stream_open(&stream, in_scratch("a.flac"), 1000, 1, 32000, 16, tags, 2, &error));
    ASSERT_OK(sm_audio_stream_write(stream, sine, 500, &error));
    sm_audio_stream_discard(stream);
    sm_audio_stream_discard(NULL);
    assert_int_equal(count_scratch(), before);
    ASSERT_OK(
        sm_audio_stream_open(&stream, in_scratch("a.wav"), 1000, 1, 32000, 16, tags, 2, &error));
    ASSERT_OK(sm_audio_stream_write(stream, sine, 500, &error));
    ASSERT_FAILS(sm_audio_stream_close(stream, &error), SMITIN_ERROR_ARGUMENT, "only 500 came");
    assert_int_equal(count_scratch(), before);
    ASSERT_FAILS(sm_audio_stream_open(&stream, in_scratch("no/such/a.wav"), 9, 1, 32000, 16, NULL,
                                      0, &error),
                 SMITIN_ERROR_IO, "create its folder");
    /* MP3 has few rates. */
    ASSERT_FAILS(
        sm_audio_stream_open(&stream, in_scratch("a.mp3"), 9, 1, 2000, 16, NULL, 0, &error),
        SMITIN_ERROR_ARGUMENT, "another rate");
    assert_null(stream);
    assert_int_equal(count_scratch(), before);
    free(sine);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    float *sine = make_sine(100, 1, 32000, 440.0, 1.0);
    assert_int_equal(send_all(sine, 100, 99, 1, 16, 50).status, SMITIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "1 more do not fit"));
    assert_int_equal(send_all(sine, 100, 101, 1, 16, 50).status, SMITIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "only 100 came"));
    sine[70] = 1.5f;
    assert_int_equal(send_all(sine, 100, 100, 1, 16, 50).status, SMITIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "sample 70"));
    assert_int_equal(send_all(sine, 100, 100, 1, 20, 50).status, SMITIN_ERROR_ARGUMENT);
    assert_int_equal(send_all(sine, 0, 0, 1, 16, 50).status, SMITIN_ERROR_ARGUMENT);
    free(sine);
    assert_int_equal(sm_audio_stream_close(NULL, &error), SMITIN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_of_a_file),
        cmocka_unit_test(files_in_parts),
        cmocka_unit_test(what_is_dropped_leaves_nothing),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}

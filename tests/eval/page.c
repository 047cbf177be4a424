/* SPDX-License-Identifier: MIT */
/* Pages that hold everything themselves: escapes, base64, pictures of sound, figures. */
#include "../common.h"

#include <png.h>

#include "../../src/eval/chart.h"
#include "../../src/eval/page.h"
#include "../../src/eval/spectrogram.h"

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10. */
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *text = sm_page_base64(pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
        free(text);
    }
    const unsigned char high[3] = {0xFF, 0xEF, 0xBE};
    char *text = sm_page_base64(high, 3);
    assert_string_equal(text, "/+++");
    free(text);
}

static void escapes_to(const char *text, const char *expected)
{
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);
    sm_page_text(out, text);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(got, expected);
    free(got);
}

#define LOST "\xEF\xBF\xBD"

static void test_text(void **state)
{
    (void)state;
    escapes_to("<a href=\"x\" b='y'>&amp;", "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
    escapes_to("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\xB5\n\t",
               "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\xB5\n\t");
    escapes_to("a\x01"
               "b\x7F",
               "a" LOST "b" LOST);
    escapes_to("\xC3", LOST);                            /* cut short */
    escapes_to("\xE2\x82", LOST LOST);                   /* cut short at the end of the text */
    escapes_to("\xC0\xAF", LOST LOST);                   /* "/" in an overlong form */
    escapes_to("\xED\xA0\x80", LOST LOST LOST);          /* a surrogate */
    escapes_to("\xF4\x90\x80\x80", LOST LOST LOST LOST); /* beyond U+10FFFF */
    escapes_to("\x80<", LOST "&lt;");
}

static void test_json(void **state)
{
    (void)state;
    char *got = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&got, &size);
    sm_page_json(out, "{\"a\": \"</script><!--\"}");
    assert_int_equal(fclose(out), 0);
    assert_string_equal(got, "{\"a\": \"\\u003c/script>\\u003c!--\"}");
    free(got);
}

/* ---- Spectrograms ---- */

enum { RATE = 32000, WIDTH = 100 };

/* The picture as grey levels [SM_SPECTROGRAM_BANDS, WIDTH], to free(). */
static unsigned char *decode(const unsigned char *png, size_t size)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, png, size));
    image.format = PNG_FORMAT_GRAY;
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, SM_SPECTROGRAM_BANDS);
    unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    return pixels;
}

static double to_mel(double hertz)
{
    return 2595.0 * log10(1.0 + hertz / 700.0);
}

/* One second of a tone in a picture of two: the brightest row is that of its pitch, and the second
 * half is as dark as silence. */
static void test_spectrogram(void **state)
{
    (void)state;
    static float samples[RATE];
    for (size_t f = 0; f < 3; f++) {
        const double pitch = (const double[]){300.0, 1000.0, 6000.0}[f];
        smitin_error error;
        unsigned char *png = NULL, *again = NULL;
        size_t size = 0, size_again = 0;
        for (int i = 0; i < RATE; i++)
            samples[i] = (float)(0.5 * sin(2.0 * 3.14159265358979 * pitch * i / RATE));
        ASSERT_OK(sm_spectrogram_png(&png, &size, samples, RATE, RATE, 2.0, WIDTH, &error));
        ASSERT_OK(sm_spectrogram_png(&again, &size_again, samples, RATE, RATE, 2.0, WIDTH, &error));
        assert_int_equal(size, size_again);
        assert_memory_equal(png, again, size);
        unsigned char *pixels = decode(png, size);
        int best = 0;
        for (int row = 1; row < SM_SPECTROGRAM_BANDS; row++)
            if (pixels[row * WIDTH + 25] > pixels[best * WIDTH + 25]) best = row;
        /* Bands' middles are evenly spaced in mel; half a window's bin can be the next one's. */
        const double low = to_mel(SM_SPECTROGRAM_LOW),
                     step = (to_mel(RATE / 2.0) - low) / (SM_SPECTROGRAM_BANDS + 1);
        const double expected = SM_SPECTROGRAM_BANDS - (to_mel(pitch) - low) / step;
        ASSERT_NEAR(best, expected, 1.01);
        assert_true(pixels[best * WIDTH + 25] > 150);
        for (int row = 0; row < SM_SPECTROGRAM_BANDS; row++) {
            assert_true(pixels[row * WIDTH + 75] < 12);
            assert_int_equal(pixels[row * WIDTH + 75], pixels[WIDTH - 1]);
        }
        free(pixels);
        free(again);
        free(png);
    }
}

/* ---- Figures ---- */

static char *svg_of(const sm_chart *chart)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sm_chart_svg(out, chart, "f1");
    assert_int_equal(fclose(out), 0);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    return text;
}

static void test_chart(void **state)
{
    (void)state;
    const double none = (double)NAN;
    const double x[4] = {0, 1, 2, 3}, y[4] = {0, 5, none, 10};
    sm_series series = {SM_SERIES_LINE, "<line>", 2, x, y, NULL, NULL, 4};
    sm_chart chart = {.title = "a & b",
                      .about = "c",
                      .x_label = "x",
                      .y_label = "y",
                      .x_low = none,
                      .x_high = none,
                      .y_low = 0.0,
                      .y_high = 10.0,
                      .shade = 1.0,
                      .shade_label = "prompt",
                      .series = &series,
                      .count = 1};
    char *text = svg_of(&chart);
    /* From (62, 254) to (704, 12): the frame. The gap is a new beginning of the path. */
    assert_non_null(strstr(text, "d=\"M62.0 254.0L276.0 133.0M704.0 12.0\""));
    assert_non_null(strstr(text, "<title id=\"f1-t\">a &amp; b</title>"));
    assert_non_null(strstr(text, "&lt;line&gt;"));
    assert_non_null(strstr(text, "class=\"shade\" x=\"62\" y=\"12\" width=\"214.0\""));
    free(text);
    /* Nothing, one point, a constant: a figure all the same. */
    for (size_t count = 0; count < 2; count++) {
        const double same[1] = {3.0};
        series = (sm_series){SM_SERIES_MARKS, NULL, 0, same, same, NULL, NULL, count};
        chart.y_low = chart.y_high = chart.shade = none;
        free(svg_of(&chart));
    }
    const double all_none[4] = {none, none, none, none};
    series = (sm_series){SM_SERIES_BAND, "band", 0, x, all_none, all_none, NULL, 4};
    free(svg_of(&chart));
}

static void test_chart_frame(void **state)
{
    (void)state;
    const double x[2] = {0.25, 0.75}, y[2] = {3, 17}, none = (double)NAN;
    const sm_series bars = {SM_SERIES_BARS, NULL, 0, x, y, NULL, NULL, 2};
    const sm_chart chart = {.x_low = none,
                            .x_high = none,
                            .y_low = none,
                            .y_high = none,
                            .shade = none,
                            .series = &bars,
                            .count = 1};
    sm_chart_frame frame;
    sm_chart_find_frame(&chart, &frame);
    ASSERT_NEAR(frame.x_low, 0.0, 1e-12); /* bars reach half a step to either side */
    ASSERT_NEAR(frame.x_high, 1.0, 1e-12);
    ASSERT_NEAR(frame.y_low, 0.0, 1e-12); /* and stand on zero */
    ASSERT_NEAR(frame.y_high, 17.0 * 1.06, 1e-12);
    ASSERT_NEAR(frame.x_step, 0.1, 1e-12);
    ASSERT_NEAR(frame.y_step, 5.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64), cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),   cmocka_unit_test(test_spectrogram),
        cmocka_unit_test(test_chart),  cmocka_unit_test(test_chart_frame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

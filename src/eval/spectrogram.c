/* SPDX-License-Identifier: MIT */
/* Owns spectrograms: our own spectra and mel bands, libpng's file. */
#include "spectrogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "spectrum.h"

enum { WINDOW = 2048, BANDS = SM_SPECTROGRAM_BANDS, COLOURS = 256 };

/* Black, violet, red, orange, nearly white: straight lines between these. */
static void fill_colours(png_byte map[3 * COLOURS])
{
    static const int stops[6][3] = {{6, 6, 18},    {52, 24, 98},   {142, 36, 98},
                                    {214, 84, 52}, {246, 178, 64}, {255, 250, 220}};
    for (int i = 0; i < COLOURS; i++) {
        const double place = 5.0 * i / (COLOURS - 1);
        const int from = place < 5.0 ? (int)place : 4;
        for (int c = 0; c < 3; c++)
            map[3 * i + c] = (png_byte)lround(
                stops[from][c] + (place - from) * (stops[from + 1][c] - stops[from][c]));
    }
}

static smitin_status encode(unsigned char **png, size_t *size, const png_byte *pixels, int width,
                            smitin_error *error)
{
    png_byte colours[3 * COLOURS];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = BANDS,
                       .format = PNG_FORMAT_RGB_COLORMAP,
                       .colormap_entries = COLOURS};
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    fill_colours(colours);
    *png = malloc(bytes);
    if (*png == NULL) return sm_fail_memory(error, "a spectrogram", bytes);
    if (!png_image_write_to_memory(&image, *png, &bytes, 0, pixels, 0, colours)) {
        free(*png);
        *png = NULL;
        return sm_fail(error, SMITIN_ERROR_IO, "a spectrogram could not be made into a PNG: %s",
                       image.message);
    }
    *size = bytes;
    return SMITIN_OK;
}

typedef struct canvas {
    sm_spectrum *spectrum;
    float *filters; /* [BANDS, WINDOW / 2 + 1] */
    float frame[WINDOW], magnitude[WINDOW / 2 + 1];
    float level[BANDS]; /* of a column: the loudest so far, 0 at the floor, about 1 at full scale */
    png_byte *pixels;   /* [BANDS, width] */
    int width;
} canvas;

/* The spectrum around sample `middle`, zeros outside. */
static void hear(canvas *c, const float *samples, size_t count, double middle)
{
    float mel[BANDS];
    const long from = lround(middle) - WINDOW / 2;
    for (long i = 0; i < WINDOW; i++)
        c->frame[i] = from + i >= 0 && from + i < (long)count ? samples[from + i] : 0.0f;
    sm_spectrum_run(c->spectrum, c->frame, c->magnitude);
    sm_mel_apply(mel, c->filters, c->magnitude, BANDS, WINDOW);
    for (int b = 0; b < BANDS; b++) c->level[b] = fmaxf(c->level[b], mel[b]);
}

static void put_column(canvas *c, int x)
{
    for (int b = 0; b < BANDS; b++) {
        const double level = fmin(fmax((double)c->level[b], 0.0), 1.0);
        c->pixels[(size_t)(BANDS - 1 - b) * (size_t)c->width + (size_t)x] =
            (png_byte)lround(level * (COLOURS - 1));
    }
}

smitin_status sm_spectrogram_png(unsigned char **png, size_t *size, const float *samples,
                                 size_t count, int rate, double seconds, int width,
                                 smitin_error *error)
{
    const size_t bins = WINDOW / 2 + 1, filters = BANDS * bins * sizeof(float);
    canvas *c = calloc(1, sizeof *c);
    smitin_status status = SMITIN_OK;
    *png = NULL;
    if (c != NULL) {
        c->width = width;
        c->filters = malloc(filters);
        c->pixels = calloc((size_t)width, BANDS);
    }
    if (c == NULL || c->filters == NULL || c->pixels == NULL)
        status = sm_fail_memory(error, "a spectrogram", filters);
    else
        status = sm_spectrum_new(&c->spectrum, WINDOW, error);
    if (status == SMITIN_OK) {
        sm_mel_filters(c->filters, BANDS, WINDOW, rate, SM_SPECTROGRAM_LOW);
        const double column = seconds * rate / width; /* samples */
        const int spectra = (int)fmax(1.0, ceil(column / (WINDOW / 2)));
        for (int x = 0; x < width && x * column < (double)count; x++) {
            memset(c->level, 0, sizeof c->level);
            for (int i = 0; i < spectra; i++)
                hear(c, samples, count, (x + (i + 0.5) / spectra) * column);
            put_column(c, x);
        }
        status = encode(png, size, c->pixels, width, error);
    }
    if (c != NULL) {
        sm_spectrum_free(c->spectrum);
        free(c->filters);
        free(c->pixels);
    }
    free(c);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns chroma features: power spectra of overlapping windows (kissfft), a filter bank of pitch
 * classes, the strongest class. Only ratios within a frame matter, so nothing is normalised. */
#include "chroma.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

static const double PI = 3.14159265358979323846;

/* Classes are weighted by octave: a bell around the fifth octave above 27.5 Hz, two octaves wide.
 */
static const double CENTRE = 5.0, WIDTH = 2.0;

static size_t heard(const sm_chroma_config *config, size_t count)
{
    return count < config->longest ? count : config->longest;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t sm_chroma_frames(const sm_chroma_config *config, size_t count)
{
    return 1 + most(heard(config, count), (size_t)config->window) / (size_t)config->hop;
}

/* Position of bin i on the scale of classes: 12 log2(f_i / 27.5), so that 0 is an A. The lowest bin
 * has no pitch: it is put one and a half octaves below the next. */
static double bin_position(const sm_chroma_config *config, int i)
{
    const double frequency = (double)(i > 0 ? i : 1) * config->rate / config->window;
    return SM_CHROMA * log2(frequency / 27.5) - (i > 0 ? 0.0 : 1.5 * SM_CHROMA);
}

void sm_chroma_filters(const sm_chroma_config *config, float *filters)
{
    const size_t bins = (size_t)config->window / 2 + 1;
    for (size_t i = 0; i < bins; i++) {
        const double at = bin_position(config, (int)i);
        const double spread = fmax(bin_position(config, (int)i + 1) - at, 1.0);
        double weight[SM_CHROMA], square = 0.0;
        for (int c = 0; c < SM_CHROMA; c++) {
            /* Distance to the nearest such class in any octave, -6..6. */
            const double half = SM_CHROMA / 2.0;
            const double from = fmod(at - c + half + 10.0 * SM_CHROMA, SM_CHROMA);
            const double distance = (from < 0.0 ? from + SM_CHROMA : from) - half;
            weight[c] = exp(-0.5 * pow(2.0 * distance / spread, 2.0));
            square += weight[c] * weight[c];
        }
        const double octave = (at / SM_CHROMA - CENTRE) / WIDTH;
        const double scale = exp(-0.5 * octave * octave) / sqrt(square);
        for (int c = 0; c < SM_CHROMA; c++) {
            /* Rotated by three: class 0 becomes C. */
            const int row = (c + SM_CHROMA - 3) % SM_CHROMA;
            filters[(size_t)row * bins + i] = (float)(weight[c] * scale);
        }
    }
}

typedef struct workshop {
    kiss_fftr_cfg fft;
    kiss_fft_cpx *spectrum;          /* [window / 2 + 1] */
    float *window, *frame, *filters; /* [window], [window], [SM_CHROMA, window / 2 + 1] */
    float *padded;                   /* half a window, the samples, half a window */
} workshop;

static void workshop_free(workshop *w)
{
    kiss_fftr_free(w->fft);
    free(w->spectrum);
    free(w->window);
    free(w->frame);
    free(w->filters);
    free(w->padded);
}

static smitin_status workshop_new(workshop *w, const sm_chroma_config *config, size_t length,
                                  smitin_error *error)
{
    const size_t window = (size_t)config->window, bins = window / 2 + 1;
    memset(w, 0, sizeof *w);
    w->fft = kiss_fftr_alloc(config->window, 0, NULL, NULL);
    w->spectrum = malloc(bins * sizeof *w->spectrum);
    w->window = malloc(window * sizeof *w->window);
    w->frame = malloc(window * sizeof *w->frame);
    w->filters = malloc(SM_CHROMA * bins * sizeof *w->filters);
    w->padded = calloc(length + window, sizeof *w->padded);
    if (w->fft == NULL || w->spectrum == NULL || w->window == NULL || w->frame == NULL ||
        w->filters == NULL || w->padded == NULL)
        return sm_fail_memory(error, "a melody", (length + window) * sizeof *w->padded);
    /* Hann's, of a period. */
    for (size_t i = 0; i < window; i++)
        w->window[i] = (float)(0.5 - 0.5 * cos(2.0 * PI * (double)i / (double)window));
    sm_chroma_filters(config, w->filters);
    return SMITIN_OK;
}

/* The samples, as loud as they may be, in the middle of at least a window; and around them their
 * reflection without the edge. */
static void lay_out(const workshop *w, const sm_chroma_config *config, const float *samples,
                    size_t count, size_t length)
{
    const size_t half = (size_t)config->window / 2;
    float *x = w->padded + half, peak = 0.0f;
    for (size_t i = 0; i < count; i++) peak = fmaxf(peak, fabsf(samples[i]));
    const float scale = peak > 0.0f ? 1.0f / peak : 0.0f;
    const size_t before = (length - count) / 2;
    for (size_t i = 0; i < count; i++) x[before + i] = samples[i] * scale;
    for (size_t i = 1; i <= half; i++) {
        x[-(ptrdiff_t)i] = x[i];
        x[length - 1 + i] = x[length - 1 - i];
    }
}

/* The first of the strongest classes of the window that starts at x. */
static int32_t strongest(const workshop *w, const sm_chroma_config *config, const float *x)
{
    const size_t window = (size_t)config->window, bins = window / 2 + 1;
    for (size_t i = 0; i < window; i++) w->frame[i] = x[i] * w->window[i];
    kiss_fftr(w->fft, w->frame, w->spectrum);
    int32_t best = 0;
    double highest = 0.0;
    for (int c = 0; c < SM_CHROMA; c++) {
        const float *filter = w->filters + (size_t)c * bins;
        double sum = 0.0;
        for (size_t i = 0; i < bins; i++) {
            const double re = (double)w->spectrum[i].r, im = (double)w->spectrum[i].i;
            sum += (double)filter[i] * (re * re + im * im);
        }
        if (sum > highest) {
            highest = sum;
            best = c;
        }
    }
    return best;
}

smitin_status sm_chroma_extract(const sm_chroma_config *config, const float *samples, size_t count,
                                int32_t *classes, smitin_error *error)
{
    const size_t used = heard(config, count), length = most(used, (size_t)config->window);
    const size_t frames = sm_chroma_frames(config, count);
    workshop w;
    const smitin_status status = workshop_new(&w, config, length, error);
    if (status == SMITIN_OK) {
        lay_out(&w, config, samples, used, length);
        for (size_t t = 0; t < frames; t++)
            classes[t] = strongest(&w, config, w.padded + t * (size_t)config->hop);
    }
    workshop_free(&w);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Owns spectra (kissfft) and mel bands. */
#include "spectrum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

static const double PI = 3.14159265358979323846;

struct sm_spectrum {
    int window;
    double scale; /* 2 / sum of the window */
    kiss_fftr_cfg fft;
    kiss_fft_cpx *bins;   /* [window / 2 + 1] */
    float *shape, *frame; /* [window] */
};

void sm_spectrum_free(sm_spectrum *s)
{
    if (s == NULL) return;
    kiss_fftr_free(s->fft);
    free(s->bins);
    free(s->shape);
    free(s->frame);
    free(s);
}

smitin_status sm_spectrum_new(sm_spectrum **out, int window, smitin_error *error)
{
    *out = NULL;
    if (window < 16 || window > 65536 || window % 2 != 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a spectrum of %d samples is not possible",
                       window);
    sm_spectrum *s = calloc(1, sizeof *s);
    if (s != NULL) {
        const size_t n = (size_t)window;
        s->window = window;
        s->fft = kiss_fftr_alloc(window, 0, NULL, NULL);
        s->bins = malloc((n / 2 + 1) * sizeof *s->bins);
        s->shape = malloc(n * sizeof *s->shape);
        s->frame = malloc(n * sizeof *s->frame);
    }
    if (s == NULL || s->fft == NULL || s->bins == NULL || s->shape == NULL || s->frame == NULL) {
        sm_spectrum_free(s);
        return sm_fail_memory(error, "a spectrum", (size_t)window * sizeof(float));
    }
    double sum = 0.0;
    for (int i = 0; i < window; i++) {
        s->shape[i] = (float)(0.5 - 0.5 * cos(2.0 * PI * i / window));
        sum += (double)s->shape[i];
    }
    s->scale = 2.0 / sum;
    *out = s;
    return SMITIN_OK;
}

void sm_spectrum_run(sm_spectrum *s, const float *x, float *magnitude)
{
    for (int i = 0; i < s->window; i++) s->frame[i] = x[i] * s->shape[i];
    kiss_fftr(s->fft, s->frame, s->bins);
    for (int i = 0; i <= s->window / 2; i++) {
        const double re = (double)s->bins[i].r, im = (double)s->bins[i].i;
        magnitude[i] = (float)(sqrt(re * re + im * im) * s->scale);
    }
}

static double to_mel(double hertz)
{
    return 2595.0 * log10(1.0 + hertz / 700.0);
}

static double to_hertz(double mel)
{
    return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
}

void sm_mel_filters(float *filters, int bands, int window, int rate, double low)
{
    const size_t bins = (size_t)window / 2 + 1;
    const double first = to_mel(low), step = (to_mel(rate / 2.0) - first) / (bands + 1);
    for (int b = 0; b < bands; b++) {
        const double left = to_hertz(first + b * step), middle = to_hertz(first + (b + 1) * step),
                     right = to_hertz(first + (b + 2) * step);
        for (size_t i = 0; i < bins; i++) {
            const double f = (double)i * rate / window;
            const double height =
                fmin((f - left) / (middle - left), (right - f) / (right - middle));
            filters[(size_t)b * bins + i] = (float)fmax(0.0, height);
        }
    }
}

void sm_mel_apply(float *mel, const float *filters, const float *magnitude, int bands, int window)
{
    const size_t bins = (size_t)window / 2 + 1;
    for (int b = 0; b < bands; b++) {
        const float *filter = filters + (size_t)b * bins;
        double sum = 0.0;
        for (size_t i = 0; i < bins; i++) sum += (double)filter[i] * (double)magnitude[i];
        mel[b] = (float)(log10(fmax(sum, 1e-4)) / 4.0 + 1.0);
    }
}

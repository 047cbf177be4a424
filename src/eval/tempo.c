/* SPDX-License-Identifier: MIT */
/* Owns tempo: onset strength and its autocorrelation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "music.h"
#include "spectrum.h"

enum { FFT = 2048, HOP = 320, BANDS = 64, FRAME_RATE = SM_MUSIC_RATE / HOP, HARMONICS = 4 };

static const double CENTRE_BPM = 120.0;

/* onset [frames - 1] of windows that lie whole in the samples. */
static smitin_status onset_strength(double *onset, const float *samples, size_t frames,
                                    smitin_error *error)
{
    sm_spectrum *spectrum = NULL;
    SM_TRY(sm_spectrum_new(&spectrum, FFT, error));
    float *memory = calloc((size_t)(BANDS + 1) * (FFT / 2 + 1) + 2 * BANDS, sizeof *memory);
    if (memory == NULL) {
        sm_spectrum_free(spectrum);
        return sm_fail_memory(error, "a tempo", BANDS * FFT);
    }
    float *filters = memory, *magnitude = filters + BANDS * (FFT / 2 + 1);
    float *mel = magnitude + FFT / 2 + 1, *before = mel + BANDS;
    sm_mel_filters(filters, BANDS, FFT, SM_MUSIC_RATE, 30.0);
    for (size_t t = 0; t < frames; t++) {
        sm_spectrum_run(spectrum, samples + t * HOP, magnitude);
        sm_mel_apply(mel, filters, magnitude, BANDS, FFT);
        double sum = 0.0;
        for (int b = 0; b < BANDS; b++) sum += fmax(0.0, (double)mel[b] - (double)before[b]);
        if (t > 0) onset[t - 1] = sum;
        memcpy(before, mel, BANDS * sizeof *mel);
    }
    free(memory);
    sm_spectrum_free(spectrum);
    return SMITIN_OK;
}

/* x = (1, 2, 1) / 4 of it, twice, so that a beat between two frames counts as much as one on a
 * frame. */
static void smooth(double *x, size_t n)
{
    for (int pass = 0; pass < 2; pass++) {
        double before = x[0];
        for (size_t t = 0; t < n; t++) {
            const double here = x[t], after = t + 1 < n ? x[t + 1] : here;
            x[t] = 0.25 * before + 0.5 * here + 0.25 * after;
            before = here;
        }
    }
}

static double correlate(const double *x, size_t n, size_t lag)
{
    double sum = 0.0;
    for (size_t t = lag; t < n; t++) sum += x[t] * x[t - lag];
    return sum / (double)(n - lag);
}

/* Offset of the top of a parabola through three values, -0.5..0.5. */
static double vertex(double left, double middle, double right)
{
    const double bend = left - 2.0 * middle + right;
    return bend < 0.0 ? fmax(-0.5, fmin(0.5, 0.5 * (left - right) / bend)) : 0.0;
}

/* The period at a multiple of it: the top near k * lag, or 0 when it is not a local maximum. */
static double refine(const double *r, size_t longest, double lag, int k)
{
    const double around = lag * k;
    size_t best = 0;
    for (size_t i = (size_t)fmax(1.0, floor(around - k)); i <= (size_t)ceil(around + k); i++)
        if (i + 1 <= longest && (best == 0 || r[i] > r[best])) best = i;
    if (best == 0 || best + 1 > longest || r[best] <= 0.0) return 0.0;
    if (r[best] < r[best - 1] || r[best] < r[best + 1]) return 0.0;
    return ((double)best + vertex(r[best - 1], r[best], r[best + 1])) / k;
}

/* r [longest + 1] */
static void pick_period(sm_tempo *tempo, const double *r, size_t longest)
{
    const size_t low = (size_t)floor(60.0 * FRAME_RATE / SM_TEMPO_HIGH);
    const size_t high = (size_t)ceil(60.0 * FRAME_RATE / SM_TEMPO_LOW);
    size_t best = 0;
    double most = 0.0;
    for (size_t lag = low; lag <= high && lag + 1 <= longest; lag++) {
        if (r[lag] < r[lag - 1] || r[lag] < r[lag + 1]) continue;
        const double octaves = log2(60.0 * FRAME_RATE / (double)lag / CENTRE_BPM);
        const double score = r[lag] * exp(-0.5 * octaves * octaves);
        if (score <= most) continue;
        most = score;
        best = lag;
    }
    if (best == 0) return;
    double period = (double)best + vertex(r[best - 1], r[best], r[best + 1]);
    for (int k = 2; k <= HARMONICS; k++) {
        const double finer = refine(r, longest, period, k);
        if (finer > 0.0) period = finer;
    }
    tempo->bpm = 60.0 * FRAME_RATE / period;
    tempo->strength = r[best] / r[0];
}

smitin_status sm_tempo_find(sm_tempo *tempo, const float *samples, size_t count,
                            smitin_error *error)
{
    *tempo = (sm_tempo){(double)NAN, (double)NAN};
    if (count < 2 * SM_MUSIC_RATE) return SMITIN_OK;
    const size_t frames = (count - FFT) / HOP + 1, n = frames - 1;
    const size_t most =
        (size_t)HARMONICS * (size_t)(60.0 * FRAME_RATE / SM_TEMPO_LOW) + 2 * HARMONICS;
    const size_t longest = n / 2 < most ? n / 2 : most;
    double *onset = malloc((n + longest + 2) * sizeof *onset), *r = onset + n, mean = 0.0;
    if (onset == NULL) return sm_fail_memory(error, "a tempo", n * sizeof *onset);
    const smitin_status status = onset_strength(onset, samples, frames, error);
    if (status == SMITIN_OK) {
        smooth(onset, n);
        for (size_t t = 0; t < n; t++) mean += onset[t] / (double)n;
        for (size_t t = 0; t < n; t++) onset[t] -= mean;
        for (size_t lag = 0; lag <= longest; lag++) r[lag] = correlate(onset, n, lag);
        /* Bands at the floor of the scale rise by nothing: only real onsets get here. */
        if (r[0] > 1e-9) pick_period(tempo, r, longest);
    }
    free(onset);
    return status;
}

sm_tempo_relation sm_tempo_relate(double a, double b)
{
    static const double factors[] = {2.0, 0.5, 3.0, 1.0 / 3.0};
    if (!(a > 0.0) || !(b > 0.0)) return SM_TEMPO_UNKNOWN;
    if (fabs(a / b - 1.0) <= 0.04) return SM_TEMPO_SAME;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (fabs(a / (b * factors[i]) - 1.0) <= 0.04) return SM_TEMPO_OCTAVE;
    return SM_TEMPO_OTHER;
}

const char *sm_tempo_relation_name(sm_tempo_relation relation)
{
    static const char *const names[] = {"other", "same", "octave", ""};
    return names[relation];
}

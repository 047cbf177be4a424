/* SPDX-License-Identifier: MIT */
/* Owns key: chroma against profiles of keys. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../melody/chroma.h"
#include "../probe/task.h"
#include "music.h"
#include "spectrum.h"

enum { FFT = 16384, HOP = 4096, MODES = 2 };

/* Windows so much softer than the loudest are silence: fades and noise have no key. */
static const double SILENCE = 1e-4;

static const double profiles[][MODES][SM_CHROMA] = {
    [SM_KEY_TEMPERLEY] = {{5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0},
                          {5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0}},
    [SM_KEY_KRUMHANSL] = {{6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88},
                          {6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17}},
};

/* One window's pitch classes, with a sum of 1, added to chroma; false for a window without sound.
 */
static bool add_window(double *chroma, const float *filters, const float *magnitude)
{
    const size_t bins = FFT / 2 + 1;
    double classes[SM_CHROMA], sum = 0.0;
    for (size_t c = 0; c < SM_CHROMA; c++) {
        double power = 0.0;
        for (size_t i = 0; i < bins; i++)
            power += (double)filters[c * bins + i] * (double)magnitude[i] * (double)magnitude[i];
        classes[c] = sqrt(power);
        sum += classes[c];
    }
    if (sum <= 0.0) return false;
    for (size_t c = 0; c < SM_CHROMA; c++) chroma[c] += classes[c] / sum;
    return true;
}

static double loudest_of(const float *x, size_t n)
{
    double peak = 0.0;
    for (size_t i = 0; i < n; i++) peak = fmax(peak, fabs((double)x[i]));
    return peak;
}

/* chroma [12] of the mean over windows; all zero for silence. A clip shorter than a window is one
 * window with zeros behind it. */
static smitin_status mean_chroma(double *chroma, const float *samples, size_t count,
                                 smitin_error *error)
{
    const sm_chroma_config config = {SM_MUSIC_RATE, FFT, HOP, count};
    const size_t bins = FFT / 2 + 1, windows = count > FFT ? (count - FFT) / HOP + 1 : 1;
    sm_spectrum *spectrum = NULL;
    memset(chroma, 0, SM_CHROMA * sizeof *chroma);
    SM_TRY(sm_spectrum_new(&spectrum, FFT, error));
    float *memory = calloc((SM_CHROMA + 1) * bins + FFT, sizeof *memory);
    if (memory == NULL) {
        sm_spectrum_free(spectrum);
        return sm_fail_memory(error, "a key", (SM_CHROMA + 1) * bins);
    }
    float *filters = memory, *magnitude = filters + SM_CHROMA * bins, *frame = magnitude + bins;
    sm_chroma_filters(&config, filters);
    const double silence = SILENCE * loudest_of(samples, count);
    for (size_t w = 0; w < windows; w++) {
        const float *at = samples + w * HOP;
        const size_t n = count - w * HOP < FFT ? count - w * HOP : FFT;
        if (loudest_of(at, n) <= silence) continue;
        memset(frame, 0, FFT * sizeof *frame);
        memcpy(frame, at, n * sizeof *frame);
        sm_spectrum_run(spectrum, frame, magnitude);
        add_window(chroma, filters, magnitude);
    }
    free(memory);
    sm_spectrum_free(spectrum);
    return SMITIN_OK;
}

/* Pearson's, of chroma turned so that `tonic` comes first. */
static double correlation(const double *chroma, int tonic, const double *profile)
{
    double mean_x = 0.0, mean_y = 0.0, xx = 0.0, yy = 0.0, xy = 0.0;
    for (int i = 0; i < SM_CHROMA; i++) {
        mean_x += chroma[i] / SM_CHROMA;
        mean_y += profile[i] / SM_CHROMA;
    }
    for (int i = 0; i < SM_CHROMA; i++) {
        const double x = chroma[(tonic + i) % SM_CHROMA] - mean_x, y = profile[i] - mean_y;
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return xx > 0.0 ? xy / sqrt(xx * yy) : 0.0;
}

smitin_status sm_key_find(sm_key *key, const float *samples, size_t count, sm_key_profile profile,
                          smitin_error *error)
{
    double chroma[SM_CHROMA], sum = 0.0, second = -1.0;
    *key = (sm_key){-1, (double)NAN, (double)NAN};
    if (count == 0) return SMITIN_OK;
    SM_TRY(mean_chroma(chroma, samples, count, error));
    for (int i = 0; i < SM_CHROMA; i++) sum += chroma[i];
    if (sum <= 0.0) return SMITIN_OK;
    key->correlation = -2.0;
    for (int k = 0; k < SM_KEYS; k++) {
        const double r = correlation(chroma, k / MODES, profiles[profile][k % MODES]);
        if (r > key->correlation) {
            second = key->correlation;
            key->correlation = r;
            key->key = k;
        } else if (r > second) {
            second = r;
        }
    }
    key->margin = key->correlation - second;
    return SMITIN_OK;
}

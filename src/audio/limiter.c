/* SPDX-License-Identifier: MIT */
/* The limiter. For every frame n the gain that its true peak p[n] allows is
 *
 *     r[n] = min(1, ceiling / p[n])
 *     m[n] = min(r[n - H + 1 .. n])                   held over H frames
 *     e[n] = m[n] < e[n-1] ? m[n] : e[n-1] + c (m[n] - e[n-1])     release
 *     g[n] = mean over B of (mean over A of e)        two boxes: a smooth slope
 *
 * and frame n - L leaves with gain g[n]. With L = A + B - 2 + S and H = L + S + 1 every e that g
 * averages for a frame within S of a peak holds that peak's r: so the gain is down before the
 * interpolator, S frames to each side, meets the peak. Gains are integers in units of 2^-30: sums
 * that slide stay exact, and a gain of one is exactly one. */
#include "limiter.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"

#define PI      3.14159265358979323846
#define PLACES  16 /* between two samples: a sine at half the rate reads at most 0.04 dB low */
#define TAPS    24 /* of the interpolator */
#define SIDE    (TAPS / 2)
#define ATTACK  0.005 /* s, of both boxes together */
#define RELEASE 0.1   /* s */
#define ONE     ((int64_t)1 << 30)

/* The mean of the last `size` values, all ONE at first. */
typedef struct box {
    int32_t *values; /* [size] */
    size_t size, at;
    int64_t sum;
} box;

struct sm_limiter {
    size_t channels;
    double ceiling;
    float taps[PLACES][TAPS];
    double quiet;          /* no place between samples below this can exceed the ceiling */
    float *recent;         /* [channels, 2 TAPS]: the last TAPS samples, twice */
    size_t recent_at, hot; /* frames for which the interpolator must look */
    size_t hold;           /* H */
    size_t *lows_when;     /* [H]: falling candidates for the minimum, a ring */
    int32_t *lows;         /* [H] */
    size_t lows_first, lows_count;
    int64_t release; /* c in units of 2^-30 */
    int64_t envelope;
    box first, second;
    float *late; /* [delay, channels]: frames on their way, a ring */
    size_t delay, late_at;
    size_t frames; /* in so far */
    int64_t lowest;
};

/* Kaiser's window, |x| <= 1. */
static double kaiser(double x)
{
    const double beta = 8.0;
    double sums[2] = {1.0, 1.0};
    const double at[2] = {beta * sqrt(fmax(0.0, 1.0 - x * x)), beta};
    for (int i = 0; i < 2; i++) { /* the Bessel function I0 */
        double term = 1.0;
        for (int k = 1; k < 40; k++) {
            term *= at[i] / (2.0 * k) * (at[i] / (2.0 * k));
            sums[i] += term;
        }
    }
    return sums[0] / sums[1];
}

/* Place q lies q / PLACES behind sample SIDE - 1 of a window of TAPS. */
static void make_taps(sm_limiter *l)
{
    double norm = 1.0;
    for (int q = 0; q < PLACES; q++) {
        double sum = 0.0;
        for (int k = 0; k < TAPS; k++) {
            const double d = (double)q / PLACES + SIDE - 1 - k;
            const double sinc = d == 0.0 ? 1.0 : sin(PI * d) / (PI * d);
            l->taps[q][k] = (float)(sinc * kaiser(d / SIDE));
            sum += fabs((double)l->taps[q][k]);
        }
        norm = fmax(norm, sum);
    }
    l->quiet = l->ceiling / (norm * (1.0 + 1e-5)); /* the sums themselves are rounded */
}

static void box_clear(box *b)
{
    for (size_t i = 0; i < b->size; i++) b->values[i] = (int32_t)ONE;
    b->sum = (int64_t)b->size * ONE;
    b->at = 0;
}

static int64_t box_next(box *b, int64_t value)
{
    b->sum += value - b->values[b->at];
    b->values[b->at] = (int32_t)value;
    b->at = b->at + 1 == b->size ? 0 : b->at + 1;
    return b->sum / (int64_t)b->size;
}

static void clear(sm_limiter *l)
{
    memset(l->recent, 0, l->channels * 2 * TAPS * sizeof *l->recent);
    memset(l->late, 0, l->delay * l->channels * sizeof *l->late);
    l->recent_at = l->hot = l->lows_first = l->lows_count = l->late_at = l->frames = 0;
    l->envelope = ONE;
    box_clear(&l->first);
    box_clear(&l->second);
}

smitin_status sm_limiter_new(sm_limiter **limiter, int channels, int rate, double ceiling_db,
                             smitin_error *error)
{
    *limiter = NULL;
    if (channels < 1 || channels > SM_AUDIO_CHANNELS_MAX || rate < SM_AUDIO_RATE_MIN ||
        rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot limit %d channels at %d Hz", channels,
                       rate);
    if (!(ceiling_db >= -40.0 && ceiling_db <= 0.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a ceiling of %g dBTP is outside -40..0; -1 is usual", ceiling_db);
    sm_limiter *l = calloc(1, sizeof *l);
    if (l == NULL) return sm_fail_memory(error, "the limiter", sizeof *l);
    l->channels = (size_t)channels;
    l->ceiling = pow(10.0, ceiling_db / 20.0);
    l->release = (int64_t)((1.0 - exp(-1.0 / (RELEASE * rate))) * (double)ONE);
    l->first.size = l->second.size = (size_t)(0.5 * ATTACK * rate) + 1;
    const size_t lead = l->first.size + l->second.size - 2 + SIDE;
    l->hold = lead + SIDE + 1;
    l->delay = lead + SIDE;
    l->recent = malloc(l->channels * 2 * TAPS * sizeof *l->recent);
    l->lows = malloc(l->hold * sizeof *l->lows);
    l->lows_when = malloc(l->hold * sizeof *l->lows_when);
    l->first.values = malloc(l->first.size * sizeof *l->first.values);
    l->second.values = malloc(l->second.size * sizeof *l->second.values);
    l->late = malloc(l->delay * l->channels * sizeof *l->late);
    if (l->recent == NULL || l->lows == NULL || l->lows_when == NULL || l->first.values == NULL ||
        l->second.values == NULL || l->late == NULL) {
        sm_limiter_free(l);
        return sm_fail_memory(error, "the limiter", 0);
    }
    make_taps(l);
    l->lowest = ONE;
    clear(l);
    *limiter = l;
    return SMITIN_OK;
}

void sm_limiter_free(sm_limiter *l)
{
    if (l == NULL) return;
    free(l->recent), free(l->lows), free(l->lows_when);
    free(l->first.values), free(l->second.values), free(l->late);
    free(l);
}

size_t sm_limiter_delay(const sm_limiter *limiter)
{
    return limiter->delay;
}

/* ---- One frame
 * ------------------------------------------------------------------------------------------ */

/* Take one frame in; the true peak from the frame SIDE before it to the next, over all channels. 0
 * when it is below the ceiling for certain. */
static double true_peak(sm_limiter *l, const float *frame)
{
    bool loud = false;
    for (size_t c = 0; c < l->channels; c++) {
        float *recent = l->recent + c * 2 * TAPS;
        recent[l->recent_at] = recent[l->recent_at + TAPS] = frame[c];
        loud = loud || fabs((double)frame[c]) >= l->quiet;
    }
    l->recent_at = (l->recent_at + 1) % TAPS;
    if (loud) l->hot = TAPS;
    if (l->hot == 0) return 0.0;
    l->hot--;
    float peak = 0.0f;
    for (size_t c = 0; c < l->channels; c++) {
        const float *window = l->recent + c * 2 * TAPS + l->recent_at;
        for (int q = 0; q < PLACES; q++) {
            float sum = 0.0f;
            for (int k = 0; k < TAPS; k++) sum += l->taps[q][k] * window[k];
            peak = fmaxf(peak, fabsf(sum));
        }
    }
    return (double)peak;
}

/* The least of the last `hold` values. */
static int64_t held(sm_limiter *l, int32_t value)
{
    if (l->lows_count > 0 && l->lows_when[l->lows_first] + l->hold <= l->frames) {
        l->lows_first = (l->lows_first + 1) % l->hold;
        l->lows_count--;
    }
    while (l->lows_count > 0 && l->lows[(l->lows_first + l->lows_count - 1) % l->hold] >= value)
        l->lows_count--;
    const size_t at = (l->lows_first + l->lows_count++) % l->hold;
    l->lows[at] = value;
    l->lows_when[at] = l->frames;
    return l->lows[l->lows_first];
}

static int64_t next_gain(sm_limiter *l, double peak)
{
    int64_t allowed = ONE;
    if (peak > l->ceiling) allowed = (int64_t)(l->ceiling / peak * (double)ONE);
    const int64_t low = held(l, (int32_t)allowed);
    if (low <= l->envelope) {
        l->envelope = low;
    } else { /* the last step of one unit makes it arrive */
        l->envelope += (low - l->envelope) * l->release / ONE + 1;
        if (l->envelope > low) l->envelope = low;
    }
    return box_next(&l->second, box_next(&l->first, l->envelope));
}

/* One frame in, the frame `delay` before it out. */
static void run_frame(sm_limiter *l, const float *in, float *out)
{
    if (l->frames == 0) l->lowest = ONE;
    const int64_t gain = next_gain(l, true_peak(l, in));
    float *late = l->late + l->late_at * l->channels;
    for (size_t c = 0; c < l->channels; c++) {
        const float sample = in[c]; /* out may be in */
        if (out != NULL)
            out[c] = gain == ONE ? late[c] : (float)((double)late[c] * (double)gain / (double)ONE);
        late[c] = sample;
    }
    if (gain < l->lowest) l->lowest = gain;
    l->late_at = l->late_at + 1 == l->delay ? 0 : l->late_at + 1;
    l->frames++;
}

size_t sm_limiter_run(sm_limiter *l, const float *in, size_t frames, float *out)
{
    size_t made = 0;
    for (size_t i = 0; i < frames; i++) {
        const bool late = l->frames >= l->delay;
        run_frame(l, in + i * l->channels, late ? out + made * l->channels : NULL);
        made += late;
    }
    return made;
}

size_t sm_limiter_finish(sm_limiter *l, float *out)
{
    static const float silence[SM_AUDIO_CHANNELS_MAX];
    const size_t inside = l->frames < l->delay ? l->frames : l->delay;
    size_t made = 0;
    while (made < inside) {
        const bool late = l->frames >= l->delay;
        run_frame(l, silence, late ? out + made * l->channels : NULL);
        made += late;
    }
    clear(l);
    return made;
}

double sm_limiter_lowest_db(const sm_limiter *limiter)
{
    return 20.0 * log10((double)limiter->lowest / (double)ONE);
}

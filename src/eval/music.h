/* SPDX-License-Identifier: MIT */
/* Tempo and key of mono samples at 32 kHz (SM_MUSIC_RATE), by plain signal processing, and how well
 * those of two clips agree. */
#ifndef SMITIN_EVAL_MUSIC_H
#define SMITIN_EVAL_MUSIC_H

#include "../base/error.h"

#define SM_MUSIC_RATE 32000 /* Hz */
#define SM_TEMPO_LOW  30.0  /* beats per minute */
#define SM_TEMPO_HIGH 300.0

typedef struct sm_tempo {
    double bpm;      /* NAN: no onsets, or less than 2 s */
    double strength; /* of its period: autocorrelation there / at 0, up to 1 */
} sm_tempo;

/* Onset strength o(t) = sum over 64 mel bands of max(0, log-mel(t) - log-mel(t - 1)), 100 times a
 * second, smoothed over 20 ms, less its mean; its autocorrelation r, each lag by the number of its
 * products. The period is the local maximum of r(lag) exp(-log2(bpm / 120)^2 / 2): music has its
 * beat near 120 more often than far from it. Between lags by a parabola, refined at twice to four
 * times the lag.
 *
 * What is heard of an even pulse above 170 bpm is therefore every second beat. Such octave errors
 * are counted as the field does: see sm_tempo_relate. */
smitin_status sm_tempo_find(sm_tempo *tempo, const float *samples, size_t count,
                            smitin_error *error);

/* How two tempos relate, to 4 % (the tolerance of Gouyon et al. 2006). */
typedef enum sm_tempo_relation {
    SM_TEMPO_OTHER = 0,
    SM_TEMPO_SAME,
    SM_TEMPO_OCTAVE, /* twice, half, three times or a third: the other metrical level */
    SM_TEMPO_UNKNOWN /* one of them is NAN */
} sm_tempo_relation;
sm_tempo_relation sm_tempo_relate(double a, double b);
const char *sm_tempo_relation_name(sm_tempo_relation relation); /* "same" */

/* Weights of the twelve degrees in major and minor. */
typedef enum sm_key_profile {
    SM_KEY_TEMPERLEY = 0, /* Temperley 1999 */
    SM_KEY_KRUMHANSL,     /* Krumhansl and Kessler 1982 */
} sm_key_profile;

typedef struct sm_key {
    int key;            /* in the order of sm_key_names; -1: silence */
    double correlation; /* of the chroma with that key's profile; NAN for silence */
    double margin;      /* less that of the next best key */
} sm_key;

/* Chroma as melody models hear it (melody/chroma.h) of windows of 16384 samples, as sizes and each
 * window with a sum of 1, silent windows left out; Pearson's correlation of their mean with the 24
 * profiles. */
smitin_status sm_key_find(sm_key *key, const float *samples, size_t count, sm_key_profile profile,
                          smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* Owns measures of predictions. */
#include "measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "task.h"

const char *const sm_task_names[SM_TASKS + 1] = {"binary", "multilabel", "multiclass", "regression",
                                                 NULL};
const char *const sm_split_names[SM_SPLITS + 1] = {"train", "valid", "test", NULL};
const char *const sm_key_names[SM_KEYS + 1] = {
    "C major",  "C minor", "Db major", "Db minor", "D major", "D minor",  "Eb major",
    "Eb minor", "E major", "E minor",  "F major",  "F minor", "Gb major", "Gb minor",
    "G major",  "G minor", "Ab major", "Ab minor", "A major", "A minor",  "Bb major",
    "Bb minor", "B major", "B minor",  NULL};

double sm_accuracy(const double *score, const uint8_t *truth, size_t N, double cut)
{
    size_t right = 0;
    for (size_t i = 0; i < N; i++) right += (score[i] > cut) == (truth[i] != 0);
    return N > 0 ? (double)right / (double)N : (double)NAN;
}

double sm_f1(const double *score, const uint8_t *truth, size_t N, double cut)
{
    size_t both = 0, either = 0; /* TP; (TP + FP) + (TP + FN) */
    for (size_t i = 0; i < N; i++) {
        const bool said = score[i] > cut, is = truth[i] != 0;
        both += said && is;
        either += (size_t)said + (size_t)is;
    }
    return either > 0 ? 2.0 * (double)both / (double)either : 0.0;
}

static int by_falling_score(const void *a, const void *b)
{
    const double x = ((const sm_scored *)a)->score, y = ((const sm_scored *)b)->score;
    return (x < y) - (x > y);
}

void sm_ranking(sm_scored *rows, size_t N, double *auc, double *ap)
{
    if (N > 0) qsort(rows, N, sizeof *rows, by_falling_score);
    size_t positives = 0, above = 0, negatives_above = 0;
    for (size_t i = 0; i < N; i++) positives += rows[i].truth != 0;
    const size_t negatives = N - positives;
    double area = 0.0, precision = 0.0;
    for (size_t first = 0, last; first < N; first = last) {
        size_t p = 0;
        for (last = first; last < N && rows[last].score == rows[first].score; last++)
            p += rows[last].truth != 0;
        const size_t n = last - first - p;
        /* Pairs of a positive of this step with a negative below it, and half of those within. */
        area += (double)p * ((double)(negatives - negatives_above - n) + 0.5 * (double)n);
        above += p;
        negatives_above += n;
        precision += (double)p * (double)above / (double)last;
    }
    *auc = positives > 0 && negatives > 0 ? area / ((double)positives * (double)negatives)
                                          : (double)NAN;
    *ap = positives > 0 ? precision / (double)positives : (double)NAN;
}

double sm_class_accuracy(const int *predicted, const int *truth, size_t N)
{
    size_t right = 0;
    for (size_t i = 0; i < N; i++) right += predicted[i] == truth[i];
    return N > 0 ? (double)right / (double)N : (double)NAN;
}

double sm_macro_f1(const int *predicted, const int *truth, size_t N, int K, size_t *counts)
{
    size_t *both = counts, *said = counts + K, *is = counts + 2 * (size_t)K;
    memset(counts, 0, 3 * (size_t)K * sizeof *counts);
    for (size_t i = 0; i < N; i++) {
        both[truth[i]] += predicted[i] == truth[i];
        said[predicted[i]]++;
        is[truth[i]]++;
    }
    double sum = 0.0;
    int seen = 0;
    for (int k = 0; k < K; k++) {
        if (said[k] + is[k] == 0) continue;
        sum += 2.0 * (double)both[k] / (double)(said[k] + is[k]);
        seen++;
    }
    return seen > 0 ? sum / seen : (double)NAN;
}

static double score_key(int predicted, int truth, bool descending)
{
    const int up = (predicted / 2 - truth / 2 + 12) % 12; /* semitones above the truth */
    const bool minor = predicted % 2 == 1, truly_minor = truth % 2 == 1;
    if (predicted == truth) return 1.0;
    if (minor == truly_minor) return up == 7 || (descending && up == 5) ? 0.5 : 0.0;
    if (up == (truly_minor ? 3 : 9)) return 0.3;
    return up == 0 ? 0.2 : 0.0;
}

double sm_key_score(const int *predicted, const int *truth, size_t N, bool descending)
{
    double sum = 0.0;
    for (size_t i = 0; i < N; i++) sum += score_key(predicted[i], truth[i], descending);
    return N > 0 ? sum / (double)N : (double)NAN;
}

static double mean_of(const double *x, size_t N)
{
    double sum = 0.0;
    for (size_t i = 0; i < N; i++) sum += x[i];
    return sum / (double)N;
}

/* A constant's mean may differ from it by rounding, so a spread is looked for first. */
static bool is_constant(const double *x, size_t N)
{
    for (size_t i = 1; i < N; i++)
        if (x[i] != x[0]) return false;
    return true;
}

double sm_r2(const double *predicted, const double *truth, size_t N)
{
    if (N < 2 || is_constant(truth, N)) return (double)NAN;
    const double mean = mean_of(truth, N);
    double off = 0.0, total = 0.0;
    for (size_t i = 0; i < N; i++) {
        off += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
        total += (truth[i] - mean) * (truth[i] - mean);
    }
    return 1.0 - off / total;
}

double sm_pearson(const double *a, const double *b, size_t N)
{
    if (N < 2 || is_constant(a, N) || is_constant(b, N)) return (double)NAN;
    const double ma = mean_of(a, N), mb = mean_of(b, N);
    double aa = 0.0, bb = 0.0, ab = 0.0;
    for (size_t i = 0; i < N; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return aa > 0.0 && bb > 0.0 ? fmax(-1.0, fmin(1.0, ab / (sqrt(aa) * sqrt(bb)))) : (double)NAN;
}

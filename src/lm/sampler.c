/* SPDX-License-Identifier: MIT */
/* From logits to a code: guidance, temperature, top-k or top-p, one draw. Owns no memory and no
 * randomness. */
#include "sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

void sm_guide(float *cond, const float *uncond, float scale, int n)
{
    for (int i = 0; i < n; i++) cond[i] = uncond[i] + scale * (cond[i] - uncond[i]);
}

/* The first index of the largest logit; -1 when a logit is NaN or the largest is not finite. */
static int greatest(const float *logits, int n)
{
    int best = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(logits[i])) return -1;
        if (logits[i] > logits[best]) best = i;
    }
    return isfinite(logits[best]) ? best : -1;
}

static void swap(float *values, int a, int b)
{
    float value = values[a];
    values[a] = values[b];
    values[b] = value;
}

/* The k-th largest (k from 1) of values[n]; reorders them. Hoare's quickselect, the pivot the
 * median of three. */
static float kth_largest(float *values, int n, int k)
{
    int low = 0, high = n - 1, wanted = k - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (values[middle] > values[low]) swap(values, middle, low);
        if (values[high] > values[low]) swap(values, high, low);
        if (values[high] > values[middle]) swap(values, high, middle);
        float pivot = values[middle];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] > pivot) i++;
            while (values[j] < pivot) j--;
            if (i <= j) swap(values, i++, j--);
        }
        /* Now low..j >= pivot >= i..high, and what lies between j and i equals the pivot. */
        if (wanted <= j) {
            high = j;
        } else if (wanted >= i) {
            low = i;
        } else {
            return pivot;
        }
    }
    return values[wanted];
}

/* Whether token a comes before token b in descending order, the smaller index first on ties. */
static bool before(const float *logits, int32_t a, int32_t b)
{
    return logits[a] > logits[b] || (logits[a] >= logits[b] && a < b);
}

/* Let heap[at] sink to its place in a heap of `size` with the first token on top. */
static void sink(const float *logits, int32_t *heap, int size, int at)
{
    int32_t moving = heap[at];
    for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && before(logits, heap[child + 1], heap[child])) child++;
        if (!before(logits, heap[child], moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* weights[i] *= 0 for every token outside the nucleus: tokens in descending order while the
 * probability before them is <= top_p. A heap gives that order and stops at the nucleus's edge.
 * Returns the weight that is left. */
static double keep_nucleus(const float *logits, float *weights, int n, double total, double top_p,
                           int32_t *heap)
{
    for (int i = 0; i < n; i++) heap[i] = i;
    for (int i = n / 2 - 1; i >= 0; i--) sink(logits, heap, n, i);

    double kept = 0.0;
    int size = n;
    while (size > 0 && kept <= top_p * total) {
        kept += (double)weights[heap[0]];
        heap[0] = heap[--size];
        if (size > 0) sink(logits, heap, size, 0);
    }
    for (int i = 0; i < size; i++) weights[heap[i]] = 0.0f;
    return kept;
}

/* The first token at which the running sum of weights passes uniform * total. */
static int draw(const float *weights, int n, double total, double uniform)
{
    double target = uniform * total, sum = 0.0;
    int last = -1;
    for (int i = 0; i < n; i++) {
        if (!(weights[i] > 0.0f)) continue;
        sum += (double)weights[i];
        last = i;
        if (sum > target) break;
    }
    return last; /* rounding may leave the sum a little short of the target: then the last possible
                    token */
}

int sm_sample(const float *logits, int n, const sm_sampling *sampling, double uniform,
              float *scratch, int32_t *order)
{
    int best = greatest(logits, n);
    if (best < 0 || !(sampling->temperature > 0.0)) return best;

    bool nucleus = sampling->top_p > 0.0;
    float threshold = -INFINITY;
    if (!nucleus && sampling->top_k > 0 && sampling->top_k < n) {
        memcpy(scratch, logits, (size_t)n * sizeof *scratch);
        threshold = kth_largest(scratch, n, sampling->top_k);
    }

    double total = 0.0;
    for (int i = 0; i < n; i++) {
        double scaled = ((double)logits[i] - (double)logits[best]) / sampling->temperature;
        scratch[i] = logits[i] >= threshold ? expf((float)scaled) : 0.0f;
        total += (double)scratch[i];
    }
    if (nucleus) total = keep_nucleus(logits, scratch, n, total, sampling->top_p, order);
    return draw(scratch, n, total, uniform);
}

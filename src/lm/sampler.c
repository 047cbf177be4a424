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

/* A number as an integer that keeps the order; NaN lies outside the infinities. */
static int32_t key_of(float x)
{
    int32_t bits;
    x += 0.0f; /* one zero */
    memcpy(&bits, &x, sizeof bits);
    return bits >= 0 ? bits : bits ^ INT32_MAX;
}

typedef struct span {
    int32_t low, high;
} span;

/* keys[n] of the logits; the span of them. */
static span rank(const float *logits, int n, int32_t *keys)
{
    for (int i = 0; i < n; i++) keys[i] = key_of(logits[i]);
    span all = {keys[0], keys[0]};
    for (int i = 0; i < n; i++) {
        all.low = keys[i] < all.low ? keys[i] : all.low;
        all.high = keys[i] > all.high ? keys[i] : all.high;
    }
    return all;
}

/* The first index of the largest logit; -1 when a logit is NaN or the largest is not finite. */
static int greatest(const int32_t *keys, span all)
{
    int best = 0;
    if (all.low < key_of(-INFINITY) || all.high >= key_of(INFINITY) ||
        all.high == key_of(-INFINITY))
        return -1;
    while (keys[best] != all.high) best++;
    return best;
}

/* Leave the indices of the `k` largest keys, and of ties with the k-th, in their order in place of
 * the keys; returns how many. Halves the span until as many are above its middle: counting is a few
 * instructions for many keys, and unlike sorting has no branches to guess. */
static int keep_largest(int32_t *keys, int n, int k, span all)
{
    int above = n;
    while (all.low < all.high && above != k) {
        const int32_t middle = (int32_t)((int64_t)all.low + ((int64_t)all.high - all.low + 1) / 2);
        int count = 0;
        for (int i = 0; i < n; i++) count += keys[i] >= middle;
        if (count >= k) {
            all.low = middle;
            above = count;
        } else {
            all.high = middle - 1;
        }
    }
    int kept = 0;
    for (int i = 0; i < n; i++) {
        const bool stays = keys[i] >= all.low;
        keys[kept] = i; /* kept <= i: the key has been read */
        kept += stays;
    }
    return kept;
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
 * probability before them is <= top_p. A heap of all n tokens gives that order and stops at the
 * nucleus's edge. Returns the weight that is left. */
static double keep_nucleus(const float *logits, float *weights, int n, double total, double top_p,
                           int32_t *heap)
{
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
    const span all = rank(logits, n, order);
    const int best = greatest(order, all);
    if (best < 0 || !(sampling->temperature > 0.0)) return best;

    const bool nucleus = sampling->top_p > 0.0;
    const int k = !nucleus && sampling->top_k > 0 && sampling->top_k < n ? sampling->top_k : n;
    const int kept = keep_largest(order, n, k, all);
    double total = 0.0;
    for (int i = 0; i < kept; i++) {
        const double above = (double)logits[order[i]] - (double)logits[best];
        scratch[i] = expf((float)(above / sampling->temperature));
        total += (double)scratch[i];
    }
    if (nucleus) { /* all are kept, so that places are tokens */
        total = keep_nucleus(logits, scratch, n, total, sampling->top_p, order);
        return draw(scratch, n, total, uniform);
    }
    const int drawn = draw(scratch, kept, total, uniform);
    return drawn < 0 ? -1 : order[drawn];
}

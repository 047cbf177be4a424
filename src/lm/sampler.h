/* SPDX-License-Identifier: MIT */
/* From logits to a code: guidance, temperature, top-k or top-p, one draw. */
#ifndef SMITIN_LM_SAMPLER_H
#define SMITIN_LM_SAMPLER_H

#include <stdint.h>

typedef struct sm_sampling {
    double temperature; /* 0 = greedy */
    int top_k;          /* 0 = all; ties with the k-th are kept */
    double top_p; /* > 0 replaces top_k: tokens whose cumulative probability before them is <= p */
} sm_sampling;

/* logits = uncond + scale (cond - uncond), in place of `cond`. */
void sm_guide(float *cond, const float *uncond, float scale, int n);

/* A code 0..n-1. `uniform` in [0, 1) decides the draw. scratch: n floats and n ints. NaN anywhere
 * gives -1. */
int sm_sample(const float *logits, int n, const sm_sampling *sampling, double uniform,
              float *scratch, int32_t *order);

#endif

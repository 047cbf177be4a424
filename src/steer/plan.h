/* SPDX-License-Identifier: MIT */
/* The constant part of a knob in force: weights, vectors, monitor heads, threshold. Pure arithmetic
 * on a knob. */
#ifndef SMITIN_STEER_PLAN_H
#define SMITIN_STEER_PLAN_H

#include <stdbool.h>
#include "../base/arena.h"
#include "../format/knob_file.h"

typedef struct sm_monitor_head {
    int layer, head;
    float bias;
    const float *theta; /* theta_raw [D] */
} sm_monitor_head;

typedef struct sm_plan {
    int L, H, D;
    float *weight;    /* w [L,H] */
    float *sigma;     /* [L,H] */
    float *direction; /* theta [L,H,D] */
    float *vector;    /* w sigma theta, [L,H,D]: one unit of alpha * g */
    double weight_sum;
    sm_monitor_head *monitor; /* [K] by layer, then head */
    int K;
    int *layer_first; /* [L+1]: monitor heads of layer l are layer_first[l]..layer_first[l+1]-1 */
    double threshold; /* tau */
    double alpha;     /* raw, resolved from alpha or strength */
} sm_plan;

/* Whether settings are in range for this knob; takes no memory. */
smitin_status sm_plan_check(const sm_knob_data *knob, const smitin_steering *settings,
                            smitin_error *error);

/* The raw alpha asked for: settings->alpha, or, where that is NAN, from the strength: linear from 0
 * at 0 through default_alpha at 0.5 to max_alpha at 1, odd for negative strengths. Settings must
 * have passed sm_plan_check. */
double sm_plan_alpha(const sm_knob_data *knob, const smitin_steering *settings);

/* Everything lives in `arena`. The ranking of heads breaks ties by the lower layer, then the lower
 * head. */
smitin_status sm_plan_init(sm_plan *plan, const sm_knob_data *knob, const smitin_steering *settings,
                           sm_arena *arena, smitin_error *error);

/* vector and weight_sum from weight, sigma and direction. */
void sm_plan_fill(sm_plan *plan);

/* Median of n values (mean of the middle two for even n); reorders them. */
double sm_median(float *values, int n);

#endif

/* SPDX-License-Identifier: MIT */
/* The gain law of one knob in one piece: readings in, gains out. No model, no memory.
 *
 *     first scheduled step           g = 1
 *     C <  tau and C >  C_prev       g = g (1 - (C - C_prev))
 *     C <  tau and C <= C_prev       g = 1
 *     C >= tau                       g = 0
 *
 * or, of the PID controller, with e = tau - C:
 *
 *     S = S_prev + I e,   u = P e + S - D (C - C_prev),   g = u clamped to 0..1
 *     u > 1 and I e > 0, or u < 0 and I e < 0: S stays S_prev             (anti-windup)
 *
 * C_prev is the reading at the previous scheduled step. Where C or C_prev is undefined and nothing
 * else decides, g = 1. The first rule holds whatever C is; a piece without a prompt has no reading
 * then. */
#ifndef SMITIN_STEER_CONTROLLER_H
#define SMITIN_STEER_CONTROLLER_H

#include <stdbool.h>
#include <smitin/smitin.h>

typedef struct sm_controller {
    smitin_method method;
    smitin_decay decay;
    double decay_rate;
    double P, I, D;
    int every; /* s */
    int first; /* t0 */
    int last;  /* the last pass's column, for the linear decay */
    bool lag;
    double threshold;
    /* state */
    double gain;     /* g of the latest scheduled step */
    double previous; /* C_prev, NAN before there was one */
    double pending;  /* with lag: C read at the latest scheduled step, NAN before */
    double integral; /* S */
    bool started, tripped;
} sm_controller;

void sm_controller_init(sm_controller *controller, const smitin_steering *settings,
                        double threshold, int first, int last);
bool sm_controller_scheduled(const sm_controller *controller, int column);
/* The gain for the pass over `column`, given the reading C(column - 1), NAN when there is none. 0
 * when not scheduled or tripped. Call once for every pass from t0 on at which the knob may push. */
double sm_controller_gain(sm_controller *controller, int column, double reading);
/* With lag: the reading at the scheduled column itself, after its pass. */
void sm_controller_note(sm_controller *controller, int column, double reading);
/* The knob was turned to the other sign, or up from zero: earlier readings and the gain say nothing
 * about the new aim. C_prev is undefined until the next scheduled step; the schedule goes on. */
void sm_controller_restart(sm_controller *controller);
/* A non-finite reading switches the controller off for good. */
void sm_controller_trip(sm_controller *controller);

#endif

/* SPDX-License-Identifier: MIT */
/* The tiny golden model and a knob made for it. */
#ifndef SMITIN_TESTS_STEER_TINY_H
#define SMITIN_TESTS_STEER_TINY_H

#include "../../src/base/rng.h"
#include "../../src/steer/steer.h"
#include "../lm/fixture.h"
#include "helpers.h"

static fixture model;

/* Seeded directions for the tiny model; every accuracy different. */
static inline sm_knob_data *model_knob(void)
{
    float accuracy[64] = {0};
    int heads = model.L * model.H;
    for (int i = 0; i < heads; i++) accuracy[i] = 0.55f + 0.03f * (float)((5 * i + 2) % heads);
    sm_knob_data *knob = test_knob(model.L, model.H, model.D, accuracy);
    for (int i = 0; i < heads; i++) {
        double norm = 0.0;
        for (int j = 0; j < model.D; j++) {
            double value = sm_normal(21, (uint32_t)i, (uint32_t)j, SM_RNG_TEST);
            knob->direction[i * model.D + j] = (float)value;
            norm += value * value;
        }
        for (int j = 0; j < model.D; j++) knob->direction[i * model.D + j] /= (float)sqrt(norm);
        knob->weight_norm[i] =
            30.0f; /* the tiny model's heads are small: readings well apart from 1/2 */
        knob->bias[i] = 0.0f;
        knob->sigma[i] = 0.01f * (float)(i + 1);
    }
    return knob;
}

static inline sm_steer *make_after(const sm_steer *before, const sm_knob_data *knob,
                                   const smitin_steering *settings,
                                   const sm_steer_timeline *timeline)
{
    smitin_error error;
    sm_steer *steer = NULL;
    ASSERT_OK(sm_steer_new(&steer, knob, settings, model.lm, model.kernels, "abc", timeline, before,
                           &error));
    return steer;
}

static inline sm_steer *make(const sm_knob_data *knob, const smitin_steering *settings,
                             const sm_steer_timeline *timeline)
{
    return make_after(NULL, knob, settings, timeline);
}

static inline int open_model(void **state)
{
    (void)state;
    fixture_open(&model, 2);
    return 0;
}

static inline int close_model(void **state)
{
    (void)state;
    fixture_close(&model);
    return 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* A small knob with round numbers, and default settings. */
#ifndef SMITIN_TESTS_STEER_HELPERS_H
#define SMITIN_TESTS_STEER_HELPERS_H

#include "../common.h"
#include "../../src/format/knob_file.h"

static inline smitin_steering test_settings(void)
{
    smitin_steering settings;
    memset(&settings, 0, sizeof settings);
    settings.alpha = (double)NAN;
    settings.threshold = (double)NAN;
    settings.every = 5;
    settings.power = 3.0;
    settings.decay_rate = 0.995;
    settings.pid_p = 2.0f;
    settings.pid_i = 0.125f;
    return settings;
}

/* Head i points along axis i mod D (mean shift: the axis after it); sigma i + 1, accuracies given,
 * in steps of 1/8. */
static inline sm_knob_data *test_knob(int L, int H, int D, const float *accuracy)
{
    smitin_error error;
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, L, H, D, &error));
    for (int i = 0; i < L * H; i++) {
        knob->direction[i * D + i % D] = 1.0f;
        knob->mean_shift[i * D + (i + 1) % D] = 1.0f;
        knob->weight_norm[i] = 2.0f;
        knob->bias[i] = 0.25f * (float)i;
        knob->sigma[i] = (float)(i + 1);
        knob->sigma_mean[i] = 10.0f * (float)(i + 1);
        knob->accuracy_test[i] = accuracy[i];
        knob->accuracy_train[i] = accuracy[i] + 0.0625f;
    }
    snprintf(knob->meta.trait, sizeof knob->meta.trait, "drums");
    snprintf(knob->meta.model, sizeof knob->meta.model, "tiny");
    snprintf(knob->meta.fingerprint, sizeof knob->meta.fingerprint, "abc");
    knob->meta.default_alpha = 10.0;
    knob->meta.max_alpha = 40.0;
    return knob;
}

#endif

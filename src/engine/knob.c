/* SPDX-License-Identifier: MIT */
/* Knobs as the public API shows them. */
#include "engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

smitin_status smitin_knob_load(smitin_knob **out, const char *path, smitin_error *error)
{
    if (out == NULL || path == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_knob_load needs a place for the knob and a path");
    *out = NULL;
    smitin_knob *knob = calloc(1, sizeof *knob);
    if (knob == NULL) return sm_fail_memory(error, "the knob", sizeof *knob);
    const smitin_status status = sm_knob_data_read(&knob->data, path, error);
    if (status != SMITIN_OK) {
        free(knob);
        return sm_engine_refusal(status, SMITIN_ERROR_KNOB, error);
    }
    *out = knob;
    return SMITIN_OK;
}

void smitin_knob_free(smitin_knob *knob)
{
    if (knob == NULL) return;
    sm_knob_data_free(knob->data);
    free(knob);
}

void smitin_knob_describe(const smitin_knob *knob, smitin_knob_info *info)
{
    const sm_knob_data *data = knob->data;
    const sm_knob_meta *meta = &data->meta;
    memset(info, 0, sizeof *info);
    snprintf(info->trait, sizeof info->trait, "%s", meta->trait);
    snprintf(info->model, sizeof info->model, "%s", meta->model);
    snprintf(info->fingerprint, sizeof info->fingerprint, "%s", meta->fingerprint);
    snprintf(info->data, sizeof info->data, "%s", meta->data);
    snprintf(info->licence, sizeof info->licence, "%s", meta->licence);
    info->layers = data->L;
    info->heads = data->H;
    info->head_size = data->D;
    info->direction = meta->along_mean ? SMITIN_DIRECTION_MEAN : SMITIN_DIRECTION_PROBE;
    info->default_alpha = meta->default_alpha;
    info->max_alpha = meta->max_alpha;
    double sum = 0.0;
    for (int i = 0; i < data->L * data->H; i++) {
        const double accuracy = (double)data->accuracy_test[i];
        sum += accuracy;
        if (accuracy > info->best_accuracy) info->best_accuracy = accuracy;
    }
    info->mean_accuracy = sum / (data->L * data->H);
}

smitin_steering smitin_steering_defaults(void)
{
    smitin_steering steering;
    memset(&steering, 0, sizeof steering);
    steering.alpha = NAN;
    steering.every = 5;
    steering.power = 3.0;
    steering.threshold = NAN;
    steering.decay_rate = 0.995;
    steering.pid_p = 2.0f;
    steering.pid_i = 0.1f;
    return steering;
}

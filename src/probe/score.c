/* SPDX-License-Identifier: MIT */
/* Owns trying a knob's probes on head outputs that they were not fitted to. */
#include "probe.h"

smitin_status sm_probe_test(float *accuracy, const sm_knob_data *knob, const sm_probe_set *set,
                            smitin_error *error)
{
    const size_t D = (size_t)knob->D, heads = (size_t)knob->L * (size_t)knob->H;
    if (set->L != knob->L || set->H != knob->H || set->D != knob->D)
        return sm_fail(error, SMITIN_ERROR_KNOB,
                       "the knob's shape %dx%dx%d is not that of the model's heads, %dx%dx%d; take "
                       "the model that it was made for",
                       knob->L, knob->H, knob->D, set->L, set->H, set->D);
    if (set->N == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no clip to test; give more tracks");
    for (size_t h = 0; h < heads; h++) {
        const float *direction = knob->direction + h * D;
        size_t right = 0;
        for (size_t i = 0; i < set->N; i++) {
            const float *z = set->z + (i * heads + h) * D;
            double sum = 0.0;
            for (size_t j = 0; j < D; j++) sum += (double)direction[j] * (double)z[j];
            /* NaN is on neither side. */
            const double x = (double)knob->weight_norm[h] * sum + (double)knob->bias[h];
            right += set->label[i] != 0 ? x > 0.0 : x <= 0.0;
        }
        accuracy[h] = (float)((double)right / (double)set->N);
    }
    return SMITIN_OK;
}

/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a knob file. What was accepted must be sane. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../src/format/knob_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_knob_data *knob;
    if (sm_knob_data_parse(&knob, data, size, "fuzz", &error) != SMITIN_OK) {
        if (knob != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    size_t heads = (size_t)knob->L * (size_t)knob->H;
    for (size_t i = 0; i < heads * (size_t)knob->D; i++) {
        if (!isfinite(knob->direction[i]) || !isfinite(knob->mean_shift[i])) abort();
    }
    for (size_t i = 0; i < heads; i++) {
        if (!(knob->accuracy_test[i] >= 0 && knob->accuracy_test[i] <= 1 && knob->sigma[i] >= 0))
            abort();
    }
    if (!isfinite(knob->meta.max_alpha)) abort();
    sm_knob_data_free(knob);
    return 0;
}

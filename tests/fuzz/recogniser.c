/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a recogniser's weights. What was accepted must hear noise without a
 * surprise. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/eval/recogniser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float samples[SM_RECOGNISER_WINDOW];
    smitin_error error = {0};
    sm_recogniser *recogniser = NULL;
    if (sm_recogniser_parse(&recogniser, data, size, "fuzz", &error) != SMITIN_OK) {
        if (recogniser != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    const int classes = sm_recogniser_classes(recogniser);
    if (classes < 1 || classes > SM_RECOGNISER_CLASSES) abort();
    for (int i = 0; i < classes; i++)
        if (sm_recogniser_class(recogniser, i)[0] == '\0') abort();
    for (int i = 0; i < SM_RECOGNISER_WINDOW; i++)
        samples[i] = (float)(i * 7919 % 2001 - 1000) / 1000.0f;
    float probability[SM_RECOGNISER_CLASSES];
    sm_recogniser_hear(recogniser, samples, NULL, probability);
    sm_recogniser_free(recogniser);
    return 0;
}

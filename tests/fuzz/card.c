/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a model card. What comes out is a line of text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char licence[SM_LICENCE_SIZE];
    memset(licence, 1, sizeof licence);
    sm_card_licence(licence, (const char *)data, size);
    if (memchr(licence, 0, sizeof licence) == NULL) abort();
    for (const char *c = licence; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) abort();
    }
    return 0;
}

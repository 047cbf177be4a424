/* SPDX-License-Identifier: MIT */
/* Fuzz target: the text of a Slakh track's metadata.yaml. What was accepted must be plain names and
 * programs that exist. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/data/slakh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_slakh found;
    if (sm_slakh_parse(&found, (const char *)data, size, "fuzz", &error) != SMITIN_OK) {
        if (error.message[0] == '\0') abort();
        return 0;
    }
    if (found.count < 1 || found.count > SM_SLAKH_STEMS_MAX) abort();
    if (found.audio_dir[0] == '\0' || found.audio_dir[0] == '.' ||
        strchr(found.audio_dir, '/') != NULL)
        abort();
    for (int i = 0; i < found.count; i++) {
        const sm_slakh_stem *stem = &found.stems[i];
        if (stem->id[0] == '\0' || strpbrk(stem->id, "/.") != NULL) abort();
        if (stem->program < -1 || stem->program > 128) abort();
        if (stem->program == 128 && !stem->drums) abort();
    }
    return 0;
}

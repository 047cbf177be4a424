/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of an audio file, as a user may hand them in. Whatever was read must be
 * sane. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "../../src/audio/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error;
    sm_audio audio;
    if (sm_audio_read_memory(&audio, data, size, "fuzz", 0.0, 2.0, &error) != SMITIN_OK) {
        if (audio.samples != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    if (audio.frames == 0 || audio.channels < 1 || audio.channels > SM_AUDIO_CHANNELS_MAX) abort();
    for (size_t i = 0; i < audio.frames * (size_t)audio.channels; i++)
        if (!isfinite(audio.samples[i])) abort();
    sm_audio_to_mono(&audio);
    if (audio.frames < 100000 && sm_audio_resample(&audio, 32000, &error) == SMITIN_OK &&
        audio.channels != 1)
        abort();
    sm_audio_free(&audio);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* audiocraft's names for MusicGen's tensors, turned into the names of the transformers layout. */
#ifndef SMITIN_FORMAT_AUDIOCRAFT_H
#define SMITIN_FORMAT_AUDIOCRAFT_H

#include <stdbool.h>
#include <stddef.h>

#define SM_NAME_SIZE 256

/* What one tensor of state_dict.bin becomes: nothing (0), one tensor (1), or q, k and v from thirds
 * of its rows (3). `names` are filled for as many. `name` is without "best_state/". */
int sm_audiocraft_lm(const char *name, char names[3][SM_NAME_SIZE]);

/* The same for a tensor of compression_state_dict.bin: always one name. False when it is too long.
 */
bool sm_audiocraft_codec(const char *name, char out[SM_NAME_SIZE]);

#endif

/* SPDX-License-Identifier: MIT */
/* What Slakh's metadata.yaml says about the stems. Internal to this room. */
#ifndef SMITIN_DATA_SLAKH_H
#define SMITIN_DATA_SLAKH_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/error.h"

#define SM_SLAKH_STEMS_MAX 128

typedef struct sm_slakh_stem {
    char id[16];   /* "S00": letters and digits */
    int program;   /* General MIDI from 0, 128 = drums, -1 = not said */
    bool drums;    /* is_drum, or program 128 */
    bool rendered; /* there is an audio file */
} sm_slakh_stem;

typedef struct sm_slakh {
    sm_slakh_stem stems[SM_SLAKH_STEMS_MAX];
    int count;
    char audio_dir[64]; /* a plain name, "stems" */
} sm_slakh;

/* Read block YAML of two-space indentation: `key: value` at the top, `stems:`, its ids, and their
 * keys. Keys that are not needed may hold anything on their own lines. Fails with
 * SMITIN_ERROR_FORMAT naming the line. */
smitin_status sm_slakh_parse(sm_slakh *out, const char *text, size_t size, const char *name,
                             smitin_error *error);

#endif

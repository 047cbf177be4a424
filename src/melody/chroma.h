/* SPDX-License-Identifier: MIT */
/* A melody as melody models hear it: which of the twelve pitch classes is the strongest, some eight
 * times a second. */
#ifndef SMITIN_MELODY_CHROMA_H
#define SMITIN_MELODY_CHROMA_H

#include <stdint.h>

#include "../base/error.h"
#include "../format/config.h"

/* Frames of `count` samples: those beyond config->longest are not heard, and what is shorter than a
 * window is one window. */
size_t sm_chroma_frames(const sm_chroma_config *config, size_t count);

/* The strongest class, 0 = C .. 11 = B, of every frame of mono samples [count]: classes
 * [sm_chroma_frames]. Silence is class 0. The samples are finite. */
smitin_status sm_chroma_extract(const sm_chroma_config *config, const float *samples, size_t count,
                                int32_t *classes, smitin_error *error);

/* The filter bank [SM_CHROMA, window / 2 + 1]: how much each bin of the spectrum counts for each
 * class. */
void sm_chroma_filters(const sm_chroma_config *config, float *filters);

#endif

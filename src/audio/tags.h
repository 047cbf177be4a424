/* SPDX-License-Identifier: MIT */
/* Tags of an open file. For src/audio only. */
#ifndef SMITIN_AUDIO_TAGS_H
#define SMITIN_AUDIO_TAGS_H

#include <sndfile.h>
#include "audio.h"

smitin_status sm_tags_check(const sm_audio_tag *tags, size_t count, smitin_error *error);
/* Before the first sample. */
void sm_tags_set(SNDFILE *file, const sm_audio_tag *tags, size_t count);

#endif

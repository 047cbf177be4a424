/* SPDX-License-Identifier: MIT */
/* What the files of the engine room share: the inside of an engine and of a knob. */
#ifndef SMITIN_ENGINE_ENGINE_H
#define SMITIN_ENGINE_ENGINE_H

#include <pthread.h>

#include "../base/arena.h"
#include "../base/pool.h"
#include "../codec/encodec.h"
#include "../format/config.h"
#include "../format/knob_file.h"
#include "../kernels/kernels.h"
#include "../lm/delay.h"
#include "../lm/lm.h"
#include "../text/t5.h"

struct smitin_engine {
    sm_arena *arena; /* every weight */
    sm_pool *pool;
    const sm_kernels *kernels;
    sm_model_config config;
    sm_tokenizer *tokenizer; /* NULL: no vocabulary, so no text prompts */
    sm_t5 *t5;
    sm_codec *codec;
    sm_lm *lm;
    uint64_t parameters;
    char path[512];
    char fingerprint[65];
};

struct smitin_knob {
    sm_knob_data *data;
};

/* T frames of the grid for `seconds`, at least 1. */
int sm_engine_frames(const struct smitin_engine *engine, double seconds);

/* codes [K, frames] of samples[count]; takes and frees its scratch. */
smitin_status sm_engine_encode_frames(const struct smitin_engine *engine, const float *samples,
                                      size_t count, int32_t *codes, smitin_error *error);

/* A damaged file of a model or a knob is a refusal of that model or knob: FORMAT becomes `refused`,
 * all else stays. */
smitin_status sm_engine_refusal(smitin_status status, smitin_status refused, smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of the engine room share: the inside of an engine and of a knob. */
#ifndef SMITIN_ENGINE_ENGINE_H
#define SMITIN_ENGINE_ENGINE_H

#include <pthread.h>

#include "../base/arena.h"
#include "../base/pool.h"
#include "../codec/encodec.h"
#include "../format/checkpoint.h"
#include "../format/knob_file.h"
#include "../kernels/kernels.h"
#include "../lm/delay.h"
#include "../lm/lm.h"
#include "../text/t5.h"

typedef struct sm_encoder sm_encoder;

struct smitin_engine {
    sm_arena *arena;     /* every weight but those of the codec's encoder */
    sm_encoder *encoder; /* these, once they are needed */
    sm_pool *pool;
    const sm_kernels *kernels;
    sm_model_config config;
    sm_tokenizer *tokenizer; /* NULL: no vocabulary, so no text prompts */
    sm_t5 *t5;
    sm_codec *codec;
    sm_lm *lm;
    uint64_t parameters;
    smitin_format format; /* of linear layers: as asked, or that of a GGUF file */
    smitin_cache cache;   /* of its sessions' keys and values; never SMITIN_CACHE_AUTO */
    char path[512];
};

struct smitin_knob {
    sm_knob_data *data;
};

/* The kernels' name of a format; that of SMITIN_FORMAT_FILE is f32. */
sm_format sm_engine_format(smitin_format format);
/* Of the keys and values of the engine's sessions. */
sm_format sm_engine_cache(const smitin_engine *engine);
/* Bind the three parts of a model, all misses reported together. */
smitin_status sm_engine_bind(sm_t5 **t5, sm_codec **codec, sm_lm **lm,
                             const sm_model_config *config, sm_binder *binder, smitin_error *error);
/* The tokenizer of a checkpoint at `path`; NULL when it has none. */
smitin_status sm_engine_vocabulary(sm_tokenizer **tokenizer, const sm_checkpoint *checkpoint,
                                   const char *path, smitin_error *error);

/* Give back what binding has freed: tens of megabytes that the C library would keep for a while. */
void sm_engine_tidy(void);

/* The codec's encoder (encoder.c): whence it will come. `source` NULL: random weights. */
smitin_status sm_encoder_new(sm_encoder **encoder, const char *path, const sm_source *source,
                             smitin_error *error);
void sm_encoder_free(sm_encoder *encoder); /* NULL is allowed */
/* Before every use of sm_codec_analyse: have it in memory. Any thread may call it. */
smitin_status sm_encoder_need(const struct smitin_engine *engine, smitin_error *error);
size_t sm_encoder_bytes(sm_encoder *encoder); /* in memory now */

/* Text (text.c). Ids of a text, its end mark among them, at most `capacity`; free them. Refused
 * without a vocabulary. */
smitin_status sm_engine_tokenize(const struct smitin_engine *engine, const char *text, int capacity,
                                 int32_t **ids, int *count, smitin_error *error);
/* T5's output [tokens, text hidden] of ids; takes and frees its scratch. */
smitin_status sm_engine_read_text(const struct smitin_engine *engine, const int32_t *ids,
                                  int tokens, float *hidden, smitin_error *error);

/* T frames of the grid for `seconds`, at least 1. */
int sm_engine_frames(const struct smitin_engine *engine, double seconds);

/* Sound (sound.c). C channels; samples are interleaved, `count` of them, a multiple of C. */
/* There are samples, whole frames of them, and all are finite. */
smitin_status sm_engine_check_samples(const struct smitin_engine *engine, const float *samples,
                                      size_t count, smitin_error *error);
/* Frames of the codec. */
size_t sm_engine_count_frames(const struct smitin_engine *engine, size_t count);
/* codes [K, frames] of samples[count]; takes and frees its scratch. */
smitin_status sm_engine_encode_frames(const struct smitin_engine *engine, const float *samples,
                                      size_t count, int32_t *codes, smitin_error *error);
/* codes [K, stride] -> samples [frames * hop, C]. planar [frames * hop]: scratch, unused when C is
 * 1; scratch: sm_codec_scratch. */
void sm_engine_decode_frames(const struct smitin_engine *engine, const int32_t *codes,
                             size_t stride, size_t frames, float *samples, float *planar,
                             float *scratch);
/* planar [length] becomes channel `channel` of samples [length, C]. */
void sm_engine_interleave(const struct smitin_engine *engine, float *samples, const float *planar,
                          size_t length, int channel);

/* A damaged file of a model or a knob is a refusal of that model or knob: FORMAT becomes `refused`,
 * all else stays. */
smitin_status sm_engine_refusal(smitin_status status, smitin_status refused, smitin_error *error);

#endif

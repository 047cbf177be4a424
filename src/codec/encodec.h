/* SPDX-License-Identifier: MIT */
/* EnCodec: audio to codes and back. Inside, signals are channels-last, [T, C]: every convolution is
 * then one matrix product over overlapping rows, without copies, and every transposed convolution
 * with kernel = 2 * stride likewise. */
#ifndef SMITIN_CODEC_ENCODEC_H
#define SMITIN_CODEC_ENCODEC_H

#include "../base/pool.h"
#include "../format/config.h"
#include "../format/weights.h"
#include "../kernels/kernels.h"

typedef struct sm_codec sm_codec;

/* Bind "audio_encoder.*" (or the bare names of a stand-alone codec), either weight-norm spelling or
 * folded weights, folded once here. Everything lives in the binder's arena. Causal and
 * multi-channel codecs are refused. Missing or wrong tensors are noted in the binder: the codec may
 * be used only once sm_binder_finish has said SMITIN_OK. */
smitin_status sm_codec_new(sm_codec **codec, const sm_codec_config *config, sm_binder *binder,
                           smitin_error *error);

/* ceil(samples / hop) */
size_t sm_codec_frames(const sm_codec *codec, size_t samples);

/* Floats of scratch for analysing, quantizing or decoding `frames` frames. */
size_t sm_codec_scratch(const sm_codec *codec, size_t frames);

/* samples[count] -> latent frames [frames, hidden], before quantization. */
void sm_codec_analyse(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                      const float *samples, size_t count, float *latents, float *scratch);
/* latents [frames, hidden] -> codes [K, frames]: residual nearest neighbours, first index on ties.
 */
void sm_codec_quantize(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                       const float *latents, size_t frames, int32_t *codes, float *scratch);
/* codes [K, stride], of which the first `frames` columns are used, each in 0..V-1 -> samples
 * [frames * hop]. */
void sm_codec_decode(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                     const int32_t *codes, size_t stride, size_t frames, float *samples,
                     float *scratch);

/* Decoding a piece that grows. Memory: sm_codec_stream_size floats of the caller, for at most
 * `frames` frames. */
typedef struct sm_codec_stream {
    size_t frames;   /* decoded so far */
    size_t settled;  /* of these, frames whose samples no later frame can change */
    size_t heard;    /* frames the LSTM has gone through for good */
    float *state;    /* of the LSTM after them */
    float *features; /* [frames, width]: the LSTM's output */
} sm_codec_stream;

size_t sm_codec_stream_size(const sm_codec *codec, size_t frames);
void sm_codec_stream_init(const sm_codec *codec, sm_codec_stream *stream, float *memory);
/* Bring `samples`, as the last call for this stream left them, to those of the first `frames`
 * frames: the same bits as sm_codec_decode gives, for the work of the new frames and a few before
 * them. Codes given before must not have changed; with fewer frames than before the stream starts
 * anew. scratch: sm_codec_scratch(codec, 0) floats. */
void sm_codec_stream_decode(const sm_codec *codec, sm_codec_stream *stream,
                            const sm_kernels *kernels, sm_pool *pool, const int32_t *codes,
                            size_t stride, size_t frames, float *samples, float *scratch);

#endif

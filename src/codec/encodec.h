/* SPDX-License-Identifier: MIT */
/* EnCodec: audio to codes and back. Inside, signals are channels-last, [T, C]: every convolution is
 * then one matrix product over overlapping rows, without copies, and every transposed convolution
 * with kernel = 2 * stride likewise. */
#ifndef SMITIN_CODEC_ENCODEC_H
#define SMITIN_CODEC_ENCODEC_H

#include "../base/arena.h"
#include "../base/pool.h"
#include "../format/config.h"
#include "../format/weights.h"
#include "../kernels/kernels.h"

typedef struct sm_codec sm_codec;

/* Bind "audio_encoder.*" (or the bare names of a stand-alone codec), either weight-norm spelling or
 * folded weights, folded once here: kept in f32 where the binder is asked for f32 or for what the
 * file has (folding rounds anyway), else in f16. Everything lives in the binder's arena. Causal and
 * multi-channel codecs are refused. Missing or wrong tensors are noted in the binder: the codec may
 * be used only once sm_binder_finish has said SMITIN_OK. */
smitin_status sm_codec_new(sm_codec **codec, const sm_codec_config *config, sm_binder *binder,
                           smitin_error *error);

/* The same without the encoder's weights, half of the codec, which only those need who have a clip
 * to be heard: its tensors are looked up and their shapes and types checked, no more. Before
 * sm_codec_bind_encoder the codec decodes but does not analyse. */
smitin_status sm_codec_new_decoder(sm_codec **codec, const sm_codec_config *config,
                                   sm_binder *binder, smitin_error *error);
/* The rest, from the same weights in the same format, into the arena of this binder, which the
 * codec must not outlive. After a failure, which the binder notes, it may be tried again. Nobody
 * may analyse meanwhile; decoding is not disturbed. */
void sm_codec_bind_encoder(sm_codec *codec, sm_binder *binder);

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

/* Decoding while codes come in. Every layer keeps the few frames of its input that later output
 * still meets, so nothing is computed twice, and the samples are those of sm_codec_decode on the
 * whole piece, bit for bit, however it is cut. State and scratch do not grow with the piece. */
typedef struct sm_codec_stream sm_codec_stream;

/* All its memory is taken here, from `arena`; NULL when that is short. The codec must outlive it.
 */
sm_codec_stream *sm_codec_stream_new(const sm_codec *codec, sm_arena *arena);
void sm_codec_stream_reset(sm_codec_stream *stream); /* for another piece */
/* Look-ahead: samples of a frame are settled once this many frames after it are there. It follows
 * from the kernels and ratios; 4 for MusicGen's codec. */
size_t sm_codec_stream_delay(const sm_codec *codec);
/* Floats of scratch of one push, whatever its length; streams may share it. */
size_t sm_codec_stream_scratch(const sm_codec *codec);
/* The next `frames` frames, codes [K, stride]; `last` when none follows (then `frames` may be 0).
 * Writes the samples that are now settled and were not before, at most (frames + delay) * hop of
 * them; returns how many. After `last` all frames * hop samples of the piece have been written, and
 * the stream takes no more before a reset. */
size_t sm_codec_stream_push(sm_codec_stream *stream, const sm_kernels *kernels, sm_pool *pool,
                            const int32_t *codes, size_t stride, size_t frames, bool last,
                            float *samples, float *scratch);

#endif

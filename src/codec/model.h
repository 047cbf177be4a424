/* SPDX-License-Identifier: MIT */
/* Inside the codec: bound weights and the layers' arithmetic. For src/codec only. */
#ifndef SMITIN_CODEC_MODEL_H
#define SMITIN_CODEC_MODEL_H

#include "../kernels/linear.h"
#include "encodec.h"

#define SM_MAX_RESIDUALS 8 /* num_residual_layers; the configuration is bounded likewise */
#define SM_TILE_FRAMES                                                                             \
    32 /* latent frames of one tile: signals stay in the cache and scratch stays small */

/* A convolution; with stride > 1 the dilation is 1. */
typedef struct sm_conv {
    sm_matrix w;       /* [out, kernel * in]: a row matches `kernel` neighbouring frames of a
                          channels-last signal */
    const float *bias; /* [out] */
    int in, out, kernel, stride, dilation;
} sm_conv;

/* A transposed convolution of kernel 2 * stride. Output frame m * stride + i takes part in x[m]
 * through tap i and in x[m - 1] through tap stride + i, so all are one product over the windows
 * [x[m - 1], x[m]]. */
typedef struct sm_upsample {
    sm_matrix w;       /* [stride * out, 2 * in] */
    const float *bias; /* [stride, out]: the same for every i */
    int in, out, stride;
} sm_upsample;

/* shortcut(x) + narrow-to-wide(elu(wide-to-narrow(elu(x)))) */
typedef struct sm_residual {
    sm_conv first, second, shortcut;
    bool has_shortcut; /* else the identity */
} sm_residual;

typedef struct sm_lstm {
    sm_matrix w_in, w_state; /* [4 C, C]; gates in order i, f, g, o */
    const float *bias;       /* [4 C]: both biases added */
} sm_lstm;

typedef struct sm_stage {
    sm_residual *residuals; /* [residual_layers] */
    sm_conv down;           /* encoder: after the residual blocks */
    sm_upsample up;         /* decoder: before them */
} sm_stage;

/* One layer of a stack, exactly one of the pointers set; convolutions may have an ELU before them.
 */
typedef struct sm_op {
    const sm_conv *conv;
    const sm_residual *residual;
    const sm_upsample *up;
    bool elu;
} sm_op;

#define SM_MAX_OPS (SM_MAX_RATIOS * (SM_MAX_RESIDUALS + 1) + 1)

/* Layers between samples and LSTM that see a few neighbouring frames only: run in tiles. */
typedef struct sm_stack {
    sm_op ops[SM_MAX_OPS];
    int count;
} sm_stack;

/* One half of the codec. */
typedef struct sm_half {
    sm_conv first, last;
    sm_lstm *lstm; /* [lstm_layers] */
    sm_stage stages[SM_MAX_RATIOS];
    sm_stack stack; /* encoder: first conv and stages; decoder: stages and last conv */
} sm_half;

typedef struct sm_codebook {
    const float *embed; /* [size, hidden] */
    float *half_norm;   /* [size]: -|e|^2 / 2 */
    float largest;      /* the largest |e| */
} sm_codebook;

struct sm_codec {
    sm_codec_config config;
    int width;   /* channels of the LSTM: filters * 2^ratios */
    size_t area; /* floats of scratch that one tile of any layer takes; known here, so that nobody
                  * looks at the encoder while it is bound */
    sm_half encoder, decoder;
    sm_codebook books[SM_MAX_CODEBOOKS];
};

/* Binding (bind.c): all, or all with an encoder that is only looked up. */
void sm_codec_bind(sm_codec *codec, sm_binder *binder, bool encoder);

/* Know `area`, once all layers are described (encodec.c). */
void sm_codec_measure(sm_codec *codec);

/* Frames lo.. of a signal of n frames; x points at frame lo. */
typedef struct sm_span {
    const float *x;
    ptrdiff_t lo, n;
} sm_span;

typedef struct sm_range {
    ptrdiff_t lo, hi; /* frames lo..hi-1 */
} sm_range;

#define SM_ENDLESS (PTRDIFF_MAX / (1 << 20)) /* frames of a signal whose end is not known yet */

/* codes [K, stride], frames `range` -> latents [range, hidden]: the sum of the codes' vectors,
 * codebook 0 first (quantizer.c). */
void sm_dequantize(const sm_codec *codec, const int32_t *codes, size_t stride, sm_range range,
                   float *latents);

/* Layers (layers.c). Each makes the frames `out` of its output from what it needs of its input;
 * every frame has the same bits whatever range it is made in. */
size_t sm_conv_frames(const sm_conv *conv, size_t frames); /* of the whole output */
sm_range sm_conv_need(const sm_conv *conv, ptrdiff_t n, sm_range out, bool reflect);
/* How many frames of the output are settled by the first `have` frames of an input whose end is not
 * known yet. */
ptrdiff_t sm_conv_ready(const sm_conv *conv, ptrdiff_t have, bool reflect);
ptrdiff_t sm_upsample_ready(const sm_upsample *up, ptrdiff_t have);
ptrdiff_t sm_conv_reach(const sm_conv *conv); /* of the kernel, in frames */
/* y = conv(x), with an ELU of x before it when asked. padded: scratch; with kernel 1 it may be x
 * itself, and without an ELU NULL. */
void sm_conv_run(const sm_crew *crew, const sm_conv *conv, float *y, sm_span x, sm_range out,
                 bool elu, bool reflect, float *padded);
sm_range sm_upsample_need(const sm_upsample *up, ptrdiff_t n, sm_range out);
/* Transposed convolution of elu(x). The output starts at the returned place within y. */
float *sm_upsample_run(const sm_crew *crew, const sm_upsample *up, float *y, sm_span x,
                       sm_range out, float *padded);
/* x[frames, C] += lstm layers(x), in place. state [layers, 2, C]: h and c, moved on. hidden
 * [frames, C], gates [frames + 1, 4 C]: scratch. */
void sm_lstm_run(const sm_crew *crew, const sm_lstm *lstm, int layers, int width, float *x,
                 size_t frames, float *state, float *hidden, float *gates);
/* x += y over n floats. */
void sm_add_run(const sm_crew *crew, float *x, const float *y, size_t n);

/* One layer of a stack (stack.c), in the same terms. */
size_t sm_op_frames(const sm_op *op, size_t frames);
sm_range sm_op_need(const sm_op *op, ptrdiff_t n, sm_range out, bool reflect);
/* The most floats of one signal around a layer that makes `made` frames. *from: the most frames of
 * input that takes. */
size_t sm_op_size(const sm_op *op, size_t made, size_t *from);
/* The output starts at the returned place within y. y and spare: sm_op_size floats each. */
const float *sm_op_run(const sm_crew *crew, const sm_op *op, bool reflect, sm_span x, sm_range out,
                       float *y, float *spare);

/* Stacks (stack.c). */
/* Floats of scratch for `out` frames of output. */
size_t sm_stack_scratch(const sm_stack *stack, size_t out);
/* Frames `out` of the output to y, from the whole input x [frames, channels]. */
void sm_stack_run(const sm_crew *crew, const sm_stack *stack, bool reflect, float *y,
                  const float *x, size_t frames, sm_range out, float *scratch);

#endif

/* SPDX-License-Identifier: MIT */
/* Inside the codec: bound weights and the layers' arithmetic. For src/codec only. */
#ifndef SMITIN_CODEC_MODEL_H
#define SMITIN_CODEC_MODEL_H

#include "encodec.h"

/* A convolution; with stride > 1 the dilation is 1. */
typedef struct sm_conv {
    const float *w;    /* [out, kernel, in]: a row matches `kernel` neighbouring frames of a
                          channels-last signal */
    const float *bias; /* [out] */
    int in, out, kernel, stride, dilation;
} sm_conv;

/* A transposed convolution of kernel 2 * stride. Output frame m * stride + i takes part in x[m]
 * through tap i and in x[m - 1] through tap stride + i, so all are one product over the windows
 * [x[m - 1], x[m]]. */
typedef struct sm_upsample {
    const float *w;    /* [stride, out, 2, in] */
    const float *bias; /* [stride, out]: the same for every i */
    int in, out, stride;
} sm_upsample;

/* shortcut(x) + narrow-to-wide(elu(wide-to-narrow(elu(x)))) */
typedef struct sm_residual {
    sm_conv first, second, shortcut;
    bool has_shortcut; /* else the identity */
} sm_residual;

typedef struct sm_lstm {
    const float *w_in, *w_state; /* [4 C, C]; gates in order i, f, g, o */
    const float *bias;           /* [4 C]: both biases added */
} sm_lstm;

typedef struct sm_stage {
    sm_residual *residuals; /* [residual_layers] */
    sm_conv down;           /* encoder: after the residual blocks */
    sm_upsample up;         /* decoder: before them */
} sm_stage;

/* One half of the codec. */
typedef struct sm_half {
    sm_conv first, last;
    sm_lstm *lstm; /* [lstm_layers] */
    sm_stage stages[SM_MAX_RATIOS];
} sm_half;

typedef struct sm_codebook {
    const float *embed; /* [size, hidden] */
    float *half_norm;   /* [size]: -|e|^2 / 2 */
    float largest;      /* the largest |e| */
} sm_codebook;

struct sm_codec {
    sm_codec_config config;
    int width; /* channels of the LSTM: filters * 2^ratios */
    sm_half encoder, decoder;
    sm_codebook books[SM_MAX_CODEBOOKS];
};

/* Who computes. */
typedef struct sm_crew {
    const sm_kernels *kernels;
    sm_pool *pool;
} sm_crew;

/* Binding (bind.c). */
smitin_status sm_codec_bind(sm_codec *codec, sm_binder *binder, smitin_error *error);

/* Layers (layers.c). Signals are [frames, channels]. */
size_t sm_conv_frames(const sm_conv *conv, size_t frames);  /* of the output */
size_t sm_conv_padding(const sm_conv *conv, size_t frames); /* floats of the padded input */
/* y = conv(x), with an ELU of x before it when asked. padded: scratch; with kernel 1 it may be x
 * itself, and without an ELU NULL. */
void sm_conv_run(const sm_crew *crew, const sm_conv *conv, float *y, const float *x, size_t frames,
                 bool elu, bool reflect, float *padded);
/* Transposed convolution of elu(x). The output, frames * stride frames, starts at the returned
 * place within y [(frames + 1) * stride, out]. padded: [frames + 2, in]. */
float *sm_upsample_run(const sm_crew *crew, const sm_upsample *up, float *y, const float *x,
                       size_t frames, float *padded);
/* y[frames, C] = lstm layers(x) + x; gates [frames, 4 C], cell [6 C]. */
void sm_lstm_run(const sm_crew *crew, const sm_lstm *lstm, int layers, int width, float *y,
                 const float *x, size_t frames, float *gates, float *cell);
/* x += y over n floats. */
void sm_add_run(const sm_crew *crew, float *x, const float *y, size_t n);

#endif

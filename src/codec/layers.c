/* SPDX-License-Identifier: MIT */
/* The codec's layers on channels-last signals: padding, convolutions as matrix products over
 * overlapping rows, transposed convolutions, LSTM. Owns the cut of the work into tiles, no memory.
 */
#include <string.h>

#include "model.h"

#define ROW_TILE     128 /* frames of one tile of a product */
#define OUTPUTS_FEW  16  /* outputs of one tile when there is only one tile of frames ... */
#define OUTPUTS_MANY 128 /* ... and when there are more */
#define WORTH_A_CHUNK                                                                              \
    65536 /* multiply-adds, some ten microseconds: less is not worth waking a thread for */
#define ELEMENTS 8192 /* of one item of elementwise work */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Products
 * ------------------------------------------------------------------------------------------- */

/* y [rows, ldy] = x [rows, ldx] . w[N, M]^T + bias; rows of x may overlap */
typedef struct product {
    const sm_kernels *kernels;
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const float *w, *bias;
    size_t rows, row_tiles;
    int M, N, tile;
} product;

static void product_task(void *context, int worker, int first, int last)
{
    const product *p = context;
    (void)worker;
    if (p->row_tiles == 1) { /* neighbouring output tiles are one product */
        const int n1 = (int)least((size_t)last * (size_t)p->tile, (size_t)p->N);
        p->kernels->matmul(p->y, p->ldy, p->x, p->ldx, p->w, p->bias, (int)p->rows, p->M,
                           first * p->tile, n1);
        return;
    }
    for (int item = first; item < last; item++) {
        const size_t r0 = (size_t)item % p->row_tiles * ROW_TILE,
                     n0 = (size_t)item / p->row_tiles * (size_t)p->tile;
        p->kernels->matmul(p->y + r0 * p->ldy, p->ldy, p->x + r0 * p->ldx, p->ldx, p->w, p->bias,
                           (int)least(ROW_TILE, p->rows - r0), p->M, (int)n0,
                           (int)least(n0 + (size_t)p->tile, (size_t)p->N));
    }
}

static void product_run(const sm_crew *crew, product p)
{
    if (p.rows == 0) return;
    p.kernels = crew->kernels;
    p.row_tiles = (p.rows + ROW_TILE - 1) / ROW_TILE;
    p.tile = p.row_tiles > 1 ? OUTPUTS_MANY : OUTPUTS_FEW;
    const size_t tiles = ((size_t)p.N + (size_t)p.tile - 1) / (size_t)p.tile * p.row_tiles;
    const double cost =
        (double)least((size_t)p.tile, (size_t)p.N) * p.M * (double)least(p.rows, ROW_TILE);
    sm_pool_run(crew->pool, product_task, &p, (int)tiles,
                cost < WORTH_A_CHUNK ? (int)(WORTH_A_CHUNK / cost) : 1);
}

/* ---- Elementwise work
 * ----------------------------------------------------------------------------------- */

typedef struct elementwise {
    const sm_kernels *kernels;
    float *y;
    const float *x;
    size_t n;
    enum { COPY, ELU, ADD } what;
} elementwise;

static void elementwise_task(void *context, int worker, int first, int last)
{
    const elementwise *e = context;
    const size_t from = (size_t)first * ELEMENTS, to = least((size_t)last * ELEMENTS, e->n);
    (void)worker;
    if (e->what == ELU) {
        e->kernels->elu(e->y + from, e->x + from, to - from);
    } else if (e->what == COPY) {
        memcpy(e->y + from, e->x + from, (to - from) * sizeof *e->y);
    } else {
        for (size_t i = from; i < to; i++) e->y[i] += e->x[i];
    }
}

static void elementwise_run(const sm_crew *crew, elementwise e)
{
    e.kernels = crew->kernels;
    sm_pool_run(crew->pool, elementwise_task, &e, (int)((e.n + ELEMENTS - 1) / ELEMENTS), 1);
}

void sm_add_run(const sm_crew *crew, float *x, const float *y, size_t n)
{
    elementwise_run(crew, (elementwise){.y = x, .x = y, .n = n, .what = ADD});
}

/* ---- Convolution
 * ---------------------------------------------------------------------------------------- */

static size_t reach(const sm_conv *conv) /* of the kernel, in frames */
{
    return (size_t)(conv->kernel - 1) * (size_t)conv->dilation + 1;
}

size_t sm_conv_frames(const sm_conv *conv, size_t frames)
{
    return (frames + (size_t)conv->stride - 1) / (size_t)conv->stride;
}

static size_t padded_frames(const sm_conv *conv, size_t frames)
{
    return (sm_conv_frames(conv, frames) - 1) * (size_t)conv->stride + reach(conv);
}

size_t sm_conv_padding(const sm_conv *conv, size_t frames)
{
    return frames == 0 ? 0 : padded_frames(conv, frames) * (size_t)conv->in;
}

/* Which frame of x stands at frame `at` of the padded signal; -1 = zeros. Reflection leaves out the
 * edge. A signal no longer than its larger padding is first lengthened by zeros to padding + 1
 * frames, reflected, and cut again. */
static ptrdiff_t source(ptrdiff_t at, ptrdiff_t left, ptrdiff_t right, ptrdiff_t frames,
                        bool reflect)
{
    const ptrdiff_t longest = left > right ? left : right;
    const ptrdiff_t length = reflect && frames <= longest ? longest + 1 : frames;
    ptrdiff_t from = at - left;
    if (reflect && from < 0) from = -from;
    if (reflect && from >= length) from = 2 * (length - 1) - from;
    return from >= 0 && from < frames ? from : -1;
}

/* One frame of the padded signal. */
static void pad_frame(const sm_crew *crew, float *to, const float *x, ptrdiff_t from, int channels,
                      bool elu)
{
    const size_t n = (size_t)channels;
    if (from < 0) {
        memset(to, 0, n * sizeof *to);
    } else if (elu) {
        crew->kernels->elu(to, x + (size_t)from * n, n);
    } else {
        memcpy(to, x + (size_t)from * n, n * sizeof *to);
    }
}

typedef struct phases_job {
    const sm_crew *crew;
    float *padded;
    const float *x;
    ptrdiff_t left, right, frames;
    size_t total, dilation;
    int channels;
    bool elu, reflect;
} phases_job;

/* Where phase p (padded frames p, p + dilation, ...) starts when the phases stand one after the
 * other. */
static size_t phase_start(size_t total, size_t dilation, size_t p)
{
    return p * (total / dilation) + least(p, total % dilation);
}

/* Padded frames one by one, sorted into phases. */
static void phases_task(void *context, int worker, int first, int last)
{
    const phases_job *j = context;
    (void)worker;
    for (int at = first; at < last; at++) {
        const size_t p = (size_t)at % j->dilation, i = (size_t)at / j->dilation;
        float *to = j->padded + (phase_start(j->total, j->dilation, p) + i) * (size_t)j->channels;
        pad_frame(j->crew, to, j->x, source(at, j->left, j->right, j->frames, j->reflect),
                  j->channels, j->elu);
    }
}

static void pad(const sm_crew *crew, const sm_conv *conv, const float *x, size_t frames, bool elu,
                bool reflect, float *padded)
{
    const size_t total = padded_frames(conv, frames), channels = (size_t)conv->in;
    const size_t both =
        reach(conv) - (size_t)conv->stride; /* without what rounds the last step up */
    const size_t left = both - both / 2, right = total - left - frames;
    phases_job job = {crew,
                      padded,
                      x,
                      (ptrdiff_t)left,
                      (ptrdiff_t)right,
                      (ptrdiff_t)frames,
                      total,
                      (size_t)conv->dilation,
                      conv->in,
                      elu,
                      reflect};
    if (conv->dilation > 1) {
        sm_pool_run(crew->pool, phases_task, &job, (int)total, ELEMENTS / conv->in + 1);
        return;
    }
    elementwise_run(crew, (elementwise){.y = padded + left * channels,
                                        .x = x,
                                        .n = frames * channels,
                                        .what = elu ? ELU : COPY});
    phases_task(&job, 0, 0, (int)left);
    phases_task(&job, 0, (int)(left + frames), (int)total);
}

void sm_conv_run(const sm_crew *crew, const sm_conv *conv, float *y, const float *x, size_t frames,
                 bool elu, bool reflect, float *padded)
{
    if (frames == 0) return;
    if (conv->kernel == 1 && conv->stride == 1) { /* no padding */
        const size_t n = frames * (size_t)conv->in;
        if (elu) elementwise_run(crew, (elementwise){.y = padded, .x = x, .n = n, .what = ELU});
        product_run(crew, (product){.y = y,
                                    .ldy = (size_t)conv->out,
                                    .x = elu ? padded : x,
                                    .ldx = (size_t)conv->in,
                                    .w = conv->w,
                                    .bias = conv->bias,
                                    .rows = frames,
                                    .M = conv->in,
                                    .N = conv->out});
        return;
    }
    const size_t in = (size_t)conv->in, out = (size_t)conv->out, dilation = (size_t)conv->dilation;
    const size_t made = sm_conv_frames(conv, frames), total = padded_frames(conv, frames);
    pad(crew, conv, x, frames, elu, reflect, padded);
    /* Within a phase the frames a dilated kernel meets are neighbours. */
    for (size_t p = 0; p < dilation && p < made; p++) {
        product_run(crew, (product){.y = y + p * out,
                                    .ldy = dilation * out,
                                    .x = padded + phase_start(total, dilation, p) * in,
                                    .ldx = (size_t)conv->stride * in,
                                    .w = conv->w,
                                    .bias = conv->bias,
                                    .rows = (made - p + dilation - 1) / dilation,
                                    .M = conv->kernel * conv->in,
                                    .N = conv->out});
    }
}

float *sm_upsample_run(const sm_crew *crew, const sm_upsample *up, float *y, const float *x,
                       size_t frames, float *padded)
{
    const size_t in = (size_t)up->in, stride = (size_t)up->stride, row = stride * (size_t)up->out;
    memset(padded, 0, in * sizeof *padded);
    elementwise_run(crew, (elementwise){.y = padded + in, .x = x, .n = frames * in, .what = ELU});
    memset(padded + (frames + 1) * in, 0, in * sizeof *padded);
    product_run(crew, (product){.y = y,
                                .ldy = row,
                                .x = padded,
                                .ldx = in,
                                .w = up->w,
                                .bias = up->bias,
                                .rows = frames + 1,
                                .M = 2 * up->in,
                                .N = (int)row});
    /* The product makes (frames + 1) * stride frames; of the `stride` too many the larger half is
     * on the left. */
    return y + (stride - stride / 2) * (size_t)up->out;
}

/* ---- LSTM
 * -----------------------------------------------------------------------------------------------
 */

void sm_lstm_run(const sm_crew *crew, const sm_lstm *lstm, int layers, int width, float *y,
                 const float *x, size_t frames, float *gates, float *cell)
{
    const size_t C = (size_t)width;
    float *zero = cell + C,
          *now = cell + 2 * C; /* c [C], h of frame -1 [C], gates of this frame [4 C] */
    memset(zero, 0, C * sizeof *zero);
    for (int l = 0; l < layers; l++) {
        product_run(crew, (product){.y = gates,
                                    .ldy = 4 * C,
                                    .x = l == 0 ? x : y,
                                    .ldx = C,
                                    .w = lstm[l].w_in,
                                    .bias = lstm[l].bias,
                                    .rows = frames,
                                    .M = width,
                                    .N = 4 * width});
        memset(cell, 0, C * sizeof *cell);
        for (size_t t = 0; t < frames;
             t++) { /* what the input gives is the bias of what the state gives */
            product_run(crew, (product){.y = now,
                                        .ldy = 4 * C,
                                        .x = t == 0 ? zero : y + (t - 1) * C,
                                        .ldx = C,
                                        .w = lstm[l].w_state,
                                        .bias = gates + t * 4 * C,
                                        .rows = 1,
                                        .M = width,
                                        .N = 4 * width});
            crew->kernels->lstm_cell(y + t * C, cell, now, width);
        }
    }
    sm_add_run(crew, y, x, frames * C);
}

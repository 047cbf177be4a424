/* SPDX-License-Identifier: MIT */
/* The codec's layers on channels-last signals: padding, convolutions as matrix products over
 * overlapping rows, transposed convolutions, LSTM. Owns no memory. */
#include <string.h>

#include "model.h"

#define ELEMENTS 8192 /* of one item of elementwise work */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
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

static ptrdiff_t reach(const sm_conv *conv) /* of the kernel, in frames */
{
    return (ptrdiff_t)(conv->kernel - 1) * conv->dilation + 1;
}

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

size_t sm_conv_frames(const sm_conv *conv, size_t frames)
{
    return (frames + (size_t)conv->stride - 1) / (size_t)conv->stride;
}

/* Padding around a whole signal of n frames: the larger half on the left; on the right also what
 * rounds the last step up. */
typedef struct padding {
    ptrdiff_t left, right;
} padding;

static padding padding_of(const sm_conv *conv, ptrdiff_t n)
{
    const ptrdiff_t both = reach(conv) - conv->stride, left = both - both / 2;
    const ptrdiff_t steps = (ptrdiff_t)sm_conv_frames(conv, (size_t)n) - 1;
    return (padding){left, steps * conv->stride + reach(conv) - left - n};
}

/* Which frame of x stands at frame `at` of the padded signal, counted from the first frame of x; -1
 * = zeros. Reflection leaves out the edge. A signal no longer than its larger padding is first
 * lengthened by zeros to padding + 1 frames, reflected, and cut again. */
static ptrdiff_t source(ptrdiff_t at, padding around, ptrdiff_t n, bool reflect)
{
    const ptrdiff_t longest = larger(around.left, around.right);
    const ptrdiff_t length = reflect && n <= longest ? longest + 1 : n;
    if (reflect && at < 0) at = -at;
    if (reflect && at >= length) at = 2 * (length - 1) - at;
    return at >= 0 && at < n ? at : -1;
}

/* The padded frames that the output frames `out` meet. */
static sm_range met(const sm_conv *conv, padding around, sm_range out)
{
    return (sm_range){out.lo * conv->stride - around.left,
                      (out.hi - 1) * conv->stride - around.left + reach(conv)};
}

sm_range sm_conv_need(const sm_conv *conv, ptrdiff_t n, sm_range out, bool reflect)
{
    const padding around = padding_of(conv, n);
    const sm_range all = met(conv, around, out);
    sm_range need = {larger(all.lo, 0), smaller(all.hi, n)};
    if (!reflect) return need;
    if (n <= larger(around.left, around.right)) return (sm_range){0, n};
    if (all.lo < 0) need.hi = larger(need.hi, 1 - all.lo); /* frames 1..-lo are mirrored */
    if (all.hi > n) need.lo = smaller(need.lo, 2 * (n - 1) - (all.hi - 1)); /* and so at the end */
    return (sm_range){larger(need.lo, 0), smaller(need.hi, n)};
}

ptrdiff_t sm_conv_ready(const sm_conv *conv, ptrdiff_t have, bool reflect)
{
    const ptrdiff_t left = padding_of(conv, SM_ENDLESS).left, last = have + left - reach(conv);
    if (last < 0 || (reflect && have <= left)) return 0;
    return last / conv->stride + 1;
}

ptrdiff_t sm_conv_reach(const sm_conv *conv)
{
    return reach(conv);
}

typedef struct padded_signal {
    const sm_crew *crew;
    float *frames; /* all.lo..all.hi-1 */
    sm_span x;
    sm_range all;
    padding around;
    size_t dilation;
    int channels;
    bool elu, reflect;
} padded_signal;

/* Where phase p (padded frames p, p + dilation, ...) starts when the phases stand one after the
 * other. */
static size_t phase_start(size_t total, size_t dilation, size_t p)
{
    return p * (total / dilation) + least(p, total % dilation);
}

/* Padded frames first..last-1, counted from all.lo, one by one into their phases. */
static void pad_task(void *context, int worker, int first, int last)
{
    const padded_signal *s = context;
    const size_t n = (size_t)s->channels, total = (size_t)(s->all.hi - s->all.lo);
    (void)worker;
    for (int at = first; at < last; at++) {
        const size_t p = (size_t)at % s->dilation, i = (size_t)at / s->dilation;
        float *to = s->frames + (phase_start(total, s->dilation, p) + i) * n;
        const ptrdiff_t from = source(s->all.lo + at, s->around, s->x.n, s->reflect);
        if (from < 0) {
            memset(to, 0, n * sizeof *to);
        } else if (s->elu) {
            s->crew->kernels->elu(to, s->x.x + (size_t)(from - s->x.lo) * n, n);
        } else {
            memcpy(to, s->x.x + (size_t)(from - s->x.lo) * n, n * sizeof *to);
        }
    }
}

static void pad(padded_signal *s)
{
    const ptrdiff_t total = s->all.hi - s->all.lo;
    if (s->dilation > 1) {
        sm_pool_run(s->crew->pool, pad_task, s, (int)total, ELEMENTS / s->channels + 1);
        return;
    }
    const ptrdiff_t lo = larger(s->all.lo, 0),
                    hi = smaller(s->all.hi, s->x.n); /* copied as they stand */
    const size_t n = (size_t)s->channels;
    elementwise_run(s->crew, (elementwise){.y = s->frames + (size_t)(lo - s->all.lo) * n,
                                           .x = s->x.x + (size_t)(lo - s->x.lo) * n,
                                           .n = (size_t)(hi - lo) * n,
                                           .what = s->elu ? ELU : COPY});
    pad_task(s, 0, 0, (int)(lo - s->all.lo));
    pad_task(s, 0, (int)(hi - s->all.lo), (int)total);
}

/* A 1x1 convolution needs no padding. */
static void pointwise(const sm_crew *crew, const sm_conv *conv, float *y, sm_span x, sm_range out,
                      bool elu, float *padded)
{
    const size_t in = (size_t)conv->in, frames = (size_t)(out.hi - out.lo);
    const float *from = x.x + (size_t)(out.lo - x.lo) * in;
    if (elu)
        elementwise_run(crew, (elementwise){.y = padded, .x = from, .n = frames * in, .what = ELU});
    sm_linear_run(crew, &(sm_linear){.y = y,
                                     .ldy = (size_t)conv->out,
                                     .x = elu ? padded : from,
                                     .ldx = in,
                                     .w = &conv->w,
                                     .bias = conv->bias,
                                     .rows = (int)frames});
}

void sm_conv_run(const sm_crew *crew, const sm_conv *conv, float *y, sm_span x, sm_range out,
                 bool elu, bool reflect, float *padded)
{
    if (out.hi <= out.lo) return;
    if (conv->kernel == 1 && conv->stride == 1) {
        pointwise(crew, conv, y, x, out, elu, padded);
        return;
    }
    const size_t channels = (size_t)conv->out, dilation = (size_t)conv->dilation;
    const size_t made = (size_t)(out.hi - out.lo);
    padded_signal s = {.crew = crew,
                       .frames = padded,
                       .x = x,
                       .around = padding_of(conv, x.n),
                       .dilation = dilation,
                       .channels = conv->in,
                       .elu = elu,
                       .reflect = reflect};
    s.all = met(conv, s.around, out);
    pad(&s);
    /* Within a phase the frames a dilated kernel meets are neighbours. */
    for (size_t p = 0; p < dilation && p < made; p++) {
        const size_t start = phase_start((size_t)(s.all.hi - s.all.lo), dilation, p);
        sm_linear_run(crew, &(sm_linear){.y = y + p * channels,
                                         .ldy = dilation * channels,
                                         .x = padded + start * (size_t)conv->in,
                                         .ldx = (size_t)conv->stride * (size_t)conv->in,
                                         .w = &conv->w,
                                         .bias = conv->bias,
                                         .rows = (int)((made - p + dilation - 1) / dilation)});
    }
}

/* ---- Transposed convolution
 * ----------------------------------------------------------------------------- */

/* The whole product has (n + 1) * stride frames; of the `stride` too many the larger half is cut on
 * the left. Windows m = lo..hi-1, of x[m - 1] and x[m], hold the frames `out`. */
static sm_range windows(const sm_upsample *up, sm_range out)
{
    const ptrdiff_t cut = up->stride - up->stride / 2;
    return (sm_range){(out.lo + cut) / up->stride, (out.hi - 1 + cut) / up->stride + 1};
}

sm_range sm_upsample_need(const sm_upsample *up, ptrdiff_t n, sm_range out)
{
    const sm_range m = windows(up, out);
    return (sm_range){larger(m.lo - 1, 0), smaller(m.hi, n)};
}

ptrdiff_t sm_upsample_ready(const sm_upsample *up, ptrdiff_t have)
{
    return larger(have * up->stride - (up->stride - up->stride / 2), 0);
}

float *sm_upsample_run(const sm_crew *crew, const sm_upsample *up, float *y, sm_span x,
                       sm_range out, float *padded)
{
    const size_t in = (size_t)up->in, stride = (size_t)up->stride, row = stride * (size_t)up->out;
    const sm_range m = windows(up, out), need = sm_upsample_need(up, x.n, out);
    float *to = padded; /* frames m.lo - 1 .. m.hi - 1 */
    if (m.lo == 0) {
        memset(to, 0, in * sizeof *to);
        to += in;
    }
    const size_t n = (size_t)(need.hi - need.lo) * in;
    elementwise_run(
        crew,
        (elementwise){.y = to, .x = x.x + (size_t)(need.lo - x.lo) * in, .n = n, .what = ELU});
    if (m.hi > x.n) memset(to + n, 0, in * sizeof *to);
    sm_linear_run(crew, &(sm_linear){.y = y,
                                     .ldy = row,
                                     .x = padded,
                                     .ldx = in,
                                     .w = &up->w,
                                     .bias = up->bias,
                                     .rows = (int)(m.hi - m.lo)});
    const size_t skip = (size_t)out.lo + stride - stride / 2 - (size_t)m.lo * stride;
    return y + skip * (size_t)up->out;
}

/* ---- LSTM
 * -----------------------------------------------------------------------------------------------
 */

void sm_lstm_run(const sm_crew *crew, const sm_lstm *lstm, int layers, int width, float *x,
                 size_t frames, float *state, float *hidden, float *gates)
{
    const size_t C = (size_t)width;
    float *now = gates + frames * 4 * C;
    if (frames == 0) return;
    for (int l = 0; l < layers; l++) {
        float *h = state + (size_t)l * 2 * C, *c = h + C;
        sm_linear_run(crew, &(sm_linear){.y = gates,
                                         .ldy = 4 * C,
                                         .x = l == 0 ? x : hidden,
                                         .ldx = C,
                                         .w = &lstm[l].w_in,
                                         .bias = lstm[l].bias,
                                         .rows = (int)frames});
        for (size_t t = 0; t < frames;
             t++) { /* what the input gives is the bias of what the state gives */
            sm_linear_run(crew, &(sm_linear){.y = now,
                                             .ldy = 4 * C,
                                             .x = t == 0 ? h : hidden + (t - 1) * C,
                                             .ldx = C,
                                             .w = &lstm[l].w_state,
                                             .bias = gates + t * 4 * C,
                                             .rows = 1});
            crew->kernels->lstm_cell(hidden + t * C, c, now, width);
        }
        memcpy(h, hidden + (frames - 1) * C, C * sizeof *h);
    }
    sm_add_run(crew, x, hidden, frames * C);
}

/* SPDX-License-Identifier: MIT */
/* A stack of convolutions run over a range of its output: which frames each layer must make is
 * worked out backwards, then the layers run forwards on just these. So a long signal needs no more
 * memory than one tile of it, and a growing one is never computed twice. */
#include <string.h>

#include "model.h"

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t op_frames(const sm_op *op, size_t frames)
{
    if (op->conv != NULL) return sm_conv_frames(op->conv, frames);
    return op->up != NULL ? frames * (size_t)op->up->stride : frames;
}

static sm_range op_need(const sm_op *op, ptrdiff_t n, sm_range out, bool reflect)
{
    if (op->up != NULL) return sm_upsample_need(op->up, n, out);
    return sm_conv_need(op->conv != NULL ? op->conv : &op->residual->first, n, out, reflect);
}

size_t sm_stack_frames(const sm_stack *stack, size_t frames)
{
    for (int i = 0; i < stack->count; i++) frames = op_frames(&stack->ops[i], frames);
    return frames;
}

size_t sm_stack_reach(const sm_stack *stack, size_t frames)
{
    const ptrdiff_t endless = PTRDIFF_MAX / (1 << 20);
    sm_range range = {0, (ptrdiff_t)frames};
    for (int i = stack->count - 1; i >= 0; i--)
        range = op_need(&stack->ops[i], endless, range, true);
    return (size_t)range.hi;
}

/* ---- Scratch: three signals of equal size
 * ------------------------------------------------------------------ */

/* The most floats of one signal around a layer that makes `made` frames: its output, and its padded
 * input. *from: the most frames of input that takes; twice the kernel, for at an edge a mirrored
 * range may be longer than the plain one. */
static size_t op_size(const sm_op *op, size_t made, size_t *from)
{
    if (op->up != NULL) {
        const size_t stride = (size_t)op->up->stride, windows = made / stride + 2;
        *from = windows + 1;
        return most((windows + 1) * (size_t)op->up->in, windows * stride * (size_t)op->up->out);
    }
    const sm_conv *conv = op->conv != NULL ? op->conv : &op->residual->first;
    const size_t wide = op->conv != NULL ? (size_t)conv->out : (size_t)conv->in;
    const size_t reach = (size_t)(conv->kernel - 1) * (size_t)conv->dilation + 1;
    *from = made * (size_t)conv->stride + 2 * reach + 2;
    return most(*from * (size_t)conv->in, made * most(wide, (size_t)conv->out));
}

static size_t signal_size(const sm_stack *stack, size_t out)
{
    size_t size = 0, made = out, from = 0;
    for (int i = stack->count - 1; i >= 0; i--, made = from)
        size = most(size, op_size(&stack->ops[i], made, &from));
    return size;
}

size_t sm_stack_scratch(const sm_stack *stack, size_t out)
{
    return 3 * signal_size(stack, out);
}

/* ---- Running
 * -----------------------------------------------------------------------------------------------
 */

typedef struct run {
    const sm_crew *crew;
    bool reflect;
    float *base[3];
    int at;      /* which of them holds the signal; -1: none, it is the caller's input */
    sm_span now; /* the signal: within base[at] */
} run;

/* The i-th (1 or 2) of two free buffers. */
static float *spare(const run *r, int i)
{
    return r->base[(r->at + i) % 3];
}

/* shortcut(x) + second(elu(first(elu(x)))) */
static float *run_residual(const run *r, const sm_residual *block, sm_range out)
{
    float *sum = spare(r, 1), *narrow = spare(r, 2);
    const size_t wide = (size_t)block->first.in;
    const sm_span inner = {narrow, out.lo, r->now.n};
    sm_conv_run(r->crew, &block->first, narrow, r->now, out, true, r->reflect, sum);
    sm_conv_run(r->crew, &block->second, sum, inner, out, true, r->reflect, narrow);
    const float *shortcut = r->now.x + (size_t)(out.lo - r->now.lo) * wide;
    if (block->has_shortcut) {
        sm_conv_run(r->crew, &block->shortcut, narrow, r->now, out, false, r->reflect, NULL);
        shortcut = narrow;
    }
    sm_add_run(r->crew, sum, shortcut, (size_t)(out.hi - out.lo) * wide);
    return sum;
}

static void run_op(run *r, const sm_op *op, sm_range out)
{
    const float *made = spare(r, 1);
    if (op->residual != NULL) {
        made = run_residual(r, op->residual, out);
    } else if (op->up != NULL) {
        made = sm_upsample_run(r->crew, op->up, spare(r, 1), r->now, out, spare(r, 2));
    } else {
        sm_conv_run(r->crew, op->conv, spare(r, 1), r->now, out, op->elu, r->reflect, spare(r, 2));
    }
    r->now = (sm_span){made, out.lo, (ptrdiff_t)op_frames(op, (size_t)r->now.n)};
    r->at = (r->at + 1) % 3;
}

void sm_stack_run(const sm_crew *crew, const sm_stack *stack, bool reflect, float *y,
                  const float *x, size_t frames, sm_range out, float *scratch)
{
    if (out.hi <= out.lo) return;
    ptrdiff_t n[SM_MAX_OPS]; /* frames of each layer's input */
    sm_range made[SM_MAX_OPS];
    const int last = stack->count - 1;
    n[0] = (ptrdiff_t)frames;
    for (int i = 0; i < last; i++) n[i + 1] = (ptrdiff_t)op_frames(&stack->ops[i], (size_t)n[i]);
    made[last] = out;
    for (int i = last; i > 0; i--) made[i - 1] = op_need(&stack->ops[i], n[i], made[i], reflect);

    const size_t size = signal_size(stack, (size_t)(out.hi - out.lo));
    run r = {crew, reflect, {scratch, scratch + size, scratch + 2 * size}, -1, {x, 0, n[0]}};
    for (int i = 0; i <= last; i++) run_op(&r, &stack->ops[i], made[i]);
    const size_t channels = (size_t)stack->ops[last].conv->out;
    memcpy(y, r.now.x, (size_t)(out.hi - out.lo) * channels * sizeof *y);
}

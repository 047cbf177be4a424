/* SPDX-License-Identifier: MIT */
/* A stack of convolutions run over a range of its output: which frames each layer must make is
 * worked out backwards, then the layers run forwards on just these. So a long signal needs no more
 * memory than one tile of it. */
#include <string.h>

#include "model.h"

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t sm_op_frames(const sm_op *op, size_t frames)
{
    if (op->conv != NULL) return sm_conv_frames(op->conv, frames);
    return op->up != NULL ? frames * (size_t)op->up->stride : frames;
}

sm_range sm_op_need(const sm_op *op, ptrdiff_t n, sm_range out, bool reflect)
{
    if (op->up != NULL) return sm_upsample_need(op->up, n, out);
    return sm_conv_need(op->conv != NULL ? op->conv : &op->residual->first, n, out, reflect);
}

/* ---- Scratch: three signals of equal size
 * ------------------------------------------------------------------ */

/* The output, and the padded input: twice the kernel, for at an edge a mirrored range may be longer
 * than the plain one. */
size_t sm_op_size(const sm_op *op, size_t made, size_t *from)
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
        size = most(size, sm_op_size(&stack->ops[i], made, &from));
    return size;
}

size_t sm_stack_scratch(const sm_stack *stack, size_t out)
{
    return 3 * signal_size(stack, out);
}

/* ---- Running
 * -----------------------------------------------------------------------------------------------
 */

/* shortcut(x) + second(elu(first(elu(x)))) */
static const float *run_residual(const sm_crew *crew, const sm_residual *block, bool reflect,
                                 sm_span x, sm_range out, float *sum, float *narrow)
{
    const size_t wide = (size_t)block->first.in;
    const sm_span inner = {narrow, out.lo, x.n};
    sm_conv_run(crew, &block->first, narrow, x, out, true, reflect, sum);
    sm_conv_run(crew, &block->second, sum, inner, out, true, reflect, narrow);
    const float *shortcut = x.x + (size_t)(out.lo - x.lo) * wide;
    if (block->has_shortcut) {
        sm_conv_run(crew, &block->shortcut, narrow, x, out, false, reflect, NULL);
        shortcut = narrow;
    }
    sm_add_run(crew, sum, shortcut, (size_t)(out.hi - out.lo) * wide);
    return sum;
}

const float *sm_op_run(const sm_crew *crew, const sm_op *op, bool reflect, sm_span x, sm_range out,
                       float *y, float *spare)
{
    if (op->residual != NULL) return run_residual(crew, op->residual, reflect, x, out, y, spare);
    if (op->up != NULL) return sm_upsample_run(crew, op->up, y, x, out, spare);
    sm_conv_run(crew, op->conv, y, x, out, op->elu, reflect, spare);
    return y;
}

void sm_stack_run(const sm_crew *crew, const sm_stack *stack, bool reflect, float *y,
                  const float *x, size_t frames, sm_range out, float *scratch)
{
    if (out.hi <= out.lo) return;
    ptrdiff_t n[SM_MAX_OPS]; /* frames of each layer's input */
    sm_range made[SM_MAX_OPS];
    const int last = stack->count - 1;
    n[0] = (ptrdiff_t)frames;
    for (int i = 0; i < last; i++) n[i + 1] = (ptrdiff_t)sm_op_frames(&stack->ops[i], (size_t)n[i]);
    made[last] = out;
    for (int i = last; i > 0; i--) made[i - 1] = sm_op_need(&stack->ops[i], n[i], made[i], reflect);

    const size_t size = signal_size(stack, (size_t)(out.hi - out.lo));
    float *const base[3] = {scratch, scratch + size, scratch + 2 * size};
    sm_span now = {x, 0, n[0]};
    for (int i = 0; i <= last; i++) { /* from one buffer to the next, the third to spare */
        const float *result =
            sm_op_run(crew, &stack->ops[i], reflect, now, made[i], base[i % 3], base[(i + 1) % 3]);
        now = (sm_span){result, made[i].lo, i < last ? n[i + 1] : 0};
    }
    const size_t channels = (size_t)stack->ops[last].conv->out;
    memcpy(y, now.x, (size_t)(out.hi - out.lo) * channels * sizeof *y);
}

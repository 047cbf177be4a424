/* SPDX-License-Identifier: MIT */
/* Decoding while codes come in: each layer of the decoder runs on the new frames of its input and
 * the few old ones that its kernel still meets. Owns what is kept between two pushes. */
#include <assert.h>
#include <string.h>

#include "model.h"

/* A layer and the end of its input: frames lo..have-1 of it. */
typedef struct stage {
    sm_op op;
    size_t in, out; /* channels */
    ptrdiff_t lo, have;
    ptrdiff_t made; /* frames of output so far */
    float *kept;    /* [room of stage_kept, in] */
} stage;

struct sm_codec_stream {
    const sm_codec *codec;
    int count;
    bool ended;
    stage stages[SM_MAX_OPS + 1]; /* the first convolution and the decoder's stack */
    float *state;                 /* [lstm layers, 2, width] of the LSTM, after stage 0 */
};

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t state_size(const sm_codec *codec)
{
    return 2 * (size_t)codec->config.lstm_layers * (size_t)codec->width;
}

/* ---- Sizes
 * ---------------------------------------------------------------------------------------------- */

static int stage_count(const sm_codec *codec)
{
    return codec->decoder.stack.count + 1;
}

static stage stage_at(const sm_codec *codec, int i)
{
    const sm_half *half = &codec->decoder;
    stage s = {.op = i == 0 ? (sm_op){.conv = &half->first} : half->stack.ops[i - 1]};
    if (s.op.residual != NULL) {
        s.in = s.out = (size_t)s.op.residual->first.in;
    } else {
        s.in = (size_t)(s.op.up != NULL ? s.op.up->in : s.op.conv->in);
        s.out = (size_t)(s.op.up != NULL ? s.op.up->out : s.op.conv->out);
    }
    return s;
}

static size_t ratio(const stage *s)
{
    return s->op.up != NULL ? (size_t)s->op.up->stride : 1;
}

/* The most frames that stay between pushes: of a transposed convolution the last one, of a
 * convolution what its kernel spans; at the start, until the mirrored frames are there, likewise.
 */
static size_t stage_kept(const stage *s)
{
    if (s->op.up != NULL) return 2;
    const sm_conv *conv = s->op.residual != NULL ? &s->op.residual->first : s->op.conv;
    return (size_t)sm_conv_reach(conv) + 1;
}

/* Floats of one of the three buffers of a step, for SM_TILE_FRAMES new frames. What a layer holds
 * back it makes up for at the end, so a step makes at most what all frames at hand give. *rows: the
 * most frames that the LSTM gets. */
static size_t buffer_size(const sm_codec *codec, size_t *rows)
{
    size_t size = 0, fresh = SM_TILE_FRAMES, from = 0;
    for (int i = 0; i < stage_count(codec); i++) {
        const stage s = stage_at(codec, i);
        const size_t held = stage_kept(&s) + fresh;
        fresh = held * ratio(&s);
        if (i == 0) *rows = fresh;
        size = most(size, most(held * s.in, fresh * s.out));
        size = most(size, sm_op_size(&s.op, fresh, &from));
    }
    return size;
}

size_t sm_codec_stream_scratch(const sm_codec *codec)
{
    size_t rows = 0;
    const size_t size = buffer_size(codec, &rows), width = (size_t)codec->width;
    return 3 * size + rows * width + (rows + 1) * 4 * width;
}

/* ---- Life
 * -----------------------------------------------------------------------------------------------
 */

void sm_codec_stream_reset(sm_codec_stream *stream)
{
    for (int i = 0; i < stream->count; i++)
        stream->stages[i].lo = stream->stages[i].have = stream->stages[i].made = 0;
    memset(stream->state, 0, state_size(stream->codec) * sizeof *stream->state);
    stream->ended = false;
}

sm_codec_stream *sm_codec_stream_new(const sm_codec *codec, sm_arena *arena)
{
    sm_codec_stream *stream = SM_TAKE(arena, 1, sm_codec_stream);
    if (stream == NULL) return NULL;
    stream->codec = codec;
    stream->count = stage_count(codec);
    stream->state = SM_TAKE(arena, state_size(codec), float);
    if (stream->state == NULL) return NULL;
    for (int i = 0; i < stream->count; i++) {
        stage *s = &stream->stages[i];
        *s = stage_at(codec, i);
        s->kept = SM_TAKE(arena, stage_kept(s) * s->in, float);
        if (s->kept == NULL) return NULL;
    }
    sm_codec_stream_reset(stream);
    return stream;
}

/* Frames of output settled by `have` frames of an input that may go on. */
static ptrdiff_t ready(const stage *s, ptrdiff_t have, bool reflect)
{
    if (s->op.up != NULL) return sm_upsample_ready(s->op.up, have);
    return sm_conv_ready(s->op.residual != NULL ? &s->op.residual->first : s->op.conv, have,
                         reflect);
}

size_t sm_codec_stream_delay(const sm_codec *codec)
{
    const ptrdiff_t frames = 1 << 16, hop = codec->config.hop; /* far from the start */
    ptrdiff_t settled = frames;
    for (int i = 0; i < stage_count(codec); i++) {
        const stage s = stage_at(codec, i);
        settled = ready(&s, settled, codec->config.reflect);
    }
    return (size_t)((frames * hop - settled + hop - 1) / hop);
}

/* ---- Running
 * -----------------------------------------------------------------------------------------------
 */

typedef struct step {
    const sm_crew *crew;
    float *base[3]; /* the input with what was kept before it; the output; to spare */
    float *hidden, *gates;
    bool last;
} step;

/* Where new input of a stage belongs in base[0]: behind what it kept. */
static float *new_input(const step *now, const stage *s)
{
    return now->base[0] + (size_t)(s->have - s->lo) * s->in;
}

/* `fresh` new frames stand at new_input. Returns the new output, *made frames, in base[1]. */
static const float *run_stage(const step *now, stage *s, bool reflect, size_t fresh, size_t *made)
{
    float *const input = now->base[0];
    memcpy(input, s->kept, (size_t)(s->have - s->lo) * s->in * sizeof *input);
    s->have += (ptrdiff_t)fresh;
    const ptrdiff_t n = now->last ? s->have : SM_ENDLESS;
    const sm_range out = {s->made, now->last ? (ptrdiff_t)sm_op_frames(&s->op, (size_t)s->have)
                                             : ready(s, s->have, reflect)};
    const float *result = now->base[1];
    *made = (size_t)(out.hi - out.lo);
    if (*made > 0) {
        result = sm_op_run(now->crew, &s->op, reflect, (sm_span){input, s->lo, n}, out,
                           now->base[1], now->base[2]);
        s->made = out.hi;
    }
    if (now->last) return result;
    const sm_range next = {s->made, s->made + 1};
    ptrdiff_t lo = sm_op_need(&s->op, SM_ENDLESS, next, reflect).lo;
    if (lo > s->have) lo = s->have;
    assert(lo >= s->lo && (size_t)(s->have - lo) <= stage_kept(s));
    memcpy(s->kept, input + (size_t)(lo - s->lo) * s->in,
           (size_t)(s->have - lo) * s->in * sizeof *input);
    s->lo = lo;
    return result;
}

/* At most SM_TILE_FRAMES frames through all stages. */
static size_t run_step(sm_codec_stream *stream, const step *now, const int32_t *codes,
                       size_t stride, size_t frames, float *samples)
{
    const sm_codec *codec = stream->codec;
    const sm_range range = {0, (ptrdiff_t)frames};
    size_t fresh = frames;
    sm_dequantize(codec, codes, stride, range, new_input(now, &stream->stages[0]));
    for (int i = 0; i < stream->count; i++) {
        stage *s = &stream->stages[i];
        const float *result = run_stage(now, s, codec->config.reflect, fresh, &fresh);
        const bool end = i + 1 == stream->count;
        float *to = end ? samples : new_input(now, &stream->stages[i + 1]);
        memcpy(to, result, fresh * s->out * sizeof *to);
        if (i == 0)
            sm_lstm_run(now->crew, codec->decoder.lstm, codec->config.lstm_layers, codec->width, to,
                        fresh, stream->state, now->hidden, now->gates);
    }
    return fresh;
}

size_t sm_codec_stream_push(sm_codec_stream *stream, const sm_kernels *kernels, sm_pool *pool,
                            const int32_t *codes, size_t stride, size_t frames, bool last,
                            float *samples, float *scratch)
{
    const sm_codec *codec = stream->codec;
    const sm_crew crew = {kernels, pool, NULL};
    size_t rows = 0, count = 0, at = 0;
    const size_t size = buffer_size(codec, &rows);
    step now = {.crew = &crew, .base = {scratch, scratch + size, scratch + 2 * size}};
    now.hidden = scratch + 3 * size;
    now.gates = now.hidden + rows * (size_t)codec->width;
    assert(!stream->ended);
    if (last && stream->stages[0].have == 0 && frames == 0) return 0;
    while (at < frames || (last && !stream->ended)) {
        const size_t n = frames - at < SM_TILE_FRAMES ? frames - at : SM_TILE_FRAMES;
        now.last = stream->ended = last && at + n == frames;
        count += run_step(stream, &now, codes + at, stride, n, samples + count);
        at += n;
    }
    return count;
}

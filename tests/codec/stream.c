/* SPDX-License-Identifier: MIT */
/* A stream gives the bits of the whole, however its frames are cut: on the tiny model and on random
 * decoders of other shapes, at every CPU level. */
#include "../../src/base/rng.h"
#include "../../src/codec/model.h"
#include "fixture.h"

#define MOST 70 /* frames: more than two tiles of a push */

typedef struct subject {
    const sm_codec *codec;
    const sm_kernels *kernels;
    sm_pool *pool;
    const int32_t *codes; /* [K, MOST] */
    sm_codec_stream *stream;
    float *whole, *made; /* [MOST * hop] */
    float *scratch, *decode_scratch;
} subject;

/* A cut of a piece: pieces of `step` frames, or, when 0, of random sizes, empty ones among them. */
static size_t next_size(size_t step, size_t left, uint32_t turn)
{
    size_t n = step > 0 ? step : (size_t)(sm_uniform(7, turn, (uint32_t)left, 0) * 9.0);
    return n < left ? n : left;
}

/* Push a piece of `frames` frames. `last` is said with the last frames, or after them. */
static void stream_piece(const subject *s, size_t frames, size_t step, bool late)
{
    const size_t hop = (size_t)s->codec->config.hop, delay = sm_codec_stream_delay(s->codec);
    float *room = floats((MOST + delay) * hop);
    size_t at = 0, count = 0;
    bool ended = false;
    sm_codec_stream_reset(s->stream);
    for (uint32_t turn = 0; !ended; turn++) {
        const size_t n = next_size(step, frames - at, turn);
        ended = at + n == frames && (!late || n == 0);
        const size_t got = sm_codec_stream_push(s->stream, s->kernels, s->pool, s->codes + at, MOST,
                                                n, ended, room, s->scratch);
        at += n;
        assert_true(got <= (n + delay) * hop && count + got <= at * hop);
        memcpy(s->made + count, room, got * sizeof *room);
        count += got;
        /* Not a frame later than promised. Shorter pieces than this may still be all mirrors. */
        if (at > 4 * delay + 8) assert_true(count >= (at - delay) * hop);
    }
    assert_int_equal(count, frames * hop);
    if (memcmp(s->made, s->whole, frames * hop * sizeof *room) != 0)
        fail_msg("%zu frames in steps of %zu differ from the whole", frames, step);
    free(room);
}

static void all_cuts(const subject *s, const size_t *lengths, size_t count)
{
    static const size_t steps[] = {1, 2, 3, 7, MOST, 0};
    for (size_t l = 0; l < count; l++) {
        sm_codec_decode(s->codec, s->kernels, s->pool, s->codes, MOST, lengths[l], s->whole,
                        s->decode_scratch);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            stream_piece(s, lengths[l], steps[i], false);
            stream_piece(s, lengths[l], steps[i], true);
        }
    }
}

static void open_subject(subject *s, const sm_codec *codec, sm_pool *pool, sm_arena *arena)
{
    const sm_codec_config *config = &codec->config;
    const size_t count = MOST * (size_t)config->hop;
    int32_t *codes = calloc(MOST * (size_t)config->codebooks, sizeof *codes);
    assert_non_null(codes);
    for (int i = 0; i < MOST * config->codebooks; i++)
        codes[i] = (int32_t)(sm_uniform(1, (uint32_t)i, 0, 0) * config->codebook_size);
    *s = (subject){.codec = codec, .pool = pool, .codes = codes};
    s->kernels = sm_kernels_get(sm_cpu_detect());
    s->stream = sm_codec_stream_new(codec, arena);
    assert_non_null(s->stream);
    s->whole = floats(count), s->made = floats(count);
    s->scratch = floats(sm_codec_stream_scratch(codec));
    s->decode_scratch = floats(sm_codec_scratch(codec, MOST));
}

static void close_subject(subject *s)
{
    free((void *)s->codes), free(s->whole), free(s->made), free(s->scratch);
    free(s->decode_scratch);
}

static void the_tiny_model_at_every_level(void **context)
{
    (void)context;
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 31, 32, 33, 66, MOST};
    fixture f;
    subject s;
    fixture_open(&f, 2);
    open_subject(&s, f.codec, f.pool, f.arena);
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        s.kernels = sm_kernels_get((sm_cpu_level)level);
        all_cuts(&s, lengths, sizeof lengths / sizeof *lengths);
    }
    close_subject(&s);
    fixture_close(&f);
}

static void the_tiny_model_in_f16(void **context)
{
    (void)context;
    static const size_t lengths[] = {1, 5, 12, 33, MOST};
    fixture f;
    subject s;
    fixture_open_in(&f, 2, SM_FORMAT_F16);
    open_subject(&s, f.codec, f.pool, f.arena);
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        s.kernels = sm_kernels_get((sm_cpu_level)level);
        all_cuts(&s, lengths, sizeof lengths / sizeof *lengths);
    }
    close_subject(&s);
    fixture_close(&f);
}

/* ---- Random decoders
 * ----------------------------------------------------------------------------------- */

static const float *random_floats(sm_arena *arena, int count, int fan_in)
{
    static uint32_t turn;
    float *w = SM_TAKE(arena, count, float);
    assert_non_null(w);
    turn++;
    for (int i = 0; i < count; i++)
        w[i] = (float)((sm_uniform(2, turn, (uint32_t)i, 0) - 0.5) * 3.4 / sqrt(fan_in));
    return w;
}

static sm_matrix random_matrix(sm_arena *arena, int N, int M, int fan_in)
{
    return (sm_matrix){SM_FORMAT_F32, N, M, random_floats(arena, N * M, fan_in), NULL};
}

static sm_conv random_conv(sm_arena *arena, int in, int out, int kernel, int dilation)
{
    return (sm_conv){.w = random_matrix(arena, out, in * kernel, in * kernel),
                     .bias = random_floats(arena, out, 16),
                     .in = in,
                     .out = out,
                     .kernel = kernel,
                     .stride = 1,
                     .dilation = dilation};
}

static void push_op(sm_stack *stack, sm_op op)
{
    stack->ops[stack->count++] = op;
}

/* The decoder's half alone, as the configuration has it. */
static sm_codec *random_decoder(sm_arena *arena, const sm_codec_config *config)
{
    sm_codec *codec = SM_TAKE(arena, 1, sm_codec);
    assert_non_null(codec);
    sm_half *half = &codec->decoder;
    int C = config->filters << config->ratios_count;
    codec->config = *config;
    codec->width = C;
    half->first = random_conv(arena, config->hidden, C, config->kernel, 1);
    half->lstm = SM_TAKE(arena, config->lstm_layers, sm_lstm);
    assert_non_null(half->lstm);
    for (int l = 0; l < config->lstm_layers; l++)
        half->lstm[l] =
            (sm_lstm){random_matrix(arena, 4 * C, C, C), random_matrix(arena, 4 * C, C, C),
                      random_floats(arena, 4 * C, 16)};
    for (int i = 0; i < config->ratios_count; i++) {
        sm_stage *stage = &half->stages[i];
        const int ratio = config->ratios[i];
        stage->up = (sm_upsample){random_matrix(arena, ratio * C / 2, 2 * C, C),
                                  random_floats(arena, ratio * C / 2, 16), C, C / 2, ratio};
        push_op(&half->stack, (sm_op){.up = &stage->up});
        C /= 2;
        stage->residuals = SM_TAKE(arena, config->residual_layers, sm_residual);
        assert_non_null(stage->residuals);
        for (int j = 0, dilation = 1; j < config->residual_layers; j++) {
            stage->residuals[j] = (sm_residual){
                .first = random_conv(arena, C, C / 2, config->residual_kernel, dilation),
                .second = random_conv(arena, C / 2, C, 1, 1),
                .shortcut = random_conv(arena, C, C, 1, 1),
                .has_shortcut = config->conv_shortcut};
            push_op(&half->stack, (sm_op){.residual = &stage->residuals[j]});
            dilation *= config->dilation_growth;
        }
    }
    half->last = random_conv(arena, C, 1, config->last_kernel, 1);
    push_op(&half->stack, (sm_op){.conv = &half->last, .elu = true});
    for (int q = 0; q < config->codebooks; q++)
        codec->books[q].embed =
            random_floats(arena, config->codebook_size * config->hidden, config->codebooks);
    sm_codec_measure(codec);
    return codec;
}

static void check_config(const sm_codec_config *config, const size_t *lengths, size_t count,
                         size_t delay)
{
    smitin_error error;
    subject s;
    sm_pool *pool = NULL;
    sm_arena *arena = sm_arena_new();
    assert_non_null(arena);
    ASSERT_OK(sm_pool_new(&pool, 2, &error));
    const sm_codec *codec = random_decoder(arena, config);
    assert_int_equal(sm_codec_stream_delay(codec), delay);
    open_subject(&s, codec, pool, arena);
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        s.kernels = sm_kernels_get((sm_cpu_level)level);
        all_cuts(&s, lengths, count);
    }
    close_subject(&s);
    sm_pool_free(pool);
    sm_arena_free(arena);
}

/* MusicGen's ratios and kernels with fewer channels. How far each layer's output stays behind, by
 * hand: 3 frames after the first convolution; upsampling by r makes b of it r b + r - r / 2 (the
 * cut on the left), the block behind it adds 1: 3, 29, 149, 599, 2399; the last convolution adds 3.
 * So 2402 samples, 3.75 frames of 640. */
static void the_ratios_of_musicgen(void **context)
{
    (void)context;
    static const size_t lengths[] = {1, 2, 3, 5, 9, 12, 35};
    const sm_codec_config config = {.filters = 4,
                                    .hidden = 16,
                                    .ratios = {8, 5, 4, 4},
                                    .ratios_count = 4,
                                    .hop = 640,
                                    .codebooks = 4,
                                    .codebook_size = 64,
                                    .channels = 1,
                                    .kernel = 7,
                                    .last_kernel = 7,
                                    .residual_kernel = 3,
                                    .residual_layers = 1,
                                    .dilation_growth = 2,
                                    .compress = 2,
                                    .lstm_layers = 2,
                                    .reflect = true};
    check_config(&config, lengths, sizeof lengths / sizeof *lengths, 4);
}

/* Shapes that no published model has: even kernels, a ratio of 1, wide dilations, zero padding. By
 * hand as above, with 2 + 6 + 18 of the blocks: 1, 31, 58, 143, and 2 of the last: 145 of 6. */
static void other_shapes(void **context)
{
    (void)context;
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 40, MOST};
    sm_codec_config config = {.filters = 2,
                              .hidden = 8,
                              .ratios = {3, 1, 2},
                              .ratios_count = 3,
                              .hop = 6,
                              .codebooks = 2,
                              .codebook_size = 16,
                              .channels = 1,
                              .kernel = 4,
                              .last_kernel = 6,
                              .residual_kernel = 5,
                              .residual_layers = 3,
                              .dilation_growth = 3,
                              .compress = 2,
                              .lstm_layers = 1,
                              .conv_shortcut = true,
                              .reflect = true};
    check_config(&config, lengths, sizeof lengths / sizeof *lengths, 25);
    config.reflect = false;
    check_config(&config, lengths, sizeof lengths / sizeof *lengths, 25);
}

/* Neither state nor scratch depends on the length, and a piece without frames has no samples. */
static void nothing_grows(void **context)
{
    (void)context;
    fixture f;
    subject s;
    fixture_open(&f, 1);
    const size_t before = sm_arena_bytes(f.arena);
    open_subject(&s, f.codec, f.pool, f.arena);
    const size_t after = sm_arena_bytes(f.arena);
    assert_true(after > before && after - before < 64 * 1024);
    assert_int_equal(sm_codec_stream_push(s.stream, s.kernels, s.pool, s.codes, MOST, 0, true,
                                          s.made, s.scratch),
                     0);
    stream_piece(&s, 0, MOST, false);
    const size_t room = (MOST + sm_codec_stream_delay(f.codec)) * (size_t)f.config.codec.hop;
    float *samples = floats(room);
    size_t count = 0;
    for (int i = 0; i < 40; i++) /* 2800 frames without end */
        count += sm_codec_stream_push(s.stream, s.kernels, s.pool, s.codes, MOST, MOST, false,
                                      samples, s.scratch);
    assert_true(count > 2700 * (size_t)f.config.codec.hop);
    assert_int_equal(sm_arena_bytes(f.arena), after);
    free(samples);
    close_subject(&s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tiny_model_at_every_level),
        cmocka_unit_test(the_tiny_model_in_f16),
        cmocka_unit_test(the_ratios_of_musicgen),
        cmocka_unit_test(other_shapes),
        cmocka_unit_test(nothing_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

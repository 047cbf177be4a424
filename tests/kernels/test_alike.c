/* SPDX-License-Identifier: MIT */
/* The levels of eight lanes add in one order whatever the processor, so AVX2 and NEON give the same
 * bits: what was made on the one can be made again on the other. Here are the digests of what every
 * kernel gives. A deliberate change of an order gives others, which are printed as they stand here;
 * they must come out alike on both processors. */
#include "levels.h"

#include <inttypes.h>

/* Outputs and inputs with tails, more than one chunk of inputs, few inputs, a head with a tail. */
enum { R = 5, N = 37, LONG = 1101, FEW = 21, T = 77, D = 44, MANY = 203 };

typedef struct problem {
    edge x, w, bias, q, out, scratch, codes;
    uint16_t half[N * LONG];
    uint16_t scales[48 * 35]; /* [tiles of 16 outputs, blocks] */
    int8_t whole[T * D];
    sm_block rows[R * 35];
    size_t entry; /* next of `expected` */
    int others;   /* that were not as expected */
} problem;

static const struct {
    const char *name;
    uint64_t digest;
} expected[] = {
    {"matmul", 0x6d8efd6f29b101c5},     {"matmul of few inputs", 0xf3270ad3de953e06},
    {"matmul_f16", 0x30ee5043769869e4}, {"matmul_bf16", 0x10a8cbe9e29ec3a7},
    {"matmul_q8", 0x594435fe31621fba},  {"matmul_q4", 0x7896f941ebeb94d2},
    {"attend", 0xfbcf0cdb8d3f33be},     {"narrow_f16", 0xbc28355e2ec5598a},
    {"attend_f16", 0x5f0f3efd4c85aed1}, {"narrow_q8", 0x111c3e310507b52b},
    {"attend_q8", 0x352518843e8cda14},  {"dot", 0x008f584013aebb9e},
    {"axpy", 0x90583bac4629c14f},       {"layer_norm", 0x10d85a1d16a4b961},
    {"rms_norm", 0xb3907c7d4e3260d0},   {"softmax", 0xe0a3ba01e19f039b},
    {"gelu", 0xab829bd56c31c0e9},       {"elu", 0x3556d9a244a7537b},
    {"lstm_cell", 0xf715df4198e6b522},
};

static uint64_t digest_of(const void *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}

static void same(const sm_kernels *k, problem *p, const char *entry, const void *data, size_t bytes)
{
    const uint64_t got = digest_of(data, bytes);
    assert_string_equal(entry, expected[p->entry].name);
    if (got == expected[p->entry++].digest) return;
    print_error("%s: {\"%s\", 0x%016" PRIx64 "},\n", k->name, entry, got);
    p->others++;
}

static void same_out(const sm_kernels *k, problem *p, const char *entry, size_t count)
{
    same(k, p, entry, p->out.data, count * sizeof(float));
}

static void check_products(const sm_kernels *k, problem *p)
{
    const float *x = p->x.data, *bias = p->bias.data;
    float *y = p->out.data;
    smitin_error error = {0};
    k->matmul(y, N, x, LONG, p->w.data, bias, R, LONG, 0, N);
    same_out(k, p, "matmul", R * N);
    k->matmul(y, N, x, FEW, p->w.data, bias, R, FEW, 0, N);
    same_out(k, p, "matmul of few inputs", R * N);
    for (int i = 0; i < N * LONG; i++) p->half[i] = sm_f16_from_f32(p->w.data[i]);
    k->matmul_f16(y, N, x, LONG, p->half, bias, R, LONG, 0, N);
    same_out(k, p, "matmul_f16", R * N);
    for (int i = 0; i < N * LONG; i++) p->half[i] = sm_bf16_from_f32(p->w.data[i]);
    k->matmul_bf16(y, N, x, LONG, p->half, bias, R, LONG, 0, N);
    same_out(k, p, "matmul_bf16", R * N);
    k->quantise(p->rows, x, LONG, R, LONG);
    for (int format = SM_FORMAT_Q8; format <= SM_FORMAT_Q4; format++) {
        const sm_packed w = {(sm_format)format, N, LONG, (uint8_t *)p->codes.data, p->scales};
        ASSERT_OK(sm_pack((uint8_t *)p->codes.data, p->scales, w.format, p->w.data, N, LONG, 0, N,
                          &error));
        (w.format == SM_FORMAT_Q8 ? k->matmul_q8 : k->matmul_q4)(y, N, p->rows, &w, bias, R, 0, N);
        same_out(k, p, w.format == SM_FORMAT_Q8 ? "matmul_q8" : "matmul_q4", R * N);
    }
}

static void check_attention(const sm_kernels *k, problem *p)
{
    const float *keys = p->w.data, *values = keys + T * D, scale = 0.15f;
    float *z = p->out.data, *scores = p->scratch.data;
    k->attend(z, p->q.data, keys, values, D, p->bias.data, scale, T, D, scores);
    same_out(k, p, "attend", D);
    k->narrow_f16(p->half, keys, T * D);
    same(k, p, "narrow_f16", p->half, T * D * sizeof *p->half);
    k->attend_f16(z, p->q.data, p->half, p->half + D, D, NULL, scale, T - 1, D, scores);
    same_out(k, p, "attend_f16", D);
    float scales[T];
    for (int t = 0; t < T; t++) scales[t] = k->narrow_q8(p->whole + t * D, keys + t * D, D);
    same(k, p, "narrow_q8", p->whole, sizeof p->whole);
    const sm_cache_q8 cache = {p->whole, p->whole + D, D, scales, scales + 1};
    k->attend_q8(z, p->q.data, &cache, p->bias.data, scale, T - 1, D, scores);
    same_out(k, p, "attend_q8", D);
}

static void check_vectors(const sm_kernels *k, problem *p)
{
    const float *x = p->x.data, *w = p->w.data;
    float *y = p->out.data;
    y[0] = k->dot(x, w, MANY);
    same_out(k, p, "dot", 1);
    memcpy(y, w, MANY * sizeof *y);
    k->axpy(y, 0.37f, x, MANY);
    same_out(k, p, "axpy", MANY);
    k->layer_norm(y, x, w, w + MANY, MANY, 1e-5f);
    same_out(k, p, "layer_norm", MANY);
    k->rms_norm(y, x, w, MANY, 1e-6f);
    same_out(k, p, "rms_norm", MANY);
    memcpy(y, x, MANY * sizeof *y);
    k->softmax(y, MANY);
    same_out(k, p, "softmax", MANY);
    memcpy(y, x, MANY * sizeof *y);
    k->gelu(y, MANY);
    same_out(k, p, "gelu", MANY);
    k->elu(y, x, MANY);
    same_out(k, p, "elu", MANY);
    memcpy(y, w, 50 * sizeof *y);
    k->lstm_cell(y + 50, y, x, 50);
    same_out(k, p, "lstm_cell", 100);
}

static void the_bits_of_eight_lanes(void **state)
{
    static const sm_cpu_level levels[] = {SM_CPU_AVX2, SM_CPU_AVX_VNNI, SM_CPU_NEON,
                                          SM_CPU_NEON_DOT};
    static problem p;
    (void)state;
    p.x = edge_random(R * LONG, 3.0f, 1);
    p.w = edge_random(N * LONG, 1.0f, 2);
    p.bias = edge_random(T, 1.0f, 3);
    p.q = edge_random(D, 2.0f, 4);
    p.out = edge_new(MANY);
    p.scratch = edge_new(T);
    p.codes = edge_bytes(48 * 35 * SM_BLOCK);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (!sm_cpu_has(levels[i])) {
            say_missing(levels[i]);
            continue;
        }
        const sm_kernels *k = sm_kernels_get(levels[i]);
        p.entry = 0;
        check_products(k, &p);
        check_attention(k, &p);
        check_vectors(k, &p);
    }
    assert_int_equal(p.others, 0);
    edge *all[] = {&p.x, &p.w, &p.bias, &p.q, &p.out, &p.scratch, &p.codes};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) edge_free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_bits_of_eight_lanes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

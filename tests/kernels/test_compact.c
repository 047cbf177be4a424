/* SPDX-License-Identifier: MIT */
/* The products with compact weights, every level: 16 bits against the f32 product to the bit, q8
 * and q4 against sums in double; cuts, odd tails, guarded ends, NaN. */
#include "levels.h"

typedef struct shape {
    int R, N, M;
    size_t pad; /* extra row pitch of x and of y */
    bool bias;
} shape;

/* Sizes the models use, cut in outputs to keep the test short, then odd ones. */
static const shape shapes[] = {
    {1, 64, 1024, 0, true},   {2, 48, 1024, 0, false}, {2, 32, 4096, 0, true},
    {16, 48, 1024, 0, false}, {16, 16, 4096, 0, true}, {2, 320, 320, 0, false},
    {1, 1, 1, 0, true},       {2, 3, 5, 1, true},      {5, 7, 13, 3, false},
    {7, 17, 31, 0, true},     {7, 17, 32, 0, true},    {13, 33, 33, 2, true},
    {11, 31, 63, 0, true},    {4, 9, 96, 0, false},    {6, 23, 1025, 1, true},
    {17, 15, 1537, 7, true},  {3, 50, 100, 7, false},  {9, 5, 65, 1, false},
    {24, 18, 40, 0, true},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static edge output(const shape *s)
{
    edge y = edge_new((size_t)(s->R - 1) * ((size_t)s->N + s->pad) + (size_t)s->N);
    for (size_t i = 0; i < y.count; i++) y.data[i] = 1234.5f;
    return y;
}

static edge rows_of(const shape *s)
{
    return edge_random((size_t)(s->R - 1) * ((size_t)s->M + s->pad) + (size_t)s->M, 2.0f, 1);
}

/* Cuts in rows and outputs; the first is the whole. */
static const int cut_rows[] = {1 << 20, 1, 2, 3, 8, 1 << 20, 5},
                 cut_outputs[] = {1 << 20, 1 << 20, 16, 32, 7, 1, 11};
enum { CUTS = 7 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void same_as_f32(const sm_kernels *k, const shape *s, bool bf16)
{
    const size_t count = (size_t)s->N * (size_t)s->M;
    const size_t ldx = (size_t)s->M + s->pad, ldy = (size_t)s->N + s->pad;
    edge x = rows_of(s), wide = edge_random(count, 1.0f, 2),
         bias = edge_random((size_t)s->N, 1.0f, 3);
    edge room = edge_bytes(count * 2);
    uint16_t *w = edge_end(&room, count * 2);
    for (size_t i = 0; i < count; i++) {
        w[i] = bf16 ? sm_bf16_from_f32(wide.data[i]) : sm_f16_from_f32(wide.data[i]);
        if (i % 97 == 5) w[i] = 3; /* a number below the normal ones */
        wide.data[i] = bf16 ? sm_bf16_to_f32(w[i]) : sm_f16_to_f32(w[i]);
    }
    x.data[x.count - 1] = NAN;
    edge want = output(s);
    const float *b = s->bias ? bias.data : NULL;
    k->matmul(want.data, ldy, x.data, ldx, wide.data, b, s->R, s->M, 0, s->N);
    for (int c = 0; c < CUTS; c++) {
        edge y = output(s);
        for (int r = 0; r < s->R; r += cut_rows[c]) {
            for (int n = 0; n < s->N; n += cut_outputs[c])
                (bf16 ? k->matmul_bf16 : k->matmul_f16)(
                    y.data + (size_t)r * ldy, ldy, x.data + (size_t)r * ldx, ldx, w, b,
                    least(s->R - r, cut_rows[c]), s->M, n, least(s->N, n + cut_outputs[c]));
        }
        for (size_t i = 0; i < y.count; i++) {
            const float got = y.data[i], expected = want.data[i];
            if (!(got == expected || (isnan(got) && isnan(expected))))
                fail_msg("%s %s, %d x %d x %d, cut %d: y[%zu] = %.9g, with f32 %.9g", k->name,
                         bf16 ? "bf16" : "f16", s->R, s->N, s->M, c, i, (double)got,
                         (double)expected);
        }
        edge_free(&y);
    }
    assert_true(isnan(want.data[want.count - 1]));
    edge_free(&x);
    edge_free(&wide);
    edge_free(&bias);
    edge_free(&room);
    edge_free(&want);
}

static void check_sixteen_bits(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        same_as_f32(k, &shapes[i], false);
        same_as_f32(k, &shapes[i], true);
    }
}

static edge quantised(const sm_kernels *k, const edge *x, size_t ldx, int R, int M,
                      sm_block **blocks)
{
    const size_t bytes = (size_t)R * sm_blocks(M) * sizeof(sm_block);
    edge room = edge_bytes(bytes);
    *blocks = edge_end(&room, bytes);
    k->quantise(*blocks, x->data, ldx, R, M);
    return room;
}

static void check_quantise(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        const size_t ldx = (size_t)s->M + s->pad, blocks = sm_blocks(s->M);
        edge x = rows_of(s);
        static const float odd[] = {NAN,  INFINITY, -INFINITY, 1e-35f,
                                    0.0f, -0.0f,    3e38f,     0x1p-100f};
        for (size_t j = 11; j < x.count; j += 997) x.data[j] = odd[j % 8];
        for (size_t j = 0; j < 40 && j < x.count;
             j++) /* a block of nothing, one of next to nothing */
            if (s->N % 2 != 0) x.data[j] = s->N % 3 == 0 ? 1e-35f : 0.0f;
        sm_block *got, *want;
        edge a = quantised(k, &x, ldx, s->R, s->M, &got);
        edge b = quantised(sm_kernels_get(SM_CPU_REF), &x, ldx, s->R, s->M, &want);
        for (size_t at = 0; at < (size_t)s->R * blocks; at++) {
            const sm_block *g = &got[at], *w = &want[at];
            assert_true(g->scale == w->scale || (isnan(g->scale) && isnan(w->scale)));
            assert_int_equal(g->shift, w->shift);
            assert_memory_equal(g->q, w->q, SM_BLOCK);
            int sum = 0;
            for (int m = 0; m < SM_BLOCK; m++) {
                const int input = (int)(at % blocks) * SM_BLOCK + m;
                sum += g->q[m];
                if (input >= s->M) {
                    assert_int_equal(g->q[m], 0);
                    continue;
                }
                const float value = x.data[at / blocks * ldx + (size_t)input];
                if (!isfinite(value)) assert_true(isnan(g->scale));
                if (isnan(g->scale)) continue;
                assert_in_range(g->q[m] + 127, 0, 254);
                /* Half a step, and the rounding of scale and product; 2^-100 may become zero. */
                ASSERT_NEAR(g->scale * g->q[m], value, (double)g->scale * 0.50003 + 0x1p-100);
            }
            assert_int_equal(g->shift, -128 * sum);
        }
        edge_free(&x);
        edge_free(&a);
        edge_free(&b);
    }
}

typedef struct problem {
    edge x, bias, blocks, codes, scales;
    sm_block *rows;
    sm_packed w;
    size_t ldy;
} problem;

/* `extreme`: all sizes equal, so that every code is the largest there is, of mixed sign. */
static problem make(const sm_kernels *k, const shape *s, sm_format format, bool extreme)
{
    problem p;
    smitin_error error;
    sm_packed_size size;
    edge w = edge_random((size_t)s->N * (size_t)s->M, 0.1f, 2);
    p.x = rows_of(s);
    if (extreme) {
        for (size_t i = 0; i < w.count; i++) w.data[i] = i / 2 % 3 == 0 ? -1.0f : 1.0f;
        for (size_t i = 0; i < p.x.count; i++) p.x.data[i] = i / 5 % 2 == 0 ? -2.0f : 2.0f;
    }
    p.bias = edge_random((size_t)s->N, 1.0f, 3);
    ASSERT_OK(sm_packed_size_of(&size, format, s->N, s->M, &error));
    p.codes = edge_bytes(size.codes);
    p.scales = edge_bytes(size.scales * 2);
    uint8_t *codes = edge_end(&p.codes, size.codes);
    uint16_t *scales = edge_end(&p.scales, size.scales * 2);
    ASSERT_OK(sm_pack(codes, scales, format, w.data, s->N, s->M, 0, s->N, &error));
    const sm_packed packed = {format, s->N, s->M, codes, scales};
    p.w = packed;
    p.blocks = quantised(k, &p.x, (size_t)s->M + s->pad, s->R, s->M, &p.rows);
    p.ldy = (size_t)s->N + s->pad;
    edge_free(&w);
    return p;
}

static void drop(problem *p)
{
    edge_free(&p->x);
    edge_free(&p->bias);
    edge_free(&p->blocks);
    edge_free(&p->codes);
    edge_free(&p->scales);
}

static void multiply(const sm_kernels *k, const shape *s, const problem *p, float *y, int r0,
                     int r1, int n0, int n1)
{
    (p->w.format == SM_FORMAT_Q8 ? k->matmul_q8 : k->matmul_q4)(
        y + (size_t)r0 * p->ldy, p->ldy, p->rows + (size_t)r0 * sm_blocks(s->M), &p->w,
        s->bias ? p->bias.data : NULL, r1 - r0, n0, n1);
}

/* A block's dot product is exact: rounded are the product of the scales, the multiply-add of each
 * block, and the bias: (blocks + 3) times 2^-24 of the sum of sizes at most. */
static void against_double(const sm_kernels *k, const shape *s, sm_format format, bool extreme)
{
    problem p = make(k, s, format, extreme);
    edge y = output(s);
    multiply(k, s, &p, y.data, 0, s->R, 0, s->N);
    const size_t blocks = sm_blocks(s->M);
    for (int r = 0; r < s->R; r++) {
        for (int n = 0; n < s->N; n++) {
            double sum = s->bias ? (double)p.bias.data[n] : 0.0, size = fabs(sum);
            for (int m = 0; m < s->M; m++) {
                const sm_block *b = &p.rows[(size_t)r * blocks + (size_t)(m / SM_BLOCK)];
                const double term =
                    (double)b->scale * b->q[m % SM_BLOCK] * (double)sm_packed_at(&p.w, n, m);
                sum += term;
                size += fabs(term);
            }
            const double off = fabs((double)y.data[(size_t)r * p.ldy + (size_t)n] - sum);
            if (!(off <= ((double)blocks + 3.0) * 0x1p-24 * size))
                fail_msg("%s %s, %d x %d x %d: y[%d][%d] is off by %g of %g", k->name,
                         sm_format_name(format), s->R, s->N, s->M, r, n, off, size);
        }
        for (size_t n = (size_t)s->N; n < p.ldy && r + 1 < s->R; n++) /* between the rows */
            assert_true(y.data[(size_t)r * p.ldy + n] == 1234.5f);
    }
    edge_free(&y);
    drop(&p);
}

static void check_blocks(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        for (int extreme = 0; extreme < 2; extreme++) {
            against_double(k, &shapes[i], SM_FORMAT_Q8, extreme != 0);
            against_double(k, &shapes[i], SM_FORMAT_Q4, extreme != 0);
        }
    }
}

static void check_cuts(const sm_kernels *k)
{
    for (int i = 0; i < 2 * SHAPES; i++) {
        const shape *s = &shapes[i / 2];
        problem p = make(k, s, i % 2 == 0 ? SM_FORMAT_Q8 : SM_FORMAT_Q4, false);
        edge whole = output(s);
        multiply(k, s, &p, whole.data, 0, s->R, 0, s->N);
        for (int c = 1; c < CUTS; c++) {
            edge y = output(s);
            for (int r = 0; r < s->R; r += cut_rows[c]) {
                for (int n = 0; n < s->N; n += cut_outputs[c])
                    multiply(k, s, &p, y.data, r, least(s->R, r + cut_rows[c]), n,
                             least(s->N, n + cut_outputs[c]));
            }
            if (memcmp(y.data, whole.data, y.count * sizeof(float)) != 0)
                fail_msg("%s, shape %d, cut %d: other bits", k->name, i, c);
            edge_free(&y);
        }
        edge_free(&whole);
        drop(&p);
    }
}

/* NaN or infinity in one row reaches every output of that row, and no other. */
static void check_not_finite(const sm_kernels *k)
{
    for (int i = 0; i < 4 * SHAPES; i++) {
        const shape *s = &shapes[i / 4];
        problem p = make(k, s, i % 2 == 0 ? SM_FORMAT_Q8 : SM_FORMAT_Q4, false);
        const int row = s->R / 2;
        const size_t ldx = (size_t)s->M + s->pad;
        p.x.data[(size_t)row * ldx + (size_t)s->M - 1] = i % 4 < 2 ? NAN : -INFINITY;
        k->quantise(p.rows, p.x.data, ldx, s->R, s->M);
        edge y = output(s);
        multiply(k, s, &p, y.data, 0, s->R, 0, s->N);
        for (int r = 0; r < s->R; r++) {
            for (int n = 0; n < s->N; n++)
                assert_true(isnan(y.data[(size_t)r * p.ldy + (size_t)n]) == (r == row));
        }
        edge_free(&y);
        drop(&p);
    }
}

static void check_nothing(const sm_kernels *k)
{
    const shape s = {1, 2, 1, 0, false};
    float y[2] = {5.0f, 6.0f};
    for (int format = SM_FORMAT_Q8; format <= SM_FORMAT_Q4; format++) {
        problem p = make(k, &s, (sm_format)format, false);
        multiply(k, &s, &p, y, 0, 0, 0, 2);
        multiply(k, &s, &p, y, 0, 1, 1, 1);
        drop(&p);
    }
    k->quantise(NULL, y, 1, 0, 1);
    const uint16_t w[1] = {0x3C00};
    k->matmul_f16(y, 2, y, 1, w, NULL, 0, 1, 0, 1);
    k->matmul_bf16(y, 2, y, 1, w, NULL, 1, 1, 1, 1);
    assert_true(y[0] == 5.0f && y[1] == 6.0f);
}

/* The whole way from f32: rounding of weights and activations is independent, so the error of a
 * product relative to its size is the root of the sum of their squares. Uniform weights: a step of
 * 2 / 254 or, in q4, up to 2 * 23 / 240 gives 0.4 % and 6 to 9 %; activations add 0.4 %. */
static void check_quality(const sm_kernels *k)
{
    const shape s = {4, 256, 1024, 0, false};
    edge x = rows_of(&s), w = edge_random((size_t)s.N * (size_t)s.M, 0.1f, 2), want = output(&s);
    k->matmul(want.data, (size_t)s.N, x.data, (size_t)s.M, w.data, NULL, s.R, s.M, 0, s.N);
    for (int format = SM_FORMAT_Q8; format <= SM_FORMAT_Q4; format++) {
        problem p = make(k, &s, (sm_format)format, false);
        edge y = output(&s);
        multiply(k, &s, &p, y.data, 0, s.R, 0, s.N);
        double error = 0.0, size = 0.0;
        for (size_t i = 0; i < y.count; i++) {
            error += pow((double)y.data[i] - (double)want.data[i], 2.0);
            size += pow((double)want.data[i], 2.0);
        }
        const double relative = sqrt(error / size);
        if (!(relative < (format == SM_FORMAT_Q8 ? 0.008 : 0.1) && relative > 1e-4))
            fail_msg("%s %s: relative error %g", k->name, sm_format_name((sm_format)format),
                     relative);
        edge_free(&y);
        drop(&p);
    }
    edge_free(&x);
    edge_free(&w);
    edge_free(&want);
}

#define LEVEL_TEST(name)                                                                           \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        with_levels(check_##name);                                                                 \
    }
LEVEL_TEST(sixteen_bits)
LEVEL_TEST(quantise)
LEVEL_TEST(blocks)
LEVEL_TEST(cuts)
LEVEL_TEST(not_finite)
LEVEL_TEST(nothing)
LEVEL_TEST(quality)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bits), cmocka_unit_test(quantise),   cmocka_unit_test(blocks),
        cmocka_unit_test(cuts),         cmocka_unit_test(not_finite), cmocka_unit_test(nothing),
        cmocka_unit_test(quality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

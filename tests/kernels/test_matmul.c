/* SPDX-License-Identifier: MIT */
/* The matrix product of every level: against the oracle, and the same bits however the work is cut.
 */
#include "levels.h"

typedef struct shape {
    int R, N, M;
    size_t ldx, pad; /* row pitch of x, 0 = M; extra row pitch of y */
    bool bias;
} shape;

/* Sizes the models use, cut in rows to keep the test short, then odd ones. */
static const shape shapes[] = {
    {1, 256, 256, 0, 0, true},   /* decoder: projections, mini */
    {2, 1024, 256, 0, 0, false}, /* decoder: feed-forward */
    {16, 256, 1024, 0, 0, true}, /* and back */
    {3, 40, 4096, 0, 0, false},  /* back, small model */
    {1, 1024, 256, 0, 0, true},  /* LSTM: recurrent product */
    {200, 16, 7, 1, 0, true},    /* codec: first convolution, one channel */
    {99, 8, 48, 16, 0, true},    /* codec: residual convolution, 3 taps of 16 */
    {150, 16, 112, 16, 0, true}, /* codec: 7 taps of 16 */
    {64, 32, 128, 64, 0, true},  /* codec: stride 4, 8 taps of 16 */
    {130, 1, 112, 16, 0, true},  /* codec: last convolution */
    {30, 24, 1040, 8, 5, false}, /* overlapping rows, more than one chunk */
    {1, 1, 1, 0, 0, true},         {2, 3, 5, 0, 1, true},       {5, 7, 13, 0, 3, false},
    {7, 17, 64, 0, 0, true},       {7, 17, 65, 0, 0, true},     {13, 33, 63, 0, 2, true},
    {11, 31, 1023, 0, 0, true},    {4, 9, 1024, 0, 0, false},   {6, 23, 1025, 0, 1, true},
    {17, 15, 1537, 1540, 7, true}, {3, 12, 100, 7, 0, false},   {9, 5, 33, 1, 0, false},
    {1000, 2, 80, 3, 0, true},     {200, 75, 1100, 0, 3, true}, /* more rows than one block holds */
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct operands {
    edge x, w, bias;
    size_t ldx, ldy;
} operands;

static operands make(const shape *s)
{
    operands o;
    o.ldx = s->ldx != 0 ? s->ldx : (size_t)s->M;
    o.ldy = (size_t)s->N + s->pad;
    o.x = edge_random((size_t)(s->R - 1) * o.ldx + (size_t)s->M, 1.0f, 1);
    o.w = edge_random((size_t)s->N * (size_t)s->M, 1.0f, 2);
    o.bias = edge_random((size_t)s->N, 1.0f, 3);
    return o;
}

static void drop(operands *o)
{
    edge_free(&o->x);
    edge_free(&o->w);
    edge_free(&o->bias);
}

static edge output(const shape *s, const operands *o)
{
    edge y = edge_new((size_t)(s->R - 1) * o->ldy + (size_t)s->N);
    for (size_t i = 0; i < y.count; i++) y.data[i] = 1234.5f;
    return y;
}

static void run(const sm_kernels *k, const shape *s, const operands *o, float *y, int r0, int r1,
                int n0, int n1)
{
    k->matmul(y + (size_t)r0 * o->ldy, o->ldy, o->x.data + (size_t)r0 * o->ldx, o->ldx, o->w.data,
              s->bias ? o->bias.data : NULL, r1 - r0, s->M, n0, n1);
}

/* |error| <= terms added one after another * 2^-24 * sum |x w|: the worst case of rounding. A level
 * adds at most 64 terms in a short row; in a long one M / 8 in a lane, 3 in the fold, M / 512
 * chunks, 1 bias. */
static void check_against_oracle(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        operands o = make(s);
        edge y = output(s, &o);
        run(k, s, &o, y.data, 0, s->R, 0, s->N);
        const double steps = s->M <= 64 ? s->M + 1.0 : s->M / 8.0 + 3.0 + s->M / 1024.0 + 2.0;
        for (int r = 0; r < s->R; r++) {
            for (int n = 0; n < s->N; n++) {
                double sum = s->bias ? (double)o.bias.data[n] : 0.0, size = fabs(sum);
                for (int m = 0; m < s->M; m++) {
                    const double term = (double)o.x.data[(size_t)r * o.ldx + (size_t)m] *
                                        (double)o.w.data[(size_t)n * (size_t)s->M + (size_t)m];
                    sum += term;
                    size += fabs(term);
                }
                const double error = fabs((double)y.data[(size_t)r * o.ldy + (size_t)n] - sum);
                if (!(error <= steps * 0x1p-24 * size))
                    fail_msg("%s, shape %d: y[%d][%d] is off by %g", k->name, i, r, n, error);
            }
            for (size_t n = (size_t)s->N; n < o.ldy && r + 1 < s->R; n++) /* between the rows */
                assert_true(y.data[(size_t)r * o.ldy + n] == 1234.5f);
        }
        edge_free(&y);
        drop(&o);
    }
}

static void right(void **state)
{
    (void)state;
    with_levels(check_against_oracle);
}

static void check_cuts(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        operands o = make(s);
        edge whole = output(s, &o);
        run(k, s, &o, whole.data, 0, s->R, 0, s->N);
        /* Rows in groups of `rows`, outputs in groups of `outputs`. */
        static const int rows[] = {1, 2, 3, 5, 8, 16, 1 << 20, 1 << 20, 4},
                         outputs[] = {1 << 20, 16, 4, 7, 3, 1, 1, 5, 11};
        for (int c = 0; c < 9; c++) {
            edge y = output(s, &o);
            for (int r = 0; r < s->R; r += rows[c]) {
                const int r1 = s->R - r < rows[c] ? s->R : r + rows[c];
                for (int n = 0; n < s->N; n += outputs[c])
                    run(k, s, &o, y.data, r, r1, n, s->N - n < outputs[c] ? s->N : n + outputs[c]);
            }
            if (memcmp(y.data, whole.data, y.count * sizeof(float)) != 0)
                fail_msg("%s, shape %d, cut %d: other bits", k->name, i, c);
            edge_free(&y);
        }
        edge_free(&whole);
        drop(&o);
    }
}

static void same_bits_however_cut(void **state)
{
    (void)state;
    with_levels(check_cuts);
}

/* NaN or infinity in one row of x or w reaches every output of that row, and no other. */
static void check_nan(const sm_kernels *k)
{
    for (int i = 0; i < SHAPES; i++) {
        const shape *s = &shapes[i];
        if (s->ldx != 0 && s->ldx < (size_t)s->M) continue; /* rows share the element */
        operands o = make(s);
        const int row = s->R / 2, out = s->N - 1;
        o.x.data[(size_t)row * o.ldx + (size_t)s->M - 1] = NAN;
        o.w.data[(size_t)out * (size_t)s->M] = INFINITY;
        edge y = output(s, &o);
        run(k, s, &o, y.data, 0, s->R, 0, s->N);
        for (int r = 0; r < s->R; r++) {
            for (int n = 0; n < s->N; n++) {
                const float value = y.data[(size_t)r * o.ldy + (size_t)n];
                if (r == row)
                    assert_true(isnan(value));
                else
                    assert_true(n == out ? isinf(value) : isfinite(value));
            }
        }
        edge_free(&y);
        drop(&o);
    }
}

static void nan_goes_through(void **state)
{
    (void)state;
    with_levels(check_nan);
}

static void check_nothing(const sm_kernels *k)
{
    float y[2] = {5.0f, 6.0f};
    const float x[1] = {1.0f}, bias[2] = {2.0f, 3.0f};
    k->matmul(y, 2, x, 1, x, NULL, 0, 1, 0, 1);
    k->matmul(y, 2, x, 1, x, NULL, 1, 1, 1, 1);
    assert_true(y[0] == 5.0f && y[1] == 6.0f);
    k->matmul(y, 2, x, 1, x, bias, 1, 0, 0, 2); /* no inputs: the bias alone */
    assert_true(y[0] == 2.0f && y[1] == 3.0f);
}

static void empty_products(void **state)
{
    (void)state;
    with_levels(check_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right),
        cmocka_unit_test(same_bits_however_cut),
        cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(empty_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Weight matrices in every format: stored and read back as near as the format is, and multiplied
 * with the bits of the kernel whatever the threads and rows. */
#include "../../src/base/rng.h"
#include "../../src/kernels/linear.h"
#include "../common.h"

static smitin_error error;

static const struct {
    int N, M;
} shapes[] = {{16, 32}, {48, 96}, {1, 1}, {33, 70}, {200, 40}, {64, 600}};
enum { SHAPES = 6, MOST_ROWS = 150 };

static float *numbers(size_t n, uint32_t turn)
{
    float *x = malloc((n > 0 ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = (float)sm_normal(3, turn, (uint32_t)i, SM_RNG_TEST);
    return x;
}

typedef struct stored {
    sm_matrix w;
    void *values;
    uint16_t *scales;
} stored;

static stored store(sm_format format, const float *w, int N, int M)
{
    sm_packed_size size;
    ASSERT_OK(sm_matrix_size(&size, format, N, M, &error));
    stored s = {{format, N, M, NULL, NULL}, malloc(size.codes), malloc(2 * size.scales + 2)};
    assert_true(s.values != NULL && s.scales != NULL);
    for (int n = 0; n < N; n += SM_TILE) /* a tile at a time, as threads do */
        ASSERT_OK(sm_matrix_store(s.values, s.scales, format, w + (size_t)n * (size_t)M, M, n,
                                  n + SM_TILE < N ? n + SM_TILE : N, &error));
    s.w.values = s.values;
    s.w.scales = s.scales;
    return s;
}

static void drop(stored *s)
{
    free(s->values);
    free(s->scales);
}

/* f32 keeps all; f16 11 bits and bf16 8; q8 half of 1/127 of the block's largest, an f16 scale
 * beside it; q4 at most half of the widest step between levels, 24 of 127 with its scale refitted.
 */
static void what_is_stored_can_be_read(void **state)
{
    (void)state;
    static const double part[SM_FORMATS] = {0.0, 0x1p-11, 0x1p-8, 0.0042, 0.25};
    for (int f = 0; f < SM_FORMATS; f++) {
        for (int i = 0; i < SHAPES; i++) {
            const int N = shapes[i].N, M = shapes[i].M;
            float *w = numbers((size_t)N * (size_t)M, 1), *row = malloc((size_t)M * sizeof *row);
            stored s = store((sm_format)f, w, N, M);
            for (int n = 0; n < N; n++) {
                memset(row, 0x55, (size_t)M * sizeof *row);
                sm_matrix_read(row, &s.w, n, 0, M);
                for (int m = 0; m < M; m++) {
                    const float *own = w + (size_t)n * (size_t)M;
                    double most = fabs((double)own[m]);
                    for (int b = m / 32 * 32; f >= SM_FORMAT_Q8 && b < m / 32 * 32 + 32 && b < M;
                         b++)
                        most = fmax(most, fabs((double)own[b]));
                    /* beside it the steps of the smallest f16 numbers */
                    ASSERT_NEAR(row[m], own[m], part[f] * most + 0x1p-25);
                    float one = 0.0f;
                    sm_matrix_read(&one, &s.w, n, m, 1);
                    assert_true(one == row[m]);
                    if (sm_format_packed(s.w.format)) {
                        const sm_packed packed = sm_matrix_packed(&s.w);
                        assert_true(one == sm_packed_at(&packed, n, m));
                    }
                }
            }
            drop(&s);
            free(w), free(row);
        }
    }
}

/* The kernel on all rows and outputs at once. */
static void multiply_whole(const sm_kernels *k, const sm_linear *l, sm_block *blocks)
{
    const sm_matrix *w = l->w;
    const sm_packed packed = sm_matrix_packed(w);
    if (sm_format_packed(w->format)) k->quantise(blocks, l->x, l->ldx, l->rows, w->M);
    switch (w->format) {
    case SM_FORMAT_F32:
        k->matmul(l->y, l->ldy, l->x, l->ldx, w->values, l->bias, l->rows, w->M, 0, w->N);
        break;
    case SM_FORMAT_F16:
        k->matmul_f16(l->y, l->ldy, l->x, l->ldx, w->values, l->bias, l->rows, w->M, 0, w->N);
        break;
    case SM_FORMAT_BF16:
        k->matmul_bf16(l->y, l->ldy, l->x, l->ldx, w->values, l->bias, l->rows, w->M, 0, w->N);
        break;
    case SM_FORMAT_Q8:
        k->matmul_q8(l->y, l->ldy, blocks, &packed, l->bias, l->rows, 0, w->N);
        break;
    case SM_FORMAT_Q4:
        k->matmul_q4(l->y, l->ldy, blocks, &packed, l->bias, l->rows, 0, w->N);
        break;
    }
}

static void check_products(const sm_kernels *k, sm_pool *pool, const sm_matrix *w, int rows)
{
    const size_t N = (size_t)w->N, M = (size_t)w->M, R = (size_t)rows;
    float *x = numbers(R * M, 2), *bias = numbers(N, 3);
    float *whole = malloc(R * N * sizeof *whole), *cut = malloc(R * N * sizeof *cut);
    sm_block *blocks = malloc(R * sm_blocks(w->M) * sizeof *blocks);
    assert_true(whole != NULL && cut != NULL && blocks != NULL);
    const sm_crew crew = {k, pool, sm_format_packed(w->format) ? blocks : NULL};
    for (int after = SM_PLAIN; after <= SM_RELU; after++) {
        sm_linear l = {whole, N, x, M, w, after == SM_GELU ? NULL : bias, rows, SM_PLAIN};
        multiply_whole(k, &l, blocks);
        for (size_t i = 0; i < R; i++) { /* a row at a time, as the tiles do */
            if (after == SM_GELU) k->gelu(whole + i * N, N);
            for (size_t n = 0; after == SM_RELU && n < N; n++)
                whole[i * N + n] = fmaxf(whole[i * N + n], 0.0f);
        }
        l.y = cut;
        l.after = (sm_activation)after;
        sm_linear_run(&crew, &l);
        for (size_t i = 0; i < R * N; i++) {
            /* gelu's last elements of a run may go through another, as exact, routine */
            const double room = after == SM_GELU ? 4e-7 * (1.0 + fabs((double)whole[i])) : 0.0;
            if (!(fabs((double)cut[i] - (double)whole[i]) <= room))
                fail_msg("%s, %s [%d, %d], %d rows, after %d: %g, expected %g", k->name,
                         sm_format_name(w->format), w->N, w->M, rows, after, (double)cut[i],
                         (double)whole[i]);
        }
    }
    free(x), free(bias), free(whole), free(cut), free(blocks);
}

static void products_have_the_kernels_bits(void **state)
{
    (void)state;
    static const int rows[] = {1, 2, 7, MOST_ROWS};
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        for (int threads = 1; threads <= 3; threads += 2) {
            sm_pool *pool = NULL;
            ASSERT_OK(sm_pool_new(&pool, threads, &error));
            for (int i = 0; i < SM_FORMATS * SHAPES; i++) {
                const int N = shapes[i % SHAPES].N, M = shapes[i % SHAPES].M;
                float *w = numbers((size_t)N * (size_t)M, 4);
                stored s = store((sm_format)(i / SHAPES), w, N, M);
                for (int r = 0; r < 4; r++)
                    check_products(sm_kernels_get((sm_cpu_level)level), pool, &s.w, rows[r]);
                drop(&s);
                free(w);
            }
            sm_pool_free(pool);
        }
    }
}

/* Without rounding of activations, in every format: sums of M products of numbers near 1 in f32, in
 * whatever order, err by at most M 2^-24 of their sizes' sum. */
static void times_rounds_no_activations(void **state)
{
    (void)state;
    const sm_kernels *k = sm_kernels_get(sm_cpu_detect());
    for (int i = 0; i < SM_FORMATS * SHAPES; i++) {
        const int N = shapes[i % SHAPES].N, M = shapes[i % SHAPES].M;
        float *w = numbers((size_t)N * (size_t)M, 5), *x = numbers((size_t)M, 6);
        float *y = malloc((size_t)N * sizeof *y), *row = malloc((size_t)M * sizeof *row);
        stored s = store((sm_format)(i / SHAPES), w, N, M);
        sm_matrix_times(k, &s.w, x, y);
        for (int n = 0; n < N; n++) {
            double sum = 0.0, size = 0.0;
            sm_matrix_read(row, &s.w, n, 0, M);
            for (int m = 0; m < M; m++) {
                sum += (double)row[m] * (double)x[m];
                size += fabs((double)row[m] * (double)x[m]);
            }
            ASSERT_NEAR(y[n], sum, M * 0x1p-24 * size + 1e-30);
        }
        drop(&s);
        free(w), free(x), free(y), free(row);
    }
}

static void what_cannot_be_stored_is_refused(void **state)
{
    (void)state;
    float w[2 * 40], kept[80];
    uint16_t scales[64];
    uint8_t values[16 * 64];
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    sm_packed_size size;
    for (int f = 0; f < SM_FORMATS; f++) {
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 80; j++) w[j] = 1.0f;
            w[40 + 37] = bad[i];
            void *to = f == SM_FORMAT_F32 ? (void *)kept : (void *)values;
            ASSERT_FAILS(sm_matrix_store(to, scales, (sm_format)f, w, 40, 0, 2, &error),
                         SMITIN_ERROR_MODEL, "output 1");
        }
        ASSERT_FAILS(sm_matrix_size(&size, (sm_format)f, 0, 5, &error), SMITIN_ERROR_ARGUMENT, "0");
        ASSERT_FAILS(sm_matrix_size(&size, (sm_format)f, 5, -1, &error), SMITIN_ERROR_ARGUMENT,
                     "-1");
    }
    w[40 + 37] = 65520.0f; /* rounds to infinity in f16, fits the others */
    ASSERT_FAILS(sm_matrix_store(values, scales, SM_FORMAT_F16, w, 40, 0, 2, &error),
                 SMITIN_ERROR_MODEL, "input 37: a weight is not finite or too large for f16");
    ASSERT_OK(sm_matrix_store(values, scales, SM_FORMAT_BF16, w, 40, 0, 2, &error));
    ASSERT_OK(sm_matrix_store(values, scales, SM_FORMAT_Q8, w, 40, 0, 2, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_can_be_read),
        cmocka_unit_test(products_have_the_kernels_bits),
        cmocka_unit_test(times_rounds_no_activations),
        cmocka_unit_test(what_cannot_be_stored_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

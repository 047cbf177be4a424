/* SPDX-License-Identifier: MIT */
/* The matrix product, written once on the v_ inlines of a level and included by its file.
 *
 * Two orders of addition, chosen by M alone:
 *
 * M > SHORT: an output is summed in LANES partial sums over chunks of CHUNK inputs; each chunk's
 * partial sums are folded in v_fold4's fixed order and added to the output, the bias first. Tiles
 * of rows x outputs only share loads.
 *
 * M <= SHORT: folding would cost more than the product, so one lane holds one output, summed input
 * by input; the weights of a strip of outputs are transposed once on the stack.
 *
 * WEIGHT is the type of a stored weight; w_load, w_load_n and w_one widen LANES of them, the first
 * n, or one. Widening is exact, so that narrow weights give the bits that the same weights in f32
 * give. */
#include <string.h>

#if !defined(WEIGHT)
#define WEIGHT   float
#define w_load   v_load
#define w_load_n v_load_n
static inline float w_one(const float *p)
{
    return *p;
}
#endif

enum {
    CHUNK = 1024, /* inputs: the rows of one tile stay in the first-level cache */
    SHORT = 64,   /* inputs */
    ROWS = 96,    /* worked on at a time, resident in the second-level cache */
    GROUP = 32,   /* outputs summed aside, see columns_through */
    STRIP_ROWS = 6,
};

typedef struct product {
    float *y;
    const float *x;
    const WEIGHT *w;
    const float *bias;
    size_t ldy, ldx, ldw;
} product;

/* Four neighbouring outputs: start with the bias, or go on from the sum of the chunks before. */
static inline void put4(float *y, const float *bias, quad sums, bool first)
{
    const quad before = !first ? q_load(y) : bias != NULL ? q_load(bias) : q_zero();
    q_store(y, q_add(before, sums));
}

static inline void put1(float *y, const float *bias, float sum, bool first)
{
    *y = (!first ? *y : bias != NULL ? *bias : 0.0f) + sum;
}

/* Rows r.. x outputs n.. over inputs m..m+count-1. `rows`, `outputs` and `sent` are constants at
 * every call: on the way, `sent` weight rows are sent for, from row `next` of the tile after this
 * one. */
static inline __attribute__((always_inline)) void tile(const product *p, size_t r, size_t n,
                                                       size_t m, int count, size_t next,
                                                       const int rows, const int outputs,
                                                       const int sent)
{
    const float *x = p->x + r * p->ldx + m;
    const WEIGHT *w = p->w + n * p->ldw + m;
    /* As an integer: after the last tile there is no such row, and nothing is read. */
    const uintptr_t ahead = (uintptr_t)w + ((size_t)outputs + next) * p->ldw * sizeof(WEIGHT);
    vec sum[8][8];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < outputs; j++) sum[i][j] = v_zero();
    }
    int done = 0;
    for (; done + LANES <= count; done += LANES) {
        vec left[8];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) left[i] = v_held(v_load(x + (size_t)i * p->ldx + done));
#pragma GCC unroll 8
        for (int j = 0; j < outputs; j++) {
            if (j < sent) v_send_far(ahead + ((size_t)j * p->ldw + (size_t)done) * sizeof(WEIGHT));
            const vec right = v_held(w_load(w + (size_t)j * p->ldw + done));
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) sum[i][j] = v_fma(left[i], right, sum[i][j]);
        }
    }
    if (done < count) {
        const int tail = count - done;
        vec left[8];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) left[i] = v_load_n(x + (size_t)i * p->ldx + done, tail);
#pragma GCC unroll 8
        for (int j = 0; j < outputs; j++) {
            const vec right = w_load_n(w + (size_t)j * p->ldw + done, tail);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) sum[i][j] = v_fma(left[i], right, sum[i][j]);
        }
    }

    const float *bias = p->bias != NULL ? p->bias + n : NULL;
    float *y = p->y + r * p->ldy + n;
    if (outputs == 8) {
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            quad sums[2];
            v_fold8(sums, sum[i]);
            put4(y + (size_t)i * p->ldy, bias, sums[0], m == 0);
            put4(y + (size_t)i * p->ldy + 4, bias != NULL ? bias + 4 : NULL, sums[1], m == 0);
        }
    } else if (outputs == 4) {
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            put4(y + (size_t)i * p->ldy, bias, v_fold4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]),
                 m == 0);
    } else { /* one output: four rows folded together */
        float folded[8];
        if (rows == 8) {
            q_store(folded, v_fold4(sum[0][0], sum[1][0], sum[2][0], sum[3][0]));
            q_store(folded + 4, v_fold4(sum[4][0], sum[5][0], sum[6][0], sum[7][0]));
        } else {
            folded[0] = q_first(v_fold4(sum[0][0], v_zero(), v_zero(), v_zero()));
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) put1(y + (size_t)i * p->ldy, bias, folded[i], m == 0);
    }
}

/* The tiles that are compiled: rows, outputs, weight rows sent for. */
#define TILE(name, rows, outputs, sent)                                                            \
    static void name(const product *p, size_t r, size_t n, size_t m, int count, size_t next)       \
    {                                                                                              \
        tile(p, r, n, m, count, next, rows, outputs, sent);                                        \
    }
TILE(tile_3x8, 3, 8, 0)
TILE(tile_3x8_send2, 3, 8, 2)
TILE(tile_3x8_send4, 3, 8, 4)
TILE(tile_3x8_send8, 3, 8, 8)
TILE(tile_2x8, 2, 8, 0)
TILE(tile_2x8_send8, 2, 8, 8)
TILE(tile_1x8, 1, 8, 0)
TILE(tile_1x8_send8, 1, 8, 8)
TILE(tile_3x4, 3, 4, 0)
TILE(tile_2x4, 2, 4, 0)
TILE(tile_2x4_send4, 2, 4, 4)
TILE(tile_1x4, 1, 4, 0)
TILE(tile_8x1, 8, 1, 0)
TILE(tile_1x1, 1, 1, 0)

/* All R rows for eight outputs from n. Few rows wait for memory, so the weights of the next eight
 * outputs are sent for while these are worked on: spread over the tiles, because only so many
 * requests may be under way. */
static void column8(const product *p, size_t R, size_t n, size_t m, int count)
{
    size_t r = 0, next = 0;
    if (R >= 12) {
        for (; next < 8; r += 3, next += 2) tile_3x8_send2(p, r, n, m, count, next);
    } else if (R >= 6) {
        for (; next < 8; r += 3, next += 4) tile_3x8_send4(p, r, n, m, count, next);
    } else if (R >= 3) {
        tile_3x8_send8(p, 0, n, m, count, 0);
        r = 3;
    } else if (R == 2) {
        tile_2x8_send8(p, 0, n, m, count, 0);
        return;
    } else {
        tile_1x8_send8(p, 0, n, m, count, 0);
        return;
    }
    for (; r + 3 <= R; r += 3) tile_3x8(p, r, n, m, count, 0);
    if (r + 2 == R) tile_2x8(p, r, n, m, count, 0);
    if (r + 1 == R) tile_1x8(p, r, n, m, count, 0);
}

static void column4(const product *p, size_t R, size_t n, size_t m, int count)
{
    size_t r = 0;
    if (R == 2) {
        tile_2x4_send4(p, 0, n, m, count, 0);
        return;
    }
    for (; r + 3 <= R; r += 3) tile_3x4(p, r, n, m, count, 0);
    if (r + 2 == R) tile_2x4(p, r, n, m, count, 0);
    if (r + 1 == R) tile_1x4(p, r, n, m, count, 0);
}

static void column1(const product *p, size_t R, size_t n, size_t m, int count)
{
    size_t r = 0;
    for (; r + 8 <= R; r += 8) tile_8x1(p, r, n, m, count, 0);
    for (; r < R; r++) tile_1x1(p, r, n, m, count, 0);
}

/* All outputs of p, 0 to N - 1, and rows, 0 to R - 1, over inputs m..m+count-1. */
static void columns(const product *p, size_t R, size_t N, size_t m, int count)
{
    size_t n = 0;
    if (R == 1 || WIDE == 8) {
        for (; n + 8 <= N; n += 8) column8(p, R, n, m, count);
    }
    for (; n + 4 <= N; n += 4) column4(p, R, n, m, count);
    for (; n < N; n++) column1(p, R, n, m, count);
}

/* More than one chunk: through a small square of sums, because rows of y a power of two apart would
 * fight for the same few places of the first-level cache. */
static void columns_through(const product *p, size_t R, size_t N, int M)
{
    float sums[ROWS * GROUP];
    for (size_t n = 0; n < N; n += GROUP) {
        const size_t width = N - n < GROUP ? N - n : GROUP;
        const float *bias = p->bias != NULL ? p->bias + n : NULL;
        const product q = {sums, p->x, p->w + n * p->ldw, bias, GROUP, p->ldx, p->ldw};
        for (int m = 0; m < M; m += CHUNK)
            columns(&q, R, width, (size_t)m, M - m < CHUNK ? M - m : CHUNK);
        for (size_t r = 0; r < R; r++)
            memcpy(p->y + r * p->ldy + n, sums + r * GROUP, width * sizeof(float));
    }
}

static void matmul_long(const product *p, size_t R, int M, size_t n0, size_t n1)
{
    for (size_t r = 0; r < R; r += ROWS) {
        const float *bias = p->bias != NULL ? p->bias + n0 : NULL;
        const product q = {p->y + r * p->ldy + n0,
                           p->x + r * p->ldx,
                           p->w + n0 * p->ldw,
                           bias,
                           p->ldy,
                           p->ldx,
                           p->ldw};
        const size_t rows = R - r < ROWS ? R - r : ROWS;
        if (M <= CHUNK)
            columns(&q, rows, n1 - n0, 0, M);
        else
            columns_through(&q, rows, n1 - n0, M);
    }
}

/* Rows r.. x outputs n..n+width-1 (at most `vecs` registers) with the transposed weights t [M, vecs
 * * LANES]. */
static inline __attribute__((always_inline)) void strip(const product *p, size_t r, size_t n,
                                                        int width, int M, const float *t,
                                                        const int rows, const int vecs)
{
    vec sum[STRIP_ROWS][2];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vecs; j++) sum[i][j] = v_zero();
    }
    const float *x = p->x + r * p->ldx;
    for (int m = 0; m < M; m++) {
        vec right[2];
        for (int j = 0; j < vecs; j++) right[j] = v_held(v_load(t + (m * vecs + j) * LANES));
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec left = v_set(x[(size_t)i * p->ldx + (size_t)m]);
            for (int j = 0; j < vecs; j++) sum[i][j] = v_fma(left, right[j], sum[i][j]);
        }
    }
    for (int j = 0; j < vecs; j++) {
        const int left = width - j * LANES, used = left < LANES ? left : LANES;
        const size_t at = n + (size_t)(j * LANES);
        const vec bias = p->bias != NULL ? v_load_n(p->bias + at, used) : v_zero();
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            v_store_n(p->y + (r + (size_t)i) * p->ldy + at, v_add(bias, sum[i][j]), used);
    }
}

static void strip_rows(const product *p, size_t R, size_t n, int width, int M, const float *t)
{
    size_t r = 0;
    if (width > LANES) {
        for (; r + STRIP_ROWS <= R; r += STRIP_ROWS) strip(p, r, n, width, M, t, STRIP_ROWS, 2);
        for (; r < R; r++) strip(p, r, n, width, M, t, 1, 2);
    } else {
        for (; r + STRIP_ROWS <= R; r += STRIP_ROWS) strip(p, r, n, width, M, t, STRIP_ROWS, 1);
        for (; r < R; r++) strip(p, r, n, width, M, t, 1, 1);
    }
}

static void matmul_short(const product *p, size_t R, int M, size_t n0, size_t n1)
{
    float t[SHORT * 2 * LANES]; /* [M, 2 * LANES] or [M, LANES] */
    for (size_t n = n0; n < n1;) {
        const int width = n1 - n < 2 * LANES ? (int)(n1 - n) : 2 * LANES;
        const int padded = width > LANES ? 2 * LANES : LANES;
        for (int m = 0; m < M; m++) {
            for (int j = 0; j < padded; j++)
                t[m * padded + j] =
                    j < width ? w_one(p->w + (n + (size_t)j) * p->ldw + (size_t)m) : 0.0f;
        }
        strip_rows(p, R, n, width, M, t);
        n += (size_t)width;
    }
}

static void matmul(float *y, size_t ldy, const float *x, size_t ldx, const WEIGHT *w,
                   const float *bias, int R, int M, int n0, int n1)
{
    if (R <= 0 || n0 >= n1) return;
    const product p = {y, x, w, bias, ldy, ldx, (size_t)M};
    if (M <= SHORT)
        matmul_short(&p, (size_t)R, M, (size_t)n0, (size_t)n1);
    else
        matmul_long(&p, (size_t)R, M, (size_t)n0, (size_t)n1);
}

/* SPDX-License-Identifier: MIT */
/* The q8 and q4 products of LEVEL, written once on the v_ and i_ inlines of a level.
 *
 * A register holds sums of LANES outputs, so nothing is folded: over a block of inputs in integers,
 * exact in any order, then times both scales into the f32 sums, block after block. That order does
 * not depend on rows or cuts, and the levels differ in nothing but the rounding they do not have.
 * A tile's weights come from memory once; further groups of rows find them in the cache. */

enum {
    PARTS = SM_TILE / LANES,
    GROUPS = SM_BLOCK / 4,
    GROUP_BYTES = 4 * SM_TILE,
    AHEAD = 4096, /* bytes of codes sent for in advance */
};

typedef struct quant_product {
    float *y;
    const sm_block *x;
    const sm_packed *w;
    const float *bias;
    size_t ldy, blocks;
    int n0, n1;
} quant_product;

/* Sums of one tile's outputs, those of n0..n1-1 written. */
static inline void put_tile(const quant_product *p, size_t r, int n, const vec sum[PARTS])
{
    float *y = p->y + r * p->ldy;
    if (n >= p->n0 && n + SM_TILE <= p->n1) {
        for (int part = 0; part < PARTS; part++) {
            const int at = n + part * LANES;
            v_store(y + at, p->bias != NULL ? v_add(v_load(p->bias + at), sum[part])
                                            : v_add(v_zero(), sum[part]));
        }
        return;
    }
    float all[SM_TILE];
    for (int part = 0; part < PARTS; part++) v_store(all + part * LANES, sum[part]);
    for (int i = 0; i < SM_TILE; i++) {
        if (n + i < p->n0 || n + i >= p->n1) continue;
        y[n + i] = (p->bias != NULL ? p->bias[n + i] : 0.0f) + all[i];
    }
}

/* Rows r.. of tile n / SM_TILE; `rows` and `q4` are constants at every call. */
static inline __attribute__((always_inline)) void dot_tile(const quant_product *p, size_t r, int n,
                                                           const int rows, const bool q4)
{
    const size_t bytes = (size_t)GROUPS * GROUP_BYTES / (q4 ? 2 : 1);
    const size_t tile = (size_t)(n / SM_TILE) * p->blocks;
    const uint8_t *codes = p->w->codes + tile * bytes;
    const uint16_t *scales = p->w->scales + tile * SM_TILE;
    const sm_block *x = p->x + r * p->blocks;
    vec sum[8][PARTS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        for (int part = 0; part < PARTS; part++) sum[i][part] = v_zero();
    }
    for (size_t b = 0; b < p->blocks; b++, codes += bytes, scales += SM_TILE) {
#pragma GCC unroll 2
        for (int part = 0; part < PARTS; part++) {
            ivec dot[8];
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) dot[i] = i_start(x[(size_t)i * p->blocks + b].shift);
#pragma GCC unroll 8
            for (int g = 0; g < GROUPS; g++) {
                const uint8_t *from =
                    codes + (q4 ? g % (GROUPS / 2) : g) * GROUP_BYTES + part * 4 * LANES;
                const operand w = q4 ? i_levels(from, g >= GROUPS / 2) : i_codes(from);
                if (part == 0 && (!q4 || g < GROUPS / 2)) /* as a number: may lie behind the end */
                    v_send_near((uintptr_t)from + AHEAD);
#pragma GCC unroll 8
                for (int i = 0; i < rows; i++)
                    dot[i] = i_dot(dot[i], w, x[(size_t)i * p->blocks + b].q + 4 * g);
            }
            const vec scale = v_load_f16(scales + part * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                const vec both = v_mul(scale, v_set(x[(size_t)i * p->blocks + b].scale));
                sum[i][part] = v_fma(i_float(dot[i]), both, sum[i][part]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) put_tile(p, r + (size_t)i, n, sum[i]);
}

/* The products of one format: as many rows at once as the registers take, then two, then one. */
#define QUANT_PRODUCT(format, q4)                                                                  \
    static void dot_##format##_many(const quant_product *p, size_t r, int n)                       \
    {                                                                                              \
        dot_tile(p, r, n, MANY, q4);                                                               \
    }                                                                                              \
    static void dot_##format##_2(const quant_product *p, size_t r, int n)                          \
    {                                                                                              \
        dot_tile(p, r, n, 2, q4);                                                                  \
    }                                                                                              \
    static void dot_##format##_1(const quant_product *p, size_t r, int n)                          \
    {                                                                                              \
        dot_tile(p, r, n, 1, q4);                                                                  \
    }                                                                                              \
    void SM_ENTRY(matmul_##format)(float *y, size_t ldy, const sm_block *x, const sm_packed *w,    \
                                   const float *bias, int R, int n0, int n1)                       \
    {                                                                                              \
        const quant_product p = {y, x, w, bias, ldy, sm_blocks(w->M), n0, n1};                     \
        const size_t rows = R > 0 ? (size_t)R : 0;                                                 \
        for (int n = n0 / SM_TILE * SM_TILE; n < n1; n += SM_TILE) {                               \
            size_t r = 0;                                                                          \
            for (; r + MANY <= rows; r += MANY) dot_##format##_many(&p, r, n);                     \
            for (; r + 2 <= rows; r += 2) dot_##format##_2(&p, r, n);                              \
            if (r < rows) dot_##format##_1(&p, r, n);                                              \
        }                                                                                          \
    }
QUANT_PRODUCT(q8, false)
QUANT_PRODUCT(q4, true)

/* SPDX-License-Identifier: MIT */
/* Owns the packing of weights in 8 and 4 bits, and 16-bit floats. */
#include "quant.h"

#include <math.h>
#include <string.h>

const int8_t sm_q4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};

enum {
    GROUP = 4, /* inputs side by side in one output's part of a group */
    Q8_BYTES = SM_TILE * SM_BLOCK,
    Q4_BYTES = SM_TILE * SM_BLOCK / 2,
};

static const char *const names[SM_FORMATS] = {"f32", "f16", "bf16", "q8", "q4"};

const char *sm_format_name(sm_format format)
{
    return (unsigned)format < SM_FORMATS ? names[format] : "unknown";
}

bool sm_format_find(sm_format *format, const char *name)
{
    for (int i = 0; i < SM_FORMATS; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *format = (sm_format)i;
        return true;
    }
    return false;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint16_t sm_f16_from_f32(float x)
{
    const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u) return (uint16_t)(sign | 0x7E00u | (size >> 13 & 0x3FFu)); /* NaN */
    if (size >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u); /* 65520 and more round up */
    if (size < 0x38800000u) {
        /* Below 2^-14: steps of 2^-24, which is the last place of 0.5 + x. */
        return (uint16_t)(sign | (bits_of(from_bits(size) + 0.5f) - bits_of(0.5f)));
    }
    const uint32_t rounded = size + 0xFFFu + (size >> 13 & 1u);
    return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

float sm_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, size = h & 0x7FFFu;
    if (size > 0x7C00u) return from_bits(sign | 0x7FC00000u | (size & 0x3FFu) << 13);
    if (size == 0x7C00u) return from_bits(sign | 0x7F800000u);
    if (size >= 0x400u) return from_bits(sign | ((size << 13) + 0x38000000u));
    return from_bits(sign | bits_of((float)size * 0x1p-24f));
}

uint16_t sm_bf16_from_f32(float x)
{
    const uint32_t bits = bits_of(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float sm_bf16_to_f32(uint16_t h)
{
    return from_bits((uint32_t)h << 16);
}

static bool is_packed(sm_format format)
{
    return format == SM_FORMAT_Q8 || format == SM_FORMAT_Q4;
}

smitin_status sm_packed_size_of(sm_packed_size *size, sm_format format, int N, int M,
                                smitin_error *error)
{
    if (!is_packed(format))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "format %s has no blocks; pack to q8 or q4",
                       sm_format_name(format));
    if (N < 1 || M < 1)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a layer of %d outputs and %d inputs; use at least 1 of each", N, M);
    const size_t tiles = ((size_t)N + SM_TILE - 1) / SM_TILE, blocks = sm_blocks(M);
    if (tiles > SIZE_MAX / Q8_BYTES / blocks)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a layer of %d outputs and %d inputs does not fit into memory; use fewer", N,
                       M);
    size->codes = tiles * blocks * (format == SM_FORMAT_Q8 ? Q8_BYTES : Q4_BYTES);
    size->scales = tiles * blocks * SM_TILE;
    return SMITIN_OK;
}

/* The nearest whole number in -127..127. Without calls, because the search of scales is made of it;
 * NaN, which only 0 times infinity can be here, gives -127. */
static int nearest(float t)
{
    const float low = t > -127.0f ? t : -127.0f, inside = low < 127.0f ? low : 127.0f;
    return (int)(inside + 128.5f) - 128;
}

/* q8: scale and codes of one block. */
static float fit_q8(int8_t q[SM_BLOCK], const float w[SM_BLOCK], float most)
{
    const float scale = sm_f16_to_f32(sm_f16_from_f32(most / 127.0f));
    for (int i = 0; i < SM_BLOCK; i++) q[i] = (int8_t)(scale > 0.0f ? nearest(w[i] / scale) : 0);
    return scale;
}

/* Index of the level nearest to each whole number; made once for a call of sm_pack. */
static void fill_nearest(uint8_t index[256])
{
    for (int t = -128; t < 128; t++) {
        int best = 0;
        for (int i = 1; i < 16; i++) {
            const int far = t - sm_q4_values[i], best_far = t - sm_q4_values[best];
            if (far * far < best_far * best_far) best = i;
        }
        index[t + 128] = (uint8_t)best;
    }
}

/* q4: scale and indices of one block. A scale s gives levels q; the best scale for these levels is
 * sum(w q) / sum(q^2), and what remains is sum(w^2) - sum(w q)^2 / sum(q^2). Scales of both signs
 * are tried because the levels reach further down than up. No level is zero, so what lies behind
 * the `count` inputs of the layer has no say. */
static float fit_q4(int8_t q[SM_BLOCK], const float w[SM_BLOCK], int count, float most,
                    const uint8_t index[256])
{
    static const float stretch[] = {0.78f, 0.84f, 0.90f, 0.95f, 1.0f, 1.06f, 1.14f};
    float best = -1.0f, scale = 0.0f;
    for (int side = -1; side <= 1 && most > 0.0f; side += 2) {
        for (size_t s = 0; s < sizeof stretch / sizeof stretch[0]; s++) {
            const float inverse = (float)side * 127.0f / (most * stretch[s]);
            float wq = 0.0f, qq = 0.0f;
            for (int i = 0; i < count; i++) {
                const float level = sm_q4_values[index[nearest(w[i] * inverse) + 128]];
                wq += w[i] * level;
                qq += level * level;
            }
            if (wq * wq <= best * qq) continue; /* gain wq^2 / qq, without dividing */
            best = wq * wq / qq;
            scale = wq / qq;
        }
    }
    scale = sm_f16_to_f32(sm_f16_from_f32(scale));
    for (int i = 0; i < SM_BLOCK; i++) /* scale 0: any level will do */
        q[i] = (int8_t)(scale != 0.0f ? index[nearest(w[i] / scale) + 128] : 8);
    return scale;
}

/* Where byte (output, input) of a block's codes is. */
static size_t place(int n, int m)
{
    return (size_t)(m / GROUP) * SM_TILE * GROUP + (size_t)(n % SM_TILE) * GROUP +
           (size_t)(m % GROUP);
}

static void put_q8(uint8_t *codes, const int8_t q[SM_BLOCK], int n)
{
    for (int m = 0; m < SM_BLOCK; m++) codes[place(n, m)] = (uint8_t)(q[m] + 128);
}

static void put_q4(uint8_t *codes, const int8_t q[SM_BLOCK], int n)
{
    for (int m = 0; m < SM_BLOCK / 2; m++)
        codes[place(n, m)] = (uint8_t)(q[m] | q[m + SM_BLOCK / 2] << 4);
}

/* One block of one output; zeros beyond the layer. */
static void pack_block(uint8_t *codes, uint16_t *scale, sm_format format, const float w[SM_BLOCK],
                       int count, float most, int n, const uint8_t index[256])
{
    int8_t q[SM_BLOCK];
    if (format == SM_FORMAT_Q8) {
        *scale = sm_f16_from_f32(fit_q8(q, w, most));
        put_q8(codes, q, n);
    } else {
        *scale = sm_f16_from_f32(fit_q4(q, w, count, most, index));
        put_q4(codes, q, n);
    }
}

/* The largest size of up to 32 weights, copied to `block` with zeros behind; NaN when one of them
 * is not finite. */
static float take_block(float block[SM_BLOCK], const float *w, int count)
{
    float most = 0.0f;
    memset(block, 0, SM_BLOCK * sizeof *block);
    for (int i = 0; i < count; i++) {
        block[i] = w[i];
        if (!isfinite(w[i])) return NAN;
        most = fmaxf(most, fabsf(w[i]));
    }
    return most;
}

smitin_status sm_pack(uint8_t *codes, uint16_t *scales, sm_format format, const float *w, int N,
                      int M, int n0, int n1, smitin_error *error)
{
    sm_packed_size size;
    SM_TRY(sm_packed_size_of(&size, format, N, M, error));
    if (n0 < 0 || n1 > N || n0 > n1 || n0 % SM_TILE != 0 || (n1 % SM_TILE != 0 && n1 != N))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "outputs %d to %d of %d are not whole tiles; cut at multiples of %d", n0, n1,
                       N, SM_TILE);
    uint8_t index[256];
    fill_nearest(index);
    const size_t blocks = sm_blocks(M), bytes = format == SM_FORMAT_Q8 ? Q8_BYTES : Q4_BYTES;
    const int end = (n1 + SM_TILE - 1) / SM_TILE * SM_TILE;
    for (int n = n0; n < end; n++) {
        for (size_t b = 0; b < blocks; b++) {
            float block[SM_BLOCK];
            const size_t at = (size_t)(n / SM_TILE) * blocks + b, m = b * SM_BLOCK;
            const int left = M - (int)m, count = left < SM_BLOCK ? left : SM_BLOCK;
            const float most =
                take_block(block, n < N ? w + (size_t)n * (size_t)M + m : w, n < N ? count : 0);
            /* An f16 scale reaches 65504; half of it leaves the search its room. */
            if (!(most < 127.0f * 32752.0f))
                return sm_fail(
                    error, SMITIN_ERROR_MODEL,
                    "output %d, inputs from %zu: a weight is not finite or too large for "
                    "%s; use f32",
                    n, m, sm_format_name(format));
            pack_block(codes + at * bytes, scales + at * SM_TILE + n % SM_TILE, format, block,
                       count, most, n, index);
        }
    }
    return SMITIN_OK;
}

float sm_packed_at(const sm_packed *w, int n, int m)
{
    const size_t at = (size_t)(n / SM_TILE) * sm_blocks(w->M) + (size_t)(m / SM_BLOCK);
    const float scale = sm_f16_to_f32(w->scales[at * SM_TILE + (size_t)(n % SM_TILE)]);
    const int inside = m % SM_BLOCK, half = SM_BLOCK / 2;
    if (w->format == SM_FORMAT_Q8)
        return scale * (float)(w->codes[at * Q8_BYTES + place(n, inside)] - 128);
    const int both = w->codes[at * Q4_BYTES + place(n, inside % half)];
    return scale * (float)sm_q4_values[inside < half ? both & 15 : both >> 4];
}

/* The whole numbers of output n in the block whose codes these are. */
static void block_levels(int8_t level[SM_BLOCK], const uint8_t *codes, sm_format format, int n)
{
    const int half = SM_BLOCK / 2;
    if (format == SM_FORMAT_Q8) {
        for (int m = 0; m < SM_BLOCK; m++) level[m] = (int8_t)(codes[place(n, m)] - 128);
        return;
    }
    for (int m = 0; m < half; m++) {
        const int both = codes[place(n, m)];
        level[m] = sm_q4_values[both & 15];
        level[m + half] = sm_q4_values[both >> 4];
    }
}

void sm_packed_read(float *out, const sm_packed *w, int n, int first, int count)
{
    const size_t bytes = w->format == SM_FORMAT_Q8 ? Q8_BYTES : Q4_BYTES;
    const size_t tile = (size_t)(n / SM_TILE) * sm_blocks(w->M);
    for (int m = first, end = first + count; m < end;) {
        int8_t level[SM_BLOCK];
        const size_t at = tile + (size_t)(m / SM_BLOCK);
        const int next = (m / SM_BLOCK + 1) * SM_BLOCK, stop = next < end ? next : end;
        const float scale = sm_f16_to_f32(w->scales[at * SM_TILE + (size_t)(n % SM_TILE)]);
        block_levels(level, w->codes + at * bytes, w->format, n);
        for (; m < stop; m++) *out++ = scale * (float)level[m % SM_BLOCK];
    }
}

/* ---- Rows of blocks ---- */

enum { Q8_ROW_BLOCK = 2 + SM_BLOCK, Q4_ROW_BLOCK = 2 + SM_BLOCK / 2 };

size_t sm_row_bytes(sm_format format, int M)
{
    return sm_blocks(M) * (format == SM_FORMAT_Q8 ? Q8_ROW_BLOCK : Q4_ROW_BLOCK);
}

void sm_packed_get_row(uint8_t *row, const sm_packed *w, int n)
{
    const bool q8 = w->format == SM_FORMAT_Q8;
    const size_t blocks = sm_blocks(w->M), bytes = q8 ? Q8_BYTES : Q4_BYTES;
    const int count = q8 ? SM_BLOCK : SM_BLOCK / 2;
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = (size_t)(n / SM_TILE) * blocks + b;
        const uint8_t *codes = w->codes + at * bytes;
        const uint16_t scale = w->scales[at * SM_TILE + (size_t)(n % SM_TILE)];
        *row++ = (uint8_t)scale;
        *row++ = (uint8_t)(scale >> 8);
        for (int m = 0; m < count; m++) /* q8 has a sign here and 128 more there */
            *row++ = (uint8_t)(codes[place(n, m)] ^ (q8 ? 128 : 0));
    }
}

/* Whether no scale of a row is infinite or NaN. */
static bool finite_scales(const uint8_t *row, size_t blocks, size_t block)
{
    for (size_t b = 0; b < blocks; b++) {
        if ((row[b * block + 1] & 0x7C) == 0x7C) return false;
    }
    return true;
}

bool sm_packed_put_row(uint8_t *codes, uint16_t *scales, sm_format format, int M, int n,
                       const uint8_t *row)
{
    const bool q8 = format == SM_FORMAT_Q8;
    const size_t blocks = sm_blocks(M), bytes = q8 ? Q8_BYTES : Q4_BYTES;
    const size_t block = q8 ? Q8_ROW_BLOCK : Q4_ROW_BLOCK;
    const int count = q8 ? SM_BLOCK : SM_BLOCK / 2;
    if (row != NULL && !finite_scales(row, blocks, block)) return false;
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = (size_t)(n / SM_TILE) * blocks + b;
        const uint8_t *from = row != NULL ? row + b * block : NULL;
        scales[at * SM_TILE + (size_t)(n % SM_TILE)] =
            (uint16_t)(from != NULL ? from[0] | from[1] << 8 : 0);
        for (int m = 0; m < count; m++) {
            /* Zeros as packing writes them: 128, and twice the level of index 8. */
            const int code = from == NULL ? (q8 ? 128 : 0x88) : from[2 + m] ^ (q8 ? 128 : 0);
            codes[at * bytes + place(n, m)] = (uint8_t)code;
        }
    }
    return true;
}

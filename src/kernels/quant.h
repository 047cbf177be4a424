/* SPDX-License-Identifier: MIT */
/* Compact number formats: 16-bit floats, and weights of a linear layer in 8 or 4 bits with a scale
 * for each block of 32 inputs. Owns sizes, packing and unpacking; the products are kernels. Owns no
 * memory.
 *
 * Layout of packed weights w [N, M], chosen so that one register holds one thing of 16 outputs and
 * no sum is folded across lanes. Outputs go in tiles of 16, inputs in blocks of 32, both filled up
 * with zeros. For each tile, for each block:
 *
 *   codes, q8: 8 groups of 4 inputs, each [16 outputs][4 inputs] bytes: 512 bytes.
 *              A byte holds q + 128, q in -127..127; the weight is scale * q.
 *   codes, q4: 4 such groups, 256 bytes. The low half of a byte of group g belongs to inputs
 *              4 g .. 4 g + 3 of the block, the high half to inputs 16 + 4 g ..; a half is an index
 *              into sm_q4_values; the weight is scale * value.
 *   scales:    16 f16 numbers, one for each output, in an array of their own.
 *
 * 8.5 and 4.5 bits a weight. The numbers stored are those of GGUF's Q8_0 and IQ4_NL, so either can
 * be repacked into the other without loss. */
#ifndef SMITIN_KERNELS_QUANT_H
#define SMITIN_KERNELS_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../base/error.h"

typedef enum sm_format {
    SM_FORMAT_F32 = 0,
    SM_FORMAT_F16,
    SM_FORMAT_BF16,
    SM_FORMAT_Q8,
    SM_FORMAT_Q4
} sm_format;
enum { SM_FORMATS = 5 };

enum {
    SM_BLOCK = 32, /* inputs that share a scale */
    SM_TILE = 16,  /* outputs side by side */
};

/* What a half byte of q4 stands for: the 16 levels of GGUF's IQ4_NL, denser near zero as weights
 * are. */
extern const int8_t sm_q4_values[16];

/* Packed weights of one layer, q8 or q4. */
typedef struct sm_packed {
    sm_format format;
    int N, M;
    const uint8_t *codes;   /* sm_packed_size.codes bytes */
    const uint16_t *scales; /* sm_packed_size.scales f16 numbers */
} sm_packed;

typedef struct sm_packed_size {
    size_t codes;  /* bytes */
    size_t scales; /* numbers of 2 bytes */
} sm_packed_size;

/* A block of 32 activations as the q8 and q4 products take them: x = scale * q. A block with NaN or
 * infinity has scale NaN and q = 0, so that every output it reaches is NaN. */
typedef struct sm_block {
    float scale;
    int32_t shift; /* -128 * sum of q: takes the 128 of the stored bytes back */
    int8_t q[SM_BLOCK];
} sm_block;

/* "f32", "f16", "bf16", "q8", "q4"; "unknown" for another number. */
const char *sm_format_name(sm_format format);
/* False when no format has this name. */
bool sm_format_find(sm_format *format, const char *name);

/* Blocks in a row of M inputs. */
static inline size_t sm_blocks(int M)
{
    return ((size_t)M + SM_BLOCK - 1) / SM_BLOCK;
}

/* Room for w [N, M]. Fails with SMITIN_ERROR_ARGUMENT for a format that is not q8 or q4, for
 * N or M below 1, and for a size beyond this machine's memory. */
smitin_status sm_packed_size_of(sm_packed_size *size, sm_format format, int N, int M,
                                smitin_error *error);

/* Pack outputs n0..n1-1 of w [N, M] into `codes` and `scales`, arrays of the whole layer; n0 is a
 * multiple of 16, and n1 too or N, so that threads may share the work. q8 takes the scale from the
 * largest weight; q4 tries 14 scales, refits each by least squares and keeps the one with the
 * smallest squared error. Fails with SMITIN_ERROR_ARGUMENT for arguments out of range and with
 * SMITIN_ERROR_MODEL for a weight that is not finite or too large for an f16 scale, naming it;
 * codes and scales are then partly written. */
smitin_status sm_pack(uint8_t *codes, uint16_t *scales, sm_format format, const float *w, int N,
                      int M, int n0, int n1, smitin_error *error);

/* Weight w[n][m] as it is stored; n < N, m < M. */
float sm_packed_at(const sm_packed *w, int n, int m);
/* out [count] = w[n][first .. first + count - 1], the same numbers */
void sm_packed_read(float *out, const sm_packed *w, int n, int first, int count);

/* Rows as GGUF has them: an output's blocks one after the other, each an f16 scale and the codes of
 * 32 inputs, 34 bytes for q8 (Q8_0) and 18 for q4 (IQ4_NL). The same numbers as in tiles. */
size_t sm_row_bytes(sm_format format, int M);
/* row [sm_row_bytes] = output n of w */
void sm_packed_get_row(uint8_t *row, const sm_packed *w, int n);
/* The other way, into arrays of a whole layer of M inputs; after the last output fill its tile up
 * with rows of NULL, which are zeros. False, and nothing written, when a scale is not finite. */
bool sm_packed_put_row(uint8_t *codes, uint16_t *scales, sm_format format, int M, int n,
                       const uint8_t *row);

/* IEEE half precision, rounded to nearest, ties to even, as the CPU's own conversion does; beyond
 * 65504 infinite, NaN stays NaN. */
uint16_t sm_f16_from_f32(float x);
float sm_f16_to_f32(uint16_t h);
/* The upper half of an f32, rounded to nearest, ties to even; NaN stays NaN. */
uint16_t sm_bf16_from_f32(float x);
float sm_bf16_to_f32(uint16_t h);

#endif

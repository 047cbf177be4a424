/* SPDX-License-Identifier: MIT */
/* AVX-512 F, BW, DQ, VL: sixteen lanes. Owns the f32 kernels of this level and its tables, with
 * and without integer dot products. */
#include "../levels.h"

#include "avx512_vector.h"
#include "../lanes/matmul.h"
#include "../lanes/attend.h"
#include "../lanes/vector.h"

const sm_kernels sm_kernels_avx512 = {
    .level = SM_CPU_AVX512,
    .name = "avx512",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(avx512, avx512),
};

const sm_kernels sm_kernels_avx512_vnni = {
    .level = SM_CPU_AVX512_VNNI,
    .name = "avx512_vnni",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(avx512, avx512_vnni),
};

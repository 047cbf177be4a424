/* SPDX-License-Identifier: MIT */
/* AVX2, FMA and F16C: eight lanes. Owns the f32 kernels of this level and its tables, with
 * and without integer dot products. */
#include "../levels.h"

#include "avx2_vector.h"
#include "../lanes/matmul.h"
#include "../lanes/attend.h"
#include "../lanes/vector.h"

const sm_kernels sm_kernels_avx2 = {
    .level = SM_CPU_AVX2,
    .name = "avx2",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(avx2, avx2),
};

const sm_kernels sm_kernels_avx_vnni = {
    .level = SM_CPU_AVX_VNNI,
    .name = "avx_vnni",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(avx2, avx_vnni),
};

/* SPDX-License-Identifier: MIT */
/* NEON: eight lanes in two registers. Owns the f32 kernels of the ARM levels and their tables,
 * with and without integer dot products. */
#include "../levels.h"

#include "neon_vector.h"
#include "../lanes/matmul.h"
#include "../lanes/attend.h"
#include "../lanes/vector.h"

const sm_kernels sm_kernels_neon = {
    .level = SM_CPU_NEON,
    .name = "neon",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(neon, neon),
};

const sm_kernels sm_kernels_neon_dot = {
    .level = SM_CPU_NEON_DOT,
    .name = "neon_dot",
    F32_ENTRIES,
    SM_COMPACT_ENTRIES(neon, neon_dot),
};

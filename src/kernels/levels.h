/* SPDX-License-Identifier: MIT */
/* The tables of the CPU levels, one per file; table.c chooses among them. */
#ifndef SMITIN_KERNELS_LEVELS_H
#define SMITIN_KERNELS_LEVELS_H

#include "kernels.h"

extern const sm_kernels sm_kernels_ref;
extern const sm_kernels sm_kernels_avx2;
extern const sm_kernels sm_kernels_avx512;

#endif

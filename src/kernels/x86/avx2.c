/* SPDX-License-Identifier: MIT */
typedef int sm_kernels_avx2_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_kernels_ref_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_kernels_table_pending;

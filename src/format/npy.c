/* SPDX-License-Identifier: MIT */
typedef int sm_format_npy_pending;

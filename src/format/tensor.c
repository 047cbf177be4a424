/* SPDX-License-Identifier: MIT */
typedef int sm_format_tensor_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_format_weights_pending;

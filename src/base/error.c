/* SPDX-License-Identifier: MIT */
typedef int sm_base_error_pending;

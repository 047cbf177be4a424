/* SPDX-License-Identifier: MIT */
typedef int sm_lm_lm_pending;

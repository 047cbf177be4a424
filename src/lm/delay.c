/* SPDX-License-Identifier: MIT */
typedef int sm_lm_delay_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_lm_sampler_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_base_rng_pending;

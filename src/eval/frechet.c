/* SPDX-License-Identifier: MIT */
typedef int sm_eval_frechet_pending;

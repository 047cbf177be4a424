/* SPDX-License-Identifier: MIT */
typedef int sm_eval_rank_pending;

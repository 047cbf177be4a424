/* SPDX-License-Identifier: MIT */
typedef int sm_steer_plan_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_steer_steer_pending;

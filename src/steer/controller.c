/* SPDX-License-Identifier: MIT */
typedef int sm_steer_controller_pending;

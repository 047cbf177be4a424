/* SPDX-License-Identifier: MIT */
typedef int sm_engine_engine_pending;

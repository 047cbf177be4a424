/* SPDX-License-Identifier: MIT */
typedef int sm_probe_heads_pending;

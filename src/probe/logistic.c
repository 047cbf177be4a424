/* SPDX-License-Identifier: MIT */
typedef int sm_probe_logistic_pending;

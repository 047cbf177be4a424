/* SPDX-License-Identifier: MIT */
typedef int sm_probe_report_pending;

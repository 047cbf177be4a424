/* SPDX-License-Identifier: MIT */
typedef int sm_format_config_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_format_knob_file_pending;

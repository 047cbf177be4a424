/* SPDX-License-Identifier: MIT */
typedef int sm_text_t5_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_format_safetensors_pending;

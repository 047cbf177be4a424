/* SPDX-License-Identifier: MIT */
typedef int sm_codec_encodec_pending;

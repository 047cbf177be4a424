/* SPDX-License-Identifier: MIT */
typedef int sm_audio_loudness_pending;

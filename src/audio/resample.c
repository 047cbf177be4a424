/* SPDX-License-Identifier: MIT */
typedef int sm_audio_resample_pending;

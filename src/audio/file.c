/* SPDX-License-Identifier: MIT */
typedef int sm_audio_file_pending;

/* SPDX-License-Identifier: MIT */
typedef int sm_engine_session_pending;

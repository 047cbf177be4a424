/* SPDX-License-Identifier: MIT */
typedef int sm_base_arena_pending;

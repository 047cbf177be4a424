/* SPDX-License-Identifier: MIT */
typedef int sm_base_pool_pending;

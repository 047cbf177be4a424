/* SPDX-License-Identifier: MIT */
typedef int sm_base_filemap_pending;

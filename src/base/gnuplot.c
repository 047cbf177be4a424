/* SPDX-License-Identifier: MIT */
typedef int sm_base_gnuplot_pending;

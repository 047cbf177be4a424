/* SPDX-License-Identifier: MIT */
/* Plots are drawn by the gnuplot program, run as a child process; the data stands in a CSV file beside each plot. */
#ifndef SMITIN_BASE_GNUPLOT_H
#define SMITIN_BASE_GNUPLOT_H

#include "error.h"

/* Feed `script` to gnuplot's standard input and wait. SMITIN_ERROR_IO, naming the package to install, when the program
 * is missing, and with its first complaint when it fails. */
smitin_status sm_gnuplot(const char *script, smitin_error *error);

#endif

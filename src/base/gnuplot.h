/* SPDX-License-Identifier: MIT */
/* Plots are drawn by the gnuplot program, run as a child process; the data stands in a CSV file
 * beside each plot. */
#ifndef SMITIN_BASE_GNUPLOT_H
#define SMITIN_BASE_GNUPLOT_H

#include "error.h"

/* Feed `script` to gnuplot's standard input and wait. SMITIN_ERROR_IO, naming the package to
 * install, when the program is missing, and with its first complaint when it fails. */
smitin_status sm_gnuplot(const char *script, smitin_error *error);

/* Run `script` with its output set to the PNG file `path`, of width x height pixels. Drawn beside
 * its final place and renamed, so that a failure leaves an older picture as it was. */
smitin_status sm_gnuplot_png(const char *path, int width, int height, const char *script,
                             smitin_error *error);

/* The inside of a gnuplot string in single quotes (those in double quotes would run what stands
 * between backquotes), without control characters; cut to `size` bytes with the final zero. */
void sm_gnuplot_quote(char *out, size_t size, const char *text);

#endif

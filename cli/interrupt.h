/* SPDX-License-Identifier: MIT */
/* An interrupt (Ctrl-C) or the wish to end this program, taken between two steps of the work, so
 * that nothing half-written stays behind. A second one ends the program at once. */
#ifndef SMITIN_CLI_INTERRUPT_H
#define SMITIN_CLI_INTERRUPT_H

#include <smitin/smitin.h>

/* Catch them from here on, unless they are ignored, as those of a background job may be. */
void interrupt_catch(void);
/* The signal that came; 0: none. */
int interrupted(void);
/* SMITIN_OK, or SMITIN_ERROR_STOPPED once one has come. */
smitin_status interrupt_check(smitin_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* The bare machine, for measuring programs against it. */
#ifndef SMITIN_BASE_MACHINE_H
#define SMITIN_BASE_MACHINE_H

/* f32 numbers in the widest register that this CPU multiplies and adds: 16 (AVX-512), 8 (AVX2 with
 * FMA), 4 (NEON), or 0 where this file knows no such instruction. */
int sm_machine_lanes(void);

/* Multiply and add registers of so many lanes, which the CPU must have, some milliseconds long and
 * without touching memory. Returns the number of operations, two for each multiply-add. */
double sm_machine_multiply_add(int lanes);

#endif

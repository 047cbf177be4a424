/* SPDX-License-Identifier: MIT */
/* Sending for memory ahead of its use. Addresses are numbers: behind the last of an array there may
 * be nothing, and nothing is read. */
#ifndef SMITIN_KERNELS_LANES_SEND_H
#define SMITIN_KERNELS_LANES_SEND_H

#include <stdint.h>

/* Into the first-level cache. */
static inline void v_send_near(uintptr_t address)
{
    __builtin_prefetch((const void *)address, 0, 3);
}
/* Into the second-level cache. */
static inline void v_send_far(uintptr_t address)
{
    __builtin_prefetch((const void *)address, 0, 2);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Compact caches and activations at the neon level, and its q8 and q4 products without integer dot
 * product instructions. */
#define LEVEL neon
#include "../levels.h"

#include "neon_vector.h"
#include "../lanes/compact.h"
#include "neon_integer.h"
#include "../lanes/dot.h"

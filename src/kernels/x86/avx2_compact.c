/* SPDX-License-Identifier: MIT */
/* Compact caches and activations at the avx2 level, and its q8 and q4 products without integer dot
 * product instructions. */
#define LEVEL avx2
#include "../levels.h"

#include "avx2_vector.h"
#include "../lanes/compact.h"
#include "avx2_dot.h"
#include "../lanes/dot.h"

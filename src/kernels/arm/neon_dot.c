/* SPDX-License-Identifier: MIT */
/* The q8 and q4 products with ARM's dot product instructions. */
#if !defined(__ARM_FEATURE_DOTPROD)
#error "this file is compiled with ARM's dot product instructions"
#endif
#define LEVEL neon_dot
#include "../levels.h"

#include "neon_vector.h"

#define INTEGER_DOT 1
#include "neon_integer.h"
#include "../lanes/dot.h"

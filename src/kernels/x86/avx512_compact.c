/* SPDX-License-Identifier: MIT */
/* Compact caches and activations at the avx512 level, and its q8 and q4 products without integer
 * dot product instructions. */
#define LEVEL avx512
#include "../levels.h"

#include "avx512_vector.h"
#include "../lanes/compact.h"
#include "avx512_dot.h"
#include "../lanes/dot.h"

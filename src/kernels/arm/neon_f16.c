/* SPDX-License-Identifier: MIT */
/* The product with weights in f16 at the neon level. */
#define LEVEL neon
#include "../levels.h"

#include "neon_vector.h"
#include "../lanes/f16.h"

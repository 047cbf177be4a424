/* SPDX-License-Identifier: MIT */
/* The product with weights in f16 at the avx2 level. */
#define LEVEL avx2
#include "../levels.h"

#include "avx2_vector.h"
#include "../lanes/f16.h"

/* SPDX-License-Identifier: MIT */
/* The product with weights in f16 at the avx512 level. */
#define LEVEL avx512
#include "../levels.h"

#include "avx512_vector.h"
#include "../lanes/f16.h"

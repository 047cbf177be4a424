/* SPDX-License-Identifier: MIT */
/* The q8 and q4 products with AVX-VNNI. */
#if !defined(__AVXVNNI__)
#error "this file is compiled with AVX-VNNI"
#endif
#define LEVEL avx_vnni
#include "../levels.h"

#include "avx2_vector.h"

#define INTEGER_DOT 1
#include "avx2_dot.h"
#include "../lanes/dot.h"

/* SPDX-License-Identifier: MIT */
/* The q8 and q4 products with AVX-512 VNNI. */
#if !defined(__AVX512VNNI__)
#error "this file is compiled with AVX-512 VNNI"
#endif
#define LEVEL avx512_vnni
#include "../levels.h"

#include "avx512_vector.h"

#define INTEGER_DOT 1
#include "avx512_dot.h"
#include "../lanes/dot.h"

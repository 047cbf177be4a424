/* SPDX-License-Identifier: MIT */
/* Owns the one setting of the linear algebra library that we touch. */
#include "blas.h"

#include <stddef.h>

#if defined(__GNUC__) && defined(__ELF__)
/* Weak: there when the program was loaded with OpenBLAS, absent with any other library. */
extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int threads) __attribute__((weak));

int sm_blas_single(void)
{
    if (openblas_get_num_threads == NULL || openblas_set_num_threads == NULL) return 0;
    int threads = openblas_get_num_threads();
    if (threads != 1) openblas_set_num_threads(1);
    return threads;
}

void sm_blas_restore(int threads)
{
    if (threads > 1 && openblas_set_num_threads != NULL) openblas_set_num_threads(threads);
}
#else
int sm_blas_single(void)
{
    return 0;
}

void sm_blas_restore(int threads)
{
    (void)threads;
}
#endif

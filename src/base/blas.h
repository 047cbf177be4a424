/* SPDX-License-Identifier: MIT */
/* Keeping the linear algebra library to the calling thread. Its matrices are small here and our own
 * workers call it side by side; with threads of its own it would wait more than it works, and sum
 * in an order that depends on them. */
#ifndef SMITIN_BASE_BLAS_H
#define SMITIN_BASE_BLAS_H

/* One thread for OpenBLAS; returns how many it had, for sm_blas_restore. With another library,
 * which has no threads to speak of (the reference one), nothing happens and 0 is returned. */
int sm_blas_single(void);
void sm_blas_restore(int threads);

#endif

/* SPDX-License-Identifier: MIT */
/* Chooses among the levels' constant tables; nothing here is ever written. */
#include "levels.h"

sm_cpu_level sm_cpu_detect(void)
{
#if defined(SM_HAVE_X86)
    /* These look at the operating system's support for the registers too, not only at the CPU's. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return SM_CPU_REF;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return SM_CPU_AVX512;
    return SM_CPU_AVX2;
#else
    return SM_CPU_REF;
#endif
}

const char *sm_cpu_level_name(sm_cpu_level level)
{
    switch (level) {
    case SM_CPU_REF:
        return "ref";
    case SM_CPU_AVX2:
        return "avx2";
    case SM_CPU_AVX512:
        return "avx512";
    }
    return "unknown";
}

const sm_kernels *sm_kernels_get(sm_cpu_level level)
{
    const sm_cpu_level best = sm_cpu_detect();
    if (level > best) level = best;
#if defined(SM_HAVE_X86)
    if (level == SM_CPU_AVX512) return &sm_kernels_avx512;
    if (level == SM_CPU_AVX2) return &sm_kernels_avx2;
#endif
    return &sm_kernels_ref;
}

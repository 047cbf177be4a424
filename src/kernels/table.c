/* SPDX-License-Identifier: MIT */
/* Chooses among the levels' constant tables; nothing here is ever written. */
#include "levels.h"

bool sm_cpu_has(sm_cpu_level level)
{
    if (level == SM_CPU_REF) return true;
#if defined(SM_HAVE_X86)
    /* These look at the operating system's support for the registers too, not only at the CPU's. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("f16c"))
        return false;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    switch (level) {
    case SM_CPU_REF:
    case SM_CPU_AVX2:
        return true;
    case SM_CPU_AVX_VNNI:
        return __builtin_cpu_supports("avxvnni");
    case SM_CPU_AVX512:
        return wide;
    case SM_CPU_AVX512_VNNI:
        return wide && __builtin_cpu_supports("avx512vnni");
    }
#endif
    return false;
}

sm_cpu_level sm_cpu_detect(void)
{
    int level = SM_CPU_LEVELS - 1;
    while (!sm_cpu_has((sm_cpu_level)level)) level--; /* it has the first */
    return (sm_cpu_level)level;
}

const char *sm_cpu_level_name(sm_cpu_level level)
{
    switch (level) {
    case SM_CPU_REF:
        return "ref";
    case SM_CPU_AVX2:
        return "avx2";
    case SM_CPU_AVX_VNNI:
        return "avx_vnni";
    case SM_CPU_AVX512:
        return "avx512";
    case SM_CPU_AVX512_VNNI:
        return "avx512_vnni";
    }
    return "unknown";
}

const sm_kernels *sm_kernels_get(sm_cpu_level level)
{
    const sm_cpu_level best = sm_cpu_detect();
    if (level > best) level = best;
    while (!sm_cpu_has(level)) level = (sm_cpu_level)((int)level - 1);
#if defined(SM_HAVE_X86)
    if (level == SM_CPU_AVX512_VNNI) return &sm_kernels_avx512_vnni;
    if (level == SM_CPU_AVX512) return &sm_kernels_avx512;
    if (level == SM_CPU_AVX_VNNI) return &sm_kernels_avx_vnni;
    if (level == SM_CPU_AVX2) return &sm_kernels_avx2;
#endif
    return &sm_kernels_ref;
}

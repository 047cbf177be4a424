/* SPDX-License-Identifier: MIT */
/* Chooses among the levels' constant tables; nothing here is ever written. */
#include "levels.h"

#if defined(SM_HAVE_ARM) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static const char *const names[SM_CPU_LEVELS] = {
    [SM_CPU_REF] = "ref",
    [SM_CPU_AVX2] = "avx2",
    [SM_CPU_AVX_VNNI] = "avx_vnni",
    [SM_CPU_AVX512] = "avx512",
    [SM_CPU_AVX512_VNNI] = "avx512_vnni",
    [SM_CPU_NEON] = "neon",
    [SM_CPU_NEON_DOT] = "neon_dot",
};

/* Those of the architecture we are built for. */
static const sm_kernels *const tables[SM_CPU_LEVELS] = {
    [SM_CPU_REF] = &sm_kernels_ref,
#if defined(SM_HAVE_X86)
    [SM_CPU_AVX2] = &sm_kernels_avx2,     [SM_CPU_AVX_VNNI] = &sm_kernels_avx_vnni,
    [SM_CPU_AVX512] = &sm_kernels_avx512, [SM_CPU_AVX512_VNNI] = &sm_kernels_avx512_vnni,
#elif defined(SM_HAVE_ARM)
    [SM_CPU_NEON] = &sm_kernels_neon,
    [SM_CPU_NEON_DOT] = &sm_kernels_neon_dot,
#endif
};

static bool known(sm_cpu_level level)
{
    return (int)level >= 0 && (int)level < SM_CPU_LEVELS;
}

bool sm_cpu_built(sm_cpu_level level)
{
    return known(level) && tables[level] != NULL;
}

#if defined(SM_HAVE_X86)
/* __builtin_cpu_supports looks at the operating system's support for the registers too, not only at
 * the CPU's. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#elif defined(SM_HAVE_ARM)
/* Every AArch64 has NEON. Elsewhere than on Linux we know what the compiler may take for granted.
 */
static bool has_neon_dot(void)
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
    return true;
#else
    return false;
#endif
}
#endif

bool sm_cpu_has(sm_cpu_level level)
{
    if (!sm_cpu_built(level)) return false;
#if defined(SM_HAVE_X86)
    if (level == SM_CPU_AVX2) return has_avx2();
    if (level == SM_CPU_AVX_VNNI) return has_avx2() && __builtin_cpu_supports("avxvnni");
    if (level == SM_CPU_AVX512) return has_avx512();
    if (level == SM_CPU_AVX512_VNNI) return has_avx512() && __builtin_cpu_supports("avx512vnni");
#elif defined(SM_HAVE_ARM)
    if (level == SM_CPU_NEON_DOT) return has_neon_dot();
#endif
    return true;
}

sm_cpu_level sm_cpu_detect(void)
{
    int level = SM_CPU_LEVELS - 1;
    while (!sm_cpu_has((sm_cpu_level)level)) level--; /* it has the first */
    return (sm_cpu_level)level;
}

const char *sm_cpu_level_name(sm_cpu_level level)
{
    return known(level) ? names[level] : "unknown";
}

const sm_kernels *sm_kernels_get(sm_cpu_level level)
{
    if (!known(level)) level = (sm_cpu_level)(SM_CPU_LEVELS - 1);
    while (!sm_cpu_has(level)) level = (sm_cpu_level)((int)level - 1);
    return tables[level];
}

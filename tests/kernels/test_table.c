/* SPDX-License-Identifier: MIT */
/* The table: names, levels, clamping, no empty entry. */
#include "levels.h"

static void levels_are_what_they_say(void **state)
{
    (void)state;
    const sm_cpu_level best = sm_cpu_detect();
    print_message("this CPU: %s\n", sm_cpu_level_name(best));
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) /* cross/levels.py reads these */
        print_message("level %s: %s\n", sm_cpu_level_name((sm_cpu_level)level),
                      sm_cpu_has((sm_cpu_level)level)     ? "here"
                      : sm_cpu_built((sm_cpu_level)level) ? "not on this CPU"
                                                          : "not for this processor");
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        const sm_kernels *k = sm_kernels_get((sm_cpu_level)level);
        int expected = level; /* the level itself, or the nearest slower one there is */
        while (!sm_cpu_has((sm_cpu_level)expected)) expected--;
        assert_int_equal(k->level, expected);
        assert_string_equal(k->name, sm_cpu_level_name((sm_cpu_level)expected));
        assert_true(sm_cpu_built(k->level));
        assert_ptr_equal(k, sm_kernels_get((sm_cpu_level)level));
        assert_true(k->matmul && k->dot && k->axpy && k->layer_norm && k->rms_norm && k->softmax &&
                    k->gelu && k->elu && k->attend && k->lstm_cell);
        assert_true(k->matmul_f16 && k->matmul_bf16 && k->quantise && k->matmul_q8 &&
                    k->matmul_q4 && k->attend_f16 && k->attend_q8 && k->narrow_f16 && k->narrow_q8);
    }
    assert_true(sm_cpu_has(SM_CPU_REF));
    assert_false(sm_cpu_has((sm_cpu_level)SM_CPU_LEVELS));
    assert_false(sm_cpu_built((sm_cpu_level)SM_CPU_LEVELS));
    assert_false(sm_cpu_built(SM_CPU_NEON) && sm_cpu_built(SM_CPU_AVX2));
    assert_int_equal(sm_kernels_get((sm_cpu_level)99)->level, best);
    /* f32 does not depend on integer dot products. */
    if (sm_cpu_has(SM_CPU_AVX512_VNNI))
        assert_ptr_equal(sm_kernels_get(SM_CPU_AVX512_VNNI)->matmul,
                         sm_kernels_get(SM_CPU_AVX512)->matmul);
    if (sm_cpu_has(SM_CPU_NEON_DOT))
        assert_ptr_equal(sm_kernels_get(SM_CPU_NEON_DOT)->matmul,
                         sm_kernels_get(SM_CPU_NEON)->matmul);
    assert_string_equal(sm_cpu_level_name((sm_cpu_level)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels_are_what_they_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

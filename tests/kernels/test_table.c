/* SPDX-License-Identifier: MIT */
/* The table: names, levels, clamping, no empty entry. */
#include "levels.h"

static void levels_are_what_they_say(void **state)
{
    (void)state;
    const sm_cpu_level best = sm_cpu_detect();
    print_message("this CPU: %s\n", sm_cpu_level_name(best));
    for (int level = SM_CPU_REF; level <= SM_CPU_AVX512; level++) {
        const sm_kernels *k = sm_kernels_get((sm_cpu_level)level);
        const sm_cpu_level expected = level > (int)best ? best : (sm_cpu_level)level;
        assert_int_equal(k->level, expected);
        assert_string_equal(k->name, sm_cpu_level_name(expected));
        assert_ptr_equal(k, sm_kernels_get((sm_cpu_level)level));
        assert_true(k->matmul && k->dot && k->axpy && k->layer_norm && k->rms_norm && k->softmax &&
                    k->gelu && k->elu && k->attend && k->lstm_cell);
    }
    assert_string_equal(sm_cpu_level_name((sm_cpu_level)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels_are_what_they_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "../../src/format/safetensors.h"
#include "../../src/kernels/quant.h"

static smitin_error error;

/* The definition, in arithmetic instead of bits. */
static double half_value(unsigned half)
{
    double sign = half & 0x8000 ? -1 : 1;
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static void every_half_is_exact(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 0x10000; half++) {
        float value = sm_f16_to_f32((uint16_t)half);
        double expected = half_value(half);
        if (isnan(expected)) {
            assert_true(isnan(value));
            assert_true(isnan(sm_f16_to_f32(sm_f16_from_f32(value))));
            continue;
        }
        assert_true((double)value == expected && !signbit(value) == !signbit(expected));
        assert_int_equal(sm_f16_from_f32(value), half);
    }
}

static void rounding_is_to_nearest_even(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 0x7bff; half++) {
        float low = sm_f16_to_f32((uint16_t)half), high = sm_f16_to_f32((uint16_t)(half + 1));
        float middle = low + (high - low) / 2; /* exact: f32 has 13 more bits */
        unsigned even = half % 2 == 0 ? half : half + 1;
        assert_int_equal(sm_f16_from_f32(middle), even);
        assert_int_equal(sm_f16_from_f32(-middle), even | 0x8000);
        assert_int_equal(sm_f16_from_f32(nextafterf(middle, 0)), half);
        assert_int_equal(sm_f16_from_f32(nextafterf(middle, INFINITY)), half + 1);
    }
    assert_int_equal(sm_f16_from_f32(65519.99f), 0x7bff);
    assert_int_equal(sm_f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(sm_f16_from_f32(INFINITY), 0x7c00);
    assert_int_equal(sm_f16_from_f32(1e-10f), 0);
}

static void types_convert_from_unaligned_data(void **state)
{
    (void)state;
    unsigned char bytes[64] = {0};
    float out[3];
    const double wide[3] = {1.5, -2.25, 1e-3};
    memcpy(bytes + 1, wide, sizeof(wide));
    sm_tensor tensor = {
        .name = "t", .dtype = SM_F64, .dims = 1, .shape = {3}, .data = bytes + 1, .count = 3};
    ASSERT_OK(sm_tensor_to_f32(&tensor, 1, 2, out, &error));
    assert_true(out[0] == -2.25f && out[1] == 1e-3f);
    const uint16_t brain[3] = {0x3fc0, 0xc010, 0x7f80};
    memcpy(bytes + 1, brain, sizeof(brain));
    tensor.dtype = SM_BF16;
    ASSERT_OK(sm_tensor_to_f32(&tensor, 0, 3, out, &error));
    assert_true(out[0] == 1.5f && out[1] == -2.25f && isinf(out[2]));
    ASSERT_FAILS(sm_tensor_to_f32(&tensor, 2, 2, out, &error), SMITIN_ERROR_ARGUMENT, "it has 3");
    ASSERT_FAILS(sm_tensor_to_f32(&tensor, SIZE_MAX, 2, out, &error), SMITIN_ERROR_ARGUMENT,
                 "it has 3");
    tensor.dtype = SM_I64;
    ASSERT_FAILS(sm_tensor_to_f32(&tensor, 0, 1, out, &error), SMITIN_ERROR_FORMAT, "I64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_exact),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(types_convert_from_unaligned_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

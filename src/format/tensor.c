/* SPDX-License-Identifier: MIT */
/* Owns element types: their sizes and names, and the conversions to and from f32. */
#include "safetensors.h"

#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are little-endian in the file and are read in place: a big-endian host needs swaps"
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "tensors hold IEEE 754 numbers");

static const struct {
    const char *name;
    size_t size;
} types[SM_DTYPES] = {
    [SM_F32] = {"F32", 4}, [SM_F16] = {"F16", 2}, [SM_BF16] = {"BF16", 2}, [SM_F64] = {"F64", 8},
    [SM_I64] = {"I64", 8}, [SM_I32] = {"I32", 4}, [SM_U8] = {"U8", 1},
};

size_t sm_dtype_size(sm_dtype dtype)
{
    return (unsigned)dtype < SM_DTYPES ? types[dtype].size : 0;
}

const char *sm_dtype_name(sm_dtype dtype)
{
    return (unsigned)dtype < SM_DTYPES ? types[dtype].name : "unknown";
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

float sm_bf16_to_f32(uint16_t value)
{
    return float_of_bits((uint32_t)value << 16);
}

float sm_f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0) {
        /* Zero and subnormals: fraction * 2^-24, exact in f32. */
        float value = (float)fraction * 0x1p-24f;
        return float_of_bits(bits_of_float(value) | sign);
    }
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | fraction << 13);
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t sm_f32_to_f16(float value)
{
    uint32_t bits = bits_of_float(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u); /* NaN stays NaN */
    if (magnitude >= 0x477ff000u)
        return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to inf */
    if (magnitude < 0x38800000u) {
        /* Subnormal half, unit 2^-24: adding 0.5 lets the FPU round to nearest even at that unit.
         */
        uint32_t rounded = bits_of_float(float_of_bits(magnitude) + 0.5f);
        return (uint16_t)(sign | (rounded - 0x3f000000u));
    }
    uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0xfffu + odd) >> 13);
}

static uint16_t load16(const unsigned char *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

smitin_status sm_tensor_to_f32(const sm_tensor *tensor, size_t first, size_t count, float *out,
                               smitin_error *error)
{
    if (first > tensor->count || count > tensor->count - first) {
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "elements %zu to %zu of tensor '%s' were asked for, but it has %zu", first,
                       first + count, tensor->name, tensor->count);
    }
    if (count == 0) return SMITIN_OK;
    const unsigned char *p =
        (const unsigned char *)tensor->data + first * sm_dtype_size(tensor->dtype);
    switch (tensor->dtype) {
    case SM_F32:
        memcpy(out, p, count * sizeof(float));
        return SMITIN_OK;
    case SM_F16:
        for (size_t i = 0; i < count; i++) out[i] = sm_f16_to_f32(load16(p + 2 * i));
        return SMITIN_OK;
    case SM_BF16:
        for (size_t i = 0; i < count; i++) out[i] = sm_bf16_to_f32(load16(p + 2 * i));
        return SMITIN_OK;
    case SM_F64:
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, p + 8 * i, sizeof(value));
            out[i] = (float)value; /* beyond the range of f32: infinite, which callers refuse */
        }
        return SMITIN_OK;
    default:
        return sm_fail(
            error, SMITIN_ERROR_FORMAT,
            "tensor '%s' has type %s where floating-point numbers are expected; convert it "
            "to F32 or F16",
            tensor->name, sm_dtype_name(tensor->dtype));
    }
}

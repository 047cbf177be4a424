/* SPDX-License-Identifier: MIT */
/* Owns element types: their sizes and names, and the conversions to and from f32. */
#include "../kernels/quant.h"
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
    if (dtype == SM_Q8_0) return "Q8_0";
    if (dtype == SM_IQ4_NL) return "IQ4_NL";
    return (unsigned)dtype < SM_DTYPES ? types[dtype].name : "unknown";
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

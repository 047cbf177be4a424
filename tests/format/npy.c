/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "../../src/format/npy.h"

static smitin_error error;

/* A file of format 1.0 with this dictionary and zeros for data. */
static smitin_status parse(sm_npy *array, const char *dictionary, size_t data_size)
{
    size_t length = strlen(dictionary), size = 10 + length + data_size;
    unsigned char *bytes = calloc(1, size);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (unsigned char)(length & 0xff);
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + 10, dictionary, length);
    smitin_status status = sm_npy_parse(array, bytes, size, "bad.npy", &error);
    free(bytes);
    return status;
}

static void refused(const char *dictionary, size_t data_size, const char *part)
{
    sm_npy array;
    ASSERT_FAILS(parse(&array, dictionary, data_size), SMITIN_ERROR_FORMAT, part);
    assert_null(array.data);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
#define REST ", 'fortran_order': False, 'shape': "
    refused("", 0, "not a dictionary");
    refused("{}", 0, "lacks");
    refused("{'descr': '<f4'" REST "(2,)}", 7, "does not fit its length");
    refused("{'descr': '<f4'" REST "(2,)}", 9, "does not fit its length");
    refused("{'descr': '>f4'" REST "(2,)}", 8, "its type");
    refused("{'descr': '|O'" REST "(2,)}", 8, "its type");
    refused("{'descr': [('a', '<f4')]" REST "(2,)}", 8, "plain type");
    refused("{'descr': '<f4'" REST "(2}", 8, "tuple");
    refused("{'descr': '<f4'" REST "2}", 8, "tuple");
    refused("{'descr': '<f4'" REST "(-2,)}", 8, "not a number");
    refused("{'descr': '<f4'" REST "(9223372036854775808,)}", 8, "not a number");
    refused("{'descr': '<f4'" REST "(9223372036854775807, 4)}", 8, "more elements");
    refused("{'descr': '<f8'" REST "(2305843009213693952,)}", 0, "does not fit");
    refused("{'descr': '<f4'" REST "(1,1,1,1,1,1,1,1,2)}", 8, "dimensions");
    refused("{'descr': '<f4'" REST "(2,), 'x': 1}", 8, "unknown");
    refused("{'descr': '<f4', 'descr': '<f4'" REST "(2,)}", 8, "repeated");
    refused("{'descr': '<f4'" REST "(2,)} x", 8, "does not end");
    refused("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", 8, "Fortran");
    refused("{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2)}", 8, "neither");
    refused("{'descr': '<f4" REST "(2,)}", 8, "its type");
    refused("{'descr': '<f4", 8, "plain type");
#undef REST
    sm_npy array;
    const unsigned char three[12] = "\x93NUMPY\x03\x00",
                        wide[12] = "\x93NUMPY\x02\x00\xff\xff\xff\xff";
    ASSERT_FAILS(sm_npy_parse(&array, three, 12, "x", &error), SMITIN_ERROR_FORMAT, "1.0 or 2.0");
    ASSERT_FAILS(sm_npy_parse(&array, wide, 12, "x", &error), SMITIN_ERROR_FORMAT, "measure");
    ASSERT_FAILS(sm_npy_parse(&array, NULL, 0, "x", &error), SMITIN_ERROR_FORMAT, "begin");
    ASSERT_FAILS(sm_npy_read(&array, "/nonexistent/x.npy", &error), SMITIN_ERROR_IO, "x.npy");
}

static void numpy_spellings_are_read(void **state)
{
    (void)state;
    sm_npy array;
    ASSERT_OK(
        parse(&array, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     \n", 24));
    assert_true(array.dims == 2 && array.count == 6 && array.dtype == SM_F32);
    sm_npy_free(&array);
    ASSERT_OK(parse(&array, "{\"shape\":(),\"fortran_order\":True,\"descr\":\"<i8\"}", 8));
    assert_true(array.dims == 0 && array.count == 1 && array.dtype == SM_I64);
    sm_npy_free(&array);
    ASSERT_OK(parse(&array, "{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }", 0));
    assert_true(array.dims == 1 && array.count == 0 && array.data != NULL);
    sm_npy_free(&array);
    sm_npy_free(&array);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const double values[6] = {1, 2, 3, 4, 5, -6};
    const int64_t shapes[3][3] = {{6}, {3, 2}, {1, 2, 3}};
    char path[256];
    for (int dims = 1; dims <= 3; dims++) {
        sm_npy array;
        ASSERT_OK(sm_npy_write(scratch_path(path, "a.npy"), SM_F64, dims, shapes[dims - 1], values,
                               &error));
        ASSERT_OK(sm_npy_read(&array, path, &error));
        assert_int_equal(array.dims, dims);
        assert_memory_equal(array.shape, shapes[dims - 1], (size_t)dims * sizeof(int64_t));
        assert_memory_equal(array.data, values, sizeof(values));
        sm_npy_free(&array);
        FILE *file = fopen(path, "rb");
        fseek(file, 0, SEEK_END);
        assert_int_equal((ftell(file) - (long)sizeof(values)) % 64, 0);
        fclose(file);
    }
    ASSERT_FAILS(sm_npy_write(path, SM_BF16, 1, shapes[0], values, &error), SMITIN_ERROR_ARGUMENT,
                 "BF16");
    const int64_t huge[2] = {INT64_MAX, 8};
    ASSERT_FAILS(sm_npy_write(path, SM_F32, 2, huge, values, &error), SMITIN_ERROR_ARGUMENT,
                 "impossible");
    ASSERT_FAILS(sm_npy_write(path, SM_F32, 9, huge, values, &error), SMITIN_ERROR_ARGUMENT,
                 "impossible");
    ASSERT_FAILS(sm_npy_write("/nonexistent/a.npy", SM_F64, 1, shapes[0], values, &error),
                 SMITIN_ERROR_IO, "/nonexistent/a.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(numpy_spellings_are_read),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

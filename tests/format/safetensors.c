/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>

#include "../../src/format/safetensors.h"

static smitin_error error;

static void refused(const char *header, size_t data_size, const char *part)
{
    size_t size;
    unsigned char *bytes = make_safetensors(header, data_size, &size);
    sm_safetensors *file;
    ASSERT_FAILS(sm_safetensors_parse(&file, bytes, size, "bad.st", &error), SMITIN_ERROR_FORMAT,
                 part);
    assert_non_null(strstr(error.message, "bad.st"));
    assert_null(file);
    free(bytes);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
    refused("", 0, "not a JSON object");
    refused("[]", 0, "not a JSON object");
    refused("{", 0, "not a JSON object");
    refused("{,", 0, "does not parse");
    refused("{\"a\":1}", 0, "no dtype");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") "}", 3, "outside the file");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") "}", 5, "bytes follow");
    refused("{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "does not fit its data_offsets");
    refused("{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "outside the file");
    refused("{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "outside the file");
    refused("{\"a\":" T("F32", "[1]", "[0]") "}", 4, "no pair");
    refused("{\"a\":" T("F32", "[1]", "[0,4.0]") "}", 4, "no pair");
    refused("{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "number from 0 up");
    refused("{\"a\":" T("F32", "[1.5]", "[0,4]") "}", 4, "number from 0 up");
    refused("{\"a\":" T("F32", "4", "[0,4]") "}", 4, "no shape");
    refused("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "too many dimensions");
    refused("{\"a\":" T("F32", "[9223372036854775807,4]", "[0,4]") "}", 4, "more elements");
    refused("{\"a\":" T("F32", "[4611686018427387904]", "[0,0]") "}", 0, "does not fit");
    refused("{\"a\":" T("F32", "[9223372036854775808]", "[0,4]") "}", 4, "does not parse");
    refused("{\"a\":" T("F8_E4M3", "[4]", "[0,4]") "}", 4, "unknown dtype");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") "}", 8,
            "does not parse");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[2,6]") "}", 6,
            "overlaps");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4,
            "overlaps");
    refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[8,12]") "}", 12, "hole");
    refused("{\"\":" T("F32", "[1]", "[0,4]") "}", 4, "name is empty");
    refused("{\"a\\nb\":" T("F32", "[1]", "[0,4]") "}", 4, "not text");
    refused("{\"__metadata__\":[]}", 0, "not an object");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "non-string");
#undef T
}

static void bad_lengths_are_refused(void **state)
{
    (void)state;
    unsigned char bytes[16] = {0};
    sm_safetensors *file;
    ASSERT_FAILS(sm_safetensors_parse(&file, NULL, 0, "x", &error), SMITIN_ERROR_FORMAT,
                 "fewer than 8");
    ASSERT_FAILS(sm_safetensors_parse(&file, bytes, 7, "x", &error), SMITIN_ERROR_FORMAT,
                 "fewer than 8");
    bytes[0] = 9;
    ASSERT_FAILS(sm_safetensors_parse(&file, bytes, 16, "x", &error), SMITIN_ERROR_FORMAT,
                 "inside its header");
    memset(bytes, 0xff, 8);
    ASSERT_FAILS(sm_safetensors_parse(&file, bytes, 16, "x", &error), SMITIN_ERROR_FORMAT,
                 "beyond all measure");
    char path[256];
    ASSERT_FAILS(sm_safetensors_open(&file, scratch_path(path, "absent"), &error), SMITIN_ERROR_IO,
                 "absent");
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char *header = malloc(200002);
    memset(header, '[', 200000);
    memcpy(header, "{\"a\":", 5);
    header[200000] = 0;
    refused(header, 0, "does not parse");
    free(header);
}

static const float values[6] = {1, 2, 3, 4, 5, 6};
static const uint16_t halves[3] = {0x3c00, 0x4000, 0x4200};

static smitin_status write_sample(const char *path)
{
    const sm_tensor_out tensors[] = {
        {"b.half", SM_F16, 1, {3}, halves},
        {"a.matrix", SM_F32, 2, {2, 3}, values},
        {"empty", SM_F32, 2, {0, 3}, NULL},
        {"scalar", SM_F32, 0, {0}, values + 4},
    };
    const sm_meta_out meta[] = {{"who", "tést"}};
    return sm_safetensors_write(path, tensors, 4, meta, 1, &error);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    char path[256];
    sm_safetensors *file;
    ASSERT_OK(write_sample(scratch_path(path, "round.st")));
    ASSERT_OK(sm_safetensors_open(&file, path, &error));
    assert_int_equal(sm_safetensors_count(file), 4);
    assert_string_equal(sm_safetensors_path(file), path);
    assert_string_equal(sm_safetensors_meta(file, "who"), "tést");
    assert_null(sm_safetensors_meta(file, "whom"));
    assert_null(sm_safetensors_find(file, "a"));
    assert_null(sm_safetensors_find(file, "__metadata__"));
    assert_null(sm_safetensors_at(file, 4));
    const sm_tensor *matrix = sm_safetensors_find(file, "a.matrix");
    assert_true(matrix != NULL && matrix->dims == 2 && matrix->shape[0] == 2 &&
                matrix->shape[1] == 3);
    assert_memory_equal(matrix->data, values, sizeof(values));
    const sm_tensor *half = sm_safetensors_find(file, "b.half");
    float out[3];
    ASSERT_OK(sm_tensor_to_f32(half, 0, 3, out, &error));
    assert_memory_equal(out, values, sizeof(out));
    const sm_tensor *scalar = sm_safetensors_find(file, "scalar");
    assert_true(scalar->dims == 0 && scalar->count == 1);
    assert_int_equal(sm_safetensors_find(file, "empty")->count, 0);
    sm_safetensors_close(file);
    sm_safetensors_close(NULL);
}

static void every_cut_of_a_file_is_refused(void **state)
{
    (void)state;
    char path[256];
    ASSERT_OK(write_sample(scratch_path(path, "cut.st")));
    FILE *in = fopen(path, "rb");
    unsigned char bytes[4096];
    size_t size = fread(bytes, 1, sizeof(bytes), in);
    fclose(in);
    for (size_t n = 0; n < size; n++) {
        unsigned char *copy = malloc(n + 1);
        memcpy(copy, bytes, n);
        sm_safetensors *file;
        assert_int_equal(sm_safetensors_parse(&file, copy, n, "cut", &error), SMITIN_ERROR_FORMAT);
        free(copy);
    }
}

static void bad_arguments_write_nothing(void **state)
{
    (void)state;
    char path[256];
    scratch_path(path, "never.st");
    sm_tensor_out pair[2] = {{"a", SM_F32, 1, {3}, values}, {"a", SM_F32, 1, {3}, values}};
    ASSERT_FAILS(sm_safetensors_write(path, pair, 2, NULL, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "that of another");
    pair[0].shape[0] = INT64_MAX;
    ASSERT_FAILS(sm_safetensors_write(path, pair, 1, NULL, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "impossible");
    pair[0].shape[0] = -1;
    ASSERT_FAILS(sm_safetensors_write(path, pair, 1, NULL, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "impossible");
    pair[0].name = "__metadata__";
    ASSERT_FAILS(sm_safetensors_write(path, pair, 1, NULL, 0, &error), SMITIN_ERROR_ARGUMENT,
                 "reserved");
    const sm_meta_out meta[] = {{"key", "\xff"}};
    ASSERT_FAILS(sm_safetensors_write(path, NULL, 0, meta, 1, &error), SMITIN_ERROR_ARGUMENT,
                 "UTF-8");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    char path[256];
    int before = scratch_count();
    ASSERT_FAILS(write_sample(scratch_path(path, "no/such/folder")), SMITIN_ERROR_IO, "folder");
    /* A size limit stands in for a full disk: both make write() fail half way. */
    const struct rlimit small = {100, RLIM_INFINITY};
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    scratch_path(path, "full.st");
    setrlimit(RLIMIT_FSIZE, &small);
    smitin_status status = write_sample(path);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, SMITIN_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(scratch_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(bad_lengths_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(bad_arguments_write_nothing),
        cmocka_unit_test(a_failed_write_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

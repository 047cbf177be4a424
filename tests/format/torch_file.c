/* SPDX-License-Identifier: MIT */
/* PyTorch's files: what torch.save wrote is read bit for bit, and damaged or hostile archives are
 * refused. */
#include "format/torch_file.h"

#include "archive.h"
#include "helpers.h"

#define FEW GOLDEN "/containers/few/"

static smitin_error error;

static void same_tensor(const sm_tensor *found, const sm_tensor *expected)
{
    assert_non_null(found);
    assert_int_equal(found->dtype, expected->dtype);
    assert_int_equal(found->dims, expected->dims);
    assert_memory_equal(found->shape, expected->shape, (size_t)found->dims * sizeof(int64_t));
    assert_int_equal(found->count, expected->count);
    if (found->count == 0) return;
    assert_memory_equal(found->data, expected->data, found->count * sm_dtype_size(found->dtype));
}

static void written_by_torch(void **state)
{
    (void)state;
    sm_torch *file = NULL;
    sm_safetensors *expected = NULL;
    ASSERT_OK(sm_torch_open(&file, FEW "pytorch_model.bin", &error));
    ASSERT_OK(sm_safetensors_open(&expected, FEW "expected.safetensors", &error));
    assert_int_equal(sm_torch_count(file), sm_safetensors_count(expected));
    assert_true(sm_torch_count(file) > 15);
    for (size_t i = 0; i < sm_safetensors_count(expected); i++) {
        const sm_tensor *tensor = sm_safetensors_at(expected, i);
        same_tensor(sm_torch_find(file, tensor->name), tensor);
    }
    /* Views of one storage are not copied; strided ones are. */
    const char *whole = sm_torch_find(file, "whole")->data;
    assert_ptr_equal(sm_torch_find(file, "offset")->data, whole + 10 * 4);
    assert_null(sm_torch_find(file, "absent"));
    assert_null(sm_torch_at(file, sm_torch_count(file)));
    assert_null(sm_torch_text(file, "version"));
    sm_safetensors_close(expected);
    sm_torch_close(file);
    sm_torch_close(NULL);
}

static void dicts_and_texts(void **state)
{
    (void)state;
    sm_torch *file = NULL;
    ASSERT_OK(sm_torch_open(&file, GOLDEN "/containers/audiocraft/state_dict.bin", &error));
    assert_non_null(sm_torch_find(file, "best_state/emb.0.weight"));
    assert_string_equal(sm_torch_text(file, "version"), "1.3.0");
    sm_torch_close(file);
    ASSERT_OK(
        sm_torch_open(&file, GOLDEN "/containers/pointer/compression_state_dict.bin", &error));
    assert_int_equal(sm_torch_count(file), 0);
    assert_null(sm_torch_find(file, "x"));
    assert_string_equal(sm_torch_text(file, "pretrained"), "facebook/encodec_32khz");
    sm_torch_close(file);
}

/* Cut at every place and with every byte changed in turn: refused or read, never out of bounds. */
static void damaged(void **state)
{
    (void)state;
    FILE *from = fopen(FEW "pytorch_model.bin", "rb");
    assert_non_null(from);
    static unsigned char whole[1 << 16];
    const size_t size = fread(whole, 1, sizeof whole, from);
    fclose(from);
    assert_true(size > 10000 && size < sizeof whole);
    for (size_t n = 0; n < size; n += n + 400 < size ? 97 : 1) {
        unsigned char *copy = malloc(n > 0 ? n : 1);
        sm_torch *file = NULL;
        memcpy(copy, whole, n);
        assert_int_equal(sm_torch_parse(&file, copy, n, "cut.bin", &error), SMITIN_ERROR_FORMAT);
        assert_null(file);
        free(copy);
    }
    for (size_t n = 0; n < size; n += 3) {
        unsigned char *copy = malloc(size);
        sm_torch *file = NULL;
        memcpy(copy, whole, size);
        copy[n] ^= 0x55;
        const smitin_status status = sm_torch_parse(&file, copy, size, "changed.bin", &error);
        assert_true(status == SMITIN_OK || status == SMITIN_ERROR_FORMAT);
        sm_torch_close(file);
        free(copy);
    }
}

/* {"t": tensor} with the given shape and strides (pickled), offset 1, in a storage of 6 floats. */
static size_t tensor_pickle(char *out, const char *shape, size_t shape_size, const char *strides,
                            size_t strides_size, int elements, int offset)
{
    static const char head[] = "\x80\2}X\1\0\0\0tctorch._utils\n_rebuild_tensor_v2\n(("
                               "X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                               "0X\3\0\0\0cpuK";
    static const char tail[] = "\x89"
                               "ccollections\nOrderedDict\n)RtRs.";
    size_t size = 0;
    memcpy(out, head, sizeof head - 1);
    size += sizeof head - 1;
    out[size++] = (char)elements;
    memcpy(out + size, "tQK", 3);
    size += 3;
    out[size++] = (char)offset;
    memcpy(out + size, shape, shape_size);
    size += shape_size;
    memcpy(out + size, strides, strides_size);
    size += strides_size;
    memcpy(out + size, tail, sizeof tail - 1);
    return size + sizeof tail - 1;
}

#define TEXT(text) text, sizeof(text) - 1

static smitin_status parse_one(sm_torch **file, const char *shape, size_t shape_size,
                               const char *strides, size_t strides_size, int elements, int offset)
{
    static archive zip; /* views point into it */
    static const float storage[6] = {0, 1, 2, 3, 4, 5};
    char pickle[600];
    const size_t size =
        tensor_pickle(pickle, shape, shape_size, strides, strides_size, elements, offset);
    const member members[] = {{.name = "m/data.pkl", .data = pickle, .size = size},
                              {.name = "m/data/0", .data = storage, .size = sizeof storage}};
    make_archive(&zip, members, 2, false);
    return sm_torch_parse(file, zip.data, zip.size, "one.bin", &error);
}

static void strides_bounded(void **state)
{
    (void)state;
    sm_torch *file = NULL;
    ASSERT_OK(parse_one(&file, TEXT("K\1K\2\x86"), TEXT("K\1K\2\x86"), 6, 1));
    const float pair[] = {1, 3};
    assert_memory_equal(sm_torch_find(file, "t")->data, pair, sizeof pair);
    sm_torch_close(file);
#define REFUSED(shape, strides, elements, offset, why)                                             \
    ASSERT_FAILS(parse_one(&file, TEXT(shape), TEXT(strides), elements, offset),                   \
                 SMITIN_ERROR_FORMAT, why)
    REFUSED("K\3\x85", "K\3\x85", 6, 0, "outside its storage");
    REFUSED("K\6\x85", "K\1\x85", 6, 1, "outside its storage");
    REFUSED("K\1\x85", "K\1\x85", 6, 6, "outside its storage");
    REFUSED("K\2\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", 6, 1, "outside its storage");
    REFUSED("J\xff\xff\xff\xff\x85", "K\1\x85", 6, 1, "not a number from 0 up");
    REFUSED("K\1\x85", "J\xff\xff\xff\xff\x85", 6, 1, "not a number from 0 up");
    REFUSED("K\1\x85", "K\1K\1\x86", 6, 0, "as many strides");
    REFUSED("(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", 6, 0, "dimensions");
    REFUSED("J\0\0\0\x40J\0\0\0\x40J\0\0\0\x40\x87", "K\0K\0K\0\x87", 6, 0, "any memory");
    REFUSED("J\0\0\0\x40\x85", "K\0\x85", 6, 0, "repeats its elements");
    REFUSED("K\1\x85", "K\1\x85", 5, 0, "another size");
    REFUSED("K\1\x85", "K\1\x85", 7, 0, "another size");
    REFUSED("X\1\0\0\0a", "K\1\x85", 6, 0, "as many strides");
#undef REFUSED
    /* A stride that is never taken may be anything. */
    ASSERT_OK(parse_one(&file, TEXT("K\1K\2\x86"),
                        TEXT("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\2\x86"), 6, 0));
    sm_torch_close(file);
}

static void refused_archive(const member *members, int count, const char *why)
{
    static archive zip;
    sm_torch *file = NULL;
    for (int big = 0; big < 2; big++) {
        make_archive(&zip, members, count, big);
        ASSERT_FAILS(sm_torch_parse(&file, zip.data, zip.size, "bad.bin", &error),
                     SMITIN_ERROR_FORMAT, why);
    }
}

static void archives(void **state)
{
    (void)state;
    static const char empty[] = "\x80\2}.";
    static archive zip;
    sm_torch *file = NULL;
    member m[3] = {{.name = "any/data.pkl", .data = empty, .size = sizeof empty - 1},
                   {.name = "any/byteorder", .data = "little", .size = 6},
                   {.name = "any/data/0", .data = "", .size = 0}};
    for (int big = 0; big < 2; big++) {
        make_archive(&zip, m, 3, big);
        ASSERT_OK(sm_torch_parse(&file, zip.data, zip.size, "good.bin", &error));
        assert_int_equal(sm_torch_count(file), 0);
        sm_torch_close(file);
    }
    m[1].data = "bigbig";
    refused_archive(m, 2, "little-endian");
    m[1] = (member){.name = "other/data.pkl", .data = empty, .size = sizeof empty - 1};
    refused_archive(m, 2, "more than one data.pkl");
    m[1].name = "any/data.pkl";
    refused_archive(m, 2, "there twice");
    m[1] = (member){.name = "any/bomb", .data = "abcd", .size = 4, .method = 8};
    refused_archive(m, 2, "'any/bomb' is compressed");
    m[1] = (member){.name = "any/x", .data = "abcd", .size = 4, .flags = 1};
    refused_archive(m, 2, "is encrypted");
    m[1] = (member){.name = "any/x", .data = "abcd", .size = 4, .size_claim = 0x7fffffff};
    refused_archive(m, 2, "lies outside the file");
    m[1] = (member){.name = "any/x", .data = "abcd", .size = 4, .place_claim = 1};
    refused_archive(m, 2, "not where the directory says");
    m[1] = (member){.name = "any/x", .data = "abcd", .size = 4, .place_claim = 0x70000000};
    refused_archive(m, 2, "lies outside the file");
    m[0].name = "data.pkl";
    refused_archive(m, 1, "no data.pkl");
    m[0] = (member){.name = "any/data.pkl", .data = "\x80\2].", .size = 4};
    refused_archive(m, 1, "does not hold a dict");
    m[0] = (member){.name = "any/data.pkl", .data = "\x80\2cos\nsystem\n.", .size = 14};
    refused_archive(m, 1, "imports os.system");
    ASSERT_FAILS(sm_torch_parse(&file, "", 0, "none.bin", &error), SMITIN_ERROR_FORMAT, "shorter");
    ASSERT_FAILS(sm_torch_open(&file, GOLDEN "/absent.bin", &error), SMITIN_ERROR_IO, "absent.bin");
    ASSERT_FAILS(sm_torch_open(&file, GOLDEN "/tiny/model.safetensors", &error),
                 SMITIN_ERROR_FORMAT, "not a ZIP");
}

/* One dict in very many places: the number of tensors is bounded, not their number times that of
 * the places. */
static void multiplied(void **state)
{
    (void)state;
    static char pickle[1 << 13];
    static archive zip;
    size_t size = 0;
    memcpy(pickle, "\x80\2}(", 4);
    size = 4;
    for (int i = 0; i < 1200; i++) {
        if (i == 0) {
            memcpy(pickle + size, "X\1\0\0\0aq\0}q\1(", 12);
            size += 12;
            for (int j = 0; j < 1000; j++, size += 3) memcpy(pickle + size, "h\0N", 3);
            pickle[size++] = 'u';
        } else {
            memcpy(pickle + size, "h\0h\1", 4);
            size += 4;
        }
    }
    memcpy(pickle + size, "u.", 2);
    size += 2;
    assert_true(size < sizeof pickle);
    const member m = {.name = "m/data.pkl", .data = pickle, .size = size};
    make_archive(&zip, &m, 1, false);
    sm_torch *file = NULL;
    ASSERT_FAILS(sm_torch_parse(&file, zip.data, zip.size, "many.bin", &error), SMITIN_ERROR_FORMAT,
                 "more than 100000 values");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_by_torch), cmocka_unit_test(dicts_and_texts),
        cmocka_unit_test(damaged),          cmocka_unit_test(strides_bounded),
        cmocka_unit_test(archives),         cmocka_unit_test(multiplied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

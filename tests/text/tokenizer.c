/* SPDX-License-Identifier: MIT */
#include "golden.h"

static smitin_error error;
static sm_tokenizer *tokenizer;

static int open_vocabulary(void **state)
{
    (void)state;
    return sm_tokenizer_open(&tokenizer, SM_GOLDEN "/t5_spiece.model", &error) == SMITIN_OK ? 0
                                                                                            : -1;
}

static int free_vocabulary(void **state)
{
    (void)state;
    sm_tokenizer_free(tokenizer);
    return 0;
}

/* Every id of every text equals the reference's: no tolerance. */
static void ids_equal_the_reference(void **state)
{
    (void)state;
    sm_safetensors *golden = open_golden("t5_tokens.safetensors");
    const sm_tensor *text = golden_tensor(golden, "text"), *ids = golden_tensor(golden, "ids");
    const sm_tensor *text_at = golden_tensor(golden, "text_offsets");
    const sm_tensor *ids_at = golden_tensor(golden, "ids_offsets");
    enum { CAPACITY = 12000 };
    int32_t *found = malloc(CAPACITY * sizeof(int32_t));
    size_t texts = text_at->count - 1, longest = 0;
    assert_true(texts >= 200 && ids_at->count == texts + 1);
    for (size_t n = 0; n < texts; n++) {
        size_t first = (size_t)golden_int(text_at, n),
               length = (size_t)golden_int(text_at, n + 1) - first;
        char *copy = malloc(length + 1);
        memcpy(copy, (const char *)text->data + first, length);
        copy[length] = 0;
        int count, expected = golden_int(ids_at, n + 1) - golden_int(ids_at, n);
        ASSERT_OK(sm_tokenizer_encode(tokenizer, copy, found, CAPACITY, &count, &error));
        if (count != expected) fail_msg("'%.60s' gives %d ids, expected %d", copy, count, expected);
        for (int i = 0; i < count; i++) {
            int want = ((const unsigned char *)ids->data)[golden_int(ids_at, n) + i];
            if (found[i] != want)
                fail_msg("'%.60s': id %d is %d, expected %d", copy, i, (int)found[i], want);
        }
        if (length > longest) longest = length;
        free(copy);
    }
    assert_true(longest >= 10000);
    free(found);
    sm_safetensors_close(golden);
}

static void capacity_is_kept(void **state)
{
    (void)state;
    int32_t ids[8] = {-7, -7, -7, -7, -7, -7, -7, -7};
    int count;
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "", ids, 1, &count, &error));
    assert_true(count == 1 && ids[0] == 1 && ids[1] == -7);
    ASSERT_FAILS(sm_tokenizer_encode(tokenizer, "", ids, 0, &count, &error), SMITIN_ERROR_ARGUMENT,
                 "at most 0");
    ASSERT_FAILS(sm_tokenizer_encode(tokenizer, "</s></s>", ids, 2, &count, &error),
                 SMITIN_ERROR_ARGUMENT, "needs 3 tokens, at most 2");
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "</s></s>", ids, 3, &count, &error));
    assert_true(count == 3 && ids[3] == -7);
    char *huge = malloc((1 << 20) + 2);
    memset(huge, 'a', (1 << 20) + 1);
    huge[(1 << 20) + 1] = 0;
    ASSERT_FAILS(sm_tokenizer_encode(tokenizer, huge, ids, 8, &count, &error),
                 SMITIN_ERROR_ARGUMENT, "bytes");
    free(huge);
}

/* An encoder without rows for them knows no "<extra_id_N>". */
static void extra_ids_need_rows(void **state)
{
    (void)state;
    int32_t ids[64];
    int special = 0, text = 0;
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "<extra_id_0>", ids, 64, &special, &error));
    assert_int_equal(special, 2);
    const int rows = ids[0] + 1; /* "<extra_id_0>" is the last */
    sm_tokenizer_set_rows(tokenizer, rows - 1);
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "<extra_id_0>", ids, 64, &text, &error));
    assert_true(text > 2);
    for (int i = 0; i < text; i++) assert_true(ids[i] < rows - 100);
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "</s>", ids, 64, &text, &error));
    assert_int_equal(text, 2);
    sm_tokenizer_set_rows(tokenizer, rows);
    ASSERT_OK(sm_tokenizer_encode(tokenizer, "<extra_id_0>", ids, 64, &text, &error));
    assert_true(text == 2 && ids[0] == rows - 1);
}

/* The reference cannot be asked: Python has no such strings. Ids stay in range, the end mark
 * stands. */
static void broken_utf8_is_survived(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xff",     "\xc3",     "a\x80z", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80",
        "\xe2\x82", "\xf0\x9f", "<\xff>", "\xc0\x80",     "<extra_id_1\xff>"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int32_t ids[64];
        int count;
        ASSERT_OK(sm_tokenizer_encode(tokenizer, texts[i], ids, 64, &count, &error));
        assert_true(count >= 1 && ids[count - 1] == 1);
        for (int n = 0; n < count; n++) assert_true(ids[n] >= 0 && ids[n] < 130);
    }
}

static void bad_vocabularies_are_refused(void **state)
{
    (void)state;
    sm_tokenizer *bad;
    ASSERT_FAILS(sm_tokenizer_open(&bad, "/nonexistent/spiece.model", &error), SMITIN_ERROR_IO,
                 "spiece.model");
    assert_null(bad);
    ASSERT_FAILS(sm_tokenizer_open(&bad, SM_GOLDEN "/make_t5.py", &error), SMITIN_ERROR_FORMAT,
                 "vocabulary");
    ASSERT_FAILS(sm_tokenizer_open(&bad, "/dev/null", &error), SMITIN_ERROR_IO, "/dev/null");
    /* A vocabulary cut short. */
    char path[] = "/tmp/smitin-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "wb"), *in = fopen(SM_GOLDEN "/t5_spiece.model", "rb");
    char bytes[1000];
    assert_int_equal(fread(bytes, 1, sizeof(bytes), in), sizeof(bytes));
    fwrite(bytes, 1, sizeof(bytes), out);
    fclose(in);
    fclose(out);
    ASSERT_FAILS(sm_tokenizer_open(&bad, path, &error), SMITIN_ERROR_FORMAT, path);
    remove(path);
    sm_tokenizer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_reference),      cmocka_unit_test(capacity_is_kept),
        cmocka_unit_test(extra_ids_need_rows),          cmocka_unit_test(broken_utf8_is_survived),
        cmocka_unit_test(bad_vocabularies_are_refused),
    };
    return cmocka_run_group_tests(tests, open_vocabulary, free_vocabulary);
}

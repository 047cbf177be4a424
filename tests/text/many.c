/* SPDX-License-Identifier: MIT */
/* Thousands of prompts against transformers' tokenizer (tests/golden/make_tokens.py): of each the
 * hash of its ids. VOCABULARY is the path of a spiece.model, REFERENCE the name of its hashes. */
#include "golden.h"

enum { IDS_MAX = 1 << 17, BYTES_MAX = 1 << 18 };

static smitin_error error;

/* FNV-1a, 64 bits, over the count and the ids, little-endian. */
static uint64_t hash_ids(const int32_t *ids, int count)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (int i = -1; i < count; i++) {
        const uint32_t number = (uint32_t)(i < 0 ? count : ids[i]);
        for (int byte = 0; byte < 4; byte++)
            value = (value ^ (number >> (8 * byte) & 0xff)) * UINT64_C(0x100000001b3);
    }
    return value;
}

static uint64_t stored_hash(const sm_tensor *hashes, size_t n)
{
    const unsigned char *at = (const unsigned char *)hashes->data + 8 * n;
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

/* Prompt n from its fragments. */
static size_t build_prompt(const sm_safetensors *golden, size_t n, char *text)
{
    const sm_tensor *prompt_at = golden_tensor(golden, "prompt_offsets");
    const sm_tensor *fragment_at = golden_tensor(golden, "fragment_offsets");
    const unsigned char *prompts = golden_tensor(golden, "prompts")->data;
    const char *fragments = golden_tensor(golden, "fragments")->data;
    size_t length = 0;
    for (int32_t i = golden_int(prompt_at, n); i < golden_int(prompt_at, n + 1); i += 2) {
        const size_t fragment = (size_t)prompts[i] | (size_t)prompts[i + 1] << 8;
        const size_t from = (size_t)golden_int(fragment_at, fragment);
        const size_t size = (size_t)golden_int(fragment_at, fragment + 1) - from;
        assert_true(length + size < BYTES_MAX);
        memcpy(text + length, fragments + from, size);
        length += size;
    }
    text[length] = '\0';
    return length;
}

static void every_prompt_has_the_references_ids(void **state)
{
    (void)state;
    sm_safetensors *golden = open_golden("tokens.safetensors");
    const sm_tensor *hashes = golden_tensor(golden, REFERENCE);
    const size_t prompts = golden_tensor(golden, "prompt_offsets")->count - 1;
    assert_true(prompts >= 5000 && hashes->count == 8 * prompts);
    sm_tokenizer *tokenizer = NULL;
    ASSERT_OK(sm_tokenizer_open(&tokenizer, VOCABULARY, &error));
    sm_tokenizer_set_rows(tokenizer, ROWS);
    char *text = malloc(BYTES_MAX);
    int32_t *ids = malloc(IDS_MAX * sizeof *ids);
    assert_true(text != NULL && ids != NULL);
    size_t longest = 0, empty = 0;
    for (size_t n = 0; n < prompts; n++) {
        const size_t length = build_prompt(golden, n, text);
        int count = 0;
        ASSERT_OK(sm_tokenizer_encode(tokenizer, text, ids, IDS_MAX, &count, &error));
        if (hash_ids(ids, count) != stored_hash(hashes, n))
            fail_msg("prompt %zu of %zu, '%.80s': its %d ids are not the reference's", n, prompts,
                     text, count);
        if (length > longest) longest = length;
        empty += length == 0;
    }
    assert_true(longest >= 10000 && empty >= 1);
    free(ids), free(text);
    sm_tokenizer_free(tokenizer);
    sm_safetensors_close(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_prompt_has_the_references_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

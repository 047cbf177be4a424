/* SPDX-License-Identifier: MIT */
/* GGUF: what a sound file gives, what each wrong number in one leads to, and the model's form. */
#include "helpers.h"

#include "../../src/format/checkpoint.h"
#include "../../src/format/gguf_names.h"

static smitin_error error;

/* ---- Files in memory ---- */

typedef struct bytes {
    unsigned char data[4096];
    size_t size;
} bytes;

static void put(bytes *b, const void *data, size_t size)
{
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void u32(bytes *b, uint32_t value)
{
    put(b, &value, 4);
}

static void u64(bytes *b, uint64_t value)
{
    put(b, &value, 8);
}

static void text(bytes *b, const char *value)
{
    u64(b, strlen(value));
    put(b, value, strlen(value));
}

static void head(bytes *b, uint64_t tensors, uint64_t values)
{
    b->size = 0;
    put(b, "GGUF", 4);
    u32(b, 3);
    u64(b, tensors);
    u64(b, values);
}

static void tensor(bytes *b, const char *name, uint32_t dims, const uint64_t *shape, uint32_t type,
                   uint64_t place)
{
    text(b, name);
    u32(b, dims);
    for (uint32_t i = 0; i < dims; i++) u64(b, shape[i]);
    u32(b, type);
    u64(b, place);
}

static void align(bytes *b, size_t alignment)
{
    while (b->size % alignment != 0) put(b, "", 1);
}

/* Where the numbers lie that the tests change. */
enum { AT_VERSION = 4, AT_TENSORS = 8, AT_VALUES = 16 };

/* Metadata of every kind and three tensors: f32 [2, 3], Q8_0 [1, 32], bf16 [5]. */
static void sound(bytes *b)
{
    head(b, 3, 5);
    text(b, "a.number"), u32(b, 4), u32(b, 7);
    text(b, "a.text"), u32(b, 8), text(b, "words");
    text(b, "bytes"), u32(b, 9), u32(b, 0), u64(b, 3), put(b, "xyz", 3);
    text(b, "texts"), u32(b, 9), u32(b, 8), u64(b, 2), text(b, "one"), text(b, "two");
    text(b, "yes"), u32(b, 7), put(b, "\1", 1);
    tensor(b, "w", 2, (const uint64_t[]){3, 2}, 0, 0);
    tensor(b, "q", 2, (const uint64_t[]){32, 1}, 8, 32);
    tensor(b, "v", 1, (const uint64_t[]){5}, 30, 96);
    align(b, 32);
    for (int i = 0; i < 96 + 10; i++) put(b, &(unsigned char){(unsigned char)i}, 1);
}

/* Parsed from a block of exactly its size, so that sanitizers see a read behind its end. */
static smitin_status parse(const bytes *b, size_t size)
{
    sm_gguf *file;
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, b->data, size);
    const smitin_status status = sm_gguf_parse(&file, copy, size, "some.gguf", &error);
    if (status != SMITIN_OK) assert_null(file);
    sm_gguf_close(file);
    free(copy);
    return status;
}

#define REFUSED(b, part) ASSERT_FAILS(parse(&(b), (b).size), SMITIN_ERROR_FORMAT, part)

static void sound_file(void **state)
{
    (void)state;
    bytes b;
    sm_gguf *file;
    sound(&b);
    ASSERT_OK(sm_gguf_parse(&file, b.data, b.size, "some.gguf", &error));
    assert_int_equal(sm_gguf_count(file), 3);
    assert_string_equal(sm_gguf_at(file, 0)->name, "q");
    assert_null(sm_gguf_at(file, 3));
    const sm_tensor *w = sm_gguf_find(file, "w"), *q = sm_gguf_find(file, "q");
    assert_true(w->dtype == SM_F32 && w->dims == 2 && w->shape[0] == 2 && w->shape[1] == 3);
    assert_true(q->dtype == SM_Q8_0 && q->shape[0] == 1 && q->shape[1] == 32 && q->count == 32);
    assert_int_equal(((const unsigned char *)q->data)[0], 32);
    assert_int_equal(sm_gguf_find(file, "v")->dtype, SM_BF16);
    assert_null(sm_gguf_find(file, "x"));
    const sm_gguf_value *value = sm_gguf_meta(file, "a.text");
    assert_true(value->kind == SM_GGUF_TEXT && value->size == 5);
    assert_memory_equal(value->data, "words", 5);
    value = sm_gguf_meta(file, "bytes");
    assert_true(value->kind == SM_GGUF_ARRAY && value->items == SM_GGUF_U8 && value->size == 3);
    assert_null(sm_gguf_meta(file, "none"));
    sm_gguf_close(file);
    align(&b, 32); /* with the filling of the last tensor */
    ASSERT_OK(parse(&b, b.size));
    sm_gguf_close(NULL);
}

static void cut_short(void **state)
{
    (void)state;
    bytes b;
    sound(&b);
    for (size_t size = 0; size < b.size; size++) {
        assert_int_equal(parse(&b, size), SMITIN_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "some.gguf"));
    }
}

static void wrong_heads(void **state)
{
    (void)state;
    bytes b;
    const uint64_t huge = UINT64_MAX;
    const uint32_t two = 2, swapped = 0x03000000;
    sound(&b), b.data[0] = 'g';
    REFUSED(b, "is not a GGUF file");
    sound(&b), memcpy(b.data + AT_VERSION, &two, 4);
    REFUSED(b, "of version 2;");
    sound(&b), memcpy(b.data + AT_VERSION, &swapped, 4);
    REFUSED(b, "big-endian");
    sound(&b), memcpy(b.data + AT_TENSORS, &huge, 8);
    REFUSED(b, "more tensors than");
    sound(&b), memcpy(b.data + AT_VALUES, &huge, 8);
    REFUSED(b, "more metadata than");
    sound(&b), put(&b, (const unsigned char[64]){0}, 64);
    REFUSED(b, "bytes follow");
}

static void wrong_metadata(void **state)
{
    (void)state;
    bytes b;
    head(&b, 0, 1), text(&b, ""), u32(&b, 4), u64(&b, 0);
    REFUSED(b, "a key's name is empty");
    head(&b, 0, 1), text(&b, "a\nb"), u32(&b, 4), u64(&b, 0);
    REFUSED(b, "not text");
    head(&b, 0, 1), u64(&b, UINT64_MAX), u64(&b, 0), u64(&b, 0);
    REFUSED(b, "ends inside its head");
    head(&b, 0, 1), text(&b, "k"), u32(&b, 13), u64(&b, 0);
    REFUSED(b, "'k' has an unknown type");
    head(&b, 0, 1), text(&b, "k"), u32(&b, 7), put(&b, "\2", 1);
    REFUSED(b, "neither true nor false");
    head(&b, 0, 1), text(&b, "k"), u32(&b, 9), u32(&b, 9), u64(&b, 1), u64(&b, 0);
    REFUSED(b, "array of arrays");
    head(&b, 0, 1), text(&b, "k"), u32(&b, 9), u32(&b, 12), u64(&b, UINT64_MAX / 4), u64(&b, 0);
    REFUSED(b, "ends inside its head"); /* 8 bytes times that wraps */
    head(&b, 0, 1), text(&b, "k"), u32(&b, 9), u32(&b, 8), u64(&b, UINT64_MAX), u64(&b, 0);
    REFUSED(b, "ends inside its head");
    head(&b, 0, 2);
    for (int i = 0; i < 2; i++) text(&b, "k"), u32(&b, 4), u32(&b, 0);
    REFUSED(b, "'k' is there twice");
    static const uint32_t bad[] = {0, 4, 12, 33, 1u << 21, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        head(&b, 0, 1), text(&b, "general.alignment"), u32(&b, 4), u32(&b, bad[i]);
        REFUSED(b, "power of two");
    }
    head(&b, 0, 1), text(&b, "general.alignment"), u32(&b, 8), text(&b, "32");
    REFUSED(b, "not a 32-bit number");
}

static void one_tensor(bytes *b, uint32_t dims, const uint64_t *shape, uint32_t type,
                       uint64_t place)
{
    head(b, 1, 0);
    tensor(b, "t", dims, shape, type, place);
    align(b, 32);
    put(b, (const unsigned char[128]){0}, 128);
}

static void wrong_tensors(void **state)
{
    (void)state;
    bytes b;
    const uint64_t five[5] = {1, 1, 1, 1, 1}, none[2] = {4, 0}, wide[2] = {UINT64_C(1) << 62, 8};
    const uint64_t blocks[2] = {48, 1}, long_rows[2] = {UINT64_C(1) << 40, 1}, good[2] = {32, 1};
    const uint64_t wraps[2] = {UINT64_C(1) << 32, UINT64_C(1) << 32}, beyond[1] = {UINT64_MAX};
    one_tensor(&b, 0, five, 0, 0);
    REFUSED(b, "1 to 4 dimensions");
    one_tensor(&b, 5, five, 0, 0);
    REFUSED(b, "1 to 4 dimensions");
    one_tensor(&b, 2, none, 0, 0);
    REFUSED(b, "of no size");
    one_tensor(&b, 1, beyond, 0, 0);
    REFUSED(b, "beyond all measure");
    one_tensor(&b, 2, wide, 0, 0);
    REFUSED(b, "more elements than any memory");
    one_tensor(&b, 2, wraps, 0, 0);
    REFUSED(b, "more elements than any memory");
    one_tensor(&b, 2, blocks, 8, 0);
    REFUSED(b, "whole blocks of 32");
    one_tensor(&b, 2, long_rows, 20, 0);
    REFUSED(b, "whole blocks of 32");
    one_tensor(&b, 2, good, 12, 0);
    REFUSED(b, "GGUF's type 12");
    one_tensor(&b, 2, good, 0, 16);
    REFUSED(b, "is not aligned");
    one_tensor(&b, 2, good, 0, 32);
    REFUSED(b, "does not lie behind");
    one_tensor(&b, 2, (const uint64_t[]){32, 2}, 0, 0);
    REFUSED(b, "outside the file");
    one_tensor(&b, 2, good, 8, 0); /* 34 of 128 bytes */
    REFUSED(b, "bytes follow");
    one_tensor(&b, 2, good, 0, 0);
    ASSERT_OK(parse(&b, b.size));
}

/* All names that are there twice are named. */
static void twice(void **state)
{
    (void)state;
    bytes b;
    head(&b, 6, 0);
    static const char *const names[] = {"one", "two", "one", "three", "two", "one"};
    for (uint64_t i = 0; i < 6; i++) tensor(&b, names[i], 1, (const uint64_t[]){8}, 0, 32 * i);
    align(&b, 32);
    for (int i = 0; i < 6; i++) put(&b, (const unsigned char[32]){0}, 32);
    REFUSED(b, "holds 2 tensors more than once: one, two;");
}

/* ---- Writing ---- */

static void round_trip(void **state)
{
    (void)state;
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    static const unsigned char q[2][34] = {{1}, {2}};
    const sm_tensor_out tensors[] = {{"lm.w", SM_F32, 2, {2, 3}, NULL},
                                     {"lm.q", SM_Q8_0, 2, {2, 32}, NULL}};
    const sm_gguf_meta_out meta[] = {{.key = "n", .kind = SM_GGUF_U32, .number = 9},
                                     {.key = "t", .kind = SM_GGUF_TEXT, .data = "ab", .size = 2},
                                     {.key = "b", .kind = SM_GGUF_U8, .data = q, .size = 3}};
    char path[256];
    size_t places[2], end;
    sm_outfile *out;
    sm_gguf *file;
    ASSERT_OK(sm_outfile_open(&out, scratch_path(path, "round.gguf"), &error));
    ASSERT_OK(sm_gguf_write_head(out, tensors, 2, meta, 3, places, &end, &error));
    assert_true(places[0] % 32 == 0 && places[1] == places[0] + 32 && end == places[1] + 96);
    sm_outfile_put(out, places[1], q, sizeof q);
    sm_outfile_put(out, places[0], w, sizeof w);
    sm_outfile_put(out, end - 1, "", 1);
    ASSERT_OK(sm_outfile_commit(out, &error));
    ASSERT_OK(sm_gguf_open(&file, path, &error));
    assert_memory_equal(sm_gguf_find(file, "lm.w")->data, w, sizeof w);
    assert_memory_equal(sm_gguf_find(file, "lm.q")->data, q, sizeof q);
    assert_int_equal(sm_gguf_meta(file, "n")->data[0], 9);
    assert_int_equal(sm_gguf_meta(file, "b")->size, 3);
    sm_gguf_close(file);
    const sm_tensor_out wrong[] = {
        {"a name of sixty-four bytes, which is one more than ggml has room for!",
         SM_F32,
         1,
         {1},
         NULL},
        {"five", SM_F32, 5, {1, 1, 1, 1, 1}, NULL},
        {"type", SM_I64, 1, {1}, NULL}};
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(sm_outfile_open(&out, path, &error));
        ASSERT_FAILS(sm_gguf_write_head(out, &wrong[i], 1, NULL, 0, places, &end, &error),
                     SMITIN_ERROR_ARGUMENT, "does not fit into GGUF");
        sm_outfile_discard(out);
    }
}

static void names(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        {"text_encoder.encoder.block.11.layer.1.DenseReluDense.wi.weight",
         "t5.blk.11.layer.1.DenseReluDense.wi.weight"},
        {"text_encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
         "t5.blk.0.layer.0.SelfAttention.relative_attention_bias.weight"},
        {"text_encoder.shared.weight", "t5.shared.weight"},
        {"audio_encoder.decoder.layers.13.block.3.conv.weight",
         "codec.decoder.layers.13.block.3.conv.weight"},
        {"decoder.model.decoder.layers.47.encoder_attn_layer_norm.weight",
         "lm.blk.47.encoder_attn_layer_norm.weight"},
        {"decoder.model.decoder.embed_tokens.3.weight", "lm.embed_tokens.3.weight"},
        {"decoder.lm_heads.0.weight", "lm.heads.0.weight"},
        {"enc_to_dec_proj.bias", "enc_to_dec_proj.bias"}};
    char name[256], small[8];
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        assert_true(sm_gguf_shorten(name, sizeof name, given[i][0]));
        assert_string_equal(name, given[i][1]);
        assert_true(strlen(name) < 64);
        assert_true(sm_gguf_lengthen(name, sizeof name, given[i][1]));
        assert_string_equal(name, given[i][0]);
    }
    assert_false(sm_gguf_shorten(small, sizeof small, given[0][0]));
}

/* ---- A model's form ---- */

typedef struct form {
    const char *architecture, *format, *fingerprint, *config;
    int version; /* 0: missing */
    bool config_is_number;
} form;

static const char digits[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* A file of one tensor with this metadata, opened as a model. */
static smitin_status open_form(const form *f)
{
    sm_gguf_meta_out meta[5];
    size_t count = 0, place, end;
    const char *const keys[] = {SM_KEY_ARCHITECTURE, SM_KEY_FORMAT, SM_KEY_FINGERPRINT,
                                SM_KEY_CONFIG};
    const char *const texts[] = {f->architecture, f->format, f->fingerprint, f->config};
    for (int i = 0; i < 4; i++) {
        if (texts[i] == NULL) continue;
        meta[count++] = (sm_gguf_meta_out){
            .key = keys[i], .kind = SM_GGUF_TEXT, .data = texts[i], .size = strlen(texts[i])};
        if (i == 3 && f->config_is_number) meta[count - 1].kind = SM_GGUF_U32;
    }
    if (f->version != 0)
        meta[count++] = (sm_gguf_meta_out){
            .key = SM_KEY_VERSION, .kind = SM_GGUF_U32, .number = (uint32_t)f->version};
    const sm_tensor_out one = {"t", SM_F32, 1, {8}, NULL};
    char path[256];
    sm_outfile *out;
    sm_checkpoint checkpoint;
    ASSERT_OK(sm_outfile_open(&out, scratch_path(path, "form.gguf"), &error));
    ASSERT_OK(sm_gguf_write_head(out, &one, 1, meta, count, &place, &end, &error));
    sm_outfile_put(out, end - 1, "", 1);
    ASSERT_OK(sm_outfile_commit(out, &error));
    const smitin_status status = sm_checkpoint_open(&checkpoint, path, &error);
    sm_checkpoint_close(&checkpoint);
    return status;
}

static void forms(void **state)
{
    (void)state;
    const form base = {SM_ARCHITECTURE, "q8", digits, "{}", 1, false};
    form f = base;
    const struct {
        const char **where, *value, *part;
    } wrong[] = {{&f.architecture, NULL, "'general.architecture' is missing"},
                 {&f.architecture, "llama", "architecture 'llama'"},
                 {&f.format, NULL, "'smitin.format' is missing"},
                 {&f.format, "q5", "names no format"},
                 {&f.format, "q8\n", "not a line of text"},
                 {&f.format, "quite a long name", "too long"},
                 {&f.fingerprint, NULL, "'smitin.fingerprint' is missing"},
                 {&f.fingerprint, "0123", "64 hexadecimal digits"},
                 {&f.config, NULL, "'smitin.config' is missing"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        f = base;
        *wrong[i].where = wrong[i].value;
        ASSERT_FAILS(open_form(&f), SMITIN_ERROR_MODEL, wrong[i].part);
        assert_non_null(strstr(error.message, "form.gguf"));
    }
    f = base, f.version = 0;
    ASSERT_FAILS(open_form(&f), SMITIN_ERROR_MODEL, "'smitin.version' is missing");
    f = base, f.version = 2;
    ASSERT_FAILS(open_form(&f), SMITIN_ERROR_MODEL, "another version of smitin");
    f = base, f.config_is_number = true;
    ASSERT_FAILS(open_form(&f), SMITIN_ERROR_MODEL, "'smitin.config' is not text");
    f = base; /* the configuration is checked as a config.json is */
    ASSERT_FAILS(open_form(&f), SMITIN_ERROR_MODEL, "'model_type' is");
    assert_non_null(strstr(error.message, "form.gguf"));
    f.config = "{\"model_type\":";
    ASSERT_FAILS(open_form(&f), SMITIN_ERROR_FORMAT, "config.json");
}

static void cards(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        {"---\nlicense: mit\n---\n# A\n", "mit"},
        {"---\r\nlicense: \"cc-by-nc-4.0\"\r\n---\r\n", "cc-by-nc-4.0"},
        {"---\ntags:\n- music\nlicense: other\nlicense_name: own terms\n---\n", "own terms"},
        {"---\nlicense: other\n---\nlicense_name: outside\n", "other"},
        {"---\nlicense: x", "x"},
        {"---\n  license: nested\n---\n", ""},
        {"# A\nlicense: mit\n", ""},
        {"---\n---\nlicense: mit\n", ""},
        {"---\nlicense:\n---\n", ""},
        {"---\nlicense: a\tb\n---\n", ""},
        {"", ""},
        {"---", ""}};
    char licence[SM_LICENCE_SIZE];
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        sm_card_licence(licence, given[i][0], strlen(given[i][0]));
        assert_string_equal(licence, given[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_file),    cmocka_unit_test(cut_short),
        cmocka_unit_test(wrong_heads),   cmocka_unit_test(wrong_metadata),
        cmocka_unit_test(wrong_tensors), cmocka_unit_test(twice),
        cmocka_unit_test(round_trip),    cmocka_unit_test(names),
        cmocka_unit_test(forms),         cmocka_unit_test(cards),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

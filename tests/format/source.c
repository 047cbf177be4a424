/* SPDX-License-Identifier: MIT */
/* A folder's weights in every container: the same tensors bit for bit, the order of preference, and
 * what is said when something is missing. */
#include "format/source.h"

#include <sys/stat.h>

#include "format/audiocraft.h"
#include "format/index.h"
#include "format/weights.h"
#include "helpers.h"

#define TINY       GOLDEN "/tiny/model.safetensors"
#define CONTAINERS GOLDEN "/containers/"

static smitin_error error;

/* What a test has made, removed in reverse. */
static char made[64][256];
static int made_count;

static const char *make_path(const char *name)
{
    assert_true(made_count < 64);
    return scratch_path(made[made_count++], name);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(make_path(name), 0700), 0);
}

static void make_link(const char *name, const char *target)
{
    assert_int_equal(symlink(target, make_path(name)), 0);
}

static void make_file(const char *name, const char *text)
{
    write_bytes(make_path(name), text, strlen(text));
}

static int remove_made(void **state)
{
    (void)state;
    while (made_count > 0) remove(made[--made_count]);
    return 0;
}

static sm_source *open_folder(const char *name)
{
    char path[256];
    sm_source *source = NULL;
    ASSERT_OK(sm_source_open(&source, scratch_path(path, name), &error));
    return source;
}

#define REFUSED(name, part)                                                                        \
    do {                                                                                           \
        char test_path[256];                                                                       \
        sm_source *test_source = NULL;                                                             \
        ASSERT_FAILS(sm_source_open(&test_source, scratch_path(test_path, name), &error),          \
                     error.status, part);                                                          \
        assert_null(test_source);                                                                  \
    } while (0)

static void same_tensor(const sm_tensor *found, const sm_tensor *expected)
{
    if (found == NULL) fail_msg("%s is missing", expected->name);
    assert_int_equal(found->dtype, expected->dtype);
    assert_int_equal(found->dims, expected->dims);
    assert_memory_equal(found->shape, expected->shape, (size_t)found->dims * sizeof(int64_t));
    assert_memory_equal(found->data, expected->data,
                        expected->count * sm_dtype_size(expected->dtype));
}

/* By its name, or by the older spelling of weight norm, which audiocraft's files have. */
static const sm_tensor *find_either(const sm_source *source, const char *name)
{
    static const char newer[] = "parametrizations.weight.original";
    char older[256];
    const char *at = strstr(name, newer);
    const sm_tensor *found = sm_source_find(source, name);
    if (found != NULL || at == NULL) return found;
    snprintf(older, sizeof older, "%.*sweight_%c", (int)(at - name), name,
             at[sizeof newer - 1] == '0' ? 'g' : 'v');
    return sm_source_find(source, older);
}

/* Every tensor of the tiny model whose name begins so is there, the same; how many. */
static int count_same(const sm_source *source, const char *beginning)
{
    sm_safetensors *tiny = NULL;
    int count = 0;
    ASSERT_OK(sm_safetensors_open(&tiny, TINY, &error));
    for (size_t i = 0; i < sm_safetensors_count(tiny); i++) {
        const sm_tensor *tensor = sm_safetensors_at(tiny, i);
        if (strncmp(tensor->name, beginning, strlen(beginning)) != 0) continue;
        if (strstr(tensor->name, "embed_positions") != NULL) continue; /* never read */
        same_tensor(find_either(source, tensor->name), tensor);
        count++;
    }
    sm_safetensors_close(tiny);
    return count;
}

static void single_safetensors(void **state)
{
    (void)state;
    make_folder("a");
    make_link("a/model.safetensors", TINY);
    sm_source *source = open_folder("a");
    assert_int_equal(count_same(source, ""), sm_source_count(source));
    assert_int_equal(sm_source_files(source), 1);
    assert_non_null(strstr(sm_source_file(source, 0), "a/model.safetensors"));
    assert_null(sm_source_file(source, 1));
    assert_null(sm_source_find(source, "absent"));
    assert_null(sm_source_at(source, sm_source_count(source)));
    sm_source_close(source);
    sm_source_close(NULL);
}

/* The tiny model in two shards: tensors of even and odd places. */
static void write_shards(const char *folder)
{
    sm_safetensors *tiny = NULL;
    static sm_tensor_out out[2][400];
    size_t counts[2] = {0, 0};
    char name[128];
    ASSERT_OK(sm_safetensors_open(&tiny, TINY, &error));
    snprintf(name, sizeof name, "%s/model.safetensors.index.json", folder);
    FILE *index = fopen(make_path(name), "w");
    assert_non_null(index);
    fputs("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {", index);
    for (size_t i = 0; i < sm_safetensors_count(tiny); i++) {
        const sm_tensor *t = sm_safetensors_at(tiny, i);
        sm_tensor_out *o = &out[i % 2][counts[i % 2]++];
        *o = (sm_tensor_out){.name = t->name, .dtype = t->dtype, .dims = t->dims, .data = t->data};
        memcpy(o->shape, t->shape, sizeof o->shape);
        fprintf(index, "%s\"%s\": \"model-%zu.safetensors\"", i > 0 ? ", " : "", t->name, i % 2);
    }
    fputs("}}", index);
    fclose(index);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/model-%zu.safetensors", folder, i);
        ASSERT_OK(sm_safetensors_write(make_path(name), out[i], counts[i], NULL, 0, &error));
    }
    sm_safetensors_close(tiny);
}

static void sharded_safetensors(void **state)
{
    (void)state;
    char path[256];
    make_folder("s");
    write_shards("s");
    sm_source *source = open_folder("s");
    assert_int_equal(count_same(source, ""), sm_source_count(source));
    assert_int_equal(sm_source_files(source), 2);
    sm_source_close(source);

    assert_int_equal(unlink(scratch_path(path, "s/model-1.safetensors")), 0);
    REFUSED("s", "model-1.safetensors");
    assert_non_null(strstr(error.message, "(1 of 2 are missing)"));
    make_link("s/model-1.safetensors", "model-0.safetensors");
    REFUSED("s", "in the shard 'model-1.safetensors', which lacks it");
}

static void sharded_torch(void **state)
{
    (void)state;
    sm_source *source = NULL;
    ASSERT_OK(sm_source_open(&source, CONTAINERS "shards", &error));
    assert_int_equal(sm_source_files(source), 2);
    const int count = count_same(source, "decoder.model.decoder.layers.1.encoder_attn") +
                      count_same(source, "decoder.model.decoder.layers.2.encoder_attn");
    assert_int_equal(count, 12);
    assert_int_equal(sm_source_count(source), 12);
    sm_source_close(source);
}

static void order_of_preference(void **state)
{
    (void)state;
    static const struct {
        const char *name, *target;
    } forms[] = {{"o/state_dict.bin", TINY},
                 {"o/pytorch_model.bin.index.json", TINY},
                 {"o/pytorch_model.bin", CONTAINERS "few/pytorch_model.bin"},
                 {"o/model.safetensors.index.json", NULL},
                 {"o/model.safetensors", TINY}};
    make_folder("o");
    REFUSED("o", "no weights in");
    make_link(forms[0].name, forms[0].target);
    REFUSED("o", "state_dict.bin' is not a sound PyTorch file");
    make_link(forms[1].name, forms[1].target);
    REFUSED("o", "pytorch_model.bin.index.json' is not a sound index");
    make_link(forms[2].name, forms[2].target);
    sm_source *source = open_folder("o");
    assert_non_null(strstr(sm_source_file(source, 0), forms[2].name));
    sm_source_close(source);
    make_file(forms[3].name, "{}");
    REFUSED("o", "no weight_map");
    make_link(forms[4].name, forms[4].target);
    source = open_folder("o");
    assert_non_null(strstr(sm_source_file(source, 0), forms[4].name));
    sm_source_close(source);
}

/* A link to nowhere, as an interrupted download leaves it, is not passed over. */
static void dangling(void **state)
{
    (void)state;
    make_folder("d");
    make_link("d/model.safetensors", "../blobs/absent");
    make_link("d/pytorch_model.bin", CONTAINERS "few/pytorch_model.bin");
    REFUSED("d", "d/model.safetensors");
    assert_int_equal(error.status, SMITIN_ERROR_IO);
}

static void indices(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "is empty"},
        {"[", "does not parse"},
        {"[]", "no weight_map"},
        {"{\"weight_map\": 3}", "no weight_map"},
        {"{\"metadata\": 3, \"weight_map\": {\"a\": \"b\"}}", "metadata"},
        {"{\"weight_map\": {\"a\": 3}}", "not a file name"},
        {"{\"weight_map\": {\"a\": \"\"}}", "not a file name"},
        {"{\"weight_map\": {\"\": \"a\"}}", "name is empty"},
        {"{\"weight_map\": {\"a\": \"../secret.bin\"}}", "'../secret.bin' is not a plain"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "'/etc/passwd' is not a plain"},
        {"{\"weight_map\": {\"a\": \"b/c.bin\"}}", "'b/c.bin' is not a plain"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "'..' is not a plain"},
        {"{\"weight_map\": {\"a\": \"b\\\\c\"}}", "is not a plain"},
        {"{\"weight_map\": {\"a\": \"b\", \"a\": \"c\"}}", "does not parse"},
    };
    sm_index index;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_FAILS(sm_index_parse(&index, bad[i][0], strlen(bad[i][0]), "i.json", &error),
                     SMITIN_ERROR_FORMAT, bad[i][1]);
        assert_null(index.json);
    }
    const char *good = "{\"weight_map\": {\"a\": \"x\", \"b\": \"y\", \"c\": \"x\"}}";
    ASSERT_OK(sm_index_parse(&index, good, strlen(good), "i.json", &error));
    assert_int_equal(index.count, 3);
    assert_int_equal(index.shards_count, 2);
    for (size_t i = 0; i < 3; i++) {
        const bool second = strcmp(index.entries[i].tensor, "b") == 0;
        assert_string_equal(index.shards[index.entries[i].shard], second ? "y" : "x");
    }
    sm_index_free(&index);
}

/* audiocraft's two files; the text encoder from a folder inside. */
static void audiocraft_files(void **state)
{
    (void)state;
    make_folder("ac");
    make_link("ac/state_dict.bin", CONTAINERS "audiocraft/state_dict.bin");
    REFUSED("ac", "without the codec");
    assert_non_null(strstr(error.message, "facebook/encodec_32khz"));
    make_link("ac/compression_state_dict.bin", CONTAINERS "audiocraft/compression_state_dict.bin");
    REFUSED("ac", "without the text encoder");
    assert_non_null(strstr(error.message, "google-t5/t5-base"));
    make_folder("ac/t5-base");
    REFUSED("ac", "ac/t5-base has no model.safetensors");
    make_link("ac/t5-base/model.safetensors", TINY);
    sm_source *source = open_folder("ac");
    assert_true(count_same(source, "decoder.") > 40);
    assert_int_equal(count_same(source, "enc_to_dec_proj."), 2);
    assert_true(count_same(source, "audio_encoder.") > 60);
    assert_true(count_same(source, "text_encoder.") > 8);
    assert_int_equal(sm_source_count(source), count_same(source, ""));
    assert_int_equal(sm_source_files(source), 3);
    sm_source_close(source);
}

/* The codec that compression_state_dict.bin only names: beside the folder, and in a hub cache. */
static void audiocraft_pointer(void **state)
{
    (void)state;
    make_folder("hub");
    make_folder("hub/models--facebook--musicgen-tiny");
    make_folder("hub/models--facebook--musicgen-tiny/snapshots");
    make_folder("hub/models--facebook--musicgen-tiny/snapshots/abc");
#define SNAPSHOT "hub/models--facebook--musicgen-tiny/snapshots/abc"
    make_link(SNAPSHOT "/state_dict.bin", CONTAINERS "audiocraft/state_dict.bin");
    make_link(SNAPSHOT "/compression_state_dict.bin",
              CONTAINERS "pointer/compression_state_dict.bin");
    make_folder(SNAPSHOT "/../t5-base");
    make_link(SNAPSHOT "/../t5-base/pytorch_model.bin", CONTAINERS "few/pytorch_model.bin");
    REFUSED(SNAPSHOT, "without the codec, which is that of facebook/encodec_32khz");
    make_folder("hub/models--facebook--encodec_32khz");
    make_folder("hub/models--facebook--encodec_32khz/refs");
    make_file("hub/models--facebook--encodec_32khz/refs/main", "0123abc\n");
    make_folder("hub/models--facebook--encodec_32khz/snapshots");
    REFUSED(SNAPSHOT, "without the codec");
    make_folder("hub/models--facebook--encodec_32khz/snapshots/0123abc");
    make_link("hub/models--facebook--encodec_32khz/snapshots/0123abc/model.safetensors", TINY);
    sm_source *source = open_folder(SNAPSHOT);
    assert_true(count_same(source, "audio_encoder.") > 60);
    assert_null(sm_source_find(source, "text_encoder.shared.weight"));
    sm_source_close(source);
}

static void audiocraft_names(void **state)
{
    (void)state;
    char names[3][SM_NAME_SIZE], name[SM_NAME_SIZE], longest[400];
    assert_int_equal(sm_audiocraft_lm("transformer.layers.47.norm_cross.bias", names), 1);
    assert_string_equal(names[0], "decoder.model.decoder.layers.47.encoder_attn_layer_norm.bias");
    assert_int_equal(
        sm_audiocraft_lm("condition_provider.conditioners.self_wav.output_proj.weight", names), 1);
    assert_string_equal(names[0], "audio_enc_to_dec_proj.weight");
    static const char *const passed[] = {
        "condition_provider.conditioners.self_wav.chroma.spec.window",
        "transformer.layers.x.norm1.bias",
        "transformer.layers.1norm1.bias",
        "transformer.layers.1.self_attn.in_proj_weight_",
        "transformer.layers.1.rope.frequencies",
        "",
    };
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        assert_int_equal(sm_audiocraft_lm(passed[i], names), 0);
    }
    assert_true(
        sm_audiocraft_codec("encoder.model.3.conv.conv.parametrizations.weight.original0", name));
    assert_string_equal(name,
                        "audio_encoder.encoder.layers.3.conv.parametrizations.weight.original0");
    assert_true(sm_audiocraft_codec("decoder.model.1.lstm.bias_hh_l1", name));
    assert_string_equal(name, "audio_encoder.decoder.layers.1.lstm.bias_hh_l1");
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(sm_audiocraft_codec(longest, name));
    memcpy(longest, "emb.", 4);
    assert_int_equal(sm_audiocraft_lm(longest, names), 0);
}

/* Early melody uploads lack LSTM tensors: the report says where to take them from. */
static void missing_lstm(void **state)
{
    (void)state;
    const int64_t shape[1] = {4};
    sm_arena *arena = sm_arena_new();
    sm_source *source = NULL;
    sm_binder binder;
    ASSERT_OK(sm_source_open(&source, CONTAINERS "shards", &error));
    sm_binder_init_source(&binder, source, arena);
    assert_true(
        sm_binder_has(&binder, "decoder.model.decoder.layers.1.encoder_attn.q_proj.weight"));
    sm_bind(&binder, 1, shape, "audio_encoder.decoder.layers.%d.conv.bias", 3);
    ASSERT_FAILS(sm_binder_finish(&binder, "the model", &error), SMITIN_ERROR_MODEL, "missing");
    assert_null(strstr(error.message, "encodec_32khz"));
    sm_bind(&binder, 1, shape, "audio_encoder.decoder.layers.1.lstm.weight_hh_l0");
    ASSERT_FAILS(sm_binder_finish(&binder, "the model", &error), SMITIN_ERROR_MODEL,
                 "facebook/encodec_32khz");
    assert_non_null(strstr(error.message, "2 problems (early uploads"));
    assert_non_null(strstr(error.message, "lstm.weight_hh_l0 is missing"));
    sm_source_close(source);
    sm_arena_free(arena);
}

static sm_tensor_out as_out(const sm_tensor *tensor)
{
    sm_tensor_out out = {
        .name = tensor->name, .dtype = tensor->dtype, .dims = tensor->dims, .data = tensor->data};
    memcpy(out.shape, tensor->shape, sizeof out.shape);
    return out;
}

/* An early upload: a copy of the tiny model of whose LSTMs only the first tensor is left. */
static void make_broken(const char *name)
{
    sm_safetensors *file = NULL;
    static sm_tensor_out kept[512];
    size_t count = 0, dropped = 0;
    ASSERT_OK(sm_safetensors_open(&file, TINY, &error));
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        const sm_tensor *tensor = sm_safetensors_at(file, i);
        const char *lstm = strstr(tensor->name, ".lstm.");
        assert_true(count < 512);
        if (lstm == NULL || strcmp(lstm, ".lstm.weight_ih_l0") == 0)
            kept[count++] = as_out(tensor);
        else
            dropped++;
    }
    assert_int_equal(dropped, 14);
    ASSERT_OK(sm_safetensors_write(make_path(name), kept, count, NULL, 0, &error));
    sm_safetensors_close(file);
}

/* The codec alone, by its bare names. */
static void make_codec(const char *name)
{
    sm_safetensors *file = NULL;
    static sm_tensor_out kept[512];
    static const char prefix[] = "audio_encoder.";
    size_t count = 0;
    ASSERT_OK(sm_safetensors_open(&file, TINY, &error));
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        const sm_tensor *tensor = sm_safetensors_at(file, i);
        if (strncmp(tensor->name, prefix, sizeof prefix - 1) != 0) continue;
        kept[count] = as_out(tensor);
        kept[count++].name += sizeof prefix - 1;
    }
    ASSERT_OK(sm_safetensors_write(make_path(name), kept, count, NULL, 0, &error));
    sm_safetensors_close(file);
}

/* With the codec's own folder beside the model, or in it, all of the codec comes from there. */
static void broken_codec(void **state)
{
    (void)state;
    static const char lost[] = "audio_encoder.decoder.layers.1.lstm.bias_hh_l1";
    sm_safetensors *whole = NULL;
    make_folder("early");
    make_broken("early/model.safetensors");
    sm_source *source = open_folder("early");
    assert_null(sm_source_find(source, lost)); /* for the binder to report */
    assert_non_null(sm_source_find(source, "audio_encoder.encoder.layers.0.conv.bias"));
    sm_source_close(source);

    make_folder("encodec_32khz");
    make_codec("encodec_32khz/model.safetensors");
    source = open_folder("early");
    ASSERT_OK(sm_safetensors_open(&whole, TINY, &error));
    assert_int_equal(sm_source_count(source), sm_safetensors_count(whole));
    for (size_t i = 0; i < sm_safetensors_count(whole); i++) {
        const sm_tensor *expected = sm_safetensors_at(whole, i);
        same_tensor(sm_source_find(source, expected->name), expected);
    }
    assert_int_equal(sm_source_files(source), 2);
    sm_source_close(source);
    sm_safetensors_close(whole);

    /* A codec that lacks nothing stays, whatever lies beside it. */
    make_folder("sound");
    make_link("sound/model.safetensors", TINY);
    source = open_folder("sound");
    assert_int_equal(sm_source_files(source), 1);
    sm_source_close(source);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_made)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(single_safetensors), TEST(sharded_safetensors),
        TEST(sharded_torch),      TEST(order_of_preference),
        TEST(dangling),           TEST(indices),
        TEST(audiocraft_files),   TEST(audiocraft_pointer),
        TEST(audiocraft_names),   TEST(missing_lstm),
        TEST(broken_codec),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

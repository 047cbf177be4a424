/* SPDX-License-Identifier: MIT */
/* A model in one GGUF file is the model: text, stereo and melody, in every format, bit for bit what
 * the directory is in that format; knobs fit it; damaged files and hopeless wishes are refused. */
#include "../common.h"

#include <dirent.h>
#include <unistd.h>

#include "../../src/format/gguf.h"
#include "../../src/format/knob_file.h"

static smitin_error error;
static char folder[] = "/tmp/smitin-gguf-XXXXXX";

static const char *const models[] = {"tiny", "stereo", "melody"};
static const smitin_format formats[] = {SMITIN_FORMAT_F32, SMITIN_FORMAT_F16, SMITIN_FORMAT_BF16,
                                        SMITIN_FORMAT_Q8, SMITIN_FORMAT_Q4};
enum { MODELS = 3, FORMATS = 5, FRAMES = 24, MOST_CODES = 8 * FRAMES, MOST_SAMPLES = 1 << 16 };

static const char *in_folder(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static const char *golden(char path[1024], const char *name)
{
    snprintf(path, 1024, GOLDEN "/%s", name);
    return path;
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static smitin_status open_as(smitin_engine **engine, const char *path, smitin_format format)
{
    smitin_engine_options options = smitin_engine_defaults();
    options.format = format;
    options.threads = 1;
    return smitin_engine_open(engine, path, &options, &error);
}

static smitin_status convert(const char *path, const char *output, smitin_format format)
{
    smitin_convert_options options = smitin_convert_defaults();
    options.threads = 2;
    return smitin_convert(path, output, format, &options, &error);
}

/* What a model plays, and what its codec does. */
typedef struct heard {
    int32_t codes[MOST_CODES], encoded[MOST_CODES];
    float samples[MOST_SAMPLES];
    size_t count;
    smitin_model_info info;
} heard;

/* Greedy, after a text and a tune or a prompt; pushed by the knob if there is one. */
static void play(const smitin_engine *engine, const smitin_knob *knob, heard *h)
{
    smitin_session *session = NULL;
    memset(h, 0, sizeof *h);
    smitin_engine_info(engine, &h->info);
    const int K = h->info.codebooks;
    smitin_session_options options = smitin_session_defaults();
    options.seconds = FRAMES / h->info.frame_rate;
    options.temperature = 0.0;
    ASSERT_OK(smitin_session_new(&session, engine, &options, &error));
    ASSERT_OK(smitin_session_set_text(session, SMITIN_ALL_PIECES, "slow drums", &error));
    int32_t prompt[8 * 3];
    for (int i = 0; i < 3 * K; i++) prompt[i] = i % h->info.codebook_size;
    ASSERT_OK(smitin_session_set_codes(session, SMITIN_ALL_PIECES, prompt, 3, &error));
    float tune[4096];
    for (int i = 0; i < 4096; i++) tune[i] = sinf(0.05f * (float)i);
    if (h->info.has_melody)
        ASSERT_OK(smitin_session_set_melody(session, SMITIN_ALL_PIECES, tune, 4096, &error));
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = 20.0;
    if (knob != NULL) ASSERT_OK(smitin_session_add_knob(session, knob, &steering, &error));
    ASSERT_OK(smitin_session_run(session, NULL, NULL, &error));
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    ASSERT_OK(smitin_session_codes(session, 0, &codes, &frames, &stride, &error));
    assert_true(frames == FRAMES && stride == FRAMES);
    memcpy(h->codes, codes, (size_t)(K * FRAMES) * sizeof *codes);
    h->count = (size_t)(FRAMES * h->info.hop * h->info.channels);
    assert_true(h->count <= MOST_SAMPLES);
    ASSERT_OK(smitin_engine_decode(engine, h->codes, FRAMES, h->samples, h->count, &error));
    ASSERT_OK(smitin_engine_encode(engine, h->samples, h->count, h->encoded, MOST_CODES, &error));
    smitin_session_free(session);
}

static void assert_same(const heard *a, const heard *b)
{
    assert_memory_equal(a->codes, b->codes, sizeof a->codes);
    assert_memory_equal(a->samples, b->samples, sizeof a->samples);
    assert_memory_equal(a->encoded, b->encoded, sizeof a->encoded);
    assert_string_equal(a->info.fingerprint, b->info.fingerprint);
    assert_int_equal(a->info.parameters, b->info.parameters);
    assert_int_equal(a->info.step_bytes, b->info.step_bytes);
    assert_int_equal(a->info.format, b->info.format);
    assert_int_equal(a->info.has_text, b->info.has_text);
    assert_int_equal(a->info.has_melody, b->info.has_melody);
}

static heard expected, found;

static void every_model_in_every_format(void **state)
{
    (void)state;
    char original[1024], path[256];
    in_folder(path, "model.gguf");
    for (int i = 0; i < MODELS * FORMATS; i++) {
        const smitin_format format = formats[i % FORMATS];
        smitin_engine *engine = NULL;
        ASSERT_OK(open_as(&engine, golden(original, models[i / FORMATS]), format));
        play(engine, NULL, &expected);
        smitin_engine_free(engine);
        ASSERT_OK(convert(original, path, format)); /* over the one before */
        ASSERT_OK(open_as(&engine, path, SMITIN_FORMAT_FILE));
        play(engine, NULL, &found);
        smitin_engine_free(engine);
        assert_same(&expected, &found);
        assert_int_equal(found.info.format, format);
        ASSERT_OK(open_as(&engine, path, format)); /* its own, by name */
        smitin_engine_free(engine);
    }
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(remove(path), 0);
}

/* A file of f32 is the directory again: all formats can be made of it, and files of it. */
static void from_f32_to_all(void **state)
{
    (void)state;
    char original[1024], whole[256], small[256];
    ASSERT_OK(convert(golden(original, "tiny"), in_folder(whole, "f32.gguf"), SMITIN_FORMAT_F32));
    for (int i = 0; i < FORMATS; i++) {
        smitin_engine *engine = NULL;
        ASSERT_OK(open_as(&engine, original, formats[i]));
        play(engine, NULL, &expected);
        smitin_engine_free(engine);
        ASSERT_OK(open_as(&engine, whole, formats[i]));
        play(engine, NULL, &found);
        smitin_engine_free(engine);
        assert_same(&expected, &found);
        ASSERT_OK(convert(whole, in_folder(small, "small.gguf"), formats[i]));
        ASSERT_OK(open_as(&engine, small, SMITIN_FORMAT_FILE));
        play(engine, NULL, &found);
        smitin_engine_free(engine);
        assert_same(&expected, &found);
    }
    assert_int_equal(remove(whole) | remove(small), 0);
}

static void what_was_rounded_stays(void **state)
{
    (void)state;
    char original[1024], path[256], other[256];
    smitin_engine *engine = NULL;
    ASSERT_OK(convert(golden(original, "tiny"), in_folder(path, "q8.gguf"), SMITIN_FORMAT_Q8));
    for (int i = 0; i < FORMATS; i++) {
        if (formats[i] == SMITIN_FORMAT_Q8) continue;
        ASSERT_FAILS(open_as(&engine, path, formats[i]), SMITIN_ERROR_ARGUMENT,
                     "rounded to q8 already");
        assert_null(engine);
    }
    ASSERT_FAILS(convert(path, in_folder(other, "other.gguf"), SMITIN_FORMAT_Q4),
                 SMITIN_ERROR_ARGUMENT, "convert the original model");
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(remove(path), 0);
}

/* A knob made for the model as it is fits its files without force and turns them alike. */
static void a_knob_fits(void **state)
{
    (void)state;
    char original[1024], path[256], knob_path[256];
    smitin_engine *engine = NULL;
    smitin_model_info info;
    sm_knob_data *data = NULL;
    smitin_knob *knob = NULL;
    ASSERT_OK(open_as(&engine, golden(original, "tiny"), SMITIN_FORMAT_F32));
    smitin_engine_info(engine, &info);
    smitin_engine_free(engine);
    ASSERT_OK(sm_knob_data_new(&data, info.layers, info.heads, info.head_size, &error));
    for (int i = 0; i < info.layers * info.heads; i++) {
        data->direction[i * info.head_size] = data->mean_shift[i * info.head_size] = 1.0f;
        data->weight_norm[i] = 2.0f;
        data->sigma[i] = data->sigma_mean[i] = 0.5f;
        data->accuracy_train[i] = data->accuracy_test[i] = 0.6f + 0.02f * (float)i;
    }
    snprintf(data->meta.trait, sizeof data->meta.trait, "test");
    snprintf(data->meta.fingerprint, sizeof data->meta.fingerprint, "%s", info.fingerprint);
    snprintf(data->meta.site, sizeof data->meta.site, "self_attn.z");
    data->meta.train_count = data->meta.test_count = 10;
    data->meta.default_alpha = 5.0;
    data->meta.max_alpha = 20.0;
    ASSERT_OK(sm_knob_data_write(data, in_folder(knob_path, "k.knob.safetensors"), &error));
    sm_knob_data_free(data);
    ASSERT_OK(smitin_knob_load(&knob, knob_path, &error));
    for (int i = 3; i < FORMATS; i++) { /* q8 and q4 */
        ASSERT_OK(convert(original, in_folder(path, "knob.gguf"), formats[i]));
        ASSERT_OK(open_as(&engine, original, formats[i]));
        play(engine, knob, &expected);
        smitin_engine_free(engine);
        ASSERT_OK(open_as(&engine, path, SMITIN_FORMAT_FILE));
        play(engine, NULL, &found);
        assert_true(memcmp(found.codes, expected.codes, sizeof found.codes) != 0);
        play(engine, knob, &found);
        smitin_engine_free(engine);
        assert_same(&expected, &found);
    }
    smitin_knob_free(knob);
    assert_int_equal(remove(path) | remove(knob_path), 0);
}

/* ---- Damage ---- */

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static bytes read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    bytes b = {NULL, (size_t)ftell(file)};
    rewind(file);
    b.data = malloc(b.size);
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.size, file), b.size);
    fclose(file);
    return b;
}

static void write_all(const char *path, bytes b)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(b.data, 1, b.size, file), b.size);
    assert_int_equal(fclose(file), 0);
}

/* Change the last letter of a text, wherever it stands. */
static void misspell(bytes b, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= b.size; i++) {
        if (memcmp(b.data + i, text, length) == 0) {
            b.data[i + length - 1] ^= 3;
            return;
        }
    }
    fail_msg("the file has no '%s'", text);
}

static void damage(void **state)
{
    (void)state;
    char original[1024], path[256];
    smitin_engine *engine = NULL;
    sm_gguf *file = NULL;
    ASSERT_OK(convert(golden(original, "tiny"), in_folder(path, "bad.gguf"), SMITIN_FORMAT_Q8));
    bytes good = read_all(path);
    bytes bad = {malloc(good.size), good.size};
    assert_non_null(bad.data);

    memcpy(bad.data, good.data, good.size); /* all that is missing is named */
    misspell(bad, "lm.blk.0.fc1.weight");
    misspell(bad, "t5.blk.0.layer.0.SelfAttention.o.weight");
    misspell(bad, "codec.encoder.layers.0.conv.bias");
    write_all(path, bad);
    ASSERT_FAILS(open_as(&engine, path, SMITIN_FORMAT_FILE), SMITIN_ERROR_MODEL, "3 problems");
    assert_non_null(strstr(error.message, "decoder.model.decoder.layers.0.fc1.weight is missing"));
    assert_non_null(strstr(error.message, "SelfAttention.o.weight is missing"));

    /* A scale that is not a number, in the second tensor of a stack; offsets are those of `good` */
    ASSERT_OK(sm_gguf_parse(&file, good.data, good.size, "good", &error));
    const sm_tensor *keys = sm_gguf_find(file, "lm.blk.1.self_attn.k_proj.weight");
    assert_true(keys != NULL && keys->dtype == SM_Q8_0);
    const size_t at = (size_t)((const unsigned char *)keys->data - good.data);
    memcpy(bad.data, good.data, good.size);
    bad.data[at + 34 * 5 + 1] = 0x7E;
    write_all(path, bad);
    ASSERT_FAILS(open_as(&engine, path, SMITIN_FORMAT_FILE), SMITIN_ERROR_MODEL,
                 "scale that is not finite");
    sm_gguf_close(file);

    free(bad.data);
    bad = (bytes){good.data, good.size / 2};
    write_all(path, bad);
    ASSERT_FAILS(open_as(&engine, path, SMITIN_FORMAT_FILE), SMITIN_ERROR_MODEL, "cut short?");
    assert_null(engine);
    free(good.data);
    assert_int_equal(remove(path), 0);
}

/* ---- Conversions that end early ---- */

static bool stop_half(void *user, uint64_t done, uint64_t total)
{
    *(int *)user += 1;
    return done < total / 2;
}

static void nothing_half_written_stays(void **state)
{
    (void)state;
    char original[1024], path[256];
    int calls = 0;
    smitin_convert_options options = smitin_convert_defaults();
    options.progress = stop_half;
    options.user = &calls;
    golden(original, "tiny");
    in_folder(path, "none.gguf");
    ASSERT_FAILS(smitin_convert(original, path, SMITIN_FORMAT_Q8, &options, &error),
                 SMITIN_ERROR_STOPPED, "stopped");
    assert_true(calls > 10);
    ASSERT_FAILS(convert(original, "/nonexistent/a.gguf", SMITIN_FORMAT_Q8), SMITIN_ERROR_IO,
                 "/nonexistent/a.gguf");
    ASSERT_FAILS(convert(golden(original, "none"), path, SMITIN_FORMAT_Q8), SMITIN_ERROR_IO,
                 "no model at");
    golden(original, "tiny");
    ASSERT_FAILS(convert(original, path, SMITIN_FORMAT_FILE), SMITIN_ERROR_ARGUMENT,
                 "f32, f16, bf16, q8 or q4");
    ASSERT_FAILS(convert(original, "", SMITIN_FORMAT_Q8), SMITIN_ERROR_ARGUMENT, "needs the path");
    options = smitin_convert_defaults();
    options.name = "two\nlines";
    ASSERT_FAILS(smitin_convert(original, path, SMITIN_FORMAT_Q8, &options, &error),
                 SMITIN_ERROR_ARGUMENT, "one line");
    assert_int_equal(files_in_folder(), 0);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_in_every_format),
        cmocka_unit_test(from_f32_to_all),
        cmocka_unit_test(what_was_rounded_stays),
        cmocka_unit_test(a_knob_fits),
        cmocka_unit_test(damage),
        cmocka_unit_test(nothing_half_written_stays),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

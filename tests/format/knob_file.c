/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "../../src/format/knob_file.h"

static smitin_error error;

enum { L = 2, H = 3, D = 4 };

static sm_knob_data *make_knob(void)
{
    sm_knob_data *knob;
    ASSERT_OK(sm_knob_data_new(&knob, L, H, D, &error));
    for (int i = 0; i < L * H; i++) {
        knob->direction[i * D + i % D] = 1;
        for (int d = 0; d < D; d++) knob->mean_shift[i * D + d] = d % 2 == 0 ? 0.5f : -0.5f;
        knob->weight_norm[i] = 2.5f + (float)i;
        knob->bias[i] = -0.25f * (float)i;
        knob->sigma[i] = 1.0f + (float)i;
        knob->sigma_mean[i] = 0;
        knob->accuracy_train[i] = 0.9f;
        knob->accuracy_test[i] = 0.5f + 0.05f * (float)i;
    }
    sm_knob_meta *meta = &knob->meta;
    snprintf(meta->trait, sizeof(meta->trait), "drums");
    snprintf(meta->model, sizeof(meta->model), "a model");
    memset(meta->fingerprint, 'a', 64);
    snprintf(meta->data, sizeof(meta->data), "four \"stems\", café");
    snprintf(meta->licence, sizeof(meta->licence), "CC0-1.0");
    snprintf(meta->site, sizeof(meta->site), "self_attn.z");
    meta->train_count = 100;
    meta->test_count = 30;
    meta->along_mean = true;
    meta->default_alpha = 0.1;
    meta->max_alpha = 12.75;
    return knob;
}

/* The knob's file in memory, freed by the caller. */
static unsigned char *file_of(const sm_knob_data *knob, size_t *size)
{
    char path[256];
    ASSERT_OK(sm_knob_data_write(knob, scratch_path(path, "x.knob.safetensors"), &error));
    unsigned char *bytes = malloc(65536);
    FILE *file = fopen(path, "rb");
    *size = fread(bytes, 1, 65536, file);
    fclose(file);
    return realloc(bytes, *size);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    sm_knob_data *knob = make_knob(), *read;
    char path[256];
    ASSERT_OK(sm_knob_data_write(knob, scratch_path(path, "drums.knob.safetensors"), &error));
    ASSERT_OK(sm_knob_data_read(&read, path, &error));
    assert_true(read->L == L && read->H == H && read->D == D);
    assert_memory_equal(&read->meta, &knob->meta, sizeof(knob->meta));
    assert_memory_equal(read->direction, knob->direction, L * H * D * sizeof(float));
    assert_memory_equal(read->mean_shift, knob->mean_shift, L * H * D * sizeof(float));
    float *const a[] = {read->weight_norm, read->bias,           read->sigma,
                        read->sigma_mean,  read->accuracy_train, read->accuracy_test};
    float *const b[] = {knob->weight_norm, knob->bias,           knob->sigma,
                        knob->sigma_mean,  knob->accuracy_train, knob->accuracy_test};
    for (int i = 0; i < 6; i++) assert_memory_equal(a[i], b[i], L * H * sizeof(float));
    sm_knob_data_free(read);
    sm_knob_data_free(knob);
    sm_knob_data_free(NULL);
}

static void every_changed_byte_of_the_payload_is_noticed(void **state)
{
    (void)state;
    sm_knob_data *knob = make_knob(), *read;
    size_t size;
    unsigned char *bytes = file_of(knob, &size);
    size_t payload = (2 * L * H * D + 6 * L * H) * sizeof(float);
    for (size_t i = size - payload; i < size; i++) {
        bytes[i] ^= 0x10;
        ASSERT_FAILS(sm_knob_data_parse(&read, bytes, size, "k", &error), SMITIN_ERROR_KNOB,
                     "checksum");
        bytes[i] ^= 0x10;
    }
    for (size_t n = 0; n < size; n += 7) {
        assert_int_not_equal(sm_knob_data_parse(&read, bytes, n, "k", &error), SMITIN_OK);
        assert_null(read);
    }
    ASSERT_OK(sm_knob_data_parse(&read, bytes, size, "k", &error));
    sm_knob_data_free(read);
    free(bytes);
    sm_knob_data_free(knob);
}

/* Change one metadata text of the same length. */
static void edited_meta_is_refused(const char *from, const char *to, const char *part)
{
    sm_knob_data *knob = make_knob(), *read;
    size_t size, length = strlen(from);
    unsigned char *bytes = file_of(knob, &size), *at = NULL;
    assert_int_equal(length, strlen(to));
    for (size_t i = 0; i + length < size && at == NULL; i++) {
        if (memcmp(bytes + i, from, length) == 0) at = bytes + i;
    }
    assert_non_null(at);
    memcpy(at, to, length);
    ASSERT_FAILS(sm_knob_data_parse(&read, bytes, size, "k", &error), SMITIN_ERROR_KNOB, part);
    free(bytes);
    sm_knob_data_free(knob);
}

static void bad_metadata_is_refused(void **state)
{
    (void)state;
    edited_meta_is_refused("\"version\":\"1\"", "\"version\":\"2\"", "'version' is not 1");
    edited_meta_is_refused("smitin-knob", "another-one", "'format'");
    edited_meta_is_refused("\"trait\"", "\"trail\"", "'trait' is missing");
    edited_meta_is_refused("self_attn.z", "self_attn.q", "site");
    edited_meta_is_refused("aaaaaaaa", "aaaaXaaa", "fingerprint");
    edited_meta_is_refused("\"12.75\"", "\"0.001\"", "alphas");
    edited_meta_is_refused("\"12.75\"", "\"1e400\"", "not a number");
    edited_meta_is_refused("\"12.75\"", "\"1e300\"", "alphas");
    edited_meta_is_refused("\"12.75\"", "\"seven\"", "not a number");
    edited_meta_is_refused("\"100\"", "\"2.5\"", "not a count");
    edited_meta_is_refused("\"100\"", "\"-10\"", "not a count");
    edited_meta_is_refused("\"sigma\"", "\"gamma\"", "'sigma'");
}

static void bad_numbers_are_not_written(void **state)
{
    (void)state;
    sm_knob_data *knob = make_knob();
    char path[256];
    scratch_path(path, "never.knob.safetensors");
    struct {
        float *at, value;
        const char *part;
    } cases[] = {
        {&knob->direction[5], NAN, "direction of layer 0, head 1 is not finite"},
        {&knob->direction[5], 0.998f, "direction of layer 0, head 1 is not a unit vector"},
        {&knob->mean_shift[23], INFINITY, "mean_shift of layer 1, head 2"},
        {&knob->weight_norm[0], -1, "weight_norm"},
        {&knob->bias[1], NAN, "bias of layer 0, head 1 is not finite"},
        {&knob->sigma[1], -1e-3f, "sigma of layer"},
        {&knob->sigma_mean[1], INFINITY, "sigma_mean"},
        {&knob->accuracy_train[3], 1.001f, "accuracy_train of layer 1, head 0 is out of range"},
        {&knob->accuracy_test[5], -0.1f, "accuracy_test"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float old = *cases[i].at;
        *cases[i].at = cases[i].value;
        ASSERT_FAILS(sm_knob_data_write(knob, path, &error), SMITIN_ERROR_KNOB, cases[i].part);
        *cases[i].at = old;
    }
    knob->meta.data[2] = '\n';
    ASSERT_FAILS(sm_knob_data_write(knob, path, &error), SMITIN_ERROR_KNOB, "control");
    knob->meta.data[2] = ' ';
    knob->meta.max_alpha = NAN;
    ASSERT_FAILS(sm_knob_data_write(knob, path, &error), SMITIN_ERROR_KNOB, "alphas");
    knob->meta.max_alpha = 1;
    assert_int_not_equal(access(path, F_OK), 0);
    ASSERT_OK(sm_knob_data_write(knob, path, &error));
    ASSERT_FAILS(sm_knob_data_write(knob, "/nonexistent/x", &error), SMITIN_ERROR_IO,
                 "/nonexistent/x");
    sm_knob_data_free(knob);
}

/* Within 1e-3 of 1: what half precision leaves of a unit vector. */
static void nearly_unit_directions_pass(void **state)
{
    (void)state;
    sm_knob_data *knob = make_knob(), *read;
    knob->direction[5] = 1.0009f;
    size_t size;
    unsigned char *bytes = file_of(knob, &size);
    ASSERT_OK(sm_knob_data_parse(&read, bytes, size, "k", &error));
    sm_knob_data_free(read);
    free(bytes);
    sm_knob_data_free(knob);
}

static void silly_shapes_are_refused(void **state)
{
    (void)state;
    sm_knob_data *knob;
    ASSERT_FAILS(sm_knob_data_new(&knob, 0, 1, 1, &error), SMITIN_ERROR_ARGUMENT, "impossible");
    ASSERT_FAILS(sm_knob_data_new(&knob, 1, 257, 1, &error), SMITIN_ERROR_ARGUMENT, "impossible");
    ASSERT_FAILS(sm_knob_data_new(&knob, 1, 1, 1025, &error), SMITIN_ERROR_ARGUMENT, "impossible");
    ASSERT_FAILS(sm_knob_data_read(&knob, "/nonexistent/k", &error), SMITIN_ERROR_IO,
                 "/nonexistent/k");
    assert_null(knob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_changed_byte_of_the_payload_is_noticed),
        cmocka_unit_test(bad_metadata_is_refused),
        cmocka_unit_test(bad_numbers_are_not_written),
        cmocka_unit_test(nearly_unit_directions_pass),
        cmocka_unit_test(silly_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}

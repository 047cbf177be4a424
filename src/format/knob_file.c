/* SPDX-License-Identifier: MIT */
/* Owns the knob file: its tensors, its metadata, and the checks a knob passes before it is believed
 * and before it is written. */
#include "knob_file.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/filemap.h"
#include "safetensors.h"

#define KNOB_FORMAT  "smitin-knob"
#define KNOB_VERSION "1"
#define TENSORS      8
#define UNIT_ERROR   1e-3 /* room for directions that were stored or rescaled in half precision */
#define CHECKSUM     65   /* hexadecimal SHA-256 and its end */

/* The table of the file: order is the order of the checksum. */
typedef struct part {
    const char *name;
    bool wide; /* [L,H,D], else [L,H] */
    float **array;
} part;

static void list_parts(sm_knob_data *knob, part parts[TENSORS])
{
    const part table[TENSORS] = {
        {"direction", true, &knob->direction},
        {"mean_shift", true, &knob->mean_shift},
        {"weight_norm", false, &knob->weight_norm},
        {"bias", false, &knob->bias},
        {"sigma", false, &knob->sigma},
        {"sigma_mean", false, &knob->sigma_mean},
        {"accuracy_train", false, &knob->accuracy_train},
        {"accuracy_test", false, &knob->accuracy_test},
    };
    memcpy(parts, table, sizeof(table));
}

static size_t part_count(const sm_knob_data *knob, const part *p)
{
    return (size_t)knob->L * (size_t)knob->H * (p->wide ? (size_t)knob->D : 1);
}

smitin_status sm_knob_data_new(sm_knob_data **knob, int L, int H, int D, smitin_error *error)
{
    *knob = NULL;
    if (L < 1 || L > 256 || H < 1 || H > 256 || D < 1 || D > 1024) {
        return sm_fail(
            error, SMITIN_ERROR_ARGUMENT,
            "a knob of %d layers, %d heads and head size %d is impossible (1 to 256, 256 and "
            "1024)",
            L, H, D);
    }
    sm_knob_data *made = calloc(1, sizeof(*made));
    if (made == NULL) return sm_fail_memory(error, "a knob", sizeof(*made));
    made->L = L;
    made->H = H;
    made->D = D;
    part parts[TENSORS];
    list_parts(made, parts);
    for (int i = 0; i < TENSORS; i++) {
        size_t count = part_count(made, &parts[i]);
        *parts[i].array = calloc(count, sizeof(float));
        if (*parts[i].array != NULL) continue;
        sm_knob_data_free(made);
        return sm_fail_memory(error, "a knob", count * sizeof(float));
    }
    *knob = made;
    return SMITIN_OK;
}

void sm_knob_data_free(sm_knob_data *knob)
{
    if (knob == NULL) return;
    part parts[TENSORS];
    list_parts(knob, parts);
    for (int i = 0; i < TENSORS; i++) free(*parts[i].array);
    free(knob);
}

static smitin_status checksum(const sm_knob_data *knob, char text[CHECKSUM], smitin_error *error)
{
    part parts[TENSORS];
    list_parts((sm_knob_data *)knob, parts);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (int i = 0; done && i < TENSORS; i++) {
        done = EVP_DigestUpdate(context, *parts[i].array,
                                part_count(knob, &parts[i]) * sizeof(float)) == 1;
    }
    done = done && EVP_DigestFinal_ex(context, digest, &length) == 1 && length == 32;
    EVP_MD_CTX_free(context);
    if (!done) return sm_fail_memory(error, "a checksum", 32);
    for (unsigned int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return SMITIN_OK;
}

static smitin_status refuse(const char *name, const char *what, int l, int h, const char *why,
                            smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_KNOB,
                   "knob '%s': %s of layer %d, head %d %s; train it again", name, what, l, h, why);
}

/* Each vector of [L,H,D] has length 1. */
static smitin_status check_unit(const sm_knob_data *knob, const float *vectors, const char *what,
                                const char *name, smitin_error *error)
{
    for (int i = 0; i < knob->L * knob->H; i++) {
        double sum = 0;
        for (int d = 0; d < knob->D; d++) {
            double value = (double)vectors[(size_t)i * (size_t)knob->D + (size_t)d];
            sum += value * value;
        }
        if (!isfinite(sum)) {
            return refuse(name, what, i / knob->H, i % knob->H, "is not finite", error);
        }
        if (fabs(sqrt(sum) - 1) > UNIT_ERROR) {
            return refuse(name, what, i / knob->H, i % knob->H, "is not a unit vector", error);
        }
    }
    return SMITIN_OK;
}

/* Each number of [L,H] lies in first..last. */
static smitin_status check_range(const sm_knob_data *knob, const float *values, float first,
                                 float last, const char *what, const char *name,
                                 smitin_error *error)
{
    for (int i = 0; i < knob->L * knob->H; i++) {
        if (values[i] >= first && values[i] <= last) continue; /* false for NaN */
        const char *why = isfinite(values[i]) ? "is out of range" : "is not finite";
        return refuse(name, what, i / knob->H, i % knob->H, why, error);
    }
    return SMITIN_OK;
}

static bool is_fingerprint(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Texts end up in messages and tables, which are one line. */
static bool is_line(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f) return false;
    }
    return true;
}

static smitin_status check_meta(const sm_knob_meta *meta, const char *name, smitin_error *error)
{
    const char *problem = NULL;
    if (meta->trait[0] == 0) problem = "it names no trait";
    if (!is_line(meta->trait) || !is_line(meta->model) || !is_line(meta->data) ||
        !is_line(meta->licence)) {
        problem = "its metadata holds control characters";
    }
    if (!is_fingerprint(meta->fingerprint))
        problem = "its fingerprint is not 64 hexadecimal digits";
    if (strcmp(meta->site, "self_attn.z") != 0) problem = "its site is not self_attn.z";
    if (meta->train_count < 0 || meta->test_count < 0) problem = "its segment counts are negative";
    /* false for NaN */
    bool alphas = meta->default_alpha >= 0 && meta->max_alpha >= meta->default_alpha &&
                  meta->max_alpha <= 1e6;
    if (!alphas) problem = "its alphas are not 0 <= default_alpha <= max_alpha <= 1000000";
    if (problem == NULL) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_KNOB, "knob '%s': %s; train it again", name, problem);
}

static smitin_status check_knob(const sm_knob_data *knob, const char *name, smitin_error *error)
{
    const float most = 3.4e38f; /* any finite number */
    SM_TRY(check_meta(&knob->meta, name, error));
    SM_TRY(check_unit(knob, knob->direction, "direction", name, error));
    SM_TRY(check_unit(knob, knob->mean_shift, "mean_shift", name, error));
    SM_TRY(check_range(knob, knob->weight_norm, 0, most, "weight_norm", name, error));
    SM_TRY(check_range(knob, knob->bias, -most, most, "bias", name, error));
    SM_TRY(check_range(knob, knob->sigma, 0, most, "sigma", name, error));
    SM_TRY(check_range(knob, knob->sigma_mean, 0, most, "sigma_mean", name, error));
    SM_TRY(check_range(knob, knob->accuracy_train, 0, 1, "accuracy_train", name, error));
    return check_range(knob, knob->accuracy_test, 0, 1, "accuracy_test", name, error);
}

/* ---- Reading ---- */

typedef struct reader {
    const sm_safetensors *file;
    const char *name;
    smitin_status status;
    smitin_error *error;
} reader;

static void refuse_meta(reader *r, const char *key, const char *why)
{
    if (r->status != SMITIN_OK) return;
    r->status = sm_fail(r->error, SMITIN_ERROR_KNOB,
                        "knob '%s': its metadata '%s' %s; is this a knob file of this version?",
                        r->name, key, why);
}

static const char *read_meta(reader *r, const char *key)
{
    const char *value = sm_safetensors_meta(r->file, key);
    if (value == NULL) refuse_meta(r, key, "is missing");
    return value != NULL ? value : "";
}

static void read_string(reader *r, const char *key, char *out, size_t size)
{
    const char *value = read_meta(r, key);
    size_t length = strlen(value);
    if (length >= size) {
        refuse_meta(r, key, "is too long");
        return;
    }
    memcpy(out, value, length + 1);
}

/* Numbers are read by the JSON reader, which does not depend on the locale. */
static double read_number(reader *r, const char *key)
{
    const char *value = read_meta(r, key);
    json_t *number = json_loads(value, JSON_DECODE_ANY, NULL);
    double out = json_is_number(number) ? json_number_value(number) : NAN;
    json_decref(number);
    if (!isfinite(out)) refuse_meta(r, key, "is not a number");
    return out;
}

static int read_count(reader *r, const char *key)
{
    double value = read_number(r, key);
    if (value >= 0 && value <= 1e9 && value == floor(value)) return (int)value;
    refuse_meta(r, key, "is not a count");
    return 0;
}

/* Optional, since files of other programs may not know it. */
static bool read_along_mean(reader *r)
{
    const char *value = sm_safetensors_meta(r->file, "along");
    if (value == NULL || strcmp(value, "direction") == 0) return false;
    if (strcmp(value, "mean_shift") != 0) refuse_meta(r, "along", "is not direction or mean_shift");
    return true;
}

static smitin_status read_all_meta(reader *r, sm_knob_meta *meta)
{
    if (strcmp(read_meta(r, "format"), KNOB_FORMAT) != 0)
        refuse_meta(r, "format", "is not " KNOB_FORMAT);
    if (strcmp(read_meta(r, "version"), KNOB_VERSION) != 0)
        refuse_meta(r, "version", "is not " KNOB_VERSION);
    read_string(r, "trait", meta->trait, sizeof(meta->trait));
    read_string(r, "model", meta->model, sizeof(meta->model));
    read_string(r, "fingerprint", meta->fingerprint, sizeof(meta->fingerprint));
    read_string(r, "data", meta->data, sizeof(meta->data));
    read_string(r, "licence", meta->licence, sizeof(meta->licence));
    read_string(r, "site", meta->site, sizeof(meta->site));
    meta->train_count = read_count(r, "train_count");
    meta->test_count = read_count(r, "test_count");
    meta->along_mean = read_along_mean(r);
    meta->default_alpha = read_number(r, "default_alpha");
    meta->max_alpha = read_number(r, "max_alpha");
    return r->status;
}

/* L, H, D from the shape of `direction`, then each tensor against it. */
static smitin_status read_tensors(reader *r, sm_knob_data **knob)
{
    const sm_tensor *first = sm_safetensors_find(r->file, "direction");
    if (first == NULL || first->dims != 3 || first->shape[0] > 256 || first->shape[1] > 256 ||
        first->shape[2] > 1024 || first->count == 0) {
        return sm_fail(
            r->error, SMITIN_ERROR_KNOB,
            "knob '%s': its tensor 'direction' is missing or not [layers, heads, head size]",
            r->name);
    }
    SM_TRY(sm_knob_data_new(knob, (int)first->shape[0], (int)first->shape[1], (int)first->shape[2],
                            r->error));
    part parts[TENSORS];
    list_parts(*knob, parts);
    for (int i = 0; i < TENSORS; i++) {
        const sm_tensor *tensor = sm_safetensors_find(r->file, parts[i].name);
        bool fits =
            tensor != NULL && tensor->dtype == SM_F32 && tensor->dims == (parts[i].wide ? 3 : 2);
        for (int d = 0; fits && d < tensor->dims; d++) fits = tensor->shape[d] == first->shape[d];
        if (!fits) {
            return sm_fail(
                r->error, SMITIN_ERROR_KNOB,
                "knob '%s': its tensor '%s' is missing, not F32 or of another shape than "
                "'direction'",
                r->name, parts[i].name);
        }
        SM_TRY(sm_tensor_to_f32(tensor, 0, tensor->count, *parts[i].array, r->error));
    }
    return SMITIN_OK;
}

static smitin_status read_knob(reader *r, sm_knob_data **knob)
{
    sm_knob_meta meta;
    memset(&meta, 0, sizeof(meta));
    SM_TRY(read_all_meta(r, &meta));
    if (sm_safetensors_count(r->file) != TENSORS) {
        return sm_fail(r->error, SMITIN_ERROR_KNOB, "knob '%s': it has %zu tensors instead of %d",
                       r->name, sm_safetensors_count(r->file), TENSORS);
    }
    SM_TRY(read_tensors(r, knob));
    (*knob)->meta = meta;
    char expected[CHECKSUM];
    SM_TRY(checksum(*knob, expected, r->error));
    if (strcmp(read_meta(r, "checksum"), expected) != 0) {
        return sm_fail(
            r->error, SMITIN_ERROR_KNOB,
            "knob '%s': its numbers do not match its checksum, so it is damaged or was edited; "
            "fetch or train it again",
            r->name);
    }
    return check_knob(*knob, r->name, r->error);
}

smitin_status sm_knob_data_parse(sm_knob_data **knob, const void *data, size_t size,
                                 const char *name, smitin_error *error)
{
    *knob = NULL;
    sm_safetensors *file;
    SM_TRY(sm_safetensors_parse(&file, data, size, name, error));
    reader r = {file, name, SMITIN_OK, error};
    smitin_status status = read_knob(&r, knob);
    sm_safetensors_close(file);
    if (status != SMITIN_OK) {
        sm_knob_data_free(*knob);
        *knob = NULL;
    }
    return status;
}

smitin_status sm_knob_data_read(sm_knob_data **knob, const char *path, smitin_error *error)
{
    *knob = NULL;
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    smitin_status status = sm_knob_data_parse(knob, map.data, map.size, path, error);
    sm_filemap_close(&map);
    return status;
}

/* ---- Writing ---- */

/* A number's text; NULL when memory is short. */
static char *number_text(double value)
{
    json_t *number = json_real(value);
    char *text = json_dumps(number, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(number);
    return text;
}

static smitin_status write_parts(const sm_knob_data *knob, const char *path,
                                 const sm_meta_out *meta, size_t meta_count, smitin_error *error)
{
    part parts[TENSORS];
    list_parts((sm_knob_data *)knob, parts);
    sm_tensor_out tensors[TENSORS];
    for (int i = 0; i < TENSORS; i++) {
        tensors[i] = (sm_tensor_out){parts[i].name,
                                     SM_F32,
                                     parts[i].wide ? 3 : 2,
                                     {knob->L, knob->H, knob->D},
                                     *parts[i].array};
    }
    return sm_safetensors_write(path, tensors, TENSORS, meta, meta_count, error);
}

smitin_status sm_knob_data_write(const sm_knob_data *knob, const char *path, smitin_error *error)
{
    SM_TRY(check_knob(knob, path, error));
    char sum[CHECKSUM], train[16], test[16];
    SM_TRY(checksum(knob, sum, error));
    snprintf(train, sizeof(train), "%d", knob->meta.train_count);
    snprintf(test, sizeof(test), "%d", knob->meta.test_count);
    char *default_alpha = number_text(knob->meta.default_alpha);
    char *max_alpha = number_text(knob->meta.max_alpha);
    smitin_status status;
    if (default_alpha == NULL || max_alpha == NULL) {
        status = sm_fail_memory(error, "a knob's metadata", 64);
        goto done;
    }
    const sm_meta_out meta[] = {
        {"format", KNOB_FORMAT},
        {"version", KNOB_VERSION},
        {"trait", knob->meta.trait},
        {"model", knob->meta.model},
        {"fingerprint", knob->meta.fingerprint},
        {"data", knob->meta.data},
        {"licence", knob->meta.licence},
        {"site", knob->meta.site},
        {"train_count", train},
        {"test_count", test},
        {"along", knob->meta.along_mean ? "mean_shift" : "direction"},
        {"default_alpha", default_alpha},
        {"max_alpha", max_alpha},
        {"checksum", sum},
    };
    status = write_parts(knob, path, meta, sizeof(meta) / sizeof(meta[0]), error);
done:
    free(default_alpha);
    free(max_alpha);
    return status;
}

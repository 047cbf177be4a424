/* SPDX-License-Identifier: MIT */
/* Owns the binder: the one place where a checkpoint's tensors are looked up, checked and copied.
 * Owns neither the file nor the arena. */
#include "weights.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 256

void sm_binder_init(sm_binder *binder, const sm_safetensors *file, sm_arena *arena)
{
    memset(binder, 0, sizeof(*binder));
    binder->file = file;
    binder->arena = arena;
}

void sm_binder_init_source(sm_binder *binder, const sm_source *source, sm_arena *arena)
{
    memset(binder, 0, sizeof(*binder));
    binder->source = source;
    binder->arena = arena;
}

static const sm_tensor *find(const sm_binder *binder, const char *name)
{
    return binder->source != NULL ? sm_source_find(binder->source, name)
                                  : sm_safetensors_find(binder->file, name);
}

static void note(sm_binder *binder, const char *format, va_list args)
{
    char text[400];
    vsnprintf(text, sizeof(text), format, args);
    binder->misses++;
    size_t room = sizeof(binder->report) - binder->report_length;
    size_t need = strlen(text) + (binder->report_length > 0 ? 2 : 0);
    /* Whole problems only: what does not fit is counted, not cut. */
    if (need >= room) return;
    int n = snprintf(binder->report + binder->report_length, room, "%s%s",
                     binder->report_length > 0 ? "; " : "", text);
    if (n > 0) binder->report_length += (size_t)n;
    binder->reported++;
}

void sm_binder_miss(sm_binder *binder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(binder, format, args);
    va_end(args);
}

void sm_binder_short(sm_binder *binder, const char *what)
{
    binder->out_of_memory = true;
    sm_binder_miss(binder, "memory is short for %s", what);
}

bool sm_binder_has(const sm_binder *binder, const char *name_format, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, name_format);
    vsnprintf(name, sizeof(name), name_format, args);
    va_end(args);
    return binder->random || find(binder, name) != NULL;
}

/* "[3,4]" */
static void format_shape(char *text, size_t size, int dims, const int64_t *shape)
{
    size_t length = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dims && length + 24 < size; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s%lld", i > 0 ? "," : "",
                                   (long long)shape[i]);
    }
    snprintf(text + length, size - length, "]");
}

static bool check_shape(sm_binder *binder, const sm_tensor *tensor, int dims, const int64_t *shape)
{
    bool same = tensor->dims == dims;
    for (int i = 0; same && i < dims; i++) same = tensor->shape[i] == shape[i];
    if (same) return true;
    char found[SM_MAX_DIMS * 24 + 4], expected[SM_MAX_DIMS * 24 + 4];
    format_shape(found, sizeof(found), tensor->dims, tensor->shape);
    format_shape(expected, sizeof(expected), dims, shape);
    sm_binder_miss(binder, "%s has shape %s, expected %s", tensor->name, found, expected);
    return false;
}

/* The type of a format in blocks; F32 for the others. */
static sm_dtype block_type(sm_format format)
{
    return format == SM_FORMAT_Q8 ? SM_Q8_0 : format == SM_FORMAT_Q4 ? SM_IQ4_NL : SM_F32;
}

const sm_tensor *sm_binder_blocks(sm_binder *binder, sm_format format, int dims,
                                  const int64_t *shape, const char *name)
{
    const sm_tensor *tensor = find(binder, name);
    if (tensor == NULL) {
        if (strstr(name, ".lstm.") != NULL) binder->lacks_lstm = true;
        sm_binder_miss(binder, "%s is missing", name);
        return NULL;
    }
    if (!check_shape(binder, tensor, dims, shape)) return NULL;
    if (tensor->dtype != SM_F32 && tensor->dtype != SM_F16 && tensor->dtype != SM_BF16 &&
        tensor->dtype != SM_F64 && tensor->dtype != block_type(format)) {
        sm_binder_miss(binder, "%s has type %s, expected F32, F16, BF16%s%s", name,
                       sm_dtype_name(tensor->dtype),
                       sm_format_packed(format) ? ", F64 or " : " or ",
                       sm_format_packed(format) ? sm_dtype_name(block_type(format)) : "F64");
        return NULL;
    }
    return tensor;
}

const sm_tensor *sm_binder_tensor(sm_binder *binder, int dims, const int64_t *shape,
                                  const char *name)
{
    return sm_binder_blocks(binder, SM_FORMAT_F32, dims, shape, name);
}

static float *bind_random(sm_binder *binder, int dims, const int64_t *shape, const char *name)
{
    size_t count = (size_t)shape[0], inputs = 1;
    for (int i = 1; i < dims; i++) inputs *= (size_t)shape[i];
    count *= inputs;
    float *out = SM_TAKE(binder->arena, count, float);
    if (out == NULL) {
        binder->out_of_memory = true;
        sm_binder_miss(binder, "%s needs %zu values, for which memory is short", name, count);
        return NULL;
    }
    if (dims > 1) {
        sm_random_weights(out, sm_random_seed(name), 0, count, 1.0 / sqrt((double)inputs));
    } else {
        const float value = strstr(name, "bias") != NULL ? 0.0f : 1.0f;
        for (size_t i = 0; i < count; i++) out[i] = value;
    }
    binder->parameters += count;
    return out;
}

static float *bind_copy(sm_binder *binder, const sm_tensor *tensor)
{
    float *out = SM_TAKE(binder->arena, tensor->count, float);
    if (out == NULL || sm_tensor_to_f32(tensor, 0, tensor->count, out, NULL) != SMITIN_OK) {
        binder->out_of_memory = true;
        sm_binder_miss(binder, "%s needs %zu values, for which memory is short", tensor->name,
                       tensor->count);
        return NULL;
    }
    for (size_t i = 0; i < tensor->count; i++) {
        if (isfinite(out[i])) continue;
        sm_binder_miss(binder, "%s is not finite at element %zu", tensor->name, i);
        return NULL;
    }
    return out;
}

/* `name`, in `format` where it is listed. */
static float *bind_named(sm_binder *binder, int dims, const int64_t *shape, const char *name,
                         sm_format format)
{
    if (binder->random && binder->list == NULL) return bind_random(binder, dims, shape, name);
    if (binder->random) {
        uint64_t count = 1;
        for (int i = 0; i < dims; i++) count *= (uint64_t)shape[i];
        binder->parameters += count;
        return NULL;
    }
    const sm_tensor *tensor = sm_binder_tensor(binder, dims, shape, name);
    if (tensor == NULL) return NULL;
    float *out = NULL;
    if (binder->list != NULL) {
        sm_bound bound = {.name = name, .dims = dims, .format = format, .tensor = tensor};
        for (int i = 0; i < dims; i++) bound.shape[i] = shape[i];
        binder->list(binder->lister, &bound);
    } else {
        out = bind_copy(binder, tensor);
        if (out == NULL) return NULL;
    }
    if (binder->watch != NULL) binder->watch(binder->watcher, tensor);
    binder->parameters += tensor->count;
    return out;
}

float *sm_bind(sm_binder *binder, int dims, const int64_t *shape, const char *name_format, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, name_format);
    vsnprintf(name, sizeof(name), name_format, args);
    va_end(args);
    return bind_named(binder, dims, shape, name, SM_FORMAT_F32);
}

/* ---- Weight norm ---- */

/* v = g v / |v| over `columns`; false when v has no length. */
static bool fold_row(float *v, float g, size_t columns)
{
    double sum = 0.0;
    for (size_t i = 0; i < columns; i++) sum += (double)v[i] * (double)v[i];
    if (!(sum > 0.0)) return false;
    const double scale = (double)g / sqrt(sum);
    for (size_t i = 0; i < columns; i++) v[i] = (float)((double)v[i] * scale);
    return true;
}

static void list_normed(sm_binder *binder, const int64_t shape[3], const char *module,
                        const sm_tensor *g, const sm_tensor *v)
{
    char name[NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s.weight", module);
    const sm_bound bound = {.name = name,
                            .dims = 3,
                            .shape = {shape[0], shape[1], shape[2]},
                            .format = binder->format,
                            .tensor = v,
                            .norm = g};
    binder->list(binder->lister, &bound);
}

float *sm_bind_normed(sm_binder *binder, const int64_t shape[3], const char *name_format, ...)
{
    static const char *const spellings[2][2] = {
        {"weight_g", "weight_v"},
        {"parametrizations.weight.original0", "parametrizations.weight.original1"}};
    char module[NAME_SIZE - 48], g_name[NAME_SIZE], v_name[NAME_SIZE];
    const int64_t magnitude[3] = {shape[0], 1, 1};
    va_list args;
    va_start(args, name_format);
    vsnprintf(module, sizeof module, name_format, args);
    va_end(args);
    snprintf(v_name, sizeof v_name, "%s.weight", module);
    if (sm_binder_has(binder, "%s", v_name))
        return bind_named(binder, 3, shape, v_name, binder->format);
    const int newer = sm_binder_has(binder, "%s.%s", module, spellings[1][1]);
    snprintf(g_name, sizeof g_name, "%s.%s", module, spellings[newer][0]);
    snprintf(v_name, sizeof v_name, "%s.%s", module, spellings[newer][1]);
    const sm_tensor *given_g = sm_binder_tensor(binder, 3, magnitude, g_name);
    const sm_tensor *given_v = sm_binder_tensor(binder, 3, shape, v_name);
    if (given_g == NULL || given_v == NULL) return NULL;
    binder->parameters += given_v->count; /* of the layer: a folded file has no others */
    if (binder->list != NULL) {
        list_normed(binder, shape, module, given_g, given_v);
        return NULL;
    }
    const float *g = bind_copy(binder, given_g);
    float *v = bind_copy(binder, given_v);
    const size_t columns = (size_t)shape[1] * (size_t)shape[2];
    for (int64_t r = 0; g != NULL && v != NULL && r < shape[0]; r++) {
        if (fold_row(v + (size_t)r * columns, g[r], columns)) continue;
        sm_binder_miss(binder, "the weight norm of %s has an empty direction in row %d", module,
                       (int)r);
        return NULL;
    }
    return g != NULL ? v : NULL;
}

int sm_bound_rows(const sm_bound *bound)
{
    return bound->dims > 1 ? (int)bound->shape[0] : 1;
}

size_t sm_bound_columns(const sm_bound *bound)
{
    return bound->tensor->count / (size_t)sm_bound_rows(bound);
}

smitin_status sm_bound_read(const sm_bound *bound, float *out, int n0, int n1, smitin_error *error)
{
    const size_t columns = sm_bound_columns(bound);
    SM_TRY(sm_tensor_to_f32(bound->tensor, (size_t)n0 * columns, (size_t)(n1 - n0) * columns, out,
                            error));
    for (int n = n0; n < n1 && bound->norm != NULL; n++) {
        float g;
        SM_TRY(sm_tensor_to_f32(bound->norm, (size_t)n, 1, &g, error));
        if (fold_row(out + (size_t)(n - n0) * columns, g, columns)) continue;
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "the weight norm of %s has an empty direction in row %d; fetch the model "
                       "again",
                       bound->name, n);
    }
    return SMITIN_OK;
}

smitin_status sm_binder_finish(const sm_binder *binder, const char *part, smitin_error *error)
{
    if (binder->misses == 0) return SMITIN_OK;
    /* The end of a long path says more than its beginning, and the report must fit behind it.
     */
    const char *path = binder->random           ? "random weights"
                       : binder->source != NULL ? sm_source_path(binder->source)
                                                : sm_safetensors_path(binder->file);
    size_t length = strlen(path);
    if (length > 60) path += length - 60;
    char more[40] = "";
    int left = binder->misses - binder->reported;
    if (left > 0) snprintf(more, sizeof(more), "; and %d more", left);
    smitin_status status = binder->out_of_memory ? SMITIN_ERROR_MEMORY : SMITIN_ERROR_MODEL;
    /* Early uploads of the melody models were saved without 14 of them. */
    const char *hint = binder->lacks_lstm
                           ? " (early uploads lack LSTM tensors of the codec: fetch a later "
                             "revision, or fetch facebook/encodec_32khz, the same codec, and put "
                             "its folder beside the model as 'encodec_32khz')"
                           : "";
    return sm_fail(error, status, "%s: %s refused, %d problem%s%s: %s%s", path, part,
                   binder->misses, binder->misses == 1 ? "" : "s", hint, binder->report, more);
}

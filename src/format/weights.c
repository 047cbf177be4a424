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

const sm_tensor *sm_binder_tensor(sm_binder *binder, int dims, const int64_t *shape,
                                  const char *name)
{
    const sm_tensor *tensor = find(binder, name);
    if (tensor == NULL) {
        if (strstr(name, ".lstm.") != NULL) binder->lacks_lstm = true;
        sm_binder_miss(binder, "%s is missing", name);
        return NULL;
    }
    if (!check_shape(binder, tensor, dims, shape)) return NULL;
    if (tensor->dtype != SM_F32 && tensor->dtype != SM_F16 && tensor->dtype != SM_BF16 &&
        tensor->dtype != SM_F64) {
        sm_binder_miss(binder, "%s has type %s, expected F32, F16, BF16 or F64", name,
                       sm_dtype_name(tensor->dtype));
        return NULL;
    }
    return tensor;
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

float *sm_bind(sm_binder *binder, int dims, const int64_t *shape, const char *name_format, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, name_format);
    vsnprintf(name, sizeof(name), name_format, args);
    va_end(args);

    if (binder->random) return bind_random(binder, dims, shape, name);
    const sm_tensor *tensor = sm_binder_tensor(binder, dims, shape, name);
    if (tensor == NULL) return NULL;
    float *out = SM_TAKE(binder->arena, tensor->count, float);
    if (out == NULL || sm_tensor_to_f32(tensor, 0, tensor->count, out, NULL) != SMITIN_OK) {
        binder->out_of_memory = true;
        sm_binder_miss(binder, "%s needs %zu values, for which memory is short", name,
                       tensor->count);
        return NULL;
    }
    for (size_t i = 0; i < tensor->count; i++) {
        if (isfinite(out[i])) continue;
        sm_binder_miss(binder, "%s is not finite at element %zu", name, i);
        return NULL;
    }
    if (binder->watch != NULL) binder->watch(binder->watcher, tensor);
    binder->parameters += tensor->count;
    return out;
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
